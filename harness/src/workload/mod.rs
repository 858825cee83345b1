//! What one operation of a workload is: the plain description that travels from the plan to the subject.
//!
//! Externally tagged, in TOML and in JSON: `[scenario.tcp]`, `{"tcp":{…}}`.

pub mod polling;
pub mod scheduling;
pub mod stealing;
pub mod tcp;

use serde::{Deserialize, Serialize};

/// A workload and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// TCP over loopback.
    Tcp(tcp::TcpWorkload),
    /// Starting, ending, yielding and waking tasks.
    Scheduling(scheduling::SchedulingWorkload),
    /// Moving work between threads.
    Stealing(stealing::StealingWorkload),
    /// Polling futures.
    Polling(polling::PollingWorkload),
    /// The control `sleep-floor`: how long a short sleep really takes.
    Sleep(SleepWorkload),
}

/// Sleeps of a fixed length, one after the other per user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SleepWorkload {
    /// Requested length of one sleep, in nanoseconds.
    pub duration_ns: u64,
}

impl Workload {
    /// The table's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Scheduling(_) => "scheduling",
            Self::Stealing(_) => "stealing",
            Self::Polling(_) => "polling",
            Self::Sleep(_) => "sleep",
        }
    }

    /// Bumped when the meaning of a workload changes, so results of two meanings are never compared.
    pub fn version(&self) -> u32 {
        match self {
            Self::Tcp(_) | Self::Scheduling(_) | Self::Stealing(_) | Self::Polling(_) | Self::Sleep(_) => 1,
        }
    }

    /// The metric that is compared.
    pub fn primary_metric(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.primary_metric(),
            Self::Scheduling(scheduling) => scheduling.mode.primary_metric(),
            Self::Stealing(stealing) => stealing.mode.primary_metric(),
            Self::Polling(_) => "polls_per_s",
            Self::Sleep(_) => "ops_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.witness(),
            Self::Scheduling(scheduling) => scheduling.mode.witness(),
            Self::Stealing(stealing) => stealing.mode.witness(),
            Self::Polling(_) => {
                "polls counted inside the future through black_box, compared with the fixed number of the round; values summed"
            }
            Self::Sleep(_) => "the clock is read around each sleep: none returns before its time",
        }
    }

    /// Bytes one successful operation must move, both directions; `None` where sizes vary or nothing moves.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.bytes_per_operation(),
            Self::Scheduling(_) | Self::Stealing(_) | Self::Polling(_) | Self::Sleep(_) => None,
        }
    }

    /// Whether there is a server and a client that could be placed apart.
    pub fn has_two_ends(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The least CPU time of one successful operation, as calibration keys times factors, summed; empty where the workload's guard has
    /// a rule of its own.
    pub fn floor(&self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Scheduling(_) | Self::Polling(_) => &[("empty_loop_ns", 1.0)],
            Self::Stealing(stealing) => match stealing.mode {
                stealing::StealingMode::Queue => &[("fetch_add_ns", 1.0)],
                stealing::StealingMode::Skew => &[("empty_loop_ns", 1.0)],
            },
            Self::Tcp(_) | Self::Sleep(_) => &[],
        }
    }
}
