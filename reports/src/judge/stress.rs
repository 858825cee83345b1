//! What the course of a trial tells: the best rate, the longest gap, memory that stays or grows, and how a subject comes out of an overload.
//!
//! | metric | per trial |
//! |---|---|
//! | `peak_rate_per_s` | best point of the course in the measured window |
//! | `longest_gap_ns` | longest time without an operation that ended, full load and overload |
//! | `rss_after_bytes` | resident memory after the drain, runtime idle |
//! | `leak_kib_per_s` | slope of the resident memory over the measured window, less its first quarter, in KiB/s |
//! | `overload_rate_per_s`, `overload_success_rate` | successes of the overload: per second, and as a share of what ended or was refused |
//! | `recovery_time_ns` | end of the overload to the first of [`HOLD`] points in a row whose mean response time is back in its band |
//!
//! The band: up to [`BAND`] times the mean time of an operation at full load (users / rate), or [`BAND_FLOOR_NS`] where that is more. A trial that
//! never came back counts with the whole time it was given, so that its median is a lower bound and not a gap.

use super::metrics::{per_trial, pooled, summarized};
use super::row::{Recorded, Row};
use crate::schema::open::{SeriesPoint, SeriesRecord};
use crate::schema::result::{Better, Interval, Metric};
use crate::stats::quantile;
use crate::stats::slope::{self, Slope};

/// How many times the mean time at full load a response may take after an overload to be called back to normal.
const BAND: f64 = 2.0;
/// Below this no one can tell a subject that has not recovered from a host that had other work for a moment.
const BAND_FLOOR_NS: f64 = 1e6;
/// Points in a row that must be in the band.
const HOLD: usize = 3;
/// Share of the measured window in which memory may still grow into its place.
const SETTLING_SHARE: f64 = 0.25;

/// The metrics of the rows whose trials were watched; none of others.
pub(super) fn metrics(row: &Row<'_>) -> Vec<Metric> {
    let mut metrics = Vec::new();
    if row.recorded().any(|trial| trial.record.series.is_some()) {
        let watched = |value: fn(&SeriesRecord) -> Option<f64>| per_trial(row, |trial| value(trial.record.series.as_ref()?));
        metrics.push(summarized("peak_rate_per_s", "1/s", Better::Higher, watched(peak_rate_per_s)));
        metrics.push(summarized("longest_gap_ns", "ns", Better::Lower, watched(|series| Some(series.longest_gap_ns as f64))));
        let after = watched(|series| series.rss_after_bytes.map(|bytes| bytes as f64));
        if after.iter().any(Option::is_some) {
            metrics.push(summarized("rss_after_bytes", "B", Better::Lower, after));
            metrics.push(leak(row));
        }
    }
    if row.recorded().any(|trial| trial.record.overload.is_some()) {
        metrics.extend(overload(row));
    }
    metrics
}

fn peak_rate_per_s(series: &SeriesRecord) -> Option<f64> {
    let measured = series.points.iter().filter(|point| point.phase == "measure" && point.length_ns >= series.interval_ns);
    measured.map(|point| point.ok as f64 * 1e9 / point.length_ns as f64).reduce(f64::max)
}

/// KiB per second in which the resident memory of the measured window grows; `None` where too little of it was seen.
pub(super) fn leak_kib_per_s(series: &SeriesRecord) -> Option<Slope> {
    let measured = || series.points.iter().filter(|point| point.phase == "measure");
    let settled_ns = measured().next_back()?.at_ns as f64 * SETTLING_SHARE;
    let points: Vec<(f64, f64)> = measured()
        .filter(|point| point.at_ns as f64 >= settled_ns)
        .filter_map(|point| Some((point.at_ns as f64 / 1e9, point.rss_bytes? as f64 / 1024.0)))
        .collect();
    slope::slope(&points)
}

/// The median of the slopes. Below six trials its interval holds those of all of them.
fn leak(row: &Row<'_>) -> Metric {
    let slopes: Vec<Slope> = row.recorded().filter_map(|trial| leak_kib_per_s(trial.record.series.as_ref()?)).collect();
    let values = per_trial(row, |trial| leak_kib_per_s(trial.record.series.as_ref()?).map(|slope| slope.value));
    let metric = summarized("leak_kib_per_s", "KiB/s", Better::Lower, values);
    let hull =
        slopes.iter().map(|slope| slope.ci).reduce(|hull, ci| Interval { level: ci.level, lo: hull.lo.min(ci.lo), hi: hull.hi.max(ci.hi) });
    Metric { ci: metric.ci.or(hull), ..metric }
}

fn overload(row: &Row<'_>) -> Vec<Metric> {
    let rate = per_trial(row, |trial| {
        let overload = &trial.record.overload.as_ref()?.overload;
        (overload.elapsed_ns > 0).then(|| overload.work.ok as f64 * 1e9 / overload.elapsed_ns as f64)
    });
    let served = |trial: &Recorded<'_>| trial.record.overload.as_ref().map_or(0, |parts| parts.overload.work.ok);
    let attempted = |trial: &Recorded<'_>| trial.record.overload.as_ref().map_or(0, |parts| parts.overload.work.attempted);
    vec![
        summarized("overload_rate_per_s", "1/s", Better::Higher, rate),
        pooled(row, "overload_success_rate", Better::Higher, served, attempted),
        summarized("recovery_time_ns", "ns", Better::Lower, per_trial(row, |trial| recovery(row, &trial))),
    ]
}

