//! The record against itself: does what it claims fit together?

use super::super::row::{Recorded, Row};
use super::super::{calibration, metrics};
use super::bounds::number_named;
use super::finding::{Finding, worst_trial};
use crate::schema::histogram::{self, Histogram};
use crate::schema::record::{TrialRecord, Work};
use crate::units::{Nanos, Share, grouped};

/// What an idle task of the mode `idle-tasks` keeps while it waits: its future, the same for every subject.
pub const IDLE_STATE_BYTES: u64 = 64;
/// A batch below so many clock steps cannot be timed to 1 %.
const STEPS_INVALID: f64 = 100.0;
/// A batch below so many clock steps cannot be timed to 0.1 %.
const STEPS_SUSPECT: f64 = 1_000.0;
/// A shorter batch tells more of what interrupts it than of the work.
const BATCH_NS_MIN: f64 = 5e6;
/// So many times that are all multiples of a step were stamped by a clock of that step...
const STAMPS_THAT_TELL: usize = 8;
/// ... if it is as coarse as this: by chance, eight times in nanoseconds have such a divisor once in 10^24.
const STEP_NS_TOLD: u64 = 1_000;
/// Share of errors above which a rate is doubtful, and above which it is no rate of this work.
const ERROR_SHARE: (f64, f64) = (0.001, 0.01);
/// A row that lost this share of its trials is no sample of them any more.
const LOST_TRIALS_INVALID: f64 = 0.5;
/// Share of the successes whose times a distribution holds at least: operations at the edge of the window may be cut.
const TIMED_SHARE: f64 = 0.99;
/// So many times that are really measured are never all the same to three digits, when...
const SAMPLES_THAT_DIFFER: u64 = 100;
/// ... the rates of the batches are so far apart.
const BATCHES_THAT_DIFFER: f64 = 0.10;

/// `finite`: some time passed and some work was done, in every trial.
pub(super) fn finite(row: &Row<'_>) -> Option<Finding> {
    Some(worst_trial(row, |trial| {
        let (elapsed, ok) = (trial.record.elapsed_ns, trial.record.work.ok);
        if elapsed == 0 || ok == 0 {
            return Finding::invalid(format!("{} operations in {}: no rate follows", grouped(ok), Nanos(elapsed as f64)));
        }
        Finding::pass("time passed and work was done in every trial")
    }))
}

/// `timer-floor`: every batch lasted long enough for the clock to time it, by the clock of this host or the coarser one that the stamps of
/// the records give away.
///
/// The last batch is left out where there are others: it ends where the window ends and may be a remainder.
pub(super) fn timer_floor(row: &Row<'_>) -> Option<Finding> {
    let told = step_told(row.recorded().map(|trial| trial.record));
    let Some(step) = told.or(calibration::value(row.header, calibration::TIMER_RESOLUTION_NS)) else {
        return Some(Finding::skipped("the clock's resolution was not measured"));
    };
    let clock = if told.is_some() { "all its times are multiples of" } else { "the clock steps by" };
    Some(worst_trial(row, |trial| {
        let batches = &trial.record.batches;
        let full = if batches.len() > 1 { &batches[..batches.len() - 1] } else { &batches[..] };
        let shortest = full.iter().map(|(_, ns)| *ns).min().unwrap_or(trial.record.elapsed_ns) as f64;
        let detail = format!("the shortest batch lasted {}, {clock} {}", Nanos(shortest), Nanos(step));
        match shortest / step {
            steps if steps < STEPS_INVALID => Finding::invalid(detail),
            steps if steps < STEPS_SUSPECT || shortest < BATCH_NS_MIN => Finding::suspect(detail),
            _ => Finding::pass(detail),
        }
        .with(shortest, BATCH_NS_MIN.max(step * STEPS_SUSPECT))
    }))
}

/// The step of the clock that stamped these records, where it shows: the greatest common divisor of all batches, or of the windows of
/// records without any.
fn step_told<'a>(records: impl Iterator<Item = &'a TrialRecord>) -> Option<f64> {
    let times = |record: &TrialRecord| match record.batches.len() {
        0 => vec![record.elapsed_ns],
        _ => record.batches.iter().map(|(_, ns)| *ns).collect(),
    };
    let times: Vec<u64> = records.flat_map(times).filter(|ns| *ns > 0).collect();
    let step = times.iter().copied().fold(0, greatest_common_divisor);
    (times.len() >= STAMPS_THAT_TELL && step >= STEP_NS_TOLD).then_some(step as f64)
}

