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
        }
    }
}
