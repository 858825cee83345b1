//! Sends from, and receives into, several owned buffers.
#![expect(unsafe_code, reason = "hands the buffers' pointers to sendmsg and recvmsg, and marks as initialized what was received")]

use std::io;
use std::os::fd::AsRawFd;

use super::send::FLAGS;
use super::{Interest, Operation, SharedSocket, Vectors, counted, uninterrupted};
use crate::buf::{BufResult, IoBufs, IoBufsMut};

/// What sendmsg and recvmsg take: no address, no control data.
#[derive(Debug)]
struct Message {
    vectors: Vectors,
    header: libc::msghdr,
}

// SAFETY: the header leads to the vectors, whose ranges are Send.
unsafe impl Send for Message {}

impl Message {
    fn new(vectors: Vectors) -> Box<Self> {
        // SAFETY: zero is "none" in every field.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        let (pointer, count) = vectors.raw();
        header.msg_iov = pointer.cast_mut();
        header.msg_iovlen = count as _;
        Box::new(Self { vectors, header })
    }
}

/// Sends; see the module page.
#[derive(Debug)]
pub(crate) struct SendVectored<V> {
    socket: SharedSocket,
    buffers: V,
    message: Box<Message>,
}

impl<V: IoBufs> SendVectored<V> {
    /// Sends the initialized bytes of `buffers` without the first `begin` of them, or a first part.
    pub(crate) fn new(socket: SharedSocket, buffers: V, begin: usize) -> Self {
        let message = Message::new(Vectors::to_write(&buffers, begin));
        Self { socket, buffers, message }
    }
}

impl<V: IoBufs> Operation for SendVectored<V> {
    type Output = BufResult<usize, V>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::SendMsg::new(fd, &raw const self.message.header).flags(FLAGS as u32).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        let (fd, header) = (self.socket.get().as_raw_fd(), &raw const self.message.header);
        debug_assert!(!self.message.vectors.as_slice().iter().any(|range| range.iov_base.is_null()));
        // SAFETY: IoBufs promises these initialized bytes, which this operation owns with the buffers.
        uninterrupted(|| counted(unsafe { libc::sendmsg(fd, header, FLAGS) }))
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result.map(|count| count as usize), self.buffers)
    }
}

/// Receives; see the module page.
#[derive(Debug)]
pub(crate) struct RecvVectored<V> {
    socket: SharedSocket,
    buffers: V,
    message: Box<Message>,
}

impl<V: IoBufsMut> RecvVectored<V> {
    /// Receives at most what `buffers` have room for.
    pub(crate) fn new(socket: SharedSocket, mut buffers: V) -> Self {
        let message = Message::new(Vectors::to_fill(&mut buffers));
        Self { socket, buffers, message }
    }
}

impl<V: IoBufsMut> Operation for RecvVectored<V> {
    type Output = BufResult<usize, V>;

    const INTEREST: Interest = Interest::Readable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::RecvMsg::new(fd, &raw mut self.message.header).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        let (fd, header) = (self.socket.get().as_raw_fd(), &raw mut self.message.header);
        // SAFETY: IoBufsMut promises these writable bytes, which this operation owns with the buffers.
        uninterrupted(|| counted(unsafe { libc::recvmsg(fd, header, 0) }))
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
