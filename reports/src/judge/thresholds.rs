//! Thresholds: limits that a row must keep, judged by the unfavourable end of its interval.
//!
//! Every subject is held against them and shown; only the first subject's miss fails the run. The others are what it is compared
//! with, and a slow peer is no failure of the subject under test.

use super::compare::{find, is_rankable};
use crate::schema::journal::ThresholdSpec;
use crate::schema::result::{Metric, Severity, SubjectResult, ThresholdResult};

/// Every threshold of a case for every subject.
pub(super) fn judge(specs: &[ThresholdSpec], subjects: &[SubjectResult]) -> Vec<ThresholdResult> {
    let mut results = Vec::new();
    for spec in specs {
        for (index, subject) in subjects.iter().enumerate() {
            let severity = if index == 0 { spec.severity } else { Severity::Warn };
            results.push(one(spec, subject, severity));
        }
    }
    results
}

fn one(spec: &ThresholdSpec, subject: &SubjectResult, severity: Severity) -> ThresholdResult {
    let metric = find(subject, &spec.metric).filter(|_| is_rankable(subject));
    let observed = metric.and_then(|metric| match spec.grace {
        None => unfavourable(metric, &spec.op, spec.value),
        Some(_) => metric.value,
    });
    let misses = spec.grace.and_then(|_| misses(metric?, &spec.op, spec.value));
    let passed = match spec.grace {
        None => observed.and_then(|observed| holds(observed, &spec.op, spec.value)),
        Some(grace) => misses.map(|misses| misses <= grace),
    };
    ThresholdResult {
        subject: subject.subject.clone(),
        metric: spec.metric.clone(),
        op: spec.op.clone(),
        value: spec.value,
        observed,
        passed,
        severity,
        grace: spec.grace,
        misses,
    }
}

/// Trials whose own value does not keep the limit; one without a value cannot be forgiven.
fn misses(metric: &Metric, op: &str, limit: f64) -> Option<u32> {
    if metric.trials.is_empty() {
        return None;
    }
    let missed = |value: &Option<f64>| value.is_none_or(|value| holds(value, op, limit) != Some(true));
    Some(metric.trials.iter().filter(|value| missed(value)).count() as u32)
}

/// The end of the interval that is worse for this limit; the value where there is no interval.
fn unfavourable(metric: &Metric, op: &str, limit: f64) -> Option<f64> {
    let Some(ci) = metric.ci else { return metric.value };
    Some(match op {
        "<" | "<=" => ci.hi,
        ">" | ">=" => ci.lo,
        "==" if (ci.hi - limit).abs() >= (ci.lo - limit).abs() => ci.hi,
        "==" => ci.lo,
        _ => return metric.value,
    })
}

/// `None` for an operator that does not exist.
fn holds(observed: f64, op: &str, limit: f64) -> Option<bool> {
    Some(match op {
        "==" => observed == limit,
        "!=" => observed != limit,
        "<" => observed < limit,
        "<=" => observed <= limit,
        ">" => observed > limit,
        ">=" => observed >= limit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::result::{Better, Interval};

    #[test]
    fn the_unfavourable_end_decides() {
        let metric = Metric {
            id: "service_time_ns_p99".into(),
            unit: "ns".into(),
            better: Better::Lower,
            value: Some(90.0),
            ci: Some(Interval { level: 0.95, lo: 80.0, hi: 110.0 }),
            n: 10,
            trials: vec![],
        };
        let cases = [
            ("<=", 100.0, Some(110.0), Some(false)),
            ("<", 120.0, Some(110.0), Some(true)),
            (">=", 85.0, Some(80.0), Some(false)),
            (">", 79.0, Some(80.0), Some(true)),
            ("==", 90.0, Some(110.0), Some(false)),
            ("==", 105.0, Some(80.0), Some(false)),
            ("!=", 90.0, Some(90.0), Some(false)),
            ("~", 90.0, Some(90.0), None),
        ];
        for (op, limit, observed, passed) in cases {
            assert_eq!(unfavourable(&metric, op, limit), observed, "{op} {limit}");
            assert_eq!(holds(observed.unwrap(), op, limit), passed, "{op} {limit}");
        }
        let trials = vec![Some(90.0), Some(101.0), None, Some(99.0)];
        let graced = Metric { trials, ..metric.clone() };
        assert_eq!(misses(&graced, "<=", 100.0), Some(2), "a trial without a value is a miss");
        assert_eq!(misses(&metric, "<=", 100.0), None, "without trials nothing is known");
        let without_interval = Metric { ci: None, ..metric };
        assert_eq!(unfavourable(&without_interval, "<=", 100.0), Some(90.0));
    }
}
