//! Both ends of a connection as bare system calls, for a thread that holds both.
//!
//! Nothing here waits: the far end of every connection is in the same thread, and what it sent has arrived when `send` returns (loopback
//! delivers inside the call). One buffer each way per thread stays in its cache.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, sockopt};

use crate::measure::recorder::{ErrorClass, Recorder};
use crate::subject::body::endpoint;
use crate::workload::tcp::payload::{Expectation, Payload, Stamp, write_stamp};

/// Longest message for which both ends may block in one thread: it fits the smallest socket buffer.
pub const BLOCKING_BYTES_MAX: usize = 16 << 10;

/// Why an operation failed.
pub type Fault = (ErrorClass, Option<i32>);

/// The buffers of a thread, and the calls it has made.
#[derive(Debug)]
pub struct Desk {
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    filled: usize,
    /// System calls since the last look.
    pub calls: u64,
}

/// The requesting end.
#[derive(Debug)]
pub struct ClientEnd {
    socket: OwnedFd,
    /// The operation under way.
    pub stamp: Stamp,
    owes_hello: bool,
}

/// The answering end.
#[derive(Debug)]
pub struct ServerEnd {
    socket: OwnedFd,
    expected: Expectation,
    owes_hello: bool,
}

/// What a server's turn gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A request was verified and answered.
    Answered,
    /// The client has closed.
    Closed,
}

impl Desk {
    /// Buffers for this payload.
    pub fn new(payload: &Payload) -> Self {
        Self { outgoing: payload.buffer(), incoming: payload.buffer(), filled: 0, calls: 0 }
    }

    /// Moves the calls made to the recorder.
    #[inline]
    pub fn settle(&mut self, recorder: &mut Recorder) {
        recorder.syscalls(std::mem::take(&mut self.calls));
    }

    #[inline]
    fn send(&mut self, socket: &OwnedFd, len: usize) -> Result<(), Fault> {
        self.calls += 1;
        match rustix::net::send(socket, &self.outgoing[..len], SendFlags::NOSIGNAL) {
            Ok(sent) if sent == len => Ok(()),
            Ok(_) => Err((ErrorClass::Write, None)),
            Err(error) => Err((ErrorClass::Write, Some(error.raw_os_error()))),
        }
    }

    /// Receives until `len` bytes are there; false at an end of the stream before the first.
    #[inline]
    fn fill(&mut self, socket: &OwnedFd, len: usize) -> Result<bool, Fault> {
        while self.filled < len {
            self.calls += 1;
            match rustix::net::recv(socket, &mut self.incoming[self.filled..], RecvFlags::empty()) {
                Ok((0, _)) if self.filled == 0 => return Ok(false),
                Ok((0, _)) => return Err((ErrorClass::Read, None)),
                Ok((count, _)) => self.filled += count,
                Err(error) => {
                    self.filled = 0;
                    return Err((ErrorClass::Read, Some(error.raw_os_error())));
                }
            }
        }
        Ok(true)
    }

    /// The message at the front, if it is whole, alone and right.
    #[inline]
    fn verify(&mut self, payload: &Payload, len: usize, stamp: Stamp) -> Result<(), Fault> {
        let filled = std::mem::take(&mut self.filled);
        if filled == len && payload.verify(&self.incoming[..len], stamp) { Ok(()) } else { Err((ErrorClass::Mismatch, None)) }
    }
}

impl ClientEnd {
    /// Connects; the far end need not have accepted.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(
        desk: &mut Desk,
        address: SocketAddr,
        source: Option<SocketAddr>,
        nodelay: bool,
        stamp: Stamp,
        payload: &Payload,
    ) -> rustix::io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
        desk.calls += 2;
        if nodelay {
            desk.calls += 1;
            sockopt::set_tcp_nodelay(&socket, true)?;
        }
        if let Some(source) = source {
            desk.calls += 2;
            endpoint::prepare_source(&socket)
                .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::INVAL))?;
            rustix::net::bind(&socket, &source)?;
        }
        rustix::net::connect(&socket, &address)?;
        Ok(Self { socket, stamp, owes_hello: payload.hello_bytes() > 0 })
    }

    /// Sends the request of the current stamp.
    ///
    /// # Errors
    /// Class `write`.
    #[inline]
    pub fn request(&mut self, desk: &mut Desk, payload: &Payload, damage: bool) -> Result<(), Fault> {
        let len = payload.request_len(self.stamp);
        let hello = if std::mem::take(&mut self.owes_hello) { payload.hello_bytes() } else { 0 };
        if payload.hello_bytes() > 0 {
            desk.outgoing[..hello].copy_from_slice(&self.stamp.to_bytes()[..hello]);
            payload.fill(&mut desk.outgoing[hello..hello + len], self.stamp);
        } else {
            write_stamp(&mut desk.outgoing[..len], self.stamp);
        }
        if damage {
            desk.outgoing[hello + len - 1] ^= 1;
        }
        let sent = desk.send(&self.socket, hello + len);
        if damage {
            desk.outgoing[hello + len - 1] ^= 1;
        }
        sent
    }

    /// Receives and verifies the answer; the payload bytes of the round trip.
    ///
    /// # Errors
    /// Class `read` or `mismatch`.
    #[inline]
    pub fn answer(&mut self, desk: &mut Desk, payload: &Payload) -> Result<u64, Fault> {
        let stamp = self.stamp;
        let len = payload.response_len(stamp);
        if !desk.fill(&self.socket, len)? {
            return Err((ErrorClass::Read, None));
        }
        desk.verify(payload, len, stamp)?;
        self.stamp = stamp.next();
        Ok((payload.request_len(stamp) + len) as u64)
    }
}

impl ServerEnd {
    /// The next connection of a listener in the same thread.
    ///
    /// # Errors
    /// The system's.
    pub fn accept(desk: &mut Desk, listener: &impl std::os::fd::AsFd, payload: &Payload) -> rustix::io::Result<Self> {
        desk.calls += 1;
        let socket = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
        Ok(Self { socket, expected: Expectation::default(), owes_hello: payload.hello_bytes() > 0 })
    }

    /// Receives, verifies and answers one request.
    ///
    /// # Errors
    /// Class `read`, `mismatch` or `write`.
    #[inline]
    pub fn serve(&mut self, desk: &mut Desk, payload: &Payload) -> Result<Turn, Fault> {
        let hello = payload.hello_bytes();
        if self.owes_hello {
            if !desk.fill(&self.socket, hello)? {
                return Ok(Turn::Closed);
            }
            self.expected.stamp(&desk.incoming[..hello]);
            desk.incoming.copy_within(hello..desk.filled, 0);
            desk.filled -= hello;
            self.owes_hello = false;
        }
        if !desk.fill(&self.socket, 1)? {
            return Ok(Turn::Closed);
        }
        if hello == 0 {
            desk.fill(&self.socket, crate::workload::tcp::payload::STAMP_BYTES)?;
        }
        let stamp = self.expected.stamp(&desk.incoming[..desk.filled]).ok_or((ErrorClass::Read, None))?;
        let len = payload.request_len(stamp);
        desk.fill(&self.socket, len)?;
        desk.verify(payload, len, stamp)?;
        self.expected.advance();
        let answer = payload.response_len(stamp);
        if hello > 0 {
            payload.fill(&mut desk.outgoing[..answer], stamp);
        } else {
            write_stamp(&mut desk.outgoing[..answer], stamp);
        }
        desk.send(&self.socket, answer)?;
        Ok(Turn::Answered)
    }
}