fn recovery(row: &Row<'_>, trial: &Recorded<'_>) -> Option<f64> {
    let (series, parts) = (trial.record.series.as_ref()?, trial.record.overload.as_ref()?);
    let mean_ns = row.case.users? as f64 * trial.record.elapsed_ns as f64 / trial.record.work.ok.max(1) as f64;
    let limit_ns = (mean_ns * BAND).max(BAND_FLOOR_NS);
    Some(recovery_time_ns(&series.points, limit_ns).unwrap_or(parts.recovery.elapsed_ns as f64))
}

/// Nanoseconds from the start of the recovery to the first of [`HOLD`] points in a row whose mean response time is at most `limit_ns`; `None` where
/// that never was.
pub(super) fn recovery_time_ns(points: &[SeriesPoint], limit_ns: f64) -> Option<f64> {
    let recovery: Vec<&SeriesPoint> = points.iter().filter(|point| point.phase == "recovery").collect();
    let begins = |point: &SeriesPoint| point.at_ns.saturating_sub(point.length_ns);
    let start = begins(recovery.first()?);
    // Where nothing ended, nothing is known to be back.
    let is_back = |point: &&SeriesPoint| point.response_ns.is_some_and(|response| response <= limit_ns);
    let first = recovery.windows(HOLD).find(|points| points.iter().all(is_back))?.first().copied()?;
    Some((begins(first) - start) as f64)
}

/// The course of the trial in the middle of the row: the one with the median rate.
pub(super) fn typical<'a>(row: &'a Row<'_>) -> Option<&'a SeriesRecord> {
    let rate = |trial: &Recorded<'_>| trial.record.work.ok as f64 / trial.record.elapsed_ns.max(1) as f64;
    let watched: Vec<Recorded<'_>> = row.recorded().filter(|trial| trial.record.series.is_some()).collect();
    let median = quantile::median(&watched.iter().map(rate).collect::<Vec<f64>>())?;
    let distance = |trial: &Recorded<'_>| (rate(trial) - median).abs();
    watched.into_iter().min_by(|left, right| distance(left).total_cmp(&distance(right)))?.record.series.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Points of 10 ms with these response times in milliseconds, behind an overload of 50 ms; 0 is a point in which nothing ended.
    fn course(response_ms: &[f64]) -> Vec<SeriesPoint> {
        let point = |number: usize, phase: &str, response_ms: f64| SeriesPoint {
            at_ns: (number as u64 + 1) * 10 * MS,
            length_ns: 10 * MS,
            phase: phase.into(),
            ok: u64::from(response_ms > 0.0) * 100,
            response_ns: (response_ms > 0.0).then_some(response_ms * 1e6),
            ..SeriesPoint::default()
        };
        let overload = (0..5).map(|number| point(number, "overload", 90.0));
        overload.chain(response_ms.iter().enumerate().map(|(number, response)| point(number + 5, "recovery", *response))).collect()
    }

    #[test]
    fn recovery_is_the_first_time_that_stays_in_the_band() {
        let cases: [(&[f64], Option<u64>); 6] = [
            (&[0.2, 0.1, 0.1, 0.1], Some(0)),
            (&[40.0, 20.0, 0.9, 0.2, 0.1, 0.1], Some(20)),
            // Back for a moment, and away again.
            (&[40.0, 0.5, 9.0, 0.5, 0.5, 0.5], Some(30)),
            // A point in which nothing ended is not a quiet one.
            (&[40.0, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5], Some(40)),
            (&[40.0, 30.0, 20.0, 10.0], None),
            (&[0.5, 0.5], None),
        ];
        for (response_ms, expected_ms) in cases {
            let found = recovery_time_ns(&course(response_ms), 1e6).map(|ns| (ns / 1e6) as u64);
            assert_eq!(found, expected_ms, "{response_ms:?}");
        }
        assert_eq!(recovery_time_ns(&[], 1e6), None);
    }

    fn memory(kib_per_s: f64) -> SeriesRecord {
        let point = |number: u64| SeriesPoint {
            at_ns: number * 10 * MS,
            length_ns: 10 * MS,
            phase: "measure".into(),
            ok: 100,
            // It grows fast into its place at first, and jitters by a page later.
            rss_bytes: Some((20 << 20) + (number.min(20) << 16) + number % 2 * 4_096 + (kib_per_s * 1024.0 * number as f64 / 100.0) as u64),
            ..SeriesPoint::default()
        };
        SeriesRecord { interval_ns: 10 * MS, points: (1..=100).map(point).collect(), ..SeriesRecord::default() }
    }

    #[test]
    fn a_leak_is_found_behind_the_growth_of_the_start_and_no_leak_is_none() {
        let none = leak_kib_per_s(&memory(0.0)).expect("enough points");
        assert!(none.ci.lo <= 0.0 && none.ci.hi >= 0.0 && none.value.abs() < 2.0, "{none:?}");
        let leak = leak_kib_per_s(&memory(500.0)).expect("enough points");
        assert!(leak.ci.lo > 400.0 && leak.ci.hi < 600.0 && leak.ci.lo < 500.0 && leak.ci.hi > 500.0, "{leak:?}");
    }

    #[test]
    fn the_peak_is_the_best_whole_point() {
        let mut series = memory(0.0);
        series.points[40].ok = 300;
        // A short rest has a rate that means nothing.
        series.points.push(SeriesPoint { at_ns: 1_001 * MS, length_ns: MS, phase: "measure".into(), ok: 90, ..SeriesPoint::default() });
        assert_eq!(peak_rate_per_s(&series), Some(30_000.0));
    }
}
