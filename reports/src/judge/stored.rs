//! A stored baseline in a gate: it informs and warns, and never fails.
//!
//! A stored result and a new one are apart in time, so their difference holds all that changed on the host meanwhile; only interleaved pairs
//! can accuse a build. Each row says what the ratio is and when the baseline was measured; whether the hosts may be compared at all is
//! asked before, of [`super::hosts::unlike`].

use super::compare::{find, is_rankable};
use crate::schema::gate::{GateRow, GateVerdict};
use crate::schema::result::{Better, RunResult};

/// A median that was measured now.
#[derive(Clone, Debug, PartialEq)]
pub struct FreshMedian {
    /// Name of the suite.
    pub suite: String,
    /// Scenario id.
    pub scenario: String,
    /// Case id.
    pub case: String,
    /// What the case does; a baseline that did other work says nothing.
    pub workload_sha256: String,
    /// Version of the workload's meaning.
    pub workload_version: u32,
    /// The subject's name, as the baseline may know it.
    pub subject: String,
    /// Metric id.
    pub metric: String,
    /// The metric's unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// The slow-down that is worth a warning, as a share.
    pub threshold: f64,
    /// The median; `None` where it was not measured.
    pub value: Option<f64>,
}

/// A row of the gate, and what to say aloud.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// Never gated; `reason` holds the ratio, or why there is none.
    pub row: GateRow,
    /// The row is worse than the baseline by more than its threshold.
    pub warning: Option<String>,
}

/// One row per fresh median, against the stored result known as `base` in the gate.
pub fn rows(base: &str, stored: &RunResult, fresh: &[FreshMedian]) -> Vec<StoredRow> {
    fresh.iter().map(|median| row(base, stored, median)).collect()
}

fn row(base: &str, stored: &RunResult, fresh: &FreshMedian) -> StoredRow {
    let before = value_of(stored, fresh);
    let now = fresh.value.filter(|value| value.is_finite() && *value > 0.0);
    let (reason, warning) = match (&before, now) {
        (Err(reason), _) => (format!("the stored baseline says nothing: {reason}"), None),
        (Ok(_), None) => ("not measured now".into(), None),
        (Ok(before), Some(now)) => {
            let informs = format!("a stored baseline informs: {:.3} of it; measured on {}", now / before, stored.started_at);
            (informs, warning(fresh, now / before, &stored.started_at))
        }
    };
    let row = GateRow {
        base: base.into(),
        suite: fresh.suite.clone(),
        scenario: fresh.scenario.clone(),
        case: fresh.case.clone(),
        metric: fresh.metric.clone(),
        unit: fresh.unit.clone(),
        better: fresh.better,
        threshold: fresh.threshold,
        floor_absolute: 0.0,
        floor_layout: None,
        verdict: GateVerdict::NotGated,
        excludes_worse: false,
        n: 0,
        looks: Vec::new(),
        // Without pairs there is no ratio of pairs; both medians stand below.
        ratio: None,
        ci: None,
        p: None,
        p_adjusted: None,
        sees: None,
        base_value: before.ok(),
        candidate_value: now,
        pairs: Vec::new(),
        reason: Some(reason),
    };
    StoredRow { row, warning }
}

/// The baseline's median of the same work, or why there is none.
fn value_of(stored: &RunResult, fresh: &FreshMedian) -> Result<f64, String> {
    let case = stored.cases.iter().find(|case| case.id == fresh.case).ok_or("it has no such case")?;
    if (case.workload_version, &case.workload_sha256) != (fresh.workload_version, &fresh.workload_sha256) {
        return Err("it measured other work under this name".into());
    }
    let row =
        case.subjects.iter().find(|row| row.subject == fresh.subject).ok_or_else(|| format!("it has no subject {}", fresh.subject))?;
    if !is_rankable(row) {
        return Err(format!("its row was no measurement: {}", row.validity.reason.as_deref().unwrap_or("no reason told")));
    }
    let value = find(row, &fresh.metric).and_then(|metric| metric.value).filter(|value| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| format!("it has no {}", fresh.metric))
}

