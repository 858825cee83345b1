//! Sends all of one owned buffer, then receives into another: two steps of one operation.
//!
//! What is saved beside a send and a receive: one wake-up and one poll of the task, one cell, and one more time of fetching both from memory.
//! The receive is submitted with the batch after its send, behind that batch's sends: there the answer of a peer on this host is.
//!
//! Measured and left out: a chain of the ring (`IOSQE_IO_LINK`, the send silent). The kernel begins the receive right after the batch that
//! the send was in, too early for an answer, and must wait for the socket at most messages: with 64 users 0.92, with one 0.90 of the round
//! trips that a send and a receive by themselves give, where the steps give 1.04 and 1.02. Between its entries no cancellation finds it.
#![expect(unsafe_code, reason = "hands the buffers' pointers to send and recv, and marks as initialized what recv wrote")]

use std::io;
use std::mem::MaybeUninit;

use super::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, uninterrupted};
use crate::buf::{IoBuf, IoBufMut};

/// See the module page.
#[derive(Debug)]
pub(crate) struct SendThenRecv<A, B> {
    socket: SharedSocket,
    outgoing: A,
    incoming: B,
    /// The ranges, taken from the buffers once: no foreign code runs inside the driver. What is still to be sent:
    pointer: *const u8,
    left: usize,
    /// Where to receive.
    room: *mut u8,
    room_length: u32,
}

// SAFETY: the pointers lead into the buffers, which are Send themselves and move along.
unsafe impl<A: IoBuf, B: IoBufMut> Send for SendThenRecv<A, B> {}

impl<A: IoBuf, B: IoBufMut> SendThenRecv<A, B> {
    /// Sends the initialized bytes of `outgoing`, and then receives at most what `incoming` has room for.
    pub(crate) fn new(socket: SharedSocket, outgoing: A, mut incoming: B) -> Self {
        let (pointer, left) = (outgoing.stable_ptr(), outgoing.bytes_init());
        let (room, room_length) = (incoming.stable_mut_ptr(), incoming.bytes_total().min(TRANSFER_BYTES_MAX) as u32);
        Self { socket, outgoing, incoming, pointer, left, room, room_length }
    }

    /// The next call sends at most this much.
    fn send_length(&self) -> usize {
        self.left.min(TRANSFER_BYTES_MAX)
    }

    fn sent(&mut self, count: usize) {
        debug_assert!(count <= self.left);
        self.pointer = self.pointer.wrapping_add(count);
        self.left -= count;
    }

    fn attempt_send(&self) -> io::Result<usize> {
        // SAFETY: IoBuf promises that many initialized bytes from here on, which this operation owns with the buffer.
        let bytes = unsafe { std::slice::from_raw_parts(self.pointer, self.send_length()) };
        uninterrupted(|| self.socket.get().send_with_flags(bytes, super::send::FLAGS))
    }

    fn attempt_recv(&self) -> io::Result<usize> {
        // SAFETY: IoBufMut promises that many writable bytes, which this operation owns with the buffer.
        let room = unsafe { std::slice::from_raw_parts_mut(self.room.cast::<MaybeUninit<u8>>(), self.room_length as usize) };
        uninterrupted(|| self.socket.get().recv(room))
    }
}

impl<A: IoBuf, B: IoBufMut> Operation for SendThenRecv<A, B> {
    type Output = (io::Result<usize>, A, B);

    const INTEREST: Interest = Interest::Writable;
    const IN_STEPS: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[inline]
    fn interest(&self) -> Interest {
        if self.left > 0 { Interest::Writable } else { Interest::Readable }
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        if self.left == 0 {
            return io_uring::opcode::Recv::new(fd, self.room, self.room_length).build();
        }
        // Not MSG_WAITALL, although a part costs a turn: with the rest in its hands the kernel may be between two attempts, where a
        // cancellation does not find it.
        io_uring::opcode::Send::new(fd, self.pointer, self.send_length() as u32).flags(super::send::FLAGS).build()
    }

    #[inline]
    fn advance(&mut self, result: i32) -> bool {
        match usize::try_from(result) {
            _ if self.left == 0 => false,
            Ok(0) => false,
            Ok(count) => {
                self.sent(count);
                true
            }
            Err(_) => super::from_raw(result).is_err_and(|error| error.kind() == io::ErrorKind::Interrupted),
        }
    }

    fn attempt(&mut self) -> io::Result<u32> {
        while self.left > 0 {
            match self.attempt_send()? {
                0 => return Ok(0),
                count => self.sent(count),
            }
        }
        self.attempt_recv().map(|count| count as u32)
    }

    #[inline]
    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = match result {
            // A send that sent nothing; or a part, and nobody waits for the rest.
            Ok(_) if self.left > 0 => Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                // SAFETY: all is sent, so it is recv that wrote `count` bytes from the buffer's first byte on, at most its length.
                unsafe { self.incoming.set_init(count as usize) };
                Ok(count as usize)
            }
            Err(error) => Err(error),
        };
        (result, self.outgoing, self.incoming)
    }
}
