//! TCP, UDP and Unix sockets over the driver of the current worker: thin futures, no policy.
//!
//! | type | connects | addresses |
//! | --- | --- | --- |
//! | [`TcpStream`], [`TcpListener`], [`TcpSocket`] | yes | IPv4, IPv6 |
//! | [`UdpSocket`] | if wanted | IPv4, IPv6 |
//! | `UnixStream`, `UnixListener` (Unix) | yes | paths; on Linux abstract names |
//! | `UnixDatagram` (Unix) | if wanted | paths; on Linux abstract names |
//!
//! Buffers are given to an operation and come back with its result ([`crate::buf`]). Methods take `&self`, so one task may read while
//! another writes through an `Arc`; the futures own a share of the socket and may outlive the handle.
//!
//! Dropping a future cancels its operation: the buffer is kept until the kernel lets go, then dropped. What a cancelled read had
//! received is lost, so cancel a read only to give the connection up; a cancelled receive of a datagram loses one datagram at most. A cancelled
//! accept never loses a descriptor; under polling it may lose its connection, which is then closed.
//!
//! Names are resolved by the standard library, which blocks the calling thread; an address in figures does not.

mod bytes;
mod exchange;
mod listener;
mod options;
mod socket;
mod split;
mod stream;
mod udp;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod vectored;

pub use bytes::ByteStream;
pub use listener::TcpListener;
pub use socket::TcpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use stream::TcpStream;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixCredentials, UnixDatagram, UnixListener, UnixStream};

pub use crate::op::Received;

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

use crate::driver::Submission;
use crate::op::{Close, Mode, SharedSocket, internet};

/// A new socket for `domain`. It blocks; whichever driver gets it first changes that if it must.
fn new_socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
}

/// Shares a socket made by [`new_socket`].
fn share(socket: Socket) -> SharedSocket {
    SharedSocket::new(socket, Mode::Blocking)
}

/// Closes a socket that nothing else uses; otherwise its last user does.
async fn close(socket: SharedSocket) -> io::Result<()> {
    match socket.into_sole() {
        Some(socket) => Submission::new(Close::new(socket)).await,
        None => Ok(()),
    }
}

/// Lends the descriptor of a type with a method `raw() -> &socket2::Socket`.
macro_rules! descriptor {
    ($type:ty) => {
        #[cfg(unix)]
        impl std::os::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                self.raw().as_raw_fd()
            }
        }

        #[cfg(unix)]
        impl std::os::fd::AsFd for $type {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.raw().as_fd()
            }
        }
    };
}

/// Takes from and gives to the standard library a type with the field `socket: SharedSocket`.
macro_rules! std_socket {
    ($type:ty, $std:ty) => {
        impl $type {
            /// Takes over a socket of the standard library, in whatever mode it is.
            pub fn from_std(socket: $std) -> Self {
                Self { socket: SharedSocket::new(socket.into(), Mode::Unknown) }
            }

            /// Hands the socket over to the standard library, where it blocks.
            ///
            /// # Errors
            /// The socket itself, while operations are in flight or futures of it exist; or its mode cannot be set.
            pub fn into_std(self) -> Result<$std, Self> {
                match self.socket.into_blocking() {
                    Ok(socket) => Ok(socket.into()),
                    Err(socket) => Err(Self { socket }),
                }
            }

            fn raw(&self) -> &socket2::Socket {
                self.socket.get()
            }
        }
    };
}
use descriptor;
use std_socket;

/// Nothing to try.
fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name resolved to no address")
}
