//! Sends a datagram to an address, and receives one with the address it came from.
//!
//! An address whose sockets are silent about room ([`Address::FULL_IS_SILENT`]) is sent to without waiting, on a ring too; see also
//! `send_datagram`.
//!
//! The operation holds all that sendmsg and recvmsg borrow (header, range, address, buffer), and leads the header to the rest each time it is
//! handed out: from then on the operation stays where it is until the kernel is done.
#![expect(unsafe_code, reason = "hands the buffer's pointer to sendmsg and recvmsg, and marks as initialized what was received")]

use std::io;

use super::{Address, Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, uninterrupted};
use crate::buf::{BufResult, IoBuf, IoBufMut};

/// One datagram, or as much of it as the buffer had room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<A> {
    /// Bytes in the buffer.
    pub bytes: usize,
    /// Who sent it.
    pub source: A,
    /// It was longer: the rest is lost.
    pub is_truncated: bool,
}

/// The bytes of the buffer, taken from it once: no foreign code runs inside the driver.
#[cfg(unix)]
type Range = libc::iovec;
/// The bytes of the buffer, taken from it once: no foreign code runs inside the driver.
#[cfg(not(unix))]
#[derive(Debug)]
struct Range {
    iov_base: *mut std::ffi::c_void,
    iov_len: usize,
}

/// What the kernel borrows, beside the buffer.
#[derive(Debug)]
struct Message<A> {
    range: Range,
    address: A,
    #[cfg(unix)]
    header: libc::msghdr,
    #[cfg(not(unix))]
    is_truncated: bool,
}

impl<A: Address> Message<A> {
    fn new(pointer: *mut u8, length: usize, address: A) -> Self {
        Self {
            range: Range { iov_base: pointer.cast(), iov_len: length.min(TRANSFER_BYTES_MAX) },
            address,
            // SAFETY: zero is "none" in every field.
            #[cfg(unix)]
            header: unsafe { std::mem::zeroed() },
            #[cfg(not(unix))]
            is_truncated: false,
        }
    }

    /// The header, leading to the parts where they are now.
    #[cfg(unix)]
    fn header(&mut self) -> *mut libc::msghdr {
        self.header.msg_name = self.address.as_mut_ptr().cast();
        self.header.msg_namelen = *self.address.length_mut();
        self.header.msg_iov = &raw mut self.range;
        self.header.msg_iovlen = 1;
        &raw mut self.header
    }

    #[cfg(unix)]
    fn attempt_send(&mut self, socket: &SharedSocket) -> io::Result<u32> {
        use std::os::fd::AsRawFd;
        let header = self.header();
        // SAFETY: the header leads into this message, and to initialized bytes of the buffer, which the operation owns.
        uninterrupted(|| super::counted(unsafe { libc::sendmsg(socket.get().as_raw_fd(), header, super::send::FLAGS) }))
    }

    #[cfg(unix)]
    fn attempt_recv(&mut self, socket: &SharedSocket, flags: i32) -> io::Result<u32> {
        use std::os::fd::AsRawFd;
        let header = self.header();
        // SAFETY: the header leads into this message, and to writable bytes of the buffer, which the operation owns.
        uninterrupted(|| super::counted(unsafe { libc::recvmsg(socket.get().as_raw_fd(), header, flags) }))
    }

    #[cfg(not(unix))]
    fn attempt_send(&mut self, socket: &SharedSocket) -> io::Result<u32> {
        // SAFETY: IoBuf promises that many initialized bytes, which the operation owns.
        let bytes = unsafe { std::slice::from_raw_parts(self.range.iov_base.cast::<u8>(), self.range.iov_len) };
        let address = self.address.to_socket()?;
        uninterrupted(|| socket.get().send_to_with_flags(bytes, &address, super::send::FLAGS)).map(|count| count as u32)
    }

    #[cfg(not(unix))]
    fn attempt_recv(&mut self, socket: &SharedSocket, flags: i32) -> io::Result<u32> {
        // SAFETY: IoBufMut promises that many writable bytes, which the operation owns.
        let room = unsafe { std::slice::from_raw_parts_mut(self.range.iov_base.cast(), self.range.iov_len) };
        let mut room = [socket2::MaybeUninitSlice::new(room)];
        let (count, received, source) = uninterrupted(|| socket.get().recv_from_vectored_with_flags(&mut room, flags))?;
        self.is_truncated = received.is_truncated();
        self.address = A::new(&A::of_socket(&source)?);
        Ok(count as u32)
    }

