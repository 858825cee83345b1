//! The number of one trial that a gate compares: one positive value by metric id.
//!
//! | metric | value |
//! |---|---|
//! | `…_per_s` | successes per second of the fastest batch: bursts of foreign work only ever slow a batch down |
//! | `bytes_per_s` | the same, times the bytes of a success |
//! | `achieved_rate_per_s` | successes of the window per second: a schedule, not the subject, makes one slice faster than another |
//! | `…_ns_p50`, `_p90`, `_p99`, `_p999` | that quantile of the trial's histogram, where its samples support it |
//! | `cpu_ns_per_op` | that of the cheapest batch, where both sides of the pair read it batch by batch; else as in a run |
//! | `syscalls_per_op` | total of the window / successes, as in a run |
//! | `rss_peak_bytes`, `bytes_per_task` | of the subject's processes, as in a run |
//!
//! Batches are slices of the measured window, about equally long. One much shorter than the others is left out: its rate is that of a
//! moment. A record without batches has one, its window.
//!
//! Any other id has no value here: a largest sample scatters without bound, a share of 0 has no ratio, and the courses of `stress` are not
//! measured in trials as short as a gate's.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::metrics;
use super::super::row::Recorded;
use crate::schema::histogram::{self, Histogram, HistogramError};
use crate::schema::journal::Evidence;
use crate::schema::record::TrialRecord;
use crate::stats::quantile;
use crate::units;

/// A batch shorter than this part of the median batch is left out.
const BATCH_SHARE_MIN: f64 = 0.5;
/// Steps of the clock within which two readings are the same.
const FLOOR_TICKS: f64 = 3.0;
/// What an operation or a process costs.
const COSTS: [&str; 4] = ["cpu_ns_per_op", "syscalls_per_op", "rss_peak_bytes", metrics::BYTES_PER_TASK];
/// A slope, not a rate.
const LEAK: &str = "leak_kib_per_s";
/// Rates of the course of a trial and of an overload.
const OF_STRESS: [&str; 2] = ["peak_rate_per_s", "overload_rate_per_s"];

/// One trial with its distributions decoded.
#[derive(Debug)]
pub struct TrialValues<'a> {
    record: &'a TrialRecord,
    evidence: &'a Evidence,
    histograms: BTreeMap<String, Histogram<u64>>,
    clock_tick: Duration,
}

impl<'a> TrialValues<'a> {
    /// `clock_tick` is the resolution of the clock, see [`super::super::calibration::clock_tick_of`].
    ///
    /// # Errors
    /// A distribution that cannot be decoded: the record is not what it claims.
    pub fn of(record: &'a TrialRecord, evidence: &'a Evidence, clock_tick: Duration) -> Result<Self, HistogramError> {
        Ok(Self { record, evidence, histograms: histogram::decode_all(&record.histograms)?, clock_tick })
    }

    /// The value of `metric`; `None` where the trial does not have it, or it is not a positive number.
    pub fn get(&self, metric: &str) -> Option<f64> {
        let trial = Recorded { record: self.record, evidence: self.evidence, histograms: Some(&self.histograms) };
        let value = match metric {
            "cpu_ns_per_op" => metrics::cpu_ns_per_op(&trial),
            "syscalls_per_op" => metrics::syscalls_per_op(&trial),
            "rss_peak_bytes" => metrics::rss_peak_bytes(&trial),
            metrics::BYTES_PER_TASK => metrics::bytes_per_task(&trial),
            "achieved_rate_per_s" => units::rate_per_s(self.record.work.ok, trial.elapsed(), self.clock_tick),
            "bytes_per_s" => self.fastest_batch().map(|rate| rate * self.record.work.bytes as f64 / self.record.work.ok as f64),
            _ if !has_value(metric) => None,
            rate if rate.ends_with("_per_s") => self.fastest_batch(),
            time => metrics::time_quantile(&trial, time),
        };
        value.filter(|value| value.is_finite() && *value > 0.0)
    }

