//! Writes an owned buffer at an offset.
#![expect(unsafe_code, reason = "hands the buffer's pointer to pwrite")]

use std::io;

use super::{FileOperation, SharedFile};
use crate::buf::{BufResult, IoBuf};
use crate::op::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, counted, uninterrupted};

/// See the module page.
#[derive(Debug)]
pub(crate) struct WriteAt<B> {
    file: SharedFile,
    buffer: B,
    /// The range to write, taken from `buffer` once: no foreign code runs inside the driver.
    pointer: *const u8,
    length: u32,
    /// A ring takes it without an attempt: one call for the whole batch is cheaper than one each.
    batched: bool,
    attempts: bool,
    offset: u64,
}

// SAFETY: `pointer` leads into `buffer`, which is Send itself and moves along.
unsafe impl<B: IoBuf> Send for WriteAt<B> {}

impl<B: IoBuf> WriteAt<B> {
    /// Writes the initialized bytes of `buffer` from `begin` on, or a first part of them.
    pub(crate) fn new(file: SharedFile, buffer: B, begin: usize, offset: u64) -> Self {
        let rest = buffer.bytes_init().checked_sub(begin).expect("a transfer never exceeds its buffer");
        let pointer = buffer.stable_ptr().wrapping_add(begin);
        Self { file, pointer, length: rest.min(TRANSFER_BYTES_MAX) as u32, buffer, batched: false, attempts: true, offset }
    }

    /// As one of many.
    pub(crate) fn batched(self) -> Self {
        Self { batched: true, ..self }
    }

    /// Address and length of the range to write.
    pub(crate) fn range(&self) -> (usize, usize) {
        (self.pointer.addr(), self.length as usize)
    }
}

impl<B: IoBuf> Operation for WriteAt<B> {
    type Output = BufResult<usize, B>;

    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;

    fn on_ring(&mut self) {
        self.attempts = !self.batched;
    }

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        io_uring::opcode::Write::new(io_uring::types::Fd(self.file.fd()), self.pointer, self.length).offset(self.offset).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        if !self.attempts {
            return super::not_at_once();
        }
        let vector = libc::iovec { iov_base: self.pointer.cast_mut().cast(), iov_len: self.length as usize };
        // SAFETY: IoBuf promises that many initialized bytes, which this operation owns with the buffer.
        unsafe { self.file.write_cached(&[vector], self.offset) }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result.map(|count| count as usize), self.buffer)
    }
}

impl<B: IoBuf> FileOperation for WriteAt<B> {
    fn code(&self) -> u8 {
        io_uring::opcode::Write::CODE
    }

    fn block(self) -> Self::Output {
        let (fd, offset) = (self.file.fd(), self.offset as libc::off64_t);
        // SAFETY: as for an attempt.
        let result = uninterrupted(|| counted(unsafe { libc::pwrite64(fd, self.pointer.cast(), self.length as usize, offset) }));
        self.complete(result)
    }
}
