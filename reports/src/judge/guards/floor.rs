//! The floor of a case: what one operation costs at least, told by the case in costs that were measured on this host.
//!
//! A case says `"floor": [["empty_loop_ns", 1.0]]`: calibration keys and how often each is due for one successful operation. The
//! sum is the least CPU time of an operation; no guard has to know the workload.

use serde_json::Value;

use super::super::calibration;
use super::super::row::{Recorded, Row};
use super::finding::{Finding, worst_trial};
use crate::stats::quantile;
use crate::units::Nanos;

/// Share of the measured cost that is the bound: virtual machines move their CPUs between states in which the same call costs 1.25 to 1.5
/// times as much, and the cost may have been measured in the slow one.
pub(super) const STATE_SLACK: f64 = 0.6;
/// What an operation of a loop may take less than the empty loop, by which it was measured a moment earlier or later.
const EMPTY_LOOP_SLACK: f64 = 0.9;
/// How much longer twice the work takes.
const DOUBLING: (f64, f64) = (1.6, 2.4);
/// Work is repeated until it takes ten times as long as this; what still takes less is none, whatever the ratio of two such moments.
const ONCE_NS_MIN: f64 = 100_000.0;

/// The sum of the floor for one operation of a trial; `None` where the case names no floor, an error where a part was not measured.
pub(super) fn per_operation_ns(row: &Row<'_>, trial: &Recorded<'_>) -> Option<Result<f64, String>> {
    let parts = parts(row)?;
    let cost = |(key, times): (&str, f64)| {
        let measured = calibration::value(row.header, key).ok_or_else(|| format!("`{key}` was not measured on this host"))?;
        Ok(times * if key == calibration::HAND_OVER_NS { nearest_cpus(measured, trial) } else { measured })
    };
    Some(parts.into_iter().map(cost).sum())
}

/// Virtual CPUs come as close as an eighth of what they were at the start of the run; the trial's own readings tell.
fn nearest_cpus(measured: f64, trial: &Recorded<'_>) -> f64 {
    let own = [trial.evidence.core_state_before_ns, trial.evidence.core_state_after_ns];
    own.into_iter().flatten().filter(|ns| *ns > 0.0).fold(measured, f64::min)
}

/// Keys and factors of the case's floor; `None` where it has none.
fn parts<'a>(row: &Row<'a>) -> Option<Vec<(&'a str, f64)>> {
    let parts = row.case.effective.get("floor")?.as_array().filter(|parts| !parts.is_empty())?;
    parts.iter().map(|part: &Value| Some((part.get(0)?.as_str()?, part.get(1)?.as_f64()?))).collect()
}

/// Whether twice the work took about twice as long, and long enough to tell.
pub fn doubles(once_ns: u64, twice_ns: u64) -> bool {
    (DOUBLING.0..=DOUBLING.1).contains(&ratio(once_ns as f64, twice_ns as f64))
}

/// Zero where the work took no time.
fn ratio(once_ns: f64, twice_ns: f64) -> f64 {
    if once_ns < ONCE_NS_MIN { 0.0 } else { twice_ns / once_ns }
}

/// `doubling`: twice the work took 1.6 to 2.4 times as long, in the median trial.
///
/// Where a record has no such times, a case whose operations cost CPU time alone says so, and why if it can: `"no_doubling"` of the effective
/// case. Sockets and sleeps are witnessed otherwise.
pub(super) fn doubling(row: &Row<'_>) -> Option<Finding> {
    let times = |trial: &Recorded<'_>| {
        let counter = |name: &str| trial.record.counters.get(name).map(|ns| *ns as f64);
        counter("doubling_once_ns").zip(counter("doubling_twice_ns"))
    };
    let ratios: Vec<f64> = row.recorded().filter_map(|trial| times(&trial)).map(|(once, twice)| ratio(once, twice)).collect();
    if ratios.is_empty() {
        parts(row)?;
        let why_not = row.case.effective.get("no_doubling").and_then(Value::as_str);
        return Some(Finding::skipped(why_not.unwrap_or("the records have no `doubling_once_ns` and `doubling_twice_ns`")));
    }
    let ratio = quantile::median(&ratios)?;
    let (least, most) = DOUBLING;
    let detail = if ratio > 0.0 {
        format!("twice the work took {ratio:.2} times as long, {least} to {most} is work")
    } else {
        "the work took no time, however often it was done".to_owned()
    };
    let finding = if (least..=most).contains(&ratio) { Finding::pass(detail) } else { Finding::invalid(detail) };
    Some(finding.with(ratio, if ratio < least { least } else { most }))
}

