//! Sends from one owned buffer, then receives into another: one chain of a ring.
//!
//! ```text
//!  [send, whole ─link─▶ receive]      succeeded: silent, then the receive's completion
//!                                     failed or short: the send's completion, and the receive is dropped
//! ```
//! A linked receive runs when the ring next runs deferred work, not at its submission: a request that the peer on this host answers
//! within the same batch finds its answer there, where a receive submitted by itself would come too early and have to be waited for.
#![expect(unsafe_code, reason = "hands the buffers' pointers to send and recv, and marks as initialized what recv wrote")]

use std::io;

use super::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX};
use crate::buf::{IoBuf, IoBufMut};

/// See the module page.
#[derive(Debug)]
pub(crate) struct SendThenRecv<A, B> {
    socket: SharedSocket,
    outgoing: A,
    incoming: B,
    /// The ranges, taken from the buffers once: no foreign code runs inside the driver.
    send: *const u8,
    room: *mut u8,
    send_length: u32,
    room_length: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No ring has it.
    Unstarted,
    /// A ring has it, or has received.
    Linked,
    /// The send failed or was short.
    SendEnded,
}

/// What came of a chain.
#[derive(Debug)]
pub(crate) enum Exchanged {
    /// The driver has no chains; nothing was done.
    Unlinked,
    /// The send ended before its end; nothing was received.
    Sent(io::Result<usize>),
    /// All was sent, and this received.
    Received(io::Result<usize>),
}

// SAFETY: the pointers lead into the buffers, which are Send themselves and move along.
unsafe impl<A: IoBuf, B: IoBufMut> Send for SendThenRecv<A, B> {}

impl<A: IoBuf, B: IoBufMut> SendThenRecv<A, B> {
    /// Sends the initialized bytes of `outgoing`, at most [`TRANSFER_BYTES_MAX`], and then receives at most what `incoming` has room for.
    pub(crate) fn new(socket: SharedSocket, outgoing: A, mut incoming: B) -> Self {
        let send_length = outgoing.bytes_init().min(TRANSFER_BYTES_MAX) as u32;
        let room_length = incoming.bytes_total().min(TRANSFER_BYTES_MAX) as u32;
        let (send, room) = (outgoing.stable_ptr(), incoming.stable_mut_ptr());
        Self { socket, outgoing, incoming, send, room, send_length, room_length, stage: Stage::Unstarted }
    }
}

impl<A: IoBuf, B: IoBufMut> Operation for SendThenRecv<A, B> {
    type Output = (Exchanged, SharedSocket, A, B);

    const INTEREST: Interest = Interest::Writable;
    const IS_CHAIN: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        self.stage = Stage::Linked;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        // Whole: a short send must not look like a success, or the receive would wait for the answer to half a request.
        io_uring::opcode::Send::new(fd, self.send, self.send_length).flags(super::send::FLAGS | libc::MSG_WAITALL).build()
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn tail(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::Recv::new(fd, self.room, self.room_length).build()
    }

    fn head_ended(&mut self) {
        self.stage = Stage::SendEnded;
    }

    fn attempt(&mut self) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[inline]
    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.map(|count| count as usize);
        let exchanged = match self.stage {
            Stage::Unstarted if matches!(&result, Err(error) if error.kind() == io::ErrorKind::Unsupported) => Exchanged::Unlinked,
            Stage::Unstarted | Stage::SendEnded => Exchanged::Sent(result),
            Stage::Linked => {
                if let Ok(count) = result {
                    // SAFETY: recv wrote `count` bytes from the buffer's first byte on, at most its length.
                    unsafe { self.incoming.set_init(count) };
                }
                Exchanged::Received(result)
            }
        };
        (exchanged, self.socket, self.outgoing, self.incoming)
    }
}
