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

impl TcpMode {
    /// The metric that is compared.
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::Rr => "round_trips_per_s",
            Self::Crr | Self::Churn => "connections_per_s",
            Self::Stream => "bytes_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Rr => "every request is read and checked by the server, every response by the client: length and content",
            Self::Crr => "each connection is opened, both messages are checked at their receiver (length and content), and it is closed",
            Self::Churn => "each connection is opened, every message is checked at its receiver (length and content), and it is closed",
            Self::Stream => "the receiver counts the bytes and checks a position stamp in each 64 KiB; a full hash in a phase of its own",
        }
    }
}

impl TcpWorkload {
    /// Bytes one successful operation must move, both directions; `None` where sizes vary.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        let request = self.request.fixed()?;
        if self.mode == TcpMode::Stream {
            return Some(request);
        }
        let round_trip = request.checked_add(self.response.fixed()?)?;
        round_trip.checked_mul(if self.mode == TcpMode::Churn { self.operations_per_connection.into() } else { 1 })
    }
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