    /// CPU time per success of the cheapest batch that is long enough; `None` where the subject did not read it batch by batch.
    ///
    /// Both sides of a pair are compared by this, or both by the window: an older build does not read it.
    pub fn cheapest_batch(&self) -> Option<f64> {
        let batches = &self.record.batches;
        if batches.is_empty() || self.record.batches_cpu_ns.len() != batches.len() {
            return None;
        }
        let lengths: Vec<f64> = batches.iter().map(|(_, ns)| *ns as f64).collect();
        let shortest = quantile::median(&lengths)? * BATCH_SHARE_MIN;
        let long_enough =
            batches.iter().zip(&self.record.batches_cpu_ns).filter(|((operations, ns), _)| *operations > 0 && *ns as f64 >= shortest);
        long_enough.map(|((operations, _), cpu_ns)| *cpu_ns as f64 / *operations as f64).filter(|cost| *cost > 0.0).reduce(f64::min)
    }

    /// Successes per second of the fastest batch that is long enough.
    fn fastest_batch(&self) -> Option<f64> {
        let window = [(self.record.work.ok, self.record.elapsed_ns)];
        let batches = if self.record.batches.is_empty() { &window[..] } else { &self.record.batches[..] };
        let lengths: Vec<f64> = batches.iter().map(|(_, ns)| *ns as f64).collect();
        let shortest = quantile::median(&lengths)? * BATCH_SHARE_MIN;
        let long_enough = batches.iter().filter(|(_, ns)| *ns as f64 >= shortest);
        long_enough
            .filter_map(|(operations, ns)| units::rate_per_s(*operations, Duration::from_nanos(*ns), self.clock_tick))
            .reduce(f64::max)
    }
}

/// Whether a trial of a gate can have a value of this metric at all.
pub fn has_value(metric: &str) -> bool {
    let is_rate = metric.ends_with("_per_s") && !OF_STRESS.contains(&metric) && metric != LEAK;
    is_rate || COSTS.contains(&metric) || metrics::is_time(metric)
}

