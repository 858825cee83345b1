//! What a record tells of an open loop, of an overload, and of the course of a trial.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::Work;

/// The schedule of an open loop, as it was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfferedLoad {
    /// Operations offered per second.
    pub rate_per_s: f64,
    /// `uniform` or `poisson`.
    pub arrival: String,
    /// Operations offered and not ended, at most; what is offered beyond is an error of class `overload`.
    pub max_in_flight: u64,
}

/// How the schedule of a window was kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenRecord {
    /// Operations offered per second.
    pub offered_rate_per_s: f64,
    /// Operations whose intended start came in the window.
    pub intended: u64,
    /// Operations begun in the window.
    pub sent: u64,
    /// Of those, begun a millisecond or more after their intended start.
    pub late: u64,
    /// From an intended start to the moment the generator told of it, 99 % quantile, in nanoseconds; `null` without one.
    pub lag_ns_p99: Option<u64>,
    /// The longest of these times, in nanoseconds.
    pub lag_ns_max: u64,
}

/// What followed full load in one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverloadRecord {
    /// More was offered than the subject can do.
    pub overload: WindowRecord,
    /// Less was offered again.
    pub recovery: WindowRecord,
}

/// What followed full load in all counted trials of a row, added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverloadResult {
    /// Operations that ended in the overloads, with the errors by class.
    pub overload: Work,
    /// Operations that ended in the recoveries.
    pub recovery: Work,
}

/// An open window beside the measured one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowRecord {
    /// Its length, in nanoseconds.
    pub elapsed_ns: u64,
    /// Its schedule.
    pub open: OpenRecord,
    /// Operations that ended in it; errors of class `overload` were refused because `max_in_flight` were under way.
    pub work: Work,
}

/// The course of a trial: what the coordinator saw at equal distances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesRecord {
    /// Distance of two points, in nanoseconds, as planned.
    pub interval_ns: u64,
    /// The points, in time order.
    pub points: Vec<SeriesPoint>,
    /// The longest time in the measured window and the overload in which no operation was seen to end, in nanoseconds.
    pub longest_gap_ns: u64,
    /// Distance of two looks for it, in nanoseconds: shorter gaps are not seen.
    pub look_ns: u64,
    /// Resident memory after the drain, with the runtime idle, in bytes; `null` where it cannot be read.
    pub rss_after_bytes: Option<u64>,
}

/// The time between one point and the one before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// Nanoseconds from the start of the measured window to the end of this time.
    pub at_ns: u64,
    /// Its length in nanoseconds.
    pub length_ns: u64,
    /// `measure`, `overload` or `recovery`.
    pub phase: String,
    /// Operations that ended well.
    pub ok: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Mean response time of those that ended well, in nanoseconds; `null` in a closed loop, and where none ended.
    pub response_ns: Option<f64>,
    /// Resident memory at its end, in bytes; `null` where it cannot be read.
    pub rss_bytes: Option<u64>,
}