fn greatest_common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// `work-done`: counts, bytes and checks add up, the distributions can be read, and the trials asked for gave records.
pub(super) fn work_done(row: &Row<'_>) -> Option<Finding> {
    if let Some(error) = row.trials.iter().find_map(|trial| trial.histograms.as_ref().err()) {
        return Some(Finding::invalid(error.to_string()));
    }
    if let Err(error) = row.merged(row.time_id()) {
        return Some(Finding::invalid(error.to_string()));
    }
    let records = worst_trial(row, |trial| match work_mismatch(row, trial) {
        Some(mismatch) => Finding::invalid(mismatch),
        None => Finding::pass(format!("attempts, successes, bytes and checks agree; witness: {}", row.case.witness)),
    });
    let (lost, all) = (row.failures().count(), row.trials.len());
    let Some(cause) = row.failures().next().filter(|_| records.state < crate::schema::validity::CheckState::Suspect) else {
        return Some(records);
    };
    let detail = format!("{lost} of {all} trials gave no record ({}: {})", cause.class, cause.message);
    let share = lost as f64 / all as f64;
    Some(if share >= LOST_TRIALS_INVALID { Finding::invalid(detail) } else { Finding::suspect(detail) }.with(lost as f64, 0.0))
}

fn work_mismatch(row: &Row<'_>, trial: &Recorded<'_>) -> Option<String> {
    let work = &trial.record.work;
    if work.ok.checked_add(trial.errors()) != Some(work.attempted) {
        let (ok, errors, attempted) = (grouped(work.ok), grouped(trial.errors()), grouped(work.attempted));
        return Some(format!("{ok} successes and {errors} errors are not the {attempted} attempts claimed"));
    }
    if row.case.workload != "sleep" && work.verified != work.ok {
        return Some(format!("{} of {} successes had their content checked", grouped(work.verified), grouped(work.ok)));
    }
    if let Some(per_operation) = row.case.bytes_per_operation {
        let expected = u128::from(work.ok) * u128::from(per_operation);
        // A stream's window may open and close in the middle of a write on each connection.
        let operations_cut = if row.is_stream() { row.case.users.unwrap_or(1) } else { 0 };
        let slack = u128::from(operations_cut) * u128::from(per_operation);
        if u128::from(work.bytes).abs_diff(expected) > slack {
            let (ok, bytes) = (grouped(work.ok), grouped(work.bytes));
            return Some(format!("{ok} successes of {per_operation} bytes each are not the {bytes} bytes claimed"));
        }
    }
    if let Some(mismatch) = invented_memory(row, trial) {
        return Some(mismatch);
    }
    let times = trial.histograms.and_then(|histograms| histograms.get(row.time_id())).filter(|times| !times.is_empty());
    if times.is_none() && row.is_ranked_by_time() {
        return Some(format!("the row is ranked by `{}`, and the record has no such times", row.time_id()));
    }
    times.and_then(|times| invented_times(work, times, &trial.record.batches))
}

/// Memory that was not measured: of other tasks than those asked for, less than what each of them keeps, or more than the process ever had.
fn invented_memory(row: &Row<'_>, trial: &Recorded<'_>) -> Option<String> {
    if row.case.primary_metric != metrics::BYTES_PER_TASK {
        return None;
    }
    let [Some(bytes), Some(tasks)] = metrics::IDLE.map(|id| trial.record.counters.get(id).copied()) else {
        return Some("the row is ranked by the memory of idle tasks, and the record does not count `idle_bytes` and `idle_tasks`".into());
    };
    let wanted = number_named(&row.case.effective, "tasks").filter(|wanted| *wanted != tasks as f64);
    if let Some(wanted) = wanted {
        return Some(format!("{} idle tasks are not the {wanted} that were asked for", grouped(tasks)));
    }
    if bytes < tasks.saturating_mul(IDLE_STATE_BYTES) {
        let (bytes, tasks) = (grouped(bytes), grouped(tasks));
        return Some(format!("{bytes} bytes for {tasks} idle tasks that keep {IDLE_STATE_BYTES} bytes each"));
    }
    let peak = metrics::rss_peak_bytes(trial).filter(|peak| bytes as f64 > *peak)?;
    Some(format!("{} bytes for idle tasks, and the process never had more than {}", grouped(bytes), grouped(peak as u64)))
}

/// A distribution that was not measured: of another count than the operations, or of one value while the batches tell of many.
fn invented_times(work: &Work, times: &Histogram<u64>, batches: &[(u64, u64)]) -> Option<String> {
    let samples = times.len();
    if (samples as f64) < work.ok as f64 * TIMED_SHARE || samples > work.attempted {
        return Some(format!("{} times for {} successes of {} attempts", grouped(samples), grouped(work.ok), grouped(work.attempted)));
    }
    let is_one_value = times.equivalent(times.min(), times.max());
    (is_one_value && samples >= SAMPLES_THAT_DIFFER && spread(batches) > BATCHES_THAT_DIFFER).then(|| {
        let spread = Share(spread(batches));
        format!("all {} times are the same, and the rates of the batches differ by {spread}: made up from a mean", grouped(samples))
    })
}

