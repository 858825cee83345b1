//! Atomic operations: a row of the hardware, on bare threads and inside the tasks of a runtime, to show that a runtime changes nothing.
//!
//! | mode | one operation |
//! |---|---|
//! | `load` | a relaxed load |
//! | `fetch_add` | a relaxed addition of one |
//! | `cas` | a compare-exchange that succeeded; those that failed are retries, and count for nothing |
//! | `mixed` | of eight operations five loads, two additions, one successful compare-exchange |

use serde::{Deserialize, Serialize};

/// Operations of a turn of `mixed`; its rounds are made of whole turns.
pub const MIXED_TURN: u32 = 8;

/// The table `[scenario.atomics]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtomicsWorkload {
    /// What an operation is.
    pub mode: AtomicMode,
    /// Which words the users work on.
    pub sharing: Sharing,
    /// Operations of a user between two looks at the state of the trial.
    pub operations_per_round: u32,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtomicMode {
    /// A load.
    Load,
    /// An addition of one.
    FetchAdd,
    /// A compare-exchange that succeeded.
    Cas,
    /// Five loads, two additions, one compare-exchange.
    Mixed,
}

/// Which words the users work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// One word for all.
    Shared,
    /// A word for each user, eight to a cache line: false sharing.
    Adjacent,
    /// A word for each user, each on two cache lines of its own.
    Padded,
}

impl AtomicMode {
    /// The least CPU time of one operation, as [`Workload::floor`](super::Workload::floor) tells it. A CPU does up to four loads at once,
    /// and the calibration does one after the other.
    pub fn floor(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Load => &[("relaxed_load_ns", 0.25)],
            Self::FetchAdd | Self::Cas => &[("fetch_add_ns", 1.0)],
            Self::Mixed => &[("relaxed_load_ns", 0.15), ("fetch_add_ns", 0.375)],
        }
    }

    /// How we know that the work happened.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Load => "every value loaded is added up: each round's sum is the operations claimed times the word's value",
            Self::FetchAdd | Self::Cas => "the words' final sum is the operations claimed; each user's own is checked after every round",
            Self::Mixed => "the words' final sum is the additions and exchanges claimed, and no load ever sees a word go back",
        }
    }

    /// Operations of a round that add one to the word.
    pub fn additions(self, operations: u32) -> u64 {
        match self {
            Self::Load => 0,
            Self::FetchAdd | Self::Cas => operations.into(),
            Self::Mixed => u64::from(operations / MIXED_TURN) * 3,
        }
    }
}
