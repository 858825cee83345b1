//! The calls of a runtime that the file bodies use, beside its [`Tasks`].
//!
//! Buffers are lent by value, at addresses that direct I/O takes, and of one type for all: what differs between two subjects is the call.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use zokio::buf::AlignedBuf;

use crate::subject::body::tasks::Tasks;
use crate::workload::storage::CacheState;

/// What a read brings back: the count, and the buffer in every case.
pub type Filled = (io::Result<usize>, AlignedBuf);

/// File I/O of one runtime.
pub trait Files: Tasks {
    /// Why there is no NOP; `None`: there is one.
    const NO_NOP: Option<&'static str>;

    /// An open file.
    type File: AsFd + Send + Sync + 'static;

    /// Opens a file for reading, passing the page cache by where the state says so.
    fn open(path: PathBuf, state: CacheState) -> impl Future<Output = io::Result<Self::File>> + Send;

    /// Reads at an offset; fewer bytes than asked for are an error of the caller's.
    fn read_at(file: &Self::File, buffer: AlignedBuf, offset: u64) -> impl Future<Output = Filled> + Send;

    /// Reads what begins at an offset into one buffer after the other.
    fn readv_at(
        file: &Self::File,
        buffers: Vec<AlignedBuf>,
        offset: u64,
    ) -> impl Future<Output = (io::Result<usize>, Vec<AlignedBuf>)> + Send;

    /// Reads begun together, each at an offset of its own; the results in the same order, when all have ended.
    fn read_many_at(file: &Self::File, reads: Vec<(AlignedBuf, u64)>) -> impl Future<Output = Vec<Filled>> + Send;

    /// A pipe of a user's own.
    type Pipe: Send;

    /// Makes an empty pipe; from within the runtime.
    fn pipe() -> io::Result<Self::Pipe>;

    /// Fills a buffer with what begins at an offset by way of a pipe, which is empty before and after: in by splice, out by read. The file is in
    /// memory.
    fn splice(file: &Self::File, pipe: &mut Self::Pipe, buffer: AlignedBuf, offset: u64) -> impl Future<Output = Filled> + Send;

    /// A NOP through the ring and back.
    fn nop() -> impl Future<Output = io::Result<()>> + Send;
}
