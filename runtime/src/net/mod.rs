//! TCP over the driver of the current worker: thin futures, no policy.
//!
//! Buffers are given to an operation and come back with its result ([`crate::buf`]). Methods take `&self`, so one task may read while
//! another writes through an `Arc`; the futures own a share of the socket and may outlive the handle.
//!
//! Dropping a future cancels its operation: the buffer is kept until the kernel lets go, then dropped. What a cancelled read had
//! received is lost, so cancel a read only to give the connection up. A cancelled
//! accept never loses a descriptor; under polling it may lose its connection, which is then closed.
//!
//! Names are resolved by the standard library, which blocks the calling thread; an address in figures does not.

mod exchange;
mod listener;
mod options;
mod socket;
mod split;
mod stream;
#[cfg(unix)]
mod vectored;

pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::op::{Mode, SharedSocket};

/// A new socket for `domain`. It blocks; whichever driver gets it first changes that if it must.
fn new_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

/// Shares a socket made by [`new_socket`].
fn share(socket: Socket) -> SharedSocket {
    SharedSocket::new(socket, Mode::Blocking)
}

/// An internet address from what the socket layer says.
fn internet(address: &socket2::SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "address is neither IPv4 nor IPv6"))
}

/// Nothing to try.
fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name resolved to no address")
}
