//! `stealing`: moving work from where it was made to where there is time for it.
//!
//! | mode | one operation | a round of a user |
//! |---|---|---|
//! | `queue` | an item taken by a thief from the owner's queue | `items` items: one owner thread, `thieves` thief threads, no runtime |
//! | `skew` | a short task, all spawned by one task on one worker, joined | `items` tasks |

use std::hint::black_box;

use serde::{Deserialize, Serialize};

/// `[scenario.stealing]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StealingWorkload {
    /// What one operation is.
    pub mode: StealingMode,
    /// Items or tasks of a round.
    pub items: u32,
    /// Threads that steal, `queue` alone.
    pub thieves: u32,
    /// What the owner of the queue does, `queue` alone.
    pub owner: Owner,
    /// Turns of dependent arithmetic in one task, `skew` alone; the same work on every subject and host.
    pub turns: u32,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StealingMode {
    /// The queue alone.
    Queue,
    /// A whole runtime.
    Skew,
}

/// What the owner of a queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Pushes a round's items and leaves them all to the thieves.
    Push,
    /// Pushes them, then takes what it can: owner and thieves race for each item. Only what thieves took counts.
    PushPop,
}

impl StealingMode {
    /// The metric that is compared.
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::Queue => "steals_per_s",
            Self::Skew => "tasks_per_s",
        }
    }

    /// How we know that the work happened.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Queue => "a bitmap of each taker and their union: every item of a round taken exactly once",
            Self::Skew => "every task is joined; its result is the end of its arithmetic, summed and compared every round",
        }
    }
}

/// What a task of this number works out in so many turns: a chain of multiplications that cannot be shortened.
#[inline]
pub fn toil(number: u64, turns: u32) -> u64 {
    let mut word = number;
    for _ in 0..turns {
        word = black_box(word.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F));
    }
    word
}
