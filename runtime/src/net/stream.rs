//! A TCP connection.

use std::future::Future;
use std::io;
use std::net::{Shutdown as Direction, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Socket};

use super::options::stream_options;
use super::{bytes, close, descriptor, internet, new_socket, no_address, share};
use crate::buf::{BufResult, IoBuf, IoBufMut};
use crate::driver::Submission;
use crate::op::{Connect, InternetAddr, Mode, Recv, Send, SharedSocket, Shutdown};

/// A TCP connection. Dropping it closes it, once the operations in flight are done.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) socket: SharedSocket,
}

stream_options!(TcpStream);

impl bytes::ByteStream for TcpStream {
    #[expect(private_interfaces, reason = "for this crate alone")]
    fn shared(&self) -> &SharedSocket {
        &self.socket
    }
}

impl TcpStream {
    /// Connects to the first address that answers. A name blocks the thread while it is resolved; an address in figures does not.
    ///
    /// # Errors
    /// Of the last address tried; or there is no driver on this thread.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = no_address();
        for address in address.to_socket_addrs()? {
            match Self::connect_one(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect_one(address: SocketAddr) -> io::Result<Self> {
        Self::connect_with(share(new_socket(Domain::for_address(address))?), address).await
    }

    pub(super) async fn connect_with(socket: SharedSocket, address: SocketAddr) -> io::Result<Self> {
        Submission::new(Connect::<InternetAddr>::new(socket.clone(), &address)).await?;
        Ok(Self { socket })
    }

    pub(super) fn accepted(socket: SharedSocket) -> Self {
        Self { socket }
    }

    /// Takes over a connection of the standard library, in whatever mode it is.
    pub fn from_std(stream: std::net::TcpStream) -> Self {
        Self { socket: SharedSocket::new(stream.into(), Mode::Unknown) }
    }

    pub(super) fn raw(&self) -> &Socket {
        self.socket.get()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet(&self.raw().peer_addr()?)
    }

    /// Reads what is there, at least one byte and at most what `buffer` has room for, into the buffer from its begin on.
    ///
    /// A `Vec` offers its *capacity*, and its length becomes the count. Zero bytes mean that the other end sends no more (or that the
    /// buffer has no room at all).
    pub fn read<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::new(self.socket.clone(), buffer))
    }

    /// As [`read`](Self::read), but leaves the data in the socket.
    #[cfg(unix)]
    pub fn peek<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::peek(self.socket.clone(), buffer))
    }

    /// Fills the initialized bytes of `buffer`: the *length* of a `Vec`, not its capacity. `vec![0; 64]` reads 64 bytes, an empty
    /// `Vec` none.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the other end stops sending before. The bytes read so far are in the buffer.
    pub fn read_exact<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        bytes::read_exact(self.socket.clone(), buffer)
    }

    /// Sends a first part of the initialized bytes of `buffer`; the count may be less than all.
    pub fn write<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Send::new(self.socket.clone(), buffer, 0))
    }

    /// Sends all initialized bytes of `buffer`; the count is their number.
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was sent.
    pub fn write_all<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        bytes::write_all(self.socket.clone(), buffer)
    }

    /// Sends `length` bytes of `file` from `offset` on, fewer if the file ends before; returns how many. Nothing is copied where the
    /// kernel can do without.
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was sent. A peer that has gone is an error in a program that ignores
    /// SIGPIPE, as Rust's do unless told otherwise.
    #[cfg(target_os = "linux")]
    pub fn send_file(
        &self,
        file: &crate::fs::File,
        offset: u64,
        length: u64,
    ) -> impl Future<Output = io::Result<u64>> + std::marker::Send + use<> {
        self.send_file_via(file, offset, length, crate::io::SendFileVia::default())
    }

    /// As [`send_file`](Self::send_file), by the way that `via` says; where that cannot be gone, by another that can.
    ///
    /// # Errors
    /// As [`send_file`](Self::send_file).
    #[cfg(target_os = "linux")]
    pub fn send_file_via(
        &self,
        file: &crate::fs::File,
        offset: u64,
        length: u64,
        via: crate::io::SendFileVia,
    ) -> impl Future<Output = io::Result<u64>> + std::marker::Send + use<> {
        crate::io::send(self.socket.clone(), file.clone(), offset, length, via)
    }

    /// Ends one or both directions: with [`Direction::Write`] the other end reads end of stream, and may still send.
    ///
    /// # Errors
    /// The operating system's.
    pub fn shutdown(&self, direction: Direction) -> impl Future<Output = io::Result<()>> + std::marker::Send + use<> {
        Submission::new(Shutdown::new(self.socket.clone(), direction))
    }

    /// Closes the connection, under io_uring together with the next batch of operations. With operations still in flight it only gives
    /// up the handle: the last of them closes.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn close(self) -> io::Result<()> {
        close(self.socket).await
    }
}

descriptor!(TcpStream);