/// The absolute floor of a metric in its unit: three steps of the clock for times that were taken one by one, 0 for all else. CPU per
/// operation is a total over many operations, so the clock's step is not in it.
pub fn floor_absolute(metric: &str, clock_tick: Duration) -> f64 {
    if metrics::is_time(metric) { FLOOR_TICKS * clock_tick.as_nanos() as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Journal;
    use crate::schema::journal::Outcome;

    const TICK: Duration = Duration::from_nanos(20);

    /// The first trial of the sample, bent.
    fn bent(bend: impl FnOnce(&mut TrialRecord, &mut Evidence)) -> (TrialRecord, Evidence) {
        let trial = Journal::round_trips().trials.swap_remove(0);
        let Outcome::Record(record) = trial.outcome else { panic!("the sample has records") };
        let (mut record, mut evidence) = (*record, trial.evidence);
        bend(&mut record, &mut evidence);
        (record, evidence)
    }

    fn value(metric: &str, bend: impl FnOnce(&mut TrialRecord, &mut Evidence)) -> Option<f64> {
        let (record, evidence) = bent(bend);
        TrialValues::of(&record, &evidence, TICK).unwrap().get(metric)
    }

    #[test]
    fn a_rate_is_that_of_the_fastest_batch_and_not_of_a_moment() {
        let batches = |record: &mut TrialRecord, _: &mut Evidence| {
            // 1,000/ms, 1,200/ms, 900/ms, and an end of 1 ms in which as much was counted as in 5.
            record.batches = vec![(5_000, 5_000_000), (6_000, 5_000_000), (4_500, 5_000_000), (5_000, 1_000_000)];
        };
        assert_eq!(value("round_trips_per_s", batches), Some(1_200_000.0));
        let bytes = value("bytes_per_s", |record, evidence| {
            batches(record, evidence);
            (record.work.ok, record.work.bytes) = (20_500, 20_500 * 128);
        });
        assert_eq!(bytes, Some(1_200_000.0 * 128.0));
        // Half of the median is long enough.
        let half = value("round_trips_per_s", |record, _| record.batches = vec![(10, 4_000_000), (10, 4_000_000), (10, 2_000_000)]);
        assert_eq!(half, Some(5_000.0));
    }

    #[test]
    fn a_schedule_is_judged_by_its_window_and_so_is_a_record_without_batches() {
        let window = |record: &mut TrialRecord, _: &mut Evidence| {
            (record.elapsed_ns, record.work.ok) = (100_000_000, 50_000);
            record.batches = vec![(40_000, 50_000_000), (10_000, 50_000_000)];
        };
        assert_eq!(value("achieved_rate_per_s", window), Some(500_000.0));
        assert_eq!(value("round_trips_per_s", window), Some(800_000.0));
        let without = |record: &mut TrialRecord, evidence: &mut Evidence| {
            window(record, evidence);
            record.batches.clear();
        };
        assert_eq!(value("round_trips_per_s", without), Some(500_000.0));
    }

    #[test]
    fn costs_and_times_are_those_of_a_run() {
        let result = crate::sample::full_result();
        let subject = &result.cases[0].subjects[0];
        for metric in ["cpu_ns_per_op", "rss_peak_bytes", "service_time_ns_p50", "service_time_ns_p99"] {
            let of_run = subject.metrics.iter().find(|found| found.id == metric).unwrap().trials[0];
            assert!(of_run.is_some(), "{metric}");
            assert_eq!(value(metric, |_, _| {}), of_run, "{metric}");
        }
        let called = value("syscalls_per_op", |record, _| {
            record.work.ok = 100;
            record.counters = [("syscalls_measured".to_string(), 250)].into();
        });
        assert_eq!(called, Some(2.5));
    }

    #[test]
    fn the_cheapest_batch_is_whole_and_known_for_all_or_for_none() {
        let cost = |cpu: Vec<u64>| {
            let (record, evidence) = bent(|record, _| {
                record.batches = vec![(5_000, 5_000_000), (6_000, 5_000_000), (0, 5_000_000), (9_000, 1_000_000)];
                record.batches_cpu_ns = cpu;
            });
            TrialValues::of(&record, &evidence, TICK).unwrap().cheapest_batch()
        };
        assert_eq!(cost(vec![10_000_000, 9_000_000, 9, 9]), Some(1_500.0));
        assert_eq!(cost(vec![10_000_000, 9_000_000]), None);
        assert_eq!(cost(Vec::new()), None);
    }

    #[test]
    fn what_a_trial_does_not_have_is_no_value() {
        let empty = |record: &mut TrialRecord, _: &mut Evidence| {
            record.work.ok = 0;
            record.batches.iter_mut().for_each(|batch| batch.0 = 0);
        };
        for metric in ["round_trips_per_s", "bytes_per_s", "cpu_ns_per_op", "syscalls_per_op"] {
            assert_eq!(value(metric, empty), None, "{metric}");
        }
        for metric in ["service_time_ns_max", "service_time_ns_p42", "never_heard_of_ns_p50", "error_rate", "peak_rate_per_s", ""] {
            assert_eq!(value(metric, |_, _| {}), None, "{metric}");
        }
        // A batch that the clock cannot resolve has no rate.
        assert_eq!(value("round_trips_per_s", |record, _| record.batches = vec![(500, 19_000)]), None);
        let few = |record: &mut TrialRecord, _: &mut Evidence| {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            histogram.record_n(700, 999).unwrap();
            record.histograms = vec![histogram::encode("service_time", "ns", &histogram).unwrap()];
        };
        assert_eq!(value("service_time_ns_p99", few), None);
        assert_eq!(value("service_time_ns_p90", few), Some(700.0));
        let (record, evidence) = bent(|record, _| record.histograms[0].payload = "junk".into());
        assert!(TrialValues::of(&record, &evidence, TICK).is_err());
    }

    #[test]
    fn the_memory_of_an_idle_task_is_what_the_process_grew_by() {
        let grown = |record: &mut TrialRecord, _: &mut Evidence| {
            record.counters.insert("idle_bytes".into(), 12_900);
            record.counters.insert("idle_tasks".into(), 100);
        };
        assert_eq!(value("bytes_per_task", grown), Some(129.0));
        assert_eq!(value("bytes_per_task", |_, _| ()), None);
    }

    #[test]
    fn what_never_has_a_value_is_known_beforehand() {
        for metric in [
            "round_trips_per_s",
            "bytes_per_s",
            "achieved_rate_per_s",
            "cpu_ns_per_op",
            "rss_peak_bytes",
            "bytes_per_task",
            "wake_latency_ns_p99",
        ] {
            assert!(has_value(metric), "{metric}");
        }
        for metric in ["service_time_ns_max", "error_rate", "peak_rate_per_s", "leak_kib_per_s", "bytes_per_connection", "recovery_time_ns"]
        {
            assert!(!has_value(metric), "{metric}");
        }
    }

    #[test]
    fn the_floor_is_for_times_taken_one_by_one() {
        for (metric, floor) in [("service_time_ns_p99", 60.0), ("cpu_ns_per_op", 0.0), ("round_trips_per_s", 0.0)] {
            assert_eq!(floor_absolute(metric, TICK), floor, "{metric}");
        }
    }
}
