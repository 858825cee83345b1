//! The record against the orchestrator's clock and the kernel's books.

use super::super::row::{ALL_ROLES, Recorded, Row};
use super::finding::{Finding, worst_trial};
use crate::schema::journal::ThreadEvidence;
use crate::stats::quantile;
use crate::units::{Nanos, grouped};

/// What the two clocks may differ by in the typical trial: a share, and the time a line waits to be read.
const CLOCK_SUSPECT: (f64, f64) = (0.02, 2e6);
/// What no waiting line explains, in any trial.
const CLOCK_INVALID: (f64, f64) = (0.10, 20e6);
/// With at least so many users per worker, each worker must have had work.
const USERS_PER_WORKER: u64 = 4;

/// `wall-clock`: the orchestrator's measured window agrees with the record's elapsed time.
///
/// One trial far outside makes the row invalid. A little outside can be a phase line that was read late on a busy host, so only
/// the median trial makes it suspect.
pub(super) fn wall_clock(row: &Row<'_>) -> Option<Finding> {
    let apart = |trial: &Recorded<'_>| {
        let wall = trial.evidence.measure_wall_ns? as f64;
        let elapsed = trial.record.elapsed_ns as f64;
        Some(((wall - elapsed).abs(), elapsed, wall))
    };
    let seen: Vec<(f64, f64, f64)> = row.recorded().filter_map(|trial| apart(&trial)).collect();
    let limit = |(share, slack): (f64, f64), elapsed: f64| share * elapsed + slack;
    if let Some((off, elapsed, wall)) = seen.iter().find(|(off, elapsed, _)| *off > limit(CLOCK_INVALID, *elapsed)) {
        let detail = format!("the record says {}, the orchestrator saw {}", Nanos(*elapsed), Nanos(*wall));
        return Some(Finding::invalid(detail).with(*off, limit(CLOCK_INVALID, *elapsed)));
    }
    let offs: Vec<f64> = seen.iter().map(|(off, ..)| *off).collect();
    let Some((off, allowed)) = quantile::median(&offs).zip(seen.first().map(|(_, elapsed, _)| limit(CLOCK_SUSPECT, *elapsed))) else {
        return Some(Finding::skipped("the orchestrator saw no measured window"));
    };
    let detail = format!("the two clocks differ by {} in the median trial, {} allowed", Nanos(off), Nanos(allowed));
    Some(if off > allowed { Finding::suspect(detail) } else { Finding::pass(detail) }.with(off, allowed))
}

/// `kernel-counters`: the kernel opened as many TCP connections as the record claims.
pub(super) fn kernel_counters(row: &Row<'_>) -> Option<Finding> {
    if row.case.workload != "tcp" {
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
pub(super) fn workers_observed(row: &Row<'_>) -> Option<Finding> {
    Some(worst_trial(row, |trial| {
        let workers = &trial.record.workers;
        let threads: Vec<&ThreadEvidence> = trial.processes(ALL_ROLES).flat_map(|process| &process.threads).collect();
        if workers.is_empty() || threads.is_empty() {
            let missing = if workers.is_empty() { "the record names no workers" } else { "the threads were not read from /proc" };
            return Finding::skipped(missing);
        }
        for worker in workers {
            let claims_work = worker.operations.or(worker.polls) != Some(0);
            let Some(thread) = threads.iter().find(|thread| thread.thread_id == worker.thread_id) else {
                // A worker without work may have ended before anybody looked; it claims nothing that a thread would have to prove.
                if !claims_work {
                    continue;
                }
                return Finding::invalid(format!("worker thread {} was claimed, and no such thread ran", worker.thread_id));
            };
            let differs = !worker.cpus.is_empty() && sorted(&worker.cpus) != sorted(&thread.cpus);
            if differs {
                let (claimed, seen) = (&worker.cpus, &thread.cpus);
                return Finding::suspect(format!("thread {} claims CPUs {claimed:?}, the kernel says {seen:?}", worker.thread_id));
            }
        }
        let idle = workers.iter().filter(|worker| worker.operations.or(worker.polls) == Some(0)).count();
        let enough_work = row.case.users.is_some_and(|users| users >= USERS_PER_WORKER * workers.len() as u64);
        let detail = format!("{} workers seen, {} of them had work", workers.len(), workers.len() - idle);
        if idle > 0 && enough_work { Finding::suspect(detail) } else { Finding::pass(detail) }
            .with((workers.len() - idle) as f64, workers.len() as f64)
    }))
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
