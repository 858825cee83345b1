//! Reads of a file at random places, and the ring alone.
//!
//! | mode | one operation | bytes |
//! |---|---|---|
//! | `nop` | a NOP through the ring and back | none |
//! | `read` | a block read at an offset | `block` |
//! | `vectored` | a read of `width` blocks in a row into as many buffers | `block` × `width` |
//! | `splice` | a block moved from the file into a pipe without a copy (splice), then read out of the pipe | `block` |
//! | `batch` | one of `width` blocks that were begun together and awaited together | `block` |

use serde::{Deserialize, Serialize};

use super::storage::{FilesNeeded, Storage};

/// The table `[scenario.io]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoWorkload {
    /// What an operation is.
    pub mode: IoMode,
    /// Where the file is, and how the page cache holds it; `nop` has none.
    pub storage: Option<Storage>,
    /// Length of the file.
    pub file_bytes: u64,
    /// Length of a block.
    pub block_bytes: u64,
    /// `vectored`, `batch`: blocks of a read, or reads of a batch; 1 in the other modes.
    pub width: u32,
}

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IoMode {
    /// A NOP.
    Nop,
    /// One block.
    Read,
    /// Blocks in a row, by one call.
    Vectored,
    /// One block, by way of a pipe.
    Splice,
    /// Blocks anywhere, begun together.
    Batch,
}

impl IoWorkload {
    /// Bytes that one successful operation reads; `None` for the one that reads nothing.
    pub fn bytes_per_operation(&self) -> Option<u64> {
        match self.mode {
            IoMode::Nop => None,
            IoMode::Read | IoMode::Splice | IoMode::Batch => Some(self.block_bytes),
            IoMode::Vectored => Some(self.block_bytes * u64::from(self.width)),
        }
    }

    /// Operations of one user that are outstanding together.
    pub fn operations_per_user(&self) -> u32 {
        if self.mode == IoMode::Batch { self.width } else { 1 }
    }

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self.mode {
            IoMode::Nop => "each NOP is awaited until its own completion has come back from the ring without an error",
            IoMode::Splice => {
                "every block is spliced into an empty pipe and read out of it again, whole; each of its sectors holds the word that belongs at \
                 that place of that trial's file; every 64th block of a user is compared byte by byte"
            }
            _ => {
                "every read is whole and each of its sectors holds the word that belongs at that place of that trial's file; every 64th read \
                 of a user is compared byte by byte; the kernel's account of what the device read fits the state of the page cache"
            }
        }
    }

    /// The least CPU time of an operation. A warm read copies its bytes; what comes from a device is copied by it, or before.
    pub fn floor(&self) -> Vec<(&'static str, f64)> {
        match (&self.storage, self.bytes_per_operation()) {
            (Some(storage), Some(bytes)) if storage.cache != super::storage::CacheState::Direct => {
                vec![("memcpy_ns_per_kib", bytes as f64 / 1024.0)]
            }
            _ => vec![("ring_nop_ns", 1.0)],
        }
    }

    /// The file it makes.
    pub fn files(&self) -> Option<FilesNeeded<'_>> {
        self.storage.as_ref().map(|storage| FilesNeeded { storage, bytes: self.file_bytes })
    }
}
