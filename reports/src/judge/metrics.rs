//! The metrics of a row: one value per counted trial, their median and its interval.
//!
//! | metric | per trial | value |
//! |---|---|---|
//! | rates | successes (or their bytes) / elapsed of the measured window | median over trials |
//! | `success_rate`, `error_rate` | share of the attempts that ended | over all attempts: no trial's error is outvoted |
//! | `slowest_share` | operations of the slowest of those that share a channel or a mutex / the mean of all | median |
//! | CPU, system calls | the window's total / its successes (calls the kernel counted: those of a part of the warm-up) | median |
//! | `bytes_per_task` | private memory by which the process grew for its idle tasks / their number | median |
//! | quantiles | the trial's own distribution, as far as its samples support it | median over trials; where some trial lacks the samples, the merged distribution's, without an interval |
//! | `achieved_rate_per_s`, `sent_ratio` | open loop: successes per second; operations begun of those due | median; over all of them |
//! | of a watched trial and of an overload | see [`super::stress`] | median |
//! | `…_max` | largest sample | largest of all, without an interval |
//!
//! Elapsed is what the clock showed, never what the scenario asked for.

use super::calibration;
use super::row::{ALL_ROLES, Recorded, Row, SUBJECT_ROLES};
use crate::schema::histogram::{self, Histogram};
use crate::schema::open::OpenRecord;
use crate::schema::result::{Better, CpuPerOperation, Metric};
use crate::stats::{interval, quantile};
use crate::units;

/// Counter of the system calls made within the measured window.
const SYSCALLS_MEASURED: &str = "syscalls_measured";
/// Counters of the system calls and of the operations of a part of the warm-up, as the kernel counted them: they stand before the subject's own.
const SAMPLED: [&str; 2] = ["syscalls_sampled", "operations_sampled"];
/// Counters of those who share a channel or a mutex: how many, their operations in the window, those of the slowest.
const SHARED: [&str; 3] = ["sharers", "sharers_operations", "slowest_sharer_operations"];
/// The metric of rows that are ranked by memory.
pub(super) const BYTES_PER_TASK: &str = "bytes_per_task";
/// Counters of the private memory by which a process grew for idle tasks, and of these tasks.
pub(super) const IDLE: [&str; 2] = ["idle_bytes", "idle_tasks"];
/// Distributions that become metrics, `<id>_ns_p50` and so on; others are kept as histograms alone.
const TIMED: [&str; 8] = [
    "service_time",
    "response_time",
    "wake_latency",
    "spawn_latency",
    "timer_lateness",
    "schedule_lag",
    "overload_response_time",
    "recovery_response_time",
];
/// Quantiles of each of them.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// The distribution of a case's operations: the one it is ranked by, or the service times.
pub fn time_id(primary_metric: &str) -> &str {
    primary_metric.split_once("_ns_").map(|(id, _)| id).filter(|id| TIMED.contains(id)).unwrap_or(TIMED[0])
}

/// Every metric that the row's records support, the primary one first.
pub(super) fn all(row: &Row<'_>) -> Vec<Metric> {
    let mut metrics = rates(row);
    metrics.extend(schedule(row));
    metrics.extend(shares(row));
    metrics.extend(costs(row));
    metrics.extend(super::stress::metrics(row));
    metrics.extend(TIMED.iter().flat_map(|id| times(row, id)));
    metrics
}

/// The median, and its interval, of one value per trial.
pub(super) fn summarized(id: &str, unit: &str, better: Better, trials: Vec<Option<f64>>) -> Metric {
    let trials: Vec<Option<f64>> = trials.into_iter().map(|value| value.filter(|value| value.is_finite())).collect();
    let known: Vec<f64> = trials.iter().flatten().copied().collect();
    Metric {
        id: id.into(),
        unit: unit.into(),
        better,
        value: quantile::median(&known),
        ci: interval::median_interval(&known),
        n: known.len() as u32,
        trials,
    }
}

pub(super) fn per_trial(row: &Row<'_>, value: impl Fn(Recorded<'_>) -> Option<f64>) -> Vec<Option<f64>> {
    row.trials.iter().map(|trial| trial.recorded().and_then(&value)).collect()
}

