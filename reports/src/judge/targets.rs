//! Targets: how far the first subject is from each figure. Only a relative target can be reached or missed.
//!
//! A figure from another host is shown as observed / figure and marked as not comparable. A relative target takes the unfavourable
//! end of the paired interval: `at_least 0.98 of ceiling` is reached when even the lower end is at least 0.98. Where either side starved one of its
//! tasks (guard `fairness`), the ratio is shown and the target is not judged: the two did not do the same work.

use super::compare::{find, is_rankable, paired_ratio};
use crate::schema::journal::{TargetKind, TargetSpec};
use crate::schema::result::{Better, SubjectResult, TargetResult};
use crate::schema::validity::CheckState;

/// Every target of a case, judged for its first subject.
pub(super) fn judge(specs: &[TargetSpec], subjects: &[SubjectResult]) -> Vec<TargetResult> {
    let Some(first) = subjects.first() else { return Vec::new() };
    specs.iter().map(|spec| one(spec, first, subjects)).collect()
}

fn one(spec: &TargetSpec, subject: &SubjectResult, subjects: &[SubjectResult]) -> TargetResult {
    let figure = |kind: &str, value: f64, source: &str, host: Option<String>| TargetResult {
        subject: subject.subject.clone(),
        metric: spec.metric.clone(),
        kind: kind.into(),
        value,
        source: source.into(),
        host,
        comparable: false,
        ratio: observed(subject, &spec.metric).filter(|_| value != 0.0).map(|observed| observed / value).filter(|ratio| ratio.is_finite()),
        ratio_unfavourable: None,
        reached: None,
        severity: None,
    };
    match &spec.kind {
        TargetKind::Historical { value, source } => figure("historical", *value, source, None),
        TargetKind::Published { value, source, date, hardware } => {
            let dated = date.as_ref().map_or_else(|| source.clone(), |date| format!("{source} ({date})"));
            figure("published", *value, &dated, hardware.clone())
        }
        TargetKind::Relative { at_least, of } => relative(spec, *at_least, of, subject, subjects),
    }
}

/// Whether one of the tasks of a row was left out.
fn starves(row: &SubjectResult) -> bool {
    row.validity.checks.iter().any(|check| check.id == "fairness" && check.state != CheckState::Pass)
}

fn observed(subject: &SubjectResult, metric: &str) -> Option<f64> {
    is_rankable(subject).then(|| find(subject, metric)?.value).flatten()
}

/// The ratio is the share of the other's goodness: subject / other where higher is better, other / subject where lower is.
fn relative(spec: &TargetSpec, at_least: f64, of: &str, subject: &SubjectResult, subjects: &[SubjectResult]) -> TargetResult {
    let other = subjects.iter().find(|other| other.subject == of).filter(|other| is_rankable(other) && is_rankable(subject));
    let better = find(subject, &spec.metric).map_or(Better::Higher, |metric| metric.better);
    let paired = other.map(|other| match better {
        Better::Higher => paired_ratio(subject, other, &spec.metric),
        Better::Lower => paired_ratio(other, subject, &spec.metric),
    });
    let starved = [Some(subject), other].into_iter().flatten().find(|row| starves(row));
    let why_not = starved.map_or_else(String::new, |row| format!("; not judged, since {} starved a task", row.subject));
    let unfavourable = paired.as_ref().and_then(|paired| paired.ci).map(|ci| ci.lo);
    TargetResult {
        subject: subject.subject.clone(),
        metric: spec.metric.clone(),
        kind: "relative".into(),
        value: at_least,
        source: format!("at least {at_least} of {of}, same run{why_not}"),
        host: None,
        comparable: true,
        ratio: paired.and_then(|paired| paired.ratio),
        ratio_unfavourable: unfavourable,
        reached: unfavourable.filter(|_| starved.is_none()).map(|unfavourable| unfavourable >= at_least),
        severity: spec.severity,
    }
}
