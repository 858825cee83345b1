//! Operations on files. No readiness tells when a file can be read: what would block goes to the ring, or to a thread that may block.
//!
//! ```text
//!  attempt()   what is cached, on the task's own stack (RWF_NOWAIT, RESOLVE_CACHED)
//!     └─ WouldBlock ──┬─ the ring knows it ──▶ entry() ──▶ kernel ──▶ complete(result)
//!                     └─ it does not ────────▶ block() on a pool thread, which owns the operation
//! ```

mod change;
mod folder;
mod open;
mod read;
mod shared;
mod stat;
mod vectored;
mod write;

pub(crate) use change::Change;
pub(crate) use folder::FolderChange;
pub(crate) use open::{Open, to_c_path};
pub(crate) use read::ReadAt;
pub(crate) use shared::{DirectAlignment, SharedFile};
pub(crate) use stat::{Stat, direct_alignment};
pub(crate) use vectored::{ReadvAt, WritevAt};
pub(crate) use write::WriteAt;

use std::io;

use super::Operation;

/// An operation that may block its thread.
pub(crate) trait FileOperation: Operation {
    /// io_uring's code of it.
    fn code(&self) -> u8;

    /// Does it at once, however long it takes.
    fn block(self) -> Self::Output;
}

/// Nothing was tried.
fn not_at_once() -> io::Result<u32> {
    Err(io::ErrorKind::WouldBlock.into())
}
