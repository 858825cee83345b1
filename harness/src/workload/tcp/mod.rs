//! TCP over loopback: round trips, connections, streams.
//!
//! | mode | one operation | metric |
//! |---|---|---|
//! | `rr` | request and response on a kept connection | `round_trips_per_s` |
//! | `crr` | connect, one request and response, close | `connections_per_s` |
//! | `churn` | connect, several requests and responses, close | `connections_per_s` |
//! | `stream` | one write of `request` bytes that the receiver has read and checked | `bytes_per_s` |

pub mod chunk;
pub mod payload;

use serde::{Deserialize, Serialize};

/// The table `[scenario.tcp]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TcpWorkload {
    /// What an operation is.
    pub mode: TcpMode,
    /// Bytes the client sends per operation (`stream`: per write).
    pub request: SizeDistribution,
    /// Bytes the server answers; unused by `stream`.
    pub response: SizeDistribution,
    /// Connections open at the same time. `rr`, `crr`, `churn`: one per user.
    pub connections: u32,
    /// Requests and responses on one connection; 1 for `crr`, unused by `rr` and `stream`.
    pub operations_per_connection: u32,
    /// TCP_NODELAY on both ends.
    pub nodelay: bool,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TcpMode {
    /// Round trips on kept connections.
    Rr,
    /// Connect, one round trip, close.
    Crr,
    /// One-way bulk transfer.
    Stream,
    /// Connect, several round trips, close.
    Churn,
}

/// How large messages are. Both ends derive the k-th size of a connection from the trial's seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeDistribution {
    /// Always so many bytes.
    Fixed(u64),
    /// Uniform between the two, both included.
    Range(u64, u64),
    /// `(bytes, weight)`.
    Split(Vec<(u64, u32)>),
}

impl SizeDistribution {
    /// The only size, or `None` where sizes vary.
    pub fn fixed(&self) -> Option<u64> {
        match self {
            Self::Fixed(bytes) => Some(*bytes),
            Self::Range(low, high) if low == high => Some(*low),
            _ => None,
        }
    }
}