/// `empty-loop`: an operation that runs inside a loop takes as long as a turn of the empty loop, or the compiler removed it.
pub(super) fn empty_loop(row: &Row<'_>) -> Option<Finding> {
    parts(row)?.into_iter().find(|(key, _)| *key == calibration::EMPTY_LOOP_NS)?;
    let Some(turn) = calibration::value(row.header, calibration::EMPTY_LOOP_NS) else {
        return Some(Finding::skipped("the empty loop was not measured on this host"));
    };
    let (cpus, least) = (row.cpu_count() as f64, turn * EMPTY_LOOP_SLACK);
    Some(worst_trial(row, |trial| {
        let seen = trial.record.elapsed_ns as f64 * cpus / trial.record.work.ok.max(1) as f64;
        let detail = format!("{} per operation and CPU, a turn of the empty loop takes {}", Nanos(seen), Nanos(turn));
        let finding =
            if seen < least { Finding::invalid(format!("{detail}: the compiler removed the work")) } else { Finding::pass(detail) };
        finding.with(seen, least)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::judge::calibration;
    use crate::sample::Journal;
    use crate::schema::validity::{Check, CheckState};

    /// A row of rounds without connections or times of their own: so many operations in each trial of 0.3 s on two CPUs.
    fn checks(floor: serde_json::Value, operations: u64, hand_over_ns: Option<f64>) -> Vec<Check> {
        let mut journal = Journal::sleeps();
        journal.header.cases[0].workload = "polling".into();
        journal.header.cases[0].effective = json!({ "floor": floor });
        journal.header.calibration.insert(calibration::HAND_OVER_NS.into(), hand_over_ns);
        journal.each("tokio", |record, evidence| {
            record.histograms.clear();
            (record.work.ok, record.work.attempted, record.work.verified) = (operations, operations, operations);
            evidence.processes[0].cpu_ns = 600_000_000;
            (evidence.core_state_before_ns, evidence.core_state_after_ns) = (Some(50.0), Some(51.0));
        });
        journal.summarize().cases[0].subjects.iter().find(|row| row.subject == "tokio").unwrap().validity.checks.clone()
    }

    fn state(checks: &[Check], id: &str) -> Option<CheckState> {
        checks.iter().find(|check| check.id == id).map(|check| check.state)
    }

    #[test]
    fn a_floor_bounds_what_no_guard_knows_by_name() {
        use CheckState::{Invalid, Pass, Skipped};
        let loop_floor = || json!([["empty_loop_ns", 1.0]]);
        let cases = [
            // (floor, operations in 2 × 0.3 s, hand-over, physical-bound, cpu-evidence, empty-loop); a turn takes 0.27 ns.
            (loop_floor(), 1_000_000_000, None, Pass, Pass, Some(Pass)),
            (loop_floor(), 2_600_000_000, None, Pass, Pass, Some(Invalid)),
            (loop_floor(), 4_000_000_000, None, Invalid, Invalid, Some(Invalid)),
            (json!([["syscall_ns", 2.0], ["empty_loop_ns", 1.0]]), 4_000_000, None, Invalid, Invalid, Some(Pass)),
            (json!([["syscall_ns", 2.0]]), 1_000_000, None, Pass, Pass, None),
            // 400 ns at the start of the run, 50 ns around the trial: a state of the host, no lie.
            (json!([["hand_over_ns", 1.0]]), 10_000_000, Some(400.0), Pass, Pass, None),
            (json!([["hand_over_ns", 1.0]]), 30_000_000, Some(400.0), Invalid, Invalid, None),
            (json!([["hand_over_ns", 1.0]]), 30_000_000, None, Skipped, Pass, None),
            (json!([]), 4_000_000_000, None, Skipped, Pass, None),
        ];
        for (floor, operations, hand_over, bound, evidence, empty_loop) in cases {
            let checks = checks(floor.clone(), operations, hand_over);
            assert_eq!(state(&checks, "physical-bound"), Some(bound), "{floor} {operations}: {checks:#?}");
            assert_eq!(state(&checks, "cpu-evidence"), Some(evidence), "{floor} {operations}: {checks:#?}");
            assert_eq!(state(&checks, "empty-loop"), empty_loop, "{floor} {operations}: {checks:#?}");
        }
    }

    #[test]
    fn twice_the_work_takes_twice_the_time() {
        use CheckState::{Invalid, Pass};
        let cases = [
            (2_000_000, 4_100_000, Pass),
            (2_000_000, 2_900_000, Invalid),
            (20, 20, Invalid),
            (0, 0, Invalid),
            (0, 9, Invalid),
            (5, 13, Invalid),
            (40, 80, Invalid),
            (99_999, 200_000, Invalid),
        ];
        for (once, twice, expected) in cases {
            let mut journal = Journal::sleeps();
            journal.each("tokio", |record, _| {
                record.counters.insert("doubling_once_ns".into(), once);
                record.counters.insert("doubling_twice_ns".into(), twice);
            });
            let result = journal.summarize();
            let row = result.cases[0].subjects.iter().find(|row| row.subject == "tokio").unwrap();
            assert_eq!(state(&row.validity.checks, "doubling"), Some(expected), "{once} {twice}: {:#?}", row.validity);
        }
        let silent = checks(json!([["empty_loop_ns", 1.0]]), 1_000_000, None);
        assert_eq!(state(&silent, "doubling"), Some(CheckState::Skipped));
        let mut journal = Journal::sleeps();
        journal.header.cases[0].effective = json!({ "floor": [["empty_loop_ns", 1.0]], "no_doubling": "its users wait for each other" });
        let checks = journal.summarize().cases[0].subjects[0].validity.checks.clone();
        let check = checks.iter().find(|check| check.id == "doubling").unwrap();
        assert_eq!((check.state, check.detail.as_str()), (CheckState::Skipped, "its users wait for each other"));
    }

    #[test]
    fn what_has_no_connections_and_no_times_is_not_judged_by_them() {
        let checks = checks(json!([["empty_loop_ns", 1.0]]), 1_000_000_000, None);
        for id in ["littles-law", "connections", "kernel-counters"] {
            assert_eq!(state(&checks, id), None, "{id}");
        }
    }
}
