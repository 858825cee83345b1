//! A connection over a Unix socket.

use std::future::Future;
use std::io;
use std::net::Shutdown as Direction;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::Type;

use super::credentials::{self, UnixCredentials};
use super::{at, connect, named, new_socket, pair};
use crate::buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut};
use crate::driver::Submission;
use crate::net::bytes::{self, ByteStream};
use crate::net::split::{halves, owned_halves};
use crate::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, close, descriptor, share, std_socket};
use crate::op::{Mode, Recv, RecvVectored, Send, SendThenRecv, SendVectored, SharedSocket, Shutdown};

/// A connection within the host, by a path or a pair made at once. Dropping it closes it, once the operations in flight are done.
///
/// Reads and writes are those of [`TcpStream`](crate::net::TcpStream).
///
/// ```
/// use zokio::net::UnixStream;
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     let (one, other) = UnixStream::pair()?;
///     one.write_all("over").await.0?;
///     one.shutdown(std::net::Shutdown::Write).await?;
///     assert_eq!(other.read(Vec::with_capacity(64)).await.1, b"over");
///     assert_eq!(other.read(Vec::with_capacity(64)).await.0?, 0);
///     // The other direction is open still.
///     other.write_all("out").await.0?;
///     assert_eq!(one.read(Vec::with_capacity(64)).await.1, b"out");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixStream {
    socket: SharedSocket,
}

std_socket!(UnixStream, std::os::unix::net::UnixStream);
descriptor!(UnixStream);

impl ByteStream for UnixStream {
    #[expect(private_interfaces, reason = "for this crate alone")]
    fn shared(&self) -> &SharedSocket {
        &self.socket
    }
}

impl UnixStream {
    pub(super) fn of(socket: SharedSocket) -> Self {
        Self { socket }
    }

    /// Connects to the listener at `path`; waits while its queue is full.
    ///
    /// # Errors
    /// The operating system's: [`NotFound`](io::ErrorKind::NotFound) without a file, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) without a
    /// listener behind it.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::connect_addr(&at(path.as_ref())?).await
    }

    /// Connects to the listener at `address`: a path, or an abstract name.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        let socket = share(new_socket(Type::STREAM)?);
        connect(&socket, address).await?;
        Ok(Self { socket })
    }

    /// Two streams connected to each other, without a name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = pair(Type::STREAM)?;
        Ok((Self::of(one), Self::of(other)))
    }

    /// The address of this end; the connecting one mostly has no name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        named(&self.raw().local_addr()?)
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        named(&self.raw().peer_addr()?)
    }

    /// The process at the other end when the connection was made.
    ///
    /// # Errors
    /// The operating system's.
    pub fn peer_cred(&self) -> io::Result<UnixCredentials> {
        credentials::of_peer(self.raw())
    }

    /// As [`TcpStream::read`](crate::net::TcpStream::read).
    pub fn read<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::new(self.socket.clone(), buffer))
    }

    /// As [`TcpStream::peek`](crate::net::TcpStream::peek).
    pub fn peek<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::peek(self.socket.clone(), buffer))
    }

    /// As [`TcpStream::read_exact`](crate::net::TcpStream::read_exact).
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the other end stops sending before.
    pub fn read_exact<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        bytes::read_exact(self.socket.clone(), buffer)
    }

    /// As [`TcpStream::readv`](crate::net::TcpStream::readv).
    pub fn readv<V: IoBufsMut>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + std::marker::Send + use<V> {
        Submission::new(RecvVectored::new(self.socket.clone(), buffers))
    }

    /// As [`TcpStream::write`](crate::net::TcpStream::write).
    pub fn write<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Send::new(self.socket.clone(), buffer, 0))
    }

    /// As [`TcpStream::write_all`](crate::net::TcpStream::write_all).
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was sent.
    pub fn write_all<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        bytes::write_all(self.socket.clone(), buffer)
    }

    /// As [`TcpStream::writev`](crate::net::TcpStream::writev).
    pub fn writev<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + std::marker::Send + use<V> {
        Submission::new(SendVectored::new(self.socket.clone(), buffers, 0))
    }

    /// As [`TcpStream::writev_all`](crate::net::TcpStream::writev_all).
    ///
    /// # Errors
    /// The operating system's; then it is not known how much was sent.
    pub fn writev_all<V: IoBufs>(&self, buffers: V) -> impl Future<Output = BufResult<usize, V>> + std::marker::Send + use<V> {
        bytes::writev_all(self.socket.clone(), buffers)
    }

    /// As [`TcpStream::write_all_then_read`](crate::net::TcpStream::write_all_then_read).
    ///
    /// # Errors
    /// The operating system's, of the write or of the read.
    pub fn write_all_then_read<A: IoBuf, B: IoBufMut>(
        &self,
        outgoing: A,
        incoming: B,
    ) -> impl Future<Output = (io::Result<usize>, A, B)> + std::marker::Send + use<A, B> {
        Submission::new(SendThenRecv::new(self.socket.clone(), outgoing, incoming))
    }

    /// As [`TcpStream::split`](crate::net::TcpStream::split).
    pub fn split(&self) -> (ReadHalf<'_, Self>, WriteHalf<'_, Self>) {
        halves(self)
    }

    /// As [`TcpStream::into_split`](crate::net::TcpStream::into_split).
    pub fn into_split(self) -> (OwnedReadHalf<Self>, OwnedWriteHalf<Self>) {
        owned_halves(self)
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
