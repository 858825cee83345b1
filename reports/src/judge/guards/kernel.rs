//! The record against the orchestrator's clock and the kernel's books.

use super::super::row::{ALL_ROLES, Recorded, Row};
use super::finding::{Finding, worst_trial};
use crate::schema::journal::{Evidence, ThreadEvidence};
use crate::schema::record::{TrialRecord, WorkerRecord};
use crate::schema::validity::CheckState;
use crate::stats::quantile;
use crate::units::{Nanos, grouped};

/// What the two clocks may differ by in the typical trial: a share, and the time a line waits to be read.
const CLOCK_SUSPECT: (f64, f64) = (0.02, 2e6);
/// What no waiting line explains, in any trial.
const CLOCK_INVALID: (f64, f64) = (0.10, 20e6);
/// With at least so many users per worker, each worker must have had work.
const USERS_PER_WORKER: u64 = 4;
/// Polls that a worker does for the set-up and the end of a trial alone.
const POLLS_OF_SETUP: u64 = 16;

/// Whether the orchestrator's window and the record's are too far apart for this trial to be believed.
///
/// A host that stops the orchestrator for a while does this to an honest trial, and then not to its repetition.
pub fn clocks_disagree(record: &TrialRecord, evidence: &Evidence) -> bool {
    Clocks::of(record, evidence).is_some_and(|clocks| clocks.off() > clocks.limit(CLOCK_INVALID))
}

/// The length of a window on both clocks, in nanoseconds.
struct Clocks {
    elapsed: f64,
    wall: f64,
}

impl Clocks {
    fn of(record: &TrialRecord, evidence: &Evidence) -> Option<Self> {
        Some(Self { elapsed: record.elapsed_ns as f64, wall: evidence.measure_wall_ns? as f64 })
    }

    fn off(&self) -> f64 {
        (self.wall - self.elapsed).abs()
    }

    fn limit(&self, (share, slack): (f64, f64)) -> f64 {
        share * self.elapsed + slack
    }
}

/// `wall-clock`: the orchestrator's measured window agrees with the record's elapsed time.
///
/// One trial far outside makes the row invalid. A little outside can be a phase line that was read late on a busy host, so only
/// the median trial makes it suspect.
pub(super) fn wall_clock(row: &Row<'_>) -> Option<Finding> {
    if let Some(trial) = row.recorded().find(|trial| clocks_disagree(trial.record, trial.evidence)) {
        let clocks = Clocks::of(trial.record, trial.evidence)?;
        let detail = format!("the record says {}, the orchestrator saw {}", Nanos(clocks.elapsed), Nanos(clocks.wall));
        return Some(Finding::invalid(detail).with(clocks.off(), clocks.limit(CLOCK_INVALID)));
    }
    let seen: Vec<Clocks> = row.recorded().filter_map(|trial| Clocks::of(trial.record, trial.evidence)).collect();
    let offs: Vec<f64> = seen.iter().map(Clocks::off).collect();
    let Some((off, allowed)) = quantile::median(&offs).zip(seen.first().map(|clocks| clocks.limit(CLOCK_SUSPECT))) else {
        return Some(Finding::skipped("the orchestrator saw no measured window"));
    };
    let detail = format!("the two clocks differ by {} in the median trial, {} allowed", Nanos(off), Nanos(allowed));
    Some(if off > allowed { Finding::suspect(detail) } else { Finding::pass(detail) }.with(off, allowed))
}

