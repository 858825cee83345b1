//! Two results side by side: a ratio where both measured the same work on like hosts, and a verdict only where trials were interleaved.
//!
//! | sides | trials | ratio | interval | verdict |
//! |---|---|---|---|---|
//! | two subjects of one run | interleaved | median of the pairs' log ratios | order statistics of the pairs | as `run` gives it |
//! | two runs | apart in time | ratio of the medians | order statistics of both sides | never |
//!
//! The interval of two runs is `[lo(a) / hi(b), hi(a) / lo(b)]` of the two medians' intervals at 97.5 %, which both hold in 95 % of cases whatever the
//! noise looks like. It knows how trials of one run scatter and nothing of what changed between the runs: stored results compared with new ones
//! of the same build raise 4 to 25 % false alarms on shared hosts. Hence no verdict, whatever the interval says.

use super::compare::{self, find, is_rankable};
use super::hosts::{self, HostSide};
use crate::schema::SCHEMA_VERSION;
use crate::schema::compare::{COMPARE_SCHEMA, CompareResult, CompareRow, CompareSide, CompareVerdict};
use crate::schema::result::{Better, CaseResult, Comparison, Interval, Metric, RunResult, SubjectResult, Verdict};
use crate::schema::validity::ValidityState;
use crate::stats::interval::{LEVEL, median_interval_at};

/// Metric beside the primary one, as in a run.
const CPU: &str = "cpu_ns_per_op";

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The result.
    pub result: &'a RunResult,
    /// Its one subject of interest; `None`: all.
    pub subject: Option<&'a str>,
}

impl Side<'_> {
    fn told(self) -> CompareSide {
        CompareSide {
            run_id: self.result.run_id.clone(),
            started_at: self.result.started_at.clone(),
            suite: self.result.suite.name.clone(),
            git_sha: self.result.tool.git_sha.clone(),
            subject: self.subject.map(String::from),
        }
    }

    fn notes(self, name: &str) -> Vec<String> {
        let reasons = &self.result.not_reportable_because;
        (!reasons.is_empty()).then(|| format!("{name} is not to be quoted: {}", reasons.join("; "))).into_iter().collect()
    }
}

/// Two subjects of one run, whose trials were interleaved: pairs, exact p, verdicts.
///
/// A pair that the run compared itself keeps the p of the run, adjusted over all its comparisons; any other is adjusted over the rows here.
pub fn within(result: &RunResult, subject: &str, against: &str) -> CompareResult {
    let side = |subject| Side { result, subject: Some(subject) };
    let (mut rows, mut judged) = (Vec::new(), Vec::new());
    for case in &result.cases {
        let subjects = (row_of(case, subject), row_of(case, against));
        for metric in metrics(case) {
            let mut row = empty_row(case, (subject, against), metric, subjects.0.or(subjects.1));
            match both(subjects, ("a", "b"), (&row.subject, &row.against)) {
                Err(reason) => row.reason = Some(reason),
                Ok((left, right)) => judged.push((rows.len(), paired(&mut row, (left, right), case), row.better)),
            }
            rows.push(row);
        }
    }
    settle(&mut rows, judged, result);
    assembled(side(subject), side(against), true, Vec::new(), rows)
}

/// Results of two runs: ratios of medians, and never a verdict.
pub fn between(a: Side<'_>, b: Side<'_>) -> CompareResult {
    let unlike = hosts::unlike(HostSide::from(b.result), HostSide::from(a.result));
    let forbidden = forbidden(a.result, b.result, &hosts::refused_names(&unlike));
    let mut rows = Vec::new();
    for case in &a.result.cases {
        let other = b.result.cases.iter().find(|other| other.id == case.id);
        for subject in case.subjects.iter().map(|row| row.subject.as_str()).filter(|name| a.subject.is_none_or(|wanted| wanted == *name)) {
            let against = b.subject.unwrap_or(subject);
            for metric in metrics(case) {
                let mut row = empty_row(case, (subject, against), metric, row_of(case, subject));
                let found = forbidden.clone().map_or(Ok(()), Err).and_then(|()| comparable(case, other, (subject, against)));
                match found {
                    Err(reason) => row.reason = Some(reason),
                    Ok((left, right)) => apart(&mut row, left, right),
                }
                rows.push(row);
            }
        }
    }
    rows.extend(only_in_b(a, b));
    assembled(a, b, false, unlike, rows)
}

/// What forbids every row of two runs at once.
fn forbidden(a: &RunResult, b: &RunResult, unlike: &str) -> Option<String> {
    if !unlike.is_empty() {
        return Some(format!("the hosts are unlike: {unlike}"));
    }
    let partial = |name: &str, result: &RunResult| (!result.complete).then(|| format!("run {name} is partial"));
    partial("a", a).or_else(|| partial("b", b))
}

