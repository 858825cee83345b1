//! What one operation of a workload is: the plain description that travels from the plan to the subject.
//!
//! Externally tagged, in TOML and in JSON: `[scenario.tcp]`, `{"tcp":{…}}`.

pub mod http;
pub mod tcp;

use serde::{Deserialize, Serialize};

use self::tcp::TcpMode;

/// A workload and its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workload {
    /// TCP over loopback.
    Tcp(tcp::TcpWorkload),
    /// HTTP/1.1 over loopback.
    Http(http::HttpWorkload),
    /// The control `sleep-floor`: how long a short sleep really takes.
    Sleep(SleepWorkload),
}

/// Sleeps of a fixed length, one after the other per user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SleepWorkload {
    /// Requested length of one sleep, in nanoseconds.
    pub duration_ns: u64,
}

/// The TCP connections of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// Open at the same time.
    pub open: u32,
    /// Requests and answers on one connection; `None`: it is kept to the end.
    pub exchanges_each: Option<u32>,
}

impl Workload {
    /// The table's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
            Self::Sleep(_) => "sleep",
        }
    }

    /// Bumped when the meaning of a workload changes, so results of two meanings are never compared.
    pub fn version(&self) -> u32 {
        match self {
            Self::Tcp(_) | Self::Http(_) | Self::Sleep(_) => 1,
        }
    }

    /// The metric that is compared.
    pub fn primary_metric(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.primary_metric(),
            Self::Http(_) => http::HttpWorkload::PRIMARY_METRIC,
            Self::Sleep(_) => "ops_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.witness(),
            Self::Http(http) => http.witness(),
            Self::Sleep(_) => "the clock is read around each sleep: none returns before its time",
        }
    }

    /// Bytes one successful operation must move, both directions; `None` where sizes vary or nothing moves.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.bytes_per_operation(),
            Self::Http(http) => Some(http.bytes_per_operation()),
            Self::Sleep(_) => None,
        }
    }

    /// The TCP connections it holds and opens; `None`: none.
    pub fn connections(&self) -> Option<Connections> {
        match self {
            Self::Tcp(tcp) => Some(Connections {
                open: tcp.connections,
                exchanges_each: matches!(tcp.mode, TcpMode::Crr | TcpMode::Churn).then_some(tcp.operations_per_connection),
            }),
            Self::Http(http) => {
                let each = (http.requests_per_connection > 0).then_some(http.requests_per_connection);
                Some(Connections { open: http.connections, exchanges_each: each })
            }
            Self::Sleep(_) => None,
        }
    }
}
