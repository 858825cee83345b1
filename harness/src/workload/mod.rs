//! What one operation of a workload is: the plain description that travels from the plan to the subject.
//!
//! Externally tagged, in TOML and in JSON: `[scenario.tcp]`, `{"tcp":{…}}`.

pub mod tcp;

use serde::{Deserialize, Serialize};

/// A workload and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// TCP over loopback.
    Tcp(tcp::TcpWorkload),
    /// The control `sleep-floor`: how long a short sleep really takes.
    Sleep(SleepWorkload),
    /// What a program of the user's own does; only such programs can run it.
    Custom(CustomWorkload),
}

/// Operations that the subject alone knows: `subject::serve::serve_fn` and `serve_async` run them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomWorkload {
    /// Operations between two looks at the state of the trial.
    pub operations_per_round: u64,
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
            Self::Sleep(_) => "sleep",
            Self::Custom(_) => "custom",
        }
    }

    /// Bumped when the meaning of a workload changes, so results of two meanings are never compared.
    pub fn version(&self) -> u32 {
        match self {
            Self::Tcp(_) | Self::Sleep(_) | Self::Custom(_) => 1,
        }
    }

    /// The metric that is compared.
    pub fn primary_metric(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.primary_metric(),
            Self::Sleep(_) | Self::Custom(_) => "ops_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.witness(),
            Self::Sleep(_) => "the clock is read around each sleep: none returns before its time",
            Self::Custom(_) => "the program checks its own results, and says how many operations of a round hold",
        }
    }

    /// Bytes one successful operation must move, both directions; `None` where sizes vary or nothing moves.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.bytes_per_operation(),
            Self::Sleep(_) | Self::Custom(_) => None,
        }
    }

    /// Whether there is a server and a client that could be placed apart.
    pub fn has_two_ends(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// The least CPU time of one successful operation: calibration keys and how often each is due, to be summed. It becomes `floor` of the
    /// effective case. Empty where a guard has a rule of its own (loopback, sleep).
    ///
    /// An operation that is one turn of a loop names `empty_loop_ns`; then `empty-loop` judges it too.
    pub fn floor(&self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Tcp(_) | Self::Sleep(_) => &[],
            Self::Custom(_) => &[("empty_loop_ns", 1.0)],
        }
    }
}