    #[cfg(unix)]
    fn received(mut self, bytes: usize) -> io::Result<Received<A::Std>> {
        *self.address.length_mut() = self.header.msg_namelen;
        let is_truncated = self.header.msg_flags & libc::MSG_TRUNC != 0;
        Ok(Received { bytes, source: self.address.to_std()?, is_truncated })
    }

    #[cfg(not(unix))]
    fn received(self, bytes: usize) -> io::Result<Received<A::Std>> {
        Ok(Received { bytes, source: self.address.to_std()?, is_truncated: self.is_truncated })
    }
}

/// Sends; see the module page.
#[derive(Debug)]
pub(crate) struct SendTo<B, A> {
    socket: SharedSocket,
    buffer: B,
    message: Message<A>,
}

// SAFETY: the pointers lead into `buffer`, which is Send itself and moves along, and those of the header are renewed with every use.
unsafe impl<B: IoBuf, A: Address> Send for SendTo<B, A> {}

impl<B: IoBuf, A: Address> SendTo<B, A> {
    /// Sends the initialized bytes of `buffer` to `address`.
    pub(crate) fn new(socket: SharedSocket, buffer: B, address: &A::Std) -> Self {
        let message = Message::new(buffer.stable_ptr().cast_mut(), buffer.bytes_init(), A::new(address));
        Self { socket, buffer, message }
    }
}

impl<B: IoBuf, A: Address> Operation for SendTo<B, A> {
    type Output = BufResult<usize, B>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        let waiting = if A::FULL_IS_SILENT { libc::MSG_DONTWAIT } else { 0 };
        io_uring::opcode::SendMsg::new(fd, self.message.header()).flags((super::send::FLAGS | waiting) as u32).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        said_full::<A>(self.message.attempt_send(&self.socket))
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        let result = said_full::<A>(result);
        (result.map(|count| count as usize), self.buffer)
    }
}

/// Says that there is no room where nothing else will.
fn said_full<A: Address>(result: io::Result<u32>) -> io::Result<u32> {
    match result {
        Err(error) if A::FULL_IS_SILENT && error.kind() == io::ErrorKind::WouldBlock => Err(super::address::full()),
        result => result,
    }
}

/// Receives, or with `PEEK` leaves the datagram in the socket; see the module page.
#[derive(Debug)]
pub(crate) struct RecvFrom<B, A, const PEEK: bool = false> {
    socket: SharedSocket,
    buffer: B,
    message: Message<A>,
}

// SAFETY: the pointers lead into `buffer`, which is Send itself and moves along, and those of the header are renewed with every use.
unsafe impl<B: IoBufMut, A: Address, const PEEK: bool> Send for RecvFrom<B, A, PEEK> {}

impl<B: IoBufMut, A: Address, const PEEK: bool> RecvFrom<B, A, PEEK> {
    #[cfg(unix)]
    const FLAGS: i32 = if PEEK { libc::MSG_PEEK } else { 0 };
    /// Peeking is for Unix.
    #[cfg(not(unix))]
    const FLAGS: i32 = 0;

    /// Receives at most what `buffer` has room for.
    pub(crate) fn new(socket: SharedSocket, mut buffer: B) -> Self {
        let message = Message::new(buffer.stable_mut_ptr(), buffer.bytes_total(), A::empty());
        Self { socket, buffer, message }
    }
}

impl<B: IoBufMut, A: Address, const PEEK: bool> Operation for RecvFrom<B, A, PEEK> {
    type Output = BufResult<Received<A::Std>, B>;

    const INTEREST: Interest = Interest::Readable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::RecvMsg::new(fd, self.message.header()).flags(Self::FLAGS as u32).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        self.message.attempt_recv(&self.socket, Self::FLAGS)
    }

    fn complete(mut self, result: io::Result<u32>) -> Self::Output {
        let result = result.and_then(|count| {
            // SAFETY: the kernel wrote `count` bytes from the buffer's first byte on, at most its length.
            unsafe { self.buffer.set_init(count as usize) };
            self.message.received(count as usize)
        });
        (result, self.buffer)
    }
}