/// `kernel-counters`: the kernel opened as many TCP connections as the record claims.
pub(super) fn kernel_counters(row: &Row<'_>) -> Option<Finding> {
    if !row.has_connections() {
        return None;
    }
    Some(worst_trial(row, |trial| {
        let Some(opened) = trial.record.counters.get("connections_opened").copied() else {
            return Finding::skipped("the record does not count `connections_opened`");
        };
        let Some(kernel) = trial.evidence.tcp_active_opens else {
            return Finding::skipped("the kernel's TCP counters were not read");
        };
        let private = trial.evidence.tcp_namespace_is_private;
        let connect_errors = trial.record.work.errors.get("connect").copied().unwrap_or(0);
        let surplus = kernel.saturating_sub(opened.saturating_add(connect_errors));
        let detail = format!("{} connections claimed, the kernel opened {}", grouped(opened), grouped(kernel));
        if kernel < opened || (private && surplus > 0) {
            return Finding::invalid(detail).with(opened as f64, kernel as f64);
        }
        accepted(trial).unwrap_or_else(|| {
            let scope = if private { "in a namespace of its own" } else { "others on the host included" };
            Finding::pass(format!("{detail}, {scope}")).with(opened as f64, kernel as f64)
        })
    }))
}

/// The passive side, where both tell it: a finding only when it does not fit.
fn accepted(trial: &Recorded<'_>) -> Option<Finding> {
    let claimed = trial.record.counters.get("connections_accepted").copied()?;
    let kernel = trial.evidence.tcp_passive_opens?;
    (kernel < claimed).then(|| {
        let detail = format!("{} accepted connections claimed, the kernel accepted {}", grouped(claimed), grouped(kernel));
        Finding::invalid(detail).with(claimed as f64, kernel as f64)
    })
}

/// `workers-observed`: the threads claimed exist with the CPUs claimed, and where there was work for all, all had some.
///
/// Work for all means four users a worker that are always at work; users that mostly wait, and fewer of them, may well stay on one worker,
/// which is reported and not judged. One trial can be a host that gave a thread no time, or let nobody look in time: more than half of
/// them make the row invalid.
pub(super) fn workers_observed(row: &Row<'_>) -> Option<Finding> {
    let is_fault = |trial: &Recorded<'_>| observed(row, trial).state == CheckState::Invalid;
    let (faults, all) = (row.recorded().filter(is_fault).count(), row.recorded().count());
    Some(worst_trial(row, |trial| {
        let finding = observed(row, trial);
        if finding.state == CheckState::Invalid && faults * 2 <= all { finding.softened() } else { finding }
    }))
}

fn observed(row: &Row<'_>, trial: &Recorded<'_>) -> Finding {
    let workers = &trial.record.workers;
    let threads: Vec<&ThreadEvidence> = trial.processes(ALL_ROLES).flat_map(|process| &process.threads).collect();
    if workers.is_empty() || threads.is_empty() {
        let missing = if workers.is_empty() { "the record names no workers" } else { "the threads were not read from /proc" };
        return Finding::skipped(missing);
    }
    for worker in workers {
        let Some(thread) = threads.iter().find(|thread| thread.thread_id == worker.thread_id) else {
            return Finding::invalid(format!("worker thread {} was claimed, and no such thread ran", worker.thread_id));
        };
        let differs = !worker.cpus.is_empty() && sorted(&worker.cpus) != sorted(&thread.cpus);
        if differs {
            let (claimed, seen) = (&worker.cpus, &thread.cpus);
            return Finding::suspect(format!("thread {} claims CPUs {claimed:?}, the kernel says {seen:?}", worker.thread_id));
        }
    }
    let idle = workers.iter().filter(|worker| is_idle(worker)).count();
    let is_busy = !matches!(row.case.workload.as_str(), "latency" | "sleep");
    let enough_work = is_busy && row.case.users.is_some_and(|users| users >= USERS_PER_WORKER * workers.len() as u64);
    let detail = format!("{} workers seen, {} of them had work", workers.len(), workers.len() - idle);
    let finding = match (idle, enough_work) {
        (0, _) => Finding::pass(detail),
        (_, true) => Finding::invalid(format!("{detail}, and there was work for all")),
        (_, false) => Finding::pass(format!("{detail}; there were too few users at work to judge that")),
    };
    finding.with((workers.len() - idle) as f64, workers.len() as f64)
}

/// No operation ended on it, and it polled no more than the tasks of a set-up.
fn is_idle(worker: &WorkerRecord) -> bool {
    match (worker.operations, worker.polls) {
        (Some(operations), polls) => operations == 0 && polls.is_none_or(|polls| polls <= POLLS_OF_SETUP),
        (None, polls) => polls == Some(0),
    }
}