fn rates(row: &Row<'_>) -> Vec<Metric> {
    let tick = calibration::clock_tick(row.header);
    let rate = |of: fn(&Recorded<'_>) -> u64| per_trial(row, |trial| units::rate_per_s(of(&trial), trial.elapsed(), tick));
    let successes: fn(&Recorded<'_>) -> u64 = |trial| trial.record.work.ok;
    let bytes: fn(&Recorded<'_>) -> u64 = |trial| trial.record.work.bytes;
    let mut metrics = Vec::new();
    let primary = row.case.primary_metric.as_str();
    if primary.ends_with("_per_s") && !row.is_stream() {
        metrics.push(summarized(primary, "1/s", Better::Higher, rate(successes)));
    }
    if primary == BYTES_PER_TASK {
        metrics.push(summarized(primary, "B", Better::Lower, per_trial(row, |trial| bytes_per_task(&trial))));
    }
    if row.recorded().any(|trial| trial.record.work.bytes > 0) || row.is_stream() {
        metrics.push(summarized("bytes_per_s", "B/s", Better::Higher, rate(bytes)));
    }
    metrics.push(pooled_share(row, "success_rate", Better::Higher, |trial| trial.record.work.ok));
    metrics.push(pooled_share(row, "error_rate", Better::Lower, |trial| trial.errors()));
    metrics
}

/// What the rows of an open loop have beside others: the rate reached, and how much of the schedule was begun.
fn schedule(row: &Row<'_>) -> Vec<Metric> {
    if row.case.open.is_none() {
        return Vec::new();
    }
    let tick = calibration::clock_tick(row.header);
    let achieved = per_trial(row, |trial| units::rate_per_s(trial.record.work.ok, trial.elapsed(), tick));
    let count = |trial: &Recorded<'_>, of: fn(&OpenRecord) -> u64| trial.record.open.as_ref().map_or(0, of);
    let (sent, intended) =
        (|trial: &Recorded<'_>| count(trial, |open| open.sent), |trial: &Recorded<'_>| count(trial, |open| open.intended));
    vec![summarized("achieved_rate_per_s", "1/s", Better::Higher, achieved), pooled(row, "sent_ratio", Better::Higher, sent, intended)]
}

/// What the rows of tasks that share something have beside others.
fn shares(row: &Row<'_>) -> Option<Metric> {
    let trials = per_trial(row, |trial| slowest_share(&trial));
    trials.iter().any(Option::is_some).then(|| summarized("slowest_share", "1", Better::Higher, trials))
}

/// Operations of the slowest of those who share a channel or a mutex, as a share of the mean of all; a slowest one above the mean is none.
pub(super) fn slowest_share(trial: &Recorded<'_>) -> Option<f64> {
    let [sharers, all, slowest] = SHARED.map(|id| trial.record.counters.get(id).copied());
    let (all, slowest) = (all.filter(|all| *all > 0)?, slowest?.checked_mul(sharers?)?);
    (slowest <= all).then(|| slowest as f64 / all as f64)
}

/// A share of all attempts of the row.
fn pooled_share(row: &Row<'_>, id: &str, better: Better, part: impl Fn(&Recorded<'_>) -> u64) -> Metric {
    pooled(row, id, better, part, |trial| trial.record.work.attempted)
}

/// A share over all trials of the row: one failed operation in one trial shows, however many trials had none.
pub(super) fn pooled(
    row: &Row<'_>,
    id: &str,
    better: Better,
    part: impl Fn(&Recorded<'_>) -> u64,
    whole: impl Fn(&Recorded<'_>) -> u64,
) -> Metric {
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let trials = per_trial(row, |trial| share(part(&trial), whole(&trial)));
    let sum = |of: &dyn Fn(&Recorded<'_>) -> u64| row.recorded().fold(0u64, |sum, trial| sum.saturating_add(of(&trial)));
    Metric { value: share(sum(&part), sum(&whole)), ci: None, ..summarized(id, "1", better, trials) }
}

fn costs(row: &Row<'_>) -> Vec<Metric> {
    let mut metrics = vec![summarized("cpu_ns_per_op", "ns", Better::Lower, per_trial(row, |trial| cpu_ns_per_op(&trial)))];
    let syscalls = per_trial(row, |trial| syscalls_per_op(&trial));
    if syscalls.iter().any(Option::is_some) {
        metrics.push(summarized("syscalls_per_op", "1", Better::Lower, syscalls));
    }
    let rss = per_trial(row, |trial| rss_peak_bytes(&trial));
    if rss.iter().any(Option::is_some) {
        metrics.push(summarized("rss_peak_bytes", "B", Better::Lower, rss));
    }
    metrics
}

/// System calls per operation: as the kernel counted them in a part of the warm-up, else as the subject did in the window.
pub(super) fn syscalls_per_op(trial: &Recorded<'_>) -> Option<f64> {
    let counter = |id: &str| trial.record.counters.get(id).copied();
    let [calls, operations] = SAMPLED.map(counter);
    let sampled = calls.zip(operations).filter(|(_, operations)| *operations > 0);
    sampled.map(|(calls, operations)| calls as f64 / operations as f64).or(per_success(trial, counter(SYSCALLS_MEASURED)))
}

/// Private memory of an idle task.
pub(super) fn bytes_per_task(trial: &Recorded<'_>) -> Option<f64> {
    let [bytes, tasks] = IDLE.map(|id| trial.record.counters.get(id).copied());
    bytes.zip(tasks.filter(|tasks| *tasks > 0)).map(|(bytes, tasks)| bytes as f64 / tasks as f64)
}

/// Peak resident memory of the subject's processes.
pub(super) fn rss_peak_bytes(trial: &Recorded<'_>) -> Option<f64> {
    let peak: u64 = trial.processes(SUBJECT_ROLES).map(|process| process.rss_peak_bytes).sum();
    (peak > 0).then_some(peak as f64)
}

fn per_success(trial: &Recorded<'_>, total: Option<u64>) -> Option<f64> {
    total.filter(|_| trial.record.work.ok > 0).map(|total| total as f64 / trial.record.work.ok as f64)
}

/// CPU per operation of the window, over all processes.
pub(super) fn cpu_ns_per_op(trial: &Recorded<'_>) -> Option<f64> {
    cpu_per_op(trial, ALL_ROLES)
}

/// CPU per operation of the window: the kernel's account as the orchestrator read it, else as the record tells it.
fn cpu_per_op(trial: &Recorded<'_>, roles: &'static [&'static str]) -> Option<f64> {
    let told = match roles {
        ["client"] => trial.record.cpu_ns.client,
        ["server"] => trial.record.cpu_ns.server,
        _ => trial.record.cpu_ns.total,
    };
    per_success(trial, trial.window_cpu_ns(roles).or(told))
}

/// CPU per operation by role; the split is `null` when one process is both ends.
pub(super) fn cpu_split(row: &Row<'_>) -> CpuPerOperation {
    let median = |roles: &'static [&'static str]| {
        quantile::median(&per_trial(row, |trial| cpu_per_op(&trial, roles)).into_iter().flatten().collect::<Vec<f64>>())
    };
    let split = row.is_apart();
    CpuPerOperation {
        client_ns_per_op: split.then(|| median(&["client"])).flatten(),
        server_ns_per_op: split.then(|| median(&["server"])).flatten(),
        total_ns_per_op: median(ALL_ROLES),
    }
}

/// Distribution and quantile of a metric such as `service_time_ns_p99`.
fn time_of(metric: &str) -> Option<(&str, f64)> {
    let (id, name) = metric.split_once("_ns_")?;
    let (_, q) = QUANTILES.iter().find(|(known, _)| *known == name)?;
    TIMED.contains(&id).then_some((id, *q))
}

/// Whether a metric is a quantile of times that were taken one by one.
pub(super) fn is_time(metric: &str) -> bool {
    time_of(metric).is_some()
}

/// A quantile of the trial's own distribution, by metric id, as far as its samples support it.
pub(super) fn time_quantile(trial: &Recorded<'_>, metric: &str) -> Option<f64> {
    let (id, q) = time_of(metric)?;
    histogram::supported_quantile(trial.histograms?.get(id)?, q)
}

fn times(row: &Row<'_>, id: &str) -> Vec<Metric> {
    let Ok(Some(merged)) = row.merged(id) else { return Vec::new() };
    let of_trial = |value: &dyn Fn(&Histogram<u64>) -> Option<f64>| -> Vec<Option<f64>> {
        per_trial(row, |trial| trial.histograms?.get(id).and_then(value))
    };
    let mut metrics: Vec<Metric> = QUANTILES
        .iter()
        .map(|(name, q)| {
            let trials = of_trial(&|histogram| histogram::supported_quantile(histogram, *q));
            let every_trial_supports_it = row.recorded().count() == trials.iter().flatten().count();
            let metric = summarized(&format!("{id}_ns_{name}"), "ns", Better::Lower, trials);
            if every_trial_supports_it { metric } else { Metric { value: histogram::supported_quantile(merged, *q), ci: None, ..metric } }
        })
        .collect();
    let maxima = of_trial(&|histogram| (!histogram.is_empty()).then(|| histogram.max() as f64));
    let largest = histogram::percentiles(merged).max;
    metrics.push(Metric { value: largest, ci: None, ..summarized(&format!("{id}_ns_max"), "ns", Better::Lower, maxima) });
    metrics
}
