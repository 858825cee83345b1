//! Sends a datagram over a connected Unix socket.
//!
//! The ring must not wait for room by itself: the kernel copies the datagram before it finds the receiver's queue full, and the ring's second try goes on
//! behind what was copied, so that an empty datagram is sent (seen on Linux 6.18). So a try that finds no room ends, the ring waits for room by
//! a poll, and the next try is an entry of its own. A stream asks for room before it copies, and so does UDP.

use std::io;

use super::{Interest, Operation, Send, SharedSocket};
use crate::buf::{BufResult, IoBuf};

/// See the module page.
#[derive(Debug)]
pub(crate) struct SendDatagram<B> {
    send: Send<B>,
    /// The ring waits for room.
    #[cfg(target_os = "linux")]
    waits: bool,
}

impl<B: IoBuf> SendDatagram<B> {
    /// Sends the initialized bytes of `buffer`.
    pub(crate) fn new(socket: SharedSocket, buffer: B) -> Self {
        Self {
            send: Send::new(socket, buffer, 0),
            #[cfg(target_os = "linux")]
            waits: false,
        }
    }
}

impl<B: IoBuf> Operation for SendDatagram<B> {
    type Output = BufResult<usize, B>;

    const INTEREST: Interest = Interest::Writable;
    const IN_STEPS: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        self.send.socket()
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        if !self.waits {
            return self.send.entry_with(super::send::FLAGS | libc::MSG_DONTWAIT);
        }
        let socket = self.send.socket().expect("a send has a socket");
        io_uring::opcode::PollAdd::new(io_uring::types::Fd(socket.get().as_raw_fd()), libc::POLLOUT as u32).build()
    }

    #[cfg(target_os = "linux")]
    fn advance(&mut self, result: i32) -> bool {
        let goes_on = if self.waits { result >= 0 } else { result == -libc::EAGAIN };
        self.waits = goes_on && !self.waits;
        goes_on
    }

    fn attempt(&mut self) -> io::Result<u32> {
        self.send.attempt()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        self.send.complete(result)
    }
}
