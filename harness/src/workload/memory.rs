//! Blocks of memory: allocated, written whole, checked and freed.
//!
//! | lifetime | one operation is a block that was |
//! |---|---|
//! | `pair` | freed right after its use |
//! | `batch` | alive together with others, and freed in another order than it was allocated |
//! | `shift` | as `batch`, with others of its own size alone; the next batch has another size |
//! | `remote` | freed by another thread than the one that allocated it |

use serde::{Deserialize, Serialize};

use super::tcp::SizeDistribution;

/// The table `[scenario.memory]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryWorkload {
    /// How large the blocks are.
    pub size: SizeDistribution,
    /// When and by whom they are freed.
    pub lifetime: Lifetime,
    /// Blocks of a user alive together; `remote`: blocks handed over at once. Unused by `pair`.
    pub live: u32,
    /// Blocks of a user between two looks at the state of the trial; whole batches. `remote`: one batch.
    pub operations_per_round: u32,
}

/// When and by whom a block is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// At once, by its thread.
    Pair,
    /// After the batch is whole, in another order.
    Batch,
    /// As `batch`; all blocks of a batch have one size.
    Shift,
    /// By another thread.
    Remote,
}

impl MemoryWorkload {
    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self.lifetime {
            Lifetime::Remote => {
                "a block is written whole with a pattern of its own; its receiver reads it back before the free (first and last 64 bytes, \
                 and 8 of each 256 between); as many are freed as were allocated"
            }
            Lifetime::Pair | Lifetime::Batch | Lifetime::Shift => {
                "a block is written whole with a pattern of its own and read back before its free (first and last 64 bytes, and 8 of each \
                 256 between); as many are freed as were allocated"
            }
        }
    }
}
