//! The steps from a journal to a result, in their order.

use std::collections::BTreeMap;

use super::row::Row;
use super::{compare, guards, metrics, row, scaling, stress, targets, thresholds, verdict};
use crate::schema::histogram::{self, Histogram};
use crate::schema::journal::{CaseHeader, CaseRole, JournalTrial, RunEnd, RunHeader};
use crate::schema::open::{OverloadRecord, OverloadResult, WindowRecord};
use crate::schema::record::{TrialRecord, Work};
use crate::schema::result::{
    Better, CaseResult, Comparison, HistogramResult, NoiseInfo, RunResult, RunVerdict, RuntimeInfo, SubjectResult,
};
use crate::schema::validity::ValidityState;
use crate::schema::{SCHEMA, SCHEMA_VERSION};
use crate::stats::quantile;

/// The result of a run, from nothing but its journal.
///
/// `end` is `None` for a run that was killed: its result is marked incomplete and is never reportable.
pub fn summarize(header: &RunHeader, trials: &[JournalTrial], end: Option<&RunEnd>) -> RunResult {
    let mut cases: Vec<CaseResult> = header.cases.iter().map(|case| case_result(header, case, trials)).collect();
    settle_comparisons(&mut cases);
    let mut result = RunResult {
        schema: SCHEMA.into(),
        schema_version: SCHEMA_VERSION.into(),
        run_id: header.run_id.clone(),
        started_at: header.started_at.clone(),
        duration_s: end.map(|end| end.duration_s).filter(|duration| duration.is_finite()),
        seed: header.seed,
        complete: end.is_some_and(|end| end.complete),
        reportable: false,
        not_reportable_because: Vec::new(),
        command: header.command.clone(),
        tool: header.tool.clone(),
        suite: header.suite.clone(),
        host: header.host.clone(),
        calibration: header.calibration.iter().map(|(key, value)| (key.clone(), value.filter(|value| value.is_finite()))).collect(),
        noise: noise(trials),
        scaling: scaling::judge(&cases, &header.host),
        cases,
        verdict: RunVerdict { exit_code: 0, summary: String::new() },
    };
    result.not_reportable_because = not_reportable_because(header, &result);
    result.reportable = result.not_reportable_because.is_empty();
    result.verdict = verdict::of(&result, end.is_some_and(|end| end.interrupted));
    result
}

fn case_result(header: &RunHeader, case: &CaseHeader, trials: &[JournalTrial]) -> CaseResult {
    let subjects: Vec<SubjectResult> =
        case.subjects.iter().map(|subject| subject_result(&Row::new(header, case, subject, trials))).collect();
    let is_measured = case.role == CaseRole::Measured;
    CaseResult {
        id: case.id.clone(),
        scenario: case.scenario.clone(),
        role: case.role,
        workload: case.workload.clone(),
        workload_version: case.workload_version,
        workload_sha256: case.workload_sha256.clone(),
        params: case.params.clone(),
        witness: case.witness.clone(),
        primary_metric: case.primary_metric.clone(),
        page_cache: case.page_cache.clone(),
        endpoints: case.endpoints.clone(),
        cpus: case.cpus.clone(),
        users: case.users,
        open: case.open.clone(),
        comparisons: if is_measured { compare::comparisons(&subjects, &case.primary_metric) } else { Vec::new() },
        targets: targets::judge(&case.targets, &subjects),
        thresholds: thresholds::judge(&case.thresholds, &subjects),
        subjects,
    }
}

fn subject_result(row: &Row<'_>) -> SubjectResult {
    let last = row.recorded().last().map(|trial| trial.record);
    let metrics = if last.is_some() { metrics::all(row) } else { Vec::new() };
    let rss = metrics.iter().find(|metric| metric.id == "rss_peak_bytes").and_then(|metric| metric.value);
    SubjectResult {
        subject: row.subject.into(),
        version: row.about.map(|about| about.version.clone()).unwrap_or_default(),
        build: row.about.map(|about| about.build.clone()).unwrap_or_default(),
        driver: last.map(|record| record.driver.clone()).filter(|driver| !driver.is_empty()).unwrap_or_else(|| "none".into()),
        driver_reason: last.and_then(|record| record.driver_reason.clone()),
        config: last.map(|record| record.config.clone()).unwrap_or_default(),
        validity: guards::judge(row),
        work: total_work(row),
        metrics,
        histograms: histograms(row),
        cpu: metrics::cpu_split(row),
        rss_peak_bytes: rss.map(|bytes| bytes as u64),
        runtime: runtime_info(row, last),
        series: stress::typical(row).cloned(),
        overload: overload_result(row),
        trials: row.trials.iter().map(row::CountedTrial::point).collect(),
    }
}