/// How far the fastest full batch is from the slowest, as a share of the fastest.
fn spread(batches: &[(u64, u64)]) -> f64 {
    let full = if batches.len() > 1 { &batches[..batches.len() - 1] } else { batches };
    let rates = || full.iter().filter(|(_, ns)| *ns > 0).map(|(operations, ns)| *operations as f64 / *ns as f64);
    let (slowest, fastest) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
    if fastest > 0.0 { 1.0 - slowest / fastest } else { 0.0 }
}

/// `errors`: rates count successes alone, and few enough operations failed for them to mean something.
pub(super) fn errors(row: &Row<'_>) -> Option<Finding> {
    let attempted = row.recorded().fold(0u64, |sum, trial| sum.saturating_add(trial.record.work.attempted));
    let failed = row.recorded().fold(0u64, |sum, trial| sum.saturating_add(trial.errors()));
    if attempted == 0 {
        return Some(Finding::skipped("nothing was attempted"));
    }
    let share = failed as f64 / attempted as f64;
    let detail = format!("{} of {} operations failed ({})", grouped(failed), grouped(attempted), Share(share));
    let (suspect, invalid) = ERROR_SHARE;
    Some(
        if share > invalid {
            Finding::invalid(detail)
        } else if share > suspect {
            Finding::suspect(detail)
        } else {
            Finding::pass(detail)
        }
        .with(share, suspect),
    )
}

/// `connections`: as many connections were open as were asked for.
pub(super) fn connections(row: &Row<'_>) -> Option<Finding> {
    if !row.has_connections() {
        return None;
    }
    Some(worst_trial(row, |trial| {
        let counter = |name: &str| trial.record.counters.get(name).copied();
        let (Some(opened), Some(wanted)) = (counter("connections_opened"), counter("connections_wanted")) else {
            return Finding::skipped("the record does not count `connections_opened` and `connections_wanted`");
        };
        let detail = format!("{} of {} connections wanted were opened", grouped(opened), grouped(wanted));
        if opened < wanted { Finding::invalid(detail) } else { Finding::pass(detail) }.with(opened as f64, wanted as f64)
    }))
}

/// `tail-support`: a label, naming the quantiles withheld for want of samples.
pub(super) fn tail_support(row: &Row<'_>) -> Option<Finding> {
    let merged = row.merged(row.time_id()).ok()??;
    let samples = merged.len();
    let withheld: Vec<String> = [("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
        .into_iter()
        .filter(|(_, q)| samples < histogram::samples_needed(*q))
        .map(|(name, q)| format!("{name} (needs {})", grouped(histogram::samples_needed(q))))
        .collect();
    let detail = if withheld.is_empty() {
        format!("{} samples support every quantile shown", grouped(samples))
    } else {
        format!("withheld for want of samples: {}; there are {}", withheld.join(", "), grouped(samples))
    };
    Some(Finding::pass(detail).with(samples as f64, histogram::samples_needed(0.999) as f64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::sample::Journal;
    use crate::schema::validity::CheckState;

    #[test]
    fn the_memory_of_idle_tasks_is_theirs_and_enough_for_them() {
        use CheckState::{Invalid, Pass};
        let cases = [
            // (idle tasks, idle bytes, peak of the process, verdict) where 1,000 tasks were asked for.
            (Some(1_000), Some(128_000), 9_000_000, Pass),
            (Some(1_000), Some(64_000), 9_000_000, Pass),
            (Some(1_000), Some(63_999), 9_000_000, Invalid),
            (Some(1_000), Some(0), 9_000_000, Invalid),
            (Some(999), Some(128_000), 9_000_000, Invalid),
            (Some(2_000), Some(128_000), 9_000_000, Invalid),
            (Some(1_000), Some(128_000), 100_000, Invalid),
            (Some(1_000), None, 9_000_000, Invalid),
            (None, Some(128_000), 9_000_000, Invalid),
        ];
        for (tasks, bytes, peak, expected) in cases {
            let mut journal = Journal::sleeps();
            journal.header.cases[0].workload = "scheduling".into();
            journal.header.cases[0].primary_metric = "bytes_per_task".into();
            journal.header.cases[0].effective = json!({ "workload": { "scheduling": { "tasks": 1_000 } } });
            journal.each("tokio", |record, evidence| {
                record.work.verified = record.work.ok;
                record.counters.extend(tasks.map(|tasks| ("idle_tasks".to_owned(), tasks)));
                record.counters.extend(bytes.map(|bytes| ("idle_bytes".to_owned(), bytes)));
                evidence.processes[0].rss_peak_bytes = peak;
            });
            let result = journal.summarize();
            let row = result.cases[0].subjects.iter().find(|row| row.subject == "tokio").unwrap();
            let check = row.validity.checks.iter().find(|check| check.id == "work-done").unwrap();
            assert_eq!(check.state, expected, "{tasks:?} {bytes:?} {peak}: {check:?}");
        }
    }
}
