//! Sends from an owned buffer.
#![expect(unsafe_code, reason = "hands the buffer's pointer to send")]

use std::io;

use super::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, uninterrupted};
use crate::buf::{BufResult, IoBuf};

/// A peer that has gone is an error to return, not a signal that ends the process.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd"))]
pub(super) const FLAGS: i32 = libc::MSG_NOSIGNAL;
/// Elsewhere socket2 sets SO_NOSIGPIPE, or there is no such signal.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd")))]
pub(super) const FLAGS: i32 = 0;

/// See the module page.
#[derive(Debug)]
pub(crate) struct Send<B> {
    socket: SharedSocket,
    buffer: B,
    /// The range to send, taken from `buffer` once: no foreign code runs inside the driver.
    pointer: *const u8,
    length: u32,
}

// SAFETY: `pointer` leads into `buffer`, which is Send itself and moves along.
unsafe impl<B: IoBuf> std::marker::Send for Send<B> {}

impl<B: IoBuf> Send<B> {
    /// Sends the initialized bytes of `buffer` from `begin` on, or a first part of them.
    pub(crate) fn new(socket: SharedSocket, buffer: B, begin: usize) -> Self {
        let rest = buffer.bytes_init().checked_sub(begin).expect("a transfer never exceeds its buffer");
        Self { socket, pointer: buffer.stable_ptr().wrapping_add(begin), length: rest.min(TRANSFER_BYTES_MAX) as u32, buffer }
    }
}

#[cfg(target_os = "linux")]
impl<B> Send<B> {
    #[inline]
    pub(super) fn entry_with(&self, flags: i32) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::Send::new(fd, self.pointer, self.length).flags(flags).build()
    }
}

impl<B: IoBuf> Operation for Send<B> {
    type Output = BufResult<usize, B>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        self.entry_with(FLAGS)
    }

    fn attempt(&mut self) -> io::Result<u32> {
        // SAFETY: IoBuf promises that many initialized bytes, which this operation owns with the buffer.
        let bytes = unsafe { std::slice::from_raw_parts(self.pointer, self.length as usize) };
        uninterrupted(|| self.socket.get().send_with_flags(bytes, FLAGS)).map(|count| count as u32)
    }

    #[inline]
    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result.map(|count| count as usize), self.buffer)
    }
}