fn overload_result(row: &Row<'_>) -> Option<OverloadResult> {
    let parts = || row.recorded().filter_map(|trial| trial.record.overload.as_ref());
    parts().next()?;
    let works = |part: fn(&OverloadRecord) -> &WindowRecord| sum_of(parts().map(|parts| &part(parts).work));
    Some(OverloadResult { overload: works(|parts| &parts.overload), recovery: works(|parts| &parts.recovery) })
}

fn total_work(row: &Row<'_>) -> Work {
    sum_of(row.recorded().map(|trial| &trial.record.work))
}

fn sum_of<'a>(works: impl Iterator<Item = &'a Work>) -> Work {
    let mut total = Work::default();
    for work in works {
        total.attempted = total.attempted.saturating_add(work.attempted);
        total.ok = total.ok.saturating_add(work.ok);
        total.bytes = total.bytes.saturating_add(work.bytes);
        total.verified = total.verified.saturating_add(work.verified);
        total.in_flight_at_end = total.in_flight_at_end.saturating_add(work.in_flight_at_end);
        for (class, count) in &work.errors {
            let sum = total.errors.entry(class.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    total
}

fn histograms(row: &Row<'_>) -> Vec<HistogramResult> {
    let mut units = BTreeMap::new();
    for payload in row.recorded().flat_map(|trial| &trial.record.histograms) {
        units.insert(payload.id.clone(), payload.unit.clone());
    }
    let merged = |id: &str, unit: &str| -> Option<HistogramResult> {
        // What cannot be merged has its check in `work-done`.
        let histogram: &Histogram<u64> = row.merged(id).ok()??;
        let payload = histogram::encode(id, unit, histogram).ok()?;
        Some(HistogramResult {
            id: id.into(),
            unit: unit.into(),
            count: histogram.len(),
            percentiles: histogram::percentiles(histogram),
            encoding: payload.encoding,
            payload: payload.payload,
        })
    };
    units.iter().filter_map(|(id, unit)| merged(id, unit)).collect()
}

fn runtime_info(row: &Row<'_>, last: Option<&TrialRecord>) -> RuntimeInfo {
    let mut counters: BTreeMap<String, u64> = BTreeMap::new();
    for (name, count) in row.recorded().flat_map(|trial| &trial.record.counters) {
        let sum = counters.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
    RuntimeInfo { workers: last.map(|record| record.workers.clone()).unwrap_or_default(), counters }
}

/// One family of tests: the primary metrics of all measured cases.
fn settle_comparisons(cases: &mut [CaseResult]) {
    let mut family: Vec<(&mut Comparison, Better)> = Vec::new();
    for case in cases {
        let primary = case.primary_metric.as_str();
        let metric = case.subjects.iter().find_map(|subject| compare::find(subject, primary));
        let better = metric.map_or(Better::Higher, |metric| metric.better);
        family.extend(case.comparisons.iter_mut().filter(|comparison| comparison.metric == primary).map(|comparison| (comparison, better)));
    }
    compare::settle(&mut family);
}

fn noise(trials: &[JournalTrial]) -> NoiseInfo {
    let counted = || trials.iter().filter(|trial| trial.counted);
    let finite = |values: Vec<Option<f64>>| -> Vec<f64> { values.into_iter().flatten().filter(|value| value.is_finite()).collect() };
    let largest = |values: &[f64]| values.iter().copied().reduce(f64::max);
    let foreign = finite(counted().map(|trial| trial.evidence.foreign_cpu_share).collect());
    let steal = finite(counted().map(|trial| trial.evidence.steal_share).collect());
    let core_states = finite(counted().map(|trial| row::core_state(&trial.evidence)).collect());
    NoiseInfo {
        foreign_cpu_share_max: largest(&foreign),
        foreign_cpu_share_median: quantile::median(&foreign),
        steal_share_max: largest(&steal),
        core_state_median_ns: quantile::median(&core_states),
        repeated_trials: trials.iter().filter(|trial| !trial.counted).count() as u32,
    }
}

fn not_reportable_because(header: &RunHeader, result: &RunResult) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut say = |holds: bool, reason: &str| {
        if holds {
            reasons.push(reason.to_string());
        }
    };
    say(!result.complete, "the run is incomplete");
    say(header.quick, "`--quick` runs are too short to quote");
    say(header.tool.profile != "release", "the tool was not built for release");
    say(header.tool.dirty == Some(true), "the tool was built from a tree with uncommitted changes");
    for case in &result.cases {
        for subject in &case.subjects {
            let (id, name) = (&case.id, &subject.subject);
            match subject.validity.state {
                ValidityState::Suspect => reasons.push(format!("suspect row: {id}, {name}")),
                ValidityState::Invalid => reasons.push(format!("invalid row: {id}, {name}")),
                ValidityState::Valid | ValidityState::Skipped => {}
            }
        }
    }
    reasons
}
