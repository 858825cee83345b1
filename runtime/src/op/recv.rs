//! Receives into an owned buffer.
#![expect(unsafe_code, reason = "hands the buffer's pointer to recv, and marks as initialized what recv wrote")]

use std::io;
use std::mem::MaybeUninit;

use super::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, uninterrupted};
use crate::buf::{BufResult, IoBufMut};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Recv<B> {
    socket: SharedSocket,
    buffer: B,
    /// The range to fill, taken from `buffer` once: no foreign code runs inside the driver.
    pointer: *mut u8,
    length: u32,
    flags: i32,
}

// SAFETY: `pointer` leads into `buffer`, which is Send itself and moves along.
unsafe impl<B: IoBufMut> Send for Recv<B> {}

impl<B: IoBufMut> Recv<B> {
    /// Receives at most what `buffer` has room for.
    pub(crate) fn new(socket: SharedSocket, buffer: B) -> Self {
        Self::with_flags(socket, buffer, 0)
    }

    /// Receives but leaves the data in the socket.
    #[cfg(unix)]
    pub(crate) fn peek(socket: SharedSocket, buffer: B) -> Self {
        Self::with_flags(socket, buffer, libc::MSG_PEEK)
    }

    fn with_flags(socket: SharedSocket, mut buffer: B, flags: i32) -> Self {
        let length = buffer.bytes_total().min(TRANSFER_BYTES_MAX) as u32;
        Self { socket, pointer: buffer.stable_mut_ptr(), length, buffer, flags }
    }
}

impl<B: IoBufMut> Operation for Recv<B> {
    type Output = BufResult<usize, B>;

    const INTEREST: Interest = Interest::Readable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::Recv::new(fd, self.pointer, self.length).flags(self.flags).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        // SAFETY: IoBufMut promises that many writable bytes, which this operation owns with the buffer.
        let room = unsafe { std::slice::from_raw_parts_mut(self.pointer.cast::<MaybeUninit<u8>>(), self.length as usize) };
        uninterrupted(|| self.socket.get().recv_with_flags(room, self.flags)).map(|count| count as u32)
    }

    #[inline]
    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|count| count as usize);
        if let Ok(count) = result {
            // SAFETY: recv wrote `count` bytes from the buffer's first byte on, at most its length.
            unsafe { self.buffer.set_init(count) };
        }
        (result, self.buffer)
    }
}