/// Rows of b that have no partner, so that nothing is left out in silence.
fn only_in_b(a: Side<'_>, b: Side<'_>) -> Vec<CompareRow> {
    let mut rows = Vec::new();
    for case in &b.result.cases {
        let partner = a.result.cases.iter().find(|partner| partner.id == case.id);
        for row in case.subjects.iter().filter(|row| b.subject.is_none_or(|wanted| wanted == row.subject)) {
            let subject = a.subject.unwrap_or(&row.subject);
            if partner.is_none_or(|partner| row_of(partner, subject).is_none()) {
                let mut missing = empty_row(case, (subject, &row.subject), &case.primary_metric, Some(row));
                missing.b = find(row, &case.primary_metric).and_then(|metric| metric.value);
                missing.reason = Some("only in b".into());
                rows.push(missing);
            }
        }
    }
    rows
}

/// The two rows to divide, or why they may not be divided.
fn comparable<'a>(
    case: &'a CaseResult,
    other: Option<&'a CaseResult>,
    names: (&str, &str),
) -> Result<(&'a SubjectResult, &'a SubjectResult), String> {
    let other = other.ok_or("the case is only in a")?;
    if case.workload_version != other.workload_version {
        return Err(format!("the workload changed its meaning: version {} and {}", case.workload_version, other.workload_version));
    }
    let cpus = |case: &CaseResult| case.cpus.values().map(Vec::len).collect::<Vec<_>>();
    let alike = [
        (case.workload_sha256 == other.workload_sha256, "other work: workload_sha256 differs"),
        (case.primary_metric == other.primary_metric, "another primary metric"),
        (case.endpoints == other.endpoints && cpus(case) == cpus(other), "another placement"),
        (case.page_cache == other.page_cache, "another state of the page cache"),
    ];
    if let Some((_, reason)) = alike.into_iter().find(|(alike, _)| !alike) {
        return Err(reason.into());
    }
    both((row_of(case, names.0), row_of(other, names.1)), ("a", "b"), names)
}

/// Both rows, where both were measured.
fn both<'a>(
    (left, right): (Option<&'a SubjectResult>, Option<&'a SubjectResult>),
    sides: (&str, &str),
    names: (&str, &str),
) -> Result<(&'a SubjectResult, &'a SubjectResult), String> {
    let measured = |row: Option<&'a SubjectResult>, side: &str, name: &str| {
        let row = row.ok_or_else(|| format!("no subject {name} in {side}"))?;
        if is_rankable(row) {
            return Ok(row);
        }
        let state = if row.validity.state == ValidityState::Skipped { "skipped" } else { "invalid" };
        Err(format!("{state} in {side}: {}", row.validity.reason.as_deref().unwrap_or("no reason told")))
    };
    Ok((measured(left, sides.0, names.0)?, measured(right, sides.1, names.1)?))
}

fn row_of<'a>(case: &'a CaseResult, subject: &str) -> Option<&'a SubjectResult> {
    case.subjects.iter().find(|row| row.subject == subject)
}

fn metrics(case: &CaseResult) -> impl Iterator<Item = &str> {
    let primary = case.primary_metric.as_str();
    [primary].into_iter().chain((primary != CPU).then_some(CPU))
}

/// A row of which nothing can be said yet; `like` tells unit and direction of the metric.
fn empty_row(case: &CaseResult, names: (&str, &str), metric: &str, like: Option<&SubjectResult>) -> CompareRow {
    let found = like.and_then(|row| find(row, metric));
    CompareRow {
        case: case.id.clone(),
        subject: names.0.into(),
        against: names.1.into(),
        metric: metric.into(),
        unit: found.map(|metric| metric.unit.clone()).unwrap_or_default(),
        better: found.map_or(if metric == CPU { Better::Lower } else { Better::Higher }, |metric| metric.better),
        a: None,
        b: None,
        ratio: None,
        ci: None,
        n_a: 0,
        n_b: 0,
        p: None,
        verdict: CompareVerdict::NotComparable,
        reason: None,
    }
}

/// The pairs of two subjects; the comparison is settled when all rows are known.
fn paired(row: &mut CompareRow, (left, right): (&SubjectResult, &SubjectResult), case: &CaseResult) -> Comparison {
    let value = |row: &SubjectResult, metric: &str| find(row, metric).and_then(|metric| metric.value);
    (row.a, row.b) = (value(left, &row.metric), value(right, &row.metric));
    compare::comparison(left, right, &row.metric, row.metric == case.primary_metric)
}

