//! One trial as the subject tells it: the `record` line of the protocol.
//!
//! Nothing here is believed alone: the orchestrator keeps [`super::journal::Evidence`] of its own beside it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::open::{OpenRecord, OverloadRecord, SeriesRecord};

/// What a subject writes after one trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialRecord {
    /// The trial this record answers; a record of another trial is refused.
    #[serde(default)]
    pub id: Option<String>,
    /// Length of the measured window by the subject's own monotonic clock.
    pub elapsed_ns: u64,
    /// The work of the measured window.
    pub work: Work,
    /// `[operations, nanoseconds]` of consecutive slices of the measured window, in time order.
    #[serde(default)]
    pub batches: Vec<(u64, u64)>,
    /// CPU time of the process in each of these slices, in nanoseconds; empty where it was not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches_cpu_ns: Vec<u64>,
    /// Distributions of the measured window.
    #[serde(default)]
    pub histograms: Vec<HistogramPayload>,
    /// CPU time of the measured window as the subject read it from the kernel.
    #[serde(default)]
    pub cpu_ns: CpuTime,
    /// Named counts of the whole trial (`syscalls`, `connections_opened`, `connections_accepted`, …).
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// One entry per worker thread that did the work.
    #[serde(default)]
    pub workers: Vec<WorkerRecord>,
    /// What drove the I/O: `io_uring`, `epoll`, `kqueue`, `iocp` or `none`.
    #[serde(default)]
    pub driver: String,
    /// Why this driver ran, when it is not the one preferred (`io_uring: EPERM`).
    #[serde(default)]
    pub driver_reason: Option<String>,
    /// The subject's effective configuration; the ceiling names its variant here.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// How the warm-up went; `null` where there was none.
    #[serde(default)]
    pub warmup: Option<WarmupRecord>,
    /// The schedule of the measured window; `null` in a closed loop.
    #[serde(default)]
    pub open: Option<OpenRecord>,
    /// What followed full load; `null` where nothing did.
    #[serde(default)]
    pub overload: Option<OverloadRecord>,
    /// The course of the trial; `null` where none was asked for.
    #[serde(default)]
    pub series: Option<SeriesRecord>,
}

/// Operations of the measured window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Operations that ended in the window, well or badly.
    pub attempted: u64,
    /// Operations that ended well and were verified where verification applies.
    pub ok: u64,
    /// Failed operations by class (`connect`, `read`, `write`, `mismatch`, `timeout`, …).
    #[serde(default)]
    pub errors: BTreeMap<String, u64>,
    /// Payload bytes of the successful operations, both directions.
    pub bytes: u64,
    /// Successful operations whose content was checked.
    pub verified: u64,
    /// Operations still under way when the window closed.
    #[serde(default)]
    pub in_flight_at_end: u64,
}

/// CPU time by role. One process that is both ends fills `total` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuTime {
    /// The client process.
    pub client: Option<u64>,
    /// The server process.
    pub server: Option<u64>,
    /// All processes of the trial.
    pub total: Option<u64>,
}

/// A distribution in transport form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramPayload {
    /// What was measured (`service_time`, `response_time`, `connect_time`).
    pub id: String,
    /// The unit of the recorded values, `ns`.
    pub unit: String,
    /// `HdrHistogram-V2-deflate-base64`.
    pub encoding: String,
    /// The encoded histogram.
    pub payload: String,
}

/// The only encoding of [`HistogramPayload`].
pub const HISTOGRAM_ENCODING: &str = "HdrHistogram-V2-deflate-base64";

/// One worker thread of the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerRecord {
    /// The kernel's id of the thread.
    pub thread_id: u32,
    /// The CPUs it may run on, as the kernel told the thread itself.
    #[serde(default)]
    pub cpus: Vec<u32>,
    /// Tasks it polled; `null` where the runtime does not tell.
    #[serde(default)]
    pub polls: Option<u64>,
    /// Operations of the measured window that ended on it.
    #[serde(default)]
    pub operations: Option<u64>,
}

/// The warm-up of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WarmupRecord {
    /// How long it took.
    pub elapsed_ns: u64,
    /// Whether the last two windows agreed; `null` where no steady state was asked for.
    pub steady: Option<bool>,
    /// `[operations, nanoseconds]` of each window.
    #[serde(default)]
    pub windows: Vec<(u64, u64)>,
}