/// `placement`: every thread was confined to the CPUs planned for its role.
pub(super) fn placement(row: &Row<'_>) -> Option<Finding> {
    let planned = &row.case.cpus;
    if planned.values().all(Vec::is_empty) {
        return Some(Finding::pass("free placement: the kernel chose the CPUs"));
    }
    let disjoint = match (planned.get("server"), planned.get("client")) {
        (Some(server), Some(client)) => !server.iter().any(|cpu| client.contains(cpu)),
        _ => true,
    };
    Some(worst_trial(row, |trial| {
        if trial.processes(ALL_ROLES).all(|process| process.threads.is_empty()) {
            return Finding::skipped("the threads were not read from /proc");
        }
        for process in trial.processes(ALL_ROLES) {
            let Some(allowed) = planned.get(&process.role).or_else(|| planned.get("all")) else { continue };
            if let Some(stray) = process.threads.iter().find(|thread| thread.cpus.iter().any(|cpu| !allowed.contains(cpu))) {
                let detail =
                    format!("thread {} (`{}`) may run on CPUs {:?}, planned were {allowed:?}", stray.thread_id, stray.name, stray.cpus);
                return Finding::suspect(detail);
            }
        }
        let sharing = if disjoint { "" } else { "; client and server share CPUs" };
        Finding::pass(format!("every thread stayed on its CPUs: {}{sharing}", roles(row)))
    }))
}

fn roles(row: &Row<'_>) -> String {
    let parts: Vec<String> = row.case.cpus.iter().map(|(role, cpus)| format!("{role} {cpus:?}")).collect();
    parts.join(", ")
}

fn sorted(cpus: &[u32]) -> Vec<u32> {
    let mut cpus = cpus.to_vec();
    cpus.sort_unstable();
    cpus
}

#[cfg(test)]
mod tests {
    use crate::sample::Journal;
    use crate::schema::journal::{Evidence, Outcome};
    use crate::schema::record::{TrialRecord, WorkerRecord};
    use crate::schema::validity::CheckState;

    const LIAR: &str = "tokio";

    fn bent(journal: &Journal, change: impl Fn(&mut TrialRecord, &mut Evidence)) -> Journal {
        let mut journal = journal.clone();
        journal.each(LIAR, change);
        journal
    }

    #[test]
    fn a_worker_may_be_idle_where_there_is_not_enough_work_for_all() {
        let idle = |record: &mut TrialRecord, _: &mut Evidence| {
            record.workers[0] = WorkerRecord { operations: Some(0), polls: None, ..record.workers[0].clone() }
        };
        let state = |journal: &Journal| {
            let checks = journal.summarize().cases[0].subjects.iter().find(|row| row.subject == LIAR).unwrap().validity.checks.clone();
            checks.iter().find(|check| check.id == "workers-observed").map(|check| check.state)
        };
        let all = bent(&Journal::round_trips(), idle);
        assert_eq!(state(&all), Some(CheckState::Invalid));
        // Seven users of two workers are fewer than four for each; polls show work that ended elsewhere.
        let mut few = all.clone();
        few.header.cases[0].users = Some(7);
        assert_eq!(state(&few), Some(CheckState::Pass));
        assert_eq!(state(&bent(&all, |record, _| record.workers[0].polls = Some(1_000))), Some(CheckState::Pass));
        let mut waits = all.clone();
        waits.header.cases[0].workload = "latency".into();
        assert_eq!(state(&waits), Some(CheckState::Pass));
        // A host that gave a thread no time in some trials.
        let mut some = Journal::round_trips();
        for trial in some.trials.iter_mut().filter(|trial| trial.subject == LIAR).take(5) {
            if let Outcome::Record(record) = &mut trial.outcome {
                idle(record, &mut trial.evidence);
            }
        }
        assert_eq!(state(&some), Some(CheckState::Suspect));
    }
}