/// Verdicts of all pairs together, into their rows.
fn settle(rows: &mut [CompareRow], mut judged: Vec<(usize, Comparison, Better)>, result: &RunResult) {
    let is_primary = |row: &CompareRow| result.cases.iter().any(|case| case.id == row.case && case.primary_metric == row.metric);
    let mut family: Vec<(&mut Comparison, Better)> =
        judged.iter_mut().filter(|(index, ..)| is_primary(&rows[*index])).map(|(_, comparison, better)| (comparison, *better)).collect();
    compare::settle(&mut family);
    for (index, mut comparison, better) in judged {
        let row = &mut rows[index];
        if let Some(p) = p_of_run(result, row) {
            comparison.p = Some(p);
            comparison.verdict = compare::by_test(comparison.ratio, comparison.ci, comparison.p, better);
        }
        (row.ratio, row.ci, row.p) = (comparison.ratio, comparison.ci, comparison.p);
        (row.n_a, row.n_b) = (comparison.n, comparison.n);
        (row.verdict, row.reason) = paired_verdict(&comparison);
    }
}

/// The p that the run itself came to for this pair, in either direction: the test is two-sided.
fn p_of_run(result: &RunResult, row: &CompareRow) -> Option<f64> {
    let case = result.cases.iter().find(|case| case.id == row.case && case.primary_metric == row.metric)?;
    let is_pair = |one: &str, other: &str| (one == row.subject && other == row.against) || (other == row.subject && one == row.against);
    case.comparisons.iter().find(|found| found.metric == row.metric && is_pair(&found.subject, &found.against))?.p
}

fn paired_verdict(comparison: &Comparison) -> (CompareVerdict, Option<String>) {
    let left_out = (comparison.pairs_left_out > 0).then(|| format!("pairs left out for other core states: {}", comparison.pairs_left_out));
    if comparison.ratio.is_none() {
        return (CompareVerdict::NotComparable, Some(left_out.unwrap_or_else(|| "no pair of trials has the metric".into())));
    }
    match comparison.verdict {
        Verdict::Better => (CompareVerdict::Better, left_out),
        Verdict::Same => (CompareVerdict::Same, left_out),
        Verdict::Worse => (CompareVerdict::Worse, left_out),
        Verdict::Inconclusive if comparison.ci.is_none() => {
            (CompareVerdict::Inconclusive, Some(format!("too few pairs: {}", comparison.n)))
        }
        Verdict::Inconclusive => (CompareVerdict::Inconclusive, left_out),
    }
}

/// The ratio of two medians that were measured apart.
fn apart(row: &mut CompareRow, left: &SubjectResult, right: &SubjectResult) {
    let positive = |row: &SubjectResult, metric: &str| -> Option<(f64, Vec<f64>)> {
        let metric: &Metric = find(row, metric)?;
        let trials = metric.trials.iter().copied().flatten().filter(|value| value.is_finite() && *value > 0.0).collect();
        metric.value.filter(|value| value.is_finite() && *value > 0.0).map(|value| (value, trials))
    };
    let (left, right) = (positive(left, &row.metric), positive(right, &row.metric));
    (row.a, row.b) = (left.as_ref().map(|(value, _)| *value), right.as_ref().map(|(value, _)| *value));
    let Some(((a, a_trials), (b, b_trials))) = left.zip(right) else {
        row.reason = Some("no value of it on both sides".into());
        return;
    };
    row.ratio = Some(a / b);
    row.ci = ratio_interval(&a_trials, &b_trials);
    (row.n_a, row.n_b) = (a_trials.len() as u32, b_trials.len() as u32);
    row.verdict = CompareVerdict::NotInterleaved;
}

/// The interval of the ratio of two medians of positive values, at [`LEVEL`] or more; `None` below 7 values of either side.
pub fn ratio_interval(a: &[f64], b: &[f64]) -> Option<Interval> {
    // Each misses in half of what both may miss together (Bonferroni).
    let each = (1.0 + LEVEL) / 2.0;
    let (a, b) = (median_interval_at(a, each)?, median_interval_at(b, each)?);
    Some(Interval { level: LEVEL, lo: a.lo / b.hi, hi: a.hi / b.lo })
}

fn assembled(
    a: Side<'_>,
    b: Side<'_>,
    paired: bool,
    unlike: Vec<crate::schema::gate::UnlikeField>,
    rows: Vec<CompareRow>,
) -> CompareResult {
    let mut notes = a.notes("a");
    if !paired {
        notes.extend(b.notes("b"));
        notes.push(
            "runs of different times differ by more than their intervals say: interleave both builds in one run, or use `gate`".into(),
        );
    }
    CompareResult {
        schema: COMPARE_SCHEMA.into(),
        schema_version: SCHEMA_VERSION.into(),
        a: a.told(),
        b: b.told(),
        paired,
        unlike,
        rows,
        notes,
    }
}

#[cfg(test)]
#[path = "across_tests.rs"]
mod tests;
