//! Objects taken from a pool and given back.
//!
//! An operation is one object: acquired, marked as owned, held, unmarked, released.

use serde::{Deserialize, Serialize};

/// Words of an object beside its mark: a buffer of 1 KiB, as in the guide's example.
pub const OBJECT_WORDS: usize = 128;

/// The table `[scenario.pool]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolWorkload {
    /// Objects that the pool keeps.
    pub capacity: u32,
    /// What is done with an object while it is held.
    pub hold: Hold,
    /// Objects of a user held together.
    pub held: u32,
    /// What an acquire does that finds the pool empty.
    pub empty: Empty,
    /// Objects of a user between two looks at the state of the trial; whole handfuls of `held`.
    pub operations_per_round: u32,
}

/// What is done with an object while it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nothing but its mark.
    None,
    /// All its words are written and added up.
    Work,
}

/// What an acquire does that finds the pool empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// Makes a new object; one that comes back to a full pool is dropped.
    Create,
    /// Tries again until another user has released one.
    Wait,
}

impl PoolWorkload {
    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self.hold {
            Hold::None => "each object carries a mark: free when it is acquired, its user's when it is released",
            Hold::Work => {
                "each object carries a mark: free when it is acquired, its user's when it is released; the sum of the words written \
                 while it was held is the one expected"
            }
        }
    }
}