fn warning(fresh: &FreshMedian, ratio: f64, measured_on: &str) -> Option<String> {
    let worse = if fresh.better == Better::Higher { 1.0 / ratio } else { ratio } - 1.0;
    (worse > fresh.threshold).then(|| {
        format!(
            "{}, {}: {:.1} % worse than the stored baseline of {measured_on}, more than {:.1} %; measure both builds interleaved \
             (--base-bin, --base-rev) to know whether it is the build",
            fresh.case,
            fresh.metric,
            worse * 100.0,
            fresh.threshold * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::full_result;
    use crate::schema::validity::ValidityState;

    /// The first case of the sample, measured again `factor` times as fast.
    fn fresh(stored: &RunResult, metric: &str, factor: f64) -> FreshMedian {
        let case = &stored.cases[0];
        let found = find(&case.subjects[0], metric).expect("a metric of the sample");
        FreshMedian {
            suite: stored.suite.name.clone(),
            scenario: case.scenario.clone(),
            case: case.id.clone(),
            workload_sha256: case.workload_sha256.clone(),
            workload_version: case.workload_version,
            subject: "zokio".into(),
            metric: metric.into(),
            unit: found.unit.clone(),
            better: found.better,
            threshold: 0.05,
            value: found.value.map(|value| value * factor),
        }
    }

    fn one(stored: &RunResult, fresh: &FreshMedian) -> StoredRow {
        rows("stored", stored, std::slice::from_ref(fresh)).remove(0)
    }

    #[test]
    fn it_informs_and_warns_past_the_threshold_and_never_gates() {
        let cases = [
            // (metric, how often of the stored value, whether it warns)
            ("round_trips_per_s", 0.97, false),
            ("round_trips_per_s", 0.90, true),
            ("round_trips_per_s", 1.50, false),
            ("cpu_ns_per_op", 1.04, false),
            ("cpu_ns_per_op", 1.06, true),
            ("cpu_ns_per_op", 0.50, false),
        ];
        for (metric, factor, warns) in cases {
            let StoredRow { row, warning } = one(full_result(), &fresh(full_result(), metric, factor));
            assert_eq!(row.verdict, GateVerdict::NotGated);
            let reason = row.reason.expect("a reason");
            let expected = format!("a stored baseline informs: {factor:.3} of it; measured on {}", full_result().started_at);
            assert_eq!(reason, expected);
            assert_eq!(warning.is_some(), warns, "{metric} {factor}: {warning:?}");
            assert!(row.base_value.is_some() && row.candidate_value.is_some() && row.ratio.is_none() && row.pairs.is_empty());
        }
        let warning = one(full_result(), &fresh(full_result(), "round_trips_per_s", 0.5)).warning.expect("half as fast");
        assert!(warning.contains("100.0 % worse than the stored baseline of") && warning.contains("--base-bin"), "{warning}");
    }

    #[test]
    fn a_baseline_of_other_work_says_nothing() {
        let same = fresh(full_result(), "round_trips_per_s", 0.5);
        let changed = |change: &dyn Fn(&mut FreshMedian)| {
            let mut other = same.clone();
            change(&mut other);
            one(full_result(), &other)
        };
        let cases = [
            (changed(&|fresh| fresh.case = "absent".into()), "it has no such case"),
            (changed(&|fresh| fresh.workload_sha256 = "00".into()), "other work"),
            (changed(&|fresh| fresh.workload_version += 1), "other work"),
            (changed(&|fresh| fresh.subject = "absent".into()), "it has no subject absent"),
            (changed(&|fresh| fresh.metric = "absent".into()), "it has no absent"),
            (changed(&|fresh| fresh.value = None), "not measured now"),
            (changed(&|fresh| fresh.value = Some(f64::NAN)), "not measured now"),
        ];
        for (StoredRow { row, warning }, reason) in cases {
            assert!(row.reason.as_deref().expect("a reason").contains(reason), "{reason}: {row:?}");
            assert_eq!((row.verdict, warning), (GateVerdict::NotGated, None));
        }
        let mut invalid = full_result().clone();
        invalid.cases[0].subjects[0].validity.state = ValidityState::Invalid;
        let reason = one(&invalid, &same).row.reason.expect("a reason");
        assert!(reason.contains("its row was no measurement"), "{reason}");
    }
}
