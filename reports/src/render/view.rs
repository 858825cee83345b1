//! The words all renderers share: one line per row, one per comparison, one per target.

use std::collections::BTreeSet;

use crate::judge::compare::find;
use crate::judge::time_id;
use crate::schema::journal::CaseRole;
use crate::schema::result::{CaseResult, Comparison, Interval, Metric, RunResult, SubjectResult, TargetResult, ThresholdResult, Verdict};
use crate::schema::validity::ValidityState;
use crate::units::{ABSENT, BytesPerSecond, Nanos, Ratio, Share, maybe_with_unit, with_unit};

/// One subject in one case, every cell as it is shown.
#[derive(Clone, Debug)]
pub(super) struct RowView<'a> {
    pub(super) row: &'a SubjectResult,
    /// `zokio`.
    pub(super) name: String,
    /// What ran the I/O, and the ceiling's variant: `io_uring`.
    pub(super) driver: String,
    pub(super) rate: String,
    /// Half width of the interval, `±1.2 %`.
    pub(super) spread: String,
    pub(super) cpu: String,
    pub(super) p50: String,
    pub(super) p99: String,
    pub(super) throughput: String,
    pub(super) errors: String,
    /// First subject / this one.
    pub(super) ratio: String,
    pub(super) ratio_ci: String,
    pub(super) verdict: &'static str,
}

/// The rows of a case, in the order of the scenario.
pub(super) fn rows(case: &CaseResult) -> Vec<RowView<'_>> {
    case.subjects.iter().map(|row| view(case, row)).collect()
}

fn view<'a>(case: &'a CaseResult, row: &'a SubjectResult) -> RowView<'a> {
    let metric = |id: &str| find(row, id);
    let shown = |id: &str| metric(id).map_or_else(|| ABSENT.into(), |metric| maybe_with_unit(metric.value, &metric.unit));
    let primary = metric(&case.primary_metric);
    let comparison = primary_comparison(case, &row.subject);
    let is_first = case.subjects.first().is_some_and(|first| first.subject == row.subject);
    RowView {
        row,
        name: row.subject.clone(),
        driver: driver(row),
        rate: shown(&case.primary_metric),
        spread: primary.and_then(half_width).map_or_else(|| ABSENT.into(), |share| format!("±{}", Share(share))),
        cpu: row.cpu.total_ns_per_op.map_or_else(|| ABSENT.into(), |ns| Nanos(ns).to_string()),
        p50: shown(&format!("{}_ns_p50", time_id(&case.primary_metric))),
        p99: shown(&format!("{}_ns_p99", time_id(&case.primary_metric))),
        throughput: metric("bytes_per_s")
            .and_then(|metric| metric.value)
            .map_or_else(|| ABSENT.into(), |rate| BytesPerSecond(rate).to_string()),
        errors: metric("error_rate").and_then(|metric| metric.value).map_or_else(|| ABSENT.into(), |share| Share(share).to_string()),
        ratio: comparison.and_then(|comparison| comparison.ratio).map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string()),
        ratio_ci: comparison.and_then(|comparison| comparison.ci).map_or_else(|| ABSENT.into(), interval),
        verdict: match (row.validity.state, comparison) {
            (ValidityState::Invalid, _) => "INVALID",
            (ValidityState::Skipped, _) => "skipped",
            (_, Some(comparison)) => verdict(comparison.verdict),
            _ if is_first && case.role == CaseRole::Measured => "(base)",
            _ => "",
        },
    }
}

/// A distribution in words, to begin a sentence with.
pub(crate) fn time_name(id: &str) -> &'static str {
    match id {
        "service_time" => "Service time",
        "response_time" => "Response time",
        "wake_latency" => "Time from wake to poll",
        "spawn_latency" => "Time from spawn to first poll",
        "timer_lateness" => "Lateness of timers",
        _ => "Time",
    }
}

/// The larger side of the interval as a share of the value.
pub(super) fn half_width(metric: &Metric) -> Option<f64> {
    let (value, ci) = (metric.value?, metric.ci?);
    Some((ci.hi - value).max(value - ci.lo) / value).filter(|share| share.is_finite())
}

/// `[1.12, 1.16]`.
pub(super) fn interval(ci: Interval) -> String {
    format!("[{:.3}, {:.3}]", ci.lo, ci.hi)
}

