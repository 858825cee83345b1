//! Reads into, and writes from, several owned buffers at an offset.
#![expect(unsafe_code, reason = "hands the buffers' pointers to preadv and pwritev, and marks as initialized what was read")]

use std::io;

use super::{FileOperation, SharedFile};
use crate::buf::{BufResult, IoBufs, IoBufsMut};
use crate::op::{Interest, Operation, SharedSocket, Vectors, counted, uninterrupted};

/// Reads; see the module page.
#[derive(Debug)]
pub(crate) struct ReadvAt<V> {
    file: SharedFile,
    buffers: V,
    vectors: Vectors,
    offset: u64,
}

impl<V: IoBufsMut> ReadvAt<V> {
    /// Reads at most what `buffers` have room for.
    pub(crate) fn new(file: SharedFile, mut buffers: V, offset: u64) -> Self {
        let vectors = Vectors::to_fill(&mut buffers);
        Self { file, buffers, vectors, offset }
    }

    /// The ranges to fill.
    pub(crate) fn ranges(&self) -> &[libc::iovec] {
        self.vectors.as_slice()
    }
}

impl<V: IoBufsMut> Operation for ReadvAt<V> {
    type Output = BufResult<usize, V>;

    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let (pointer, count) = self.vectors.raw();
        io_uring::opcode::Readv::new(io_uring::types::Fd(self.file.fd()), pointer, count).offset(self.offset).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        // SAFETY: IoBufsMut promises these writable bytes, which this operation owns with the buffers.
        unsafe { self.file.read_cached(self.vectors.as_slice(), self.offset) }
    }

    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|count| count as usize);
        if let Ok(count) = result {
            // SAFETY: the kernel wrote `count` bytes, filling each buffer before the next.
            unsafe { self.buffers.set_init(count) };
        }
        (result, self.buffers)
    }
}

impl<V: IoBufsMut> FileOperation for ReadvAt<V> {
    fn code(&self) -> u8 {
        io_uring::opcode::Readv::CODE
    }

    fn block(self) -> Self::Output {
        let (fd, offset, (pointer, count)) = (self.file.fd(), self.offset as libc::off64_t, self.vectors.raw());
        // SAFETY: as for an attempt.
        let result = uninterrupted(|| counted(unsafe { libc::preadv64(fd, pointer, count as libc::c_int, offset) }));
        self.complete(result)
    }
}

/// Writes; see the module page.
#[derive(Debug)]
pub(crate) struct WritevAt<V> {
    file: SharedFile,
    buffers: V,
    vectors: Vectors,
    offset: u64,
}

impl<V: IoBufs> WritevAt<V> {
    /// Writes the initialized bytes of `buffers`, or a first part of them.
    pub(crate) fn new(file: SharedFile, buffers: V, offset: u64) -> Self {
        let vectors = Vectors::to_write(&buffers, 0);
        Self { file, buffers, vectors, offset }
    }

    /// The ranges to write.
    pub(crate) fn ranges(&self) -> &[libc::iovec] {
        self.vectors.as_slice()
    }
}

impl<V: IoBufs> Operation for WritevAt<V> {
    type Output = BufResult<usize, V>;

    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let (pointer, count) = self.vectors.raw();
        io_uring::opcode::Writev::new(io_uring::types::Fd(self.file.fd()), pointer, count).offset(self.offset).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        // SAFETY: IoBufs promises these initialized bytes, which this operation owns with the buffers.
        unsafe { self.file.write_cached(self.vectors.as_slice(), self.offset) }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result.map(|count| count as usize), self.buffers)
    }
}

impl<V: IoBufs> FileOperation for WritevAt<V> {
    fn code(&self) -> u8 {
        io_uring::opcode::Writev::CODE
    }

    fn block(self) -> Self::Output {
        let (fd, offset, (pointer, count)) = (self.file.fd(), self.offset as libc::off64_t, self.vectors.raw());
        // SAFETY: as for an attempt.
        let result = uninterrupted(|| counted(unsafe { libc::pwritev64(fd, pointer, count as libc::c_int, offset) }));
        self.complete(result)
    }
}
