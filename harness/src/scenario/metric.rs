//! The metric ids of a result: unit, direction and meaning. Thresholds and targets name them.

use zokio_report::schema::result::Better;

/// A metric that a scenario may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricId {
    /// The id, e.g. `service_time_ns_p99`.
    pub id: String,
    /// `1/s`, `B/s`, `KiB/s`, `ns`, `B` or `1`.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// One line.
    pub meaning: String,
}

const HIGHER: Better = Better::Higher;
const LOWER: Better = Better::Lower;

/// Rates of one workload each: its primary metric. A row that lacks the workload cannot have it.
const RATES: &[(&str, &str)] = &[
    ("tasks_per_s", "tasks run to their end"),
    ("yields_per_s", "yields of a task to the scheduler"),
    ("timers_per_s", "timers created and cancelled"),
    ("steals_per_s", "items taken from another worker's queue"),
    ("polls_per_s", "polls of a future"),
    ("allocations_per_s", "blocks allocated and freed"),
    ("acquires_per_s", "objects taken from a pool and given back, or a mutex acquired and released"),
    ("messages_per_s", "messages received through a channel"),
    ("atomic_ops_per_s", "atomic operations"),
    ("io_ops_per_s", "input or output operations completed"),
    ("round_trips_per_s", "requests answered on a kept connection"),
    ("connections_per_s", "connections opened, used and closed"),
    ("requests_per_s", "HTTP requests answered"),
    ("files_per_s", "files read, written or sent"),
    ("ops_per_s", "operations of a control"),
];

/// Metrics that any workload may have.
const COMMON: &[(&str, &str, Better, &str)] = &[
    ("bytes_per_s", "B/s", HIGHER, "bytes moved, successes only"),
    ("bytes_per_s_peak", "B/s", HIGHER, "bytes moved in the best window"),
    ("success_rate", "1", HIGHER, "share of the attempted operations that succeeded"),
    ("error_rate", "1", LOWER, "share of the attempted operations that failed"),
    ("sent_ratio", "1", HIGHER, "share of the scheduled operations that were started"),
    ("achieved_rate_per_s", "1/s", HIGHER, "rate reached of the rate offered"),
    ("slowest_share", "1", HIGHER, "operations of the slowest producer or task, of the mean of all that share"),
    ("cpu_ns_per_op", "ns", LOWER, "CPU time of all processes for one successful operation"),
    ("syscalls_per_op", "1", LOWER, "system calls for one successful operation"),
    ("rss_peak_bytes", "B", LOWER, "peak resident memory of the subject"),
    ("rss_after_bytes", "B", LOWER, "resident memory after the drain, runtime idle"),
    ("leak_kib_per_s", "KiB/s", LOWER, "growth of the resident memory at full load"),
    ("peak_rate_per_s", "1/s", HIGHER, "rate of the best interval at full load"),
    ("longest_gap_ns", "ns", LOWER, "longest time without an operation that ended"),
    ("overload_rate_per_s", "1/s", HIGHER, "rate reached while more is offered than can be done"),
    ("overload_success_rate", "1", HIGHER, "share of the operations of an overload that succeeded"),
    ("recovery_time_ns", "ns", LOWER, "end of the overload to normal response times"),
    ("bytes_per_task", "B", LOWER, "memory of an idle task"),
    ("bytes_per_connection", "B", LOWER, "memory of an idle connection"),
];

/// Times, each with the quantiles of [`QUANTILES`].
const TIMES: &[(&str, &str)] = &[
    ("service_time_ns", "hand-over to reply"),
    ("response_time_ns", "wanted start to reply"),
    ("wake_latency_ns", "wake to poll"),
    ("spawn_latency_ns", "spawn to first poll"),
    ("timer_lateness_ns", "deadline to wake"),
    ("schedule_lag_ns", "wanted start to the generator's word"),
    ("overload_response_time_ns", "response time while more is offered than can be done"),
    ("recovery_response_time_ns", "response time after an overload"),
];
const QUANTILES: &[(&str, &str)] =
    &[("p50", "median"), ("p90", "90 % quantile"), ("p99", "99 % quantile"), ("p999", "99.9 % quantile"), ("max", "longest")];

/// All metric ids, in the order of the design.
pub fn all() -> Vec<MetricId> {
    let rates = RATES.iter().map(|&(id, meaning)| MetricId { id: id.into(), unit: "1/s", better: HIGHER, meaning: meaning.into() });
    let common = COMMON.iter().map(|&(id, unit, better, meaning)| MetricId { id: id.into(), unit, better, meaning: meaning.into() });
    let times = TIMES.iter().flat_map(|(time, meaning)| {
        QUANTILES.iter().map(move |(quantile, name)| MetricId {
            id: format!("{time}_{quantile}"),
            unit: "ns",
            better: LOWER,
            meaning: format!("{meaning}, {name}"),
        })
    });
    rates.chain(common).chain(times).collect()
}

/// The metric with this id.
pub fn find(id: &str) -> Option<MetricId> {
    all().into_iter().find(|metric| metric.id == id)
}

/// Whether a workload whose primary metric is `primary` can have this metric: the rate of another workload is never measured.
pub(crate) fn is_measurable(id: &str, primary: &str) -> bool {
    id == primary || !RATES.iter().any(|(rate, _)| *rate == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_every_time_has_its_quantiles() {
        let mut ids: Vec<String> = all().into_iter().map(|metric| metric.id).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert_eq!(find("service_time_ns_p999").map(|metric| metric.unit), Some("ns"));
        assert!(find("service_time_ns").is_none());
    }

    #[test]
    fn a_rate_belongs_to_one_workload() {
        assert!(is_measurable("bytes_per_s", "connections_per_s"));
        assert!(is_measurable("connections_per_s", "connections_per_s"));
        assert!(!is_measurable("tasks_per_s", "connections_per_s"));
    }
}