/// A metric with its interval and the trials behind it.
pub(super) fn with_interval(metric: &Metric) -> String {
    let is_share = metric.unit == "1" && metric.id.ends_with("_rate");
    let value = match metric.value.filter(|_| is_share) {
        Some(share) => Share(share).to_string(),
        None => maybe_with_unit(metric.value, &metric.unit),
    };
    match metric.ci {
        Some(ci) => format!(
            "{value} [{} – {}], n = {}",
            maybe_with_unit(Some(ci.lo), &metric.unit),
            maybe_with_unit(Some(ci.hi), &metric.unit),
            metric.n
        ),
        None => format!("{value}, n = {}", metric.n),
    }
}

/// The driver, why it is not the preferred one, and the variant where the subject names one.
fn driver(row: &SubjectResult) -> String {
    let variant = row.config.get("variant").and_then(serde_json::Value::as_str);
    match (row.driver.as_str(), variant) {
        ("none", None) => ABSENT.into(),
        ("none", Some(variant)) => variant.into(),
        (driver, None) => driver.into(),
        (driver, Some(variant)) => format!("{driver}: {variant}"),
    }
}

/// The word of a verdict, seen from the first subject.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Same => "same",
        Verdict::Worse => "worse",
        Verdict::Inconclusive => "inconclusive",
    }
}

/// The first subject against `other` on the primary metric.
pub(super) fn primary_comparison<'a>(case: &'a CaseResult, other: &str) -> Option<&'a Comparison> {
    case.comparisons.iter().find(|comparison| comparison.metric == case.primary_metric && comparison.against == other)
}

/// The layout of tokio with the higher `metric`, of those that may be ranked and are not the first subject.
pub(super) fn better_tokio<'a>(case: &'a CaseResult, metric: &str) -> Option<&'a SubjectResult> {
    let value = |row: &SubjectResult| find(row, metric).and_then(|metric| metric.value);
    let layouts = case.subjects.iter().skip(1).filter(|row| row.subject == "tokio" || row.subject.starts_with("tokio-"));
    layouts
        .filter(|row| crate::judge::compare::is_rankable(row))
        .max_by(|left, right| value(left).unwrap_or(0.0).total_cmp(&value(right).unwrap_or(0.0)))
}

/// The comparison with the best layout of tokio and the one with the ceiling, where the case has them.
pub(super) fn headlines(case: &CaseResult) -> Vec<(String, &Comparison)> {
    let tokio = better_tokio(case, &case.primary_metric);
    let mut lines = Vec::new();
    if let Some(comparison) = tokio.and_then(|row| primary_comparison(case, &row.subject)) {
        lines.push((format!("best tokio layout ({})", comparison.against), comparison));
    }
    lines.extend(primary_comparison(case, "ceiling").map(|comparison| ("the ceiling".to_string(), comparison)));
    lines
}

/// Primary comparisons of a verdict over the whole run, with their case; those with peers before those with the ceiling.
///
/// Comparisons with a row that was not measured are left out: that row is listed with its reason instead.
pub(super) fn with_verdict(result: &RunResult, wanted: Verdict) -> Vec<(&CaseResult, &Comparison)> {
    let comparisons = result.cases.iter().flat_map(|case| case.comparisons.iter().map(move |comparison| (case, comparison)));
    let mut chosen: Vec<(&CaseResult, &Comparison)> = comparisons
        .filter(|(case, comparison)| comparison.metric == case.primary_metric && comparison.verdict == wanted && comparison.ratio.is_some())
        .collect();
    chosen.sort_by_key(|(_, comparison)| comparison.against == "ceiling");
    chosen
}

/// The figure of a target that is no ratio, in the unit of its metric.
pub(super) fn target_figure(case: &CaseResult, target: &TargetResult) -> String {
    let unit = case.subjects.iter().find_map(|row| find(row, &target.metric)).map_or("1", |metric| metric.unit.as_str());
    with_unit(target.value, unit)
}

/// `tcp-crr: zokio / ceiling 0.725× [0.71, 0.74], p = 0.0234, 10 pairs`.
pub(super) fn comparison_line(case: &CaseResult, comparison: &Comparison) -> String {
    let ratio = comparison.ratio.map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string());
    let ci = comparison.ci.map_or_else(String::new, |ci| format!(" {}", interval(ci)));
    let p = comparison.p.map_or_else(String::new, |p| format!(", p = {p:.4}"));
    let left_out = match comparison.pairs_left_out {
        0 => String::new(),
        pairs => format!(", {pairs} left out"),
    };
    format!("{}: {} / {} {ratio}{ci}{p}, {} pairs{left_out}", case.id, comparison.subject, comparison.against, comparison.n)
}

