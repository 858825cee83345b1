//! Whether everybody who shares something got a share of it: a runtime that leaves one of them out is faster, and does other work.

use super::super::metrics::slowest_share;
use super::super::row::Row;
use super::finding::Finding;
use crate::stats::quantile;
use crate::units::Share;

/// Who got less than this share of the mean was starved.
const SHARE_MIN: f64 = 0.5;
/// One trial of so many may show it: a host that stops a thread for a moment stops the tasks on it.
const TRIALS_FOR_ONE: usize = 10;
/// Modes of `scheduling` in which producers or tasks share something.
const SHARED: [&str; 2] = ["mpsc-fan-in", "mutex-contended"];

/// `fairness`: no producer of a channel, and no task of a mutex, was starved in the measured window.
pub(super) fn fairness(row: &Row<'_>) -> Option<Finding> {
    let mode = row.case.effective.pointer("/workload/scheduling/mode")?.as_str()?;
    if !SHARED.contains(&mode) {
        return None;
    }
    let shares: Vec<f64> = row.recorded().filter_map(|trial| slowest_share(&trial)).collect();
    let Some(median) = quantile::median(&shares) else {
        return Some(Finding::skipped("the record does not tell the share of the slowest producer or task"));
    };
    let starved = shares.iter().filter(|share| **share < SHARE_MIN).count();
    let detail = format!("the slowest producer or task got {} of the mean in the median trial", Share(median));
    Some(
        if starved > shares.len() / TRIALS_FOR_ONE {
            Finding::suspect(format!("{detail}; less than {} in {starved} of {} trials: starved", Share(SHARE_MIN), shares.len()))
        } else {
            Finding::pass(detail)
        }
        .with(median, SHARE_MIN),
    )
}

#[cfg(test)]
mod tests {
    use crate::judge::compare;
    use crate::sample::Journal;
    use crate::schema::journal::{Outcome, TargetKind, TargetSpec};
    use crate::schema::result::CaseResult;
    use crate::schema::validity::{Check, CheckState, ValidityState};

    /// Round trips told as messages of eight producers; of `starved` trials of tokio's, one producer got a tenth of the mean.
    fn case(mode: &str, starved: usize) -> CaseResult {
        let mut journal = Journal::round_trips();
        journal.header.cases[0].effective = serde_json::json!({ "workload": { "scheduling": { "mode": mode } } });
        let kind = TargetKind::Relative { at_least: 0.1, of: "tokio".into() };
        journal.header.cases[0].targets = vec![TargetSpec { metric: "round_trips_per_s".into(), kind, severity: None }];
        let mut left = starved;
        for trial in &mut journal.trials {
            let Outcome::Record(record) = &mut trial.outcome else { continue };
            let is_starved = trial.subject == "tokio" && left > 0;
            left -= usize::from(is_starved);
            let slowest = if is_starved { 10 } else { 90 };
            let counters = [("sharers", 8), ("sharers_operations", 800), ("slowest_sharer_operations", slowest)];
            record.counters.extend(counters.map(|(name, count)| (name.to_owned(), count)));
        }
        journal.summarize().cases.remove(0)
    }

    fn check<'a>(case: &'a CaseResult, subject: &str) -> Option<&'a Check> {
        let row = case.subjects.iter().find(|row| row.subject == subject).unwrap();
        row.validity.checks.iter().find(|check| check.id == "fairness")
    }

    #[test]
    fn a_row_that_starved_somebody_is_suspect_and_no_target_is_held_against_it() {
        // Of ten trials; (how many starved, the state, whether the target against it is decided)
        for (starved, state, is_decided) in [(0, CheckState::Pass, true), (1, CheckState::Pass, true), (2, CheckState::Suspect, false)] {
            let case = case("mpsc-fan-in", starved);
            let found = check(&case, "tokio").unwrap();
            assert_eq!((found.state, found.observed), (state, Some(0.9)), "{starved}: {}", found.detail);
            assert_eq!(check(&case, "zokio").unwrap().state, CheckState::Pass);
            assert_eq!(case.targets[0].reached.is_some(), is_decided, "{starved}: {:?}", case.targets[0]);
            assert!(case.targets[0].ratio.is_some(), "the ratio is shown all the same");
            assert_eq!(case.targets[0].source.contains("starved"), !is_decided);
        }
        let row = case("mutex-contended", 10).subjects.into_iter().find(|row| row.subject == "tokio").unwrap();
        assert_eq!(row.validity.state, ValidityState::Suspect);
        let reason = row.validity.reason.clone().unwrap();
        assert!(reason.starts_with("fairness: the slowest producer or task got 10"), "{reason}");
        assert_eq!(compare::find(&row, "slowest_share").unwrap().value, Some(0.1));
    }

    #[test]
    fn tasks_that_share_nothing_cannot_starve_each_other() {
        assert!(check(&case("yield", 10), "tokio").is_none());
    }
}
