//! What one operation of a workload is: the plain description that travels from the plan to the subject.
//!
//! Externally tagged, in TOML and in JSON: `[scenario.tcp]`, `{"tcp":{…}}`.

pub mod atomics;
pub mod memory;
pub mod pool;
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
    /// Atomic operations.
    Atomics(atomics::AtomicsWorkload),
    /// Blocks of memory.
    Memory(memory::MemoryWorkload),
    /// Objects of a pool.
    Pool(pool::PoolWorkload),
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
            Self::Atomics(_) => "atomics",
            Self::Memory(_) => "memory",
            Self::Pool(_) => "pool",
        }
    }

    /// Bumped when the meaning of a workload changes, so results of two meanings are never compared.
    pub fn version(&self) -> u32 {
        match self {
            Self::Tcp(_) | Self::Sleep(_) | Self::Atomics(_) | Self::Memory(_) | Self::Pool(_) => 1,
        }
    }

    /// The metric that is compared.
    pub fn primary_metric(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.primary_metric(),
            Self::Sleep(_) => "ops_per_s",
            Self::Atomics(_) => "atomic_ops_per_s",
            Self::Memory(_) => "allocations_per_s",
            Self::Pool(_) => "acquires_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self {
            Self::Tcp(tcp) => tcp.mode.witness(),
            Self::Sleep(_) => "the clock is read around each sleep: none returns before its time",
            Self::Atomics(atomics) => atomics.mode.witness(),
            Self::Memory(memory) => memory.witness(),
            Self::Pool(pool) => pool.witness(),
        }
    }

    /// Bytes one successful operation must move, both directions; `None` where sizes vary or nothing moves.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self {
            Self::Tcp(tcp) => tcp.bytes_per_operation(),
            Self::Sleep(_) | Self::Atomics(_) | Self::Memory(_) | Self::Pool(_) => None,
        }
    }
}