/// What a target came to, in words.
pub(super) fn target_outcome(target: &TargetResult) -> String {
    let ratio = target.ratio.map_or_else(|| "not measured".into(), |ratio| Ratio(ratio).to_string());
    match (target.comparable, target.reached) {
        (false, _) => format!("not comparable: {ratio} of the figure"),
        (true, Some(true)) => format!("reached: {ratio}, at least {}", maybe_ratio(target.ratio_unfavourable)),
        (true, Some(false)) => format!("missed: {ratio}, at least {}", maybe_ratio(target.ratio_unfavourable)),
        (true, None) => format!("undecided: {ratio}"),
    }
}

fn maybe_ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string())
}

/// `zokio error_rate == 0`, and what was seen.
pub(super) fn threshold_line(threshold: &ThresholdResult) -> String {
    let outcome = match threshold.passed {
        Some(true) => "holds",
        Some(false) => "FAILED",
        None => "not judged",
    };
    let seen = threshold.observed.map_or_else(|| ABSENT.into(), |observed| observed.to_string());
    let graced = threshold
        .grace
        .zip(threshold.misses)
        .map_or_else(String::new, |(grace, misses)| format!(", missed by {misses} trials of which {grace} are forgiven"));
    format!("{} {} {} {}: {outcome}, seen {seen}{graced}", threshold.subject, threshold.metric, threshold.op, threshold.value)
}

/// Rows in one of `states`, with their case.
pub(super) fn rows_in(result: &RunResult, state: ValidityState) -> Vec<(&CaseResult, &SubjectResult)> {
    let rows = result.cases.iter().flat_map(|case| case.subjects.iter().map(move |row| (case, row)));
    rows.filter(|(_, row)| row.validity.state == state).collect()
}

/// What kind of load and placement a case has, in one phrase.
pub(super) fn conditions(case: &CaseResult) -> String {
    let time = time_name(time_id(&case.primary_metric)).to_lowercase();
    let load = match case.users {
        None if case.open.is_some() => schedule(case),
        Some(1) => format!("closed loop of 1 user: {time}"),
        Some(users) => format!("closed loop of {users} users: {time}"),
        None => "as fast as the receiver takes it: time per write".to_string(),
    };
    let role = if case.role == CaseRole::Control { ", control, not ranked" } else { "" };
    format!("{}, {load}{}{role}", case.endpoints, files(case))
}

/// How the page cache held the files of a case, and on which file systems they were: files of memory are no disk.
fn files(case: &CaseResult) -> String {
    let Some(state) = &case.page_cache else { return String::new() };
    let of_row = |row: &SubjectResult| row.config.get("file_system").and_then(serde_json::Value::as_str).map(printable);
    let systems: BTreeSet<String> = case.subjects.iter().filter_map(of_row).collect();
    let systems: Vec<String> = systems.into_iter().collect();
    let place = if systems.is_empty() { String::new() } else { format!(" on {}", systems.join(", ")) };
    format!(", page cache {}{place}", printable(state))
}

/// The schedule of an open loop, and what its times are.
fn schedule(case: &CaseResult) -> String {
    let Some(open) = &case.open else { return String::new() };
    format!("open loop, {} {} offered: response time from the intended start", with_unit(open.rate_per_s, "1/s"), open.arrival)
}

/// What a column of rates is called.
pub(super) fn rate_heading(case: &CaseResult) -> String {
    case.primary_metric.trim_end_matches("_per_s").replace("_ns_", " ").replace('_', " ")
}

/// Text without control characters, so that a subject's message cannot steer a terminal or break a line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// One sentence on what the outcome means for the reader.
pub(super) fn meaning(result: &RunResult) -> String {
    let lost = with_verdict(result, Verdict::Worse).len();
    let open = with_verdict(result, Verdict::Inconclusive).len();
    let mut text = match (lost, result.verdict.exit_code) {
        (_, crate::exit::INTERRUPTED) => "The run was interrupted: what is shown is partial.".to_string(),
        (_, crate::exit::COULD_NOT_RUN) => "The subject under test could not run: nothing is said about its speed.".to_string(),
        (_, crate::exit::INVALID) => "At least one row is not a measurement of what it claims; it is not ranked.".to_string(),
        (_, crate::exit::FAILED) => "A threshold does not hold.".to_string(),
        (0, _) => "No comparison was lost.".to_string(),
        (1, _) => "One comparison was lost; it stands first.".to_string(),
        (lost, _) => format!("{lost} comparisons were lost; they stand first."),
    };
    if open > 0 {
        text.push_str(&format!(" {open} could not be decided: more trials or a quieter host would tell."));
    }
    text
}
