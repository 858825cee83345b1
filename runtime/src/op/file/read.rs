//! Reads at an offset into an owned buffer.
#![expect(unsafe_code, reason = "hands the buffer's pointer to pread, and marks as initialized what that wrote")]

use std::io;

use super::{FileOperation, SharedFile};
use crate::buf::{BufResult, IoBufMut};
use crate::op::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, counted, uninterrupted};

/// See the module page.
#[derive(Debug)]
pub(crate) struct ReadAt<B> {
    file: SharedFile,
    buffer: B,
    /// The range to fill, taken from `buffer` once: no foreign code runs inside the driver.
    pointer: *mut u8,
    length: u32,
    /// A ring takes it without an attempt: one call for the whole batch is cheaper than one each.
    batched: bool,
    attempts: bool,
    offset: u64,
}

// SAFETY: `pointer` leads into `buffer`, which is Send itself and moves along.
unsafe impl<B: IoBufMut> Send for ReadAt<B> {}

impl<B: IoBufMut> ReadAt<B> {
    /// Reads at most what `buffer` has room for.
    pub(crate) fn new(file: SharedFile, mut buffer: B, offset: u64) -> Self {
        let length = buffer.bytes_total().min(TRANSFER_BYTES_MAX) as u32;
        Self { file, pointer: buffer.stable_mut_ptr(), length, buffer, batched: false, attempts: true, offset }
    }

    /// As one of many.
    pub(crate) fn batched(self) -> Self {
        Self { batched: true, ..self }
    }

    /// Address and length of the range to fill.
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.pointer.addr(), self.length as usize)
    }
}

impl<B: IoBufMut> Operation for ReadAt<B> {
    type Output = BufResult<usize, B>;

    /// Not held back: it waits for no peer.
    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;

    fn on_ring(&mut self) {
        self.attempts = !self.batched;
    }

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    #[inline]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        io_uring::opcode::Read::new(io_uring::types::Fd(self.file.fd()), self.pointer, self.length).offset(self.offset).build()
    }

    #[inline]
    fn attempt(&mut self) -> io::Result<u32> {
        if !self.attempts {
            return super::not_at_once();
        }
        let vector = libc::iovec { iov_base: self.pointer.cast(), iov_len: self.length as usize };
        // SAFETY: IoBufMut promises that many writable bytes, which this operation owns with the buffer.
        unsafe { self.file.read_cached(&[vector], self.offset) }
    }

    #[inline]
    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|count| count as usize);
        if let Ok(count) = result {
            // SAFETY: the kernel wrote `count` bytes from the buffer's first byte on, at most its length.
            unsafe { self.buffer.set_init(count) };
        }
        (result, self.buffer)
    }
}

impl<B: IoBufMut> FileOperation for ReadAt<B> {
    fn code(&self) -> u8 {
        io_uring::opcode::Read::CODE
    }

    fn block(self) -> Self::Output {
        let (fd, offset) = (self.file.fd(), self.offset as libc::off64_t);
        // SAFETY: as for an attempt.
        let result = uninterrupted(|| counted(unsafe { libc::pread64(fd, self.pointer.cast(), self.length as usize, offset) }));
        self.complete(result)
    }
}
