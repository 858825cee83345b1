//! A Unix socket for datagrams.

use std::future::Future;
use std::io;
use std::net::Shutdown as Direction;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::Type;

use super::{at, bound, connect, named, new_socket, pair, pause};
use crate::buf::{BufResult, IoBuf, IoBufMut};
use crate::driver::Submission;
use crate::net::{close, descriptor, share, std_socket};
use crate::op::{Mode, Received, Recv, RecvFrom, SendDatagram, SendTo, SharedSocket, Shutdown, UnixAddr, is_full};

/// A Unix socket for datagrams: they arrive whole, and in the order in which one socket sent them. A receiver that is behind makes its senders wait.
///
/// A datagram longer than the buffer it is received into is cut, and the rest is lost; [`receive_from`](Self::receive_from) says so. A dropped receive may
/// lose the datagram that it had received already, one at most.
///
/// ```
/// use zokio::net::UnixDatagram;
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     let (one, other) = UnixDatagram::pair()?;
///     one.send("two").await.0?;
///     one.send("messages").await.0?;
///     assert_eq!(other.recv(Vec::with_capacity(64)).await.1, b"two");
///     let (received, message) = other.recv_from(Vec::with_capacity(64)).await;
///     let (count, source) = received?;
///     assert_eq!((count, &message[..]), (8, &b"messages"[..]));
///     assert!(source.is_unnamed(), "nobody can answer by address");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    socket: SharedSocket,
}

std_socket!(UnixDatagram, std::os::unix::net::UnixDatagram);
descriptor!(UnixDatagram);

impl UnixDatagram {
    /// Bound to `path`, where it makes a file that stays when the socket is gone.
    ///
    /// # Errors
    /// The operating system's: [`AddrInUse`](io::ErrorKind::AddrInUse) if there is a file already, [`InvalidInput`](io::ErrorKind::InvalidInput) for a
    /// path longer than the system takes (107 bytes on Linux).
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&at(path.as_ref())?)
    }

    /// Bound to `address`: a path, or an abstract name.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: share(bound(Type::DGRAM, address)?) })
    }

    /// Without a name: it sends, and nobody can send to it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn unbound() -> io::Result<Self> {
        Ok(Self { socket: share(new_socket(Type::DGRAM)?) })
    }

    /// Two sockets connected to each other, without a name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (socket, other) = pair(Type::DGRAM)?;
        Ok((Self { socket }, Self { socket: other }))
    }

    /// Sends to the socket at `path` alone, and receives from it alone, from now on.
    ///
    /// # Errors
    /// The operating system's: [`NotFound`](io::ErrorKind::NotFound) without a file, [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) without a
    /// socket behind it.
    pub async fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&at(path.as_ref())?).await
    }

    /// As [`connect`](Self::connect), to a path or an abstract name.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        connect(&self.socket, address).await
    }

    /// Sends the initialized bytes of `buffer` as one datagram to the socket at `path`; waits while that has no room.
    ///
    /// # Errors
    /// The operating system's, such as for a datagram that is too long.
    pub fn send_to<B: IoBuf, P: AsRef<Path>>(
        &self,
        buffer: B,
        path: P,
    ) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B, P> {
        let target = at(path.as_ref());
        let socket = self.socket.clone();
        async move {
            match target {
                Ok(target) => send_to(socket, buffer, target).await,
                Err(error) => (Err(error), buffer),
            }
        }
    }

    /// As [`send_to`](Self::send_to), to a path or an abstract name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn send_to_addr<B: IoBuf>(
        &self,
        buffer: B,
        target: SocketAddr,
    ) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        send_to(self.socket.clone(), buffer, target)
    }

    /// The next datagram, as much of it as `buffer` has room for (of a `Vec`, its *capacity*), and who sent it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn recv_from<B: IoBufMut>(
        &self,
        buffer: B,
    ) -> impl Future<Output = BufResult<(usize, SocketAddr), B>> + std::marker::Send + use<B> {
        let receive = self.receive_from(buffer);
        async move {
            let (result, buffer) = receive.await;
            (result.map(|received| (received.bytes, received.source)), buffer)
        }
    }

    /// As [`recv_from`](Self::recv_from), and says whether the datagram was longer than `buffer`.
    ///
    /// # Errors
    /// The operating system's.
    pub fn receive_from<B: IoBufMut>(
        &self,
        buffer: B,
    ) -> impl Future<Output = BufResult<Received<SocketAddr>, B>> + std::marker::Send + use<B> {
        Submission::new(RecvFrom::<B, UnixAddr>::new(self.socket.clone(), buffer))
    }

    /// As [`receive_from`](Self::receive_from), but leaves the datagram in the socket.
    ///
    /// # Errors
    /// The operating system's.
    pub fn peek_from<B: IoBufMut>(
        &self,
        buffer: B,
    ) -> impl Future<Output = BufResult<Received<SocketAddr>, B>> + std::marker::Send + use<B> {
        Submission::new(RecvFrom::<B, UnixAddr, true>::new(self.socket.clone(), buffer))
    }

    /// Sends the initialized bytes of `buffer` as one datagram to the socket it is connected to; waits while that has no room.
    pub fn send<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        send(self.socket.clone(), buffer)
    }

    /// The next datagram, as much of it as `buffer` has room for (of a `Vec`, its *capacity*). Zero bytes are an empty datagram.
    pub fn recv<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::new(self.socket.clone(), buffer))
    }

    /// As [`recv`](Self::recv), but leaves the datagram in the socket.
    pub fn peek<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::peek(self.socket.clone(), buffer))
    }

    /// The address it is bound to, or one without a name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        named(&self.raw().local_addr()?)
    }

    /// The address it is connected to, or one without a name.
    ///
    /// # Errors
    /// The operating system's, such as [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        named(&self.raw().peer_addr()?)
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// The operating system's.
    pub fn shutdown(&self, direction: Direction) -> impl Future<Output = io::Result<()>> + std::marker::Send + use<> {
        Submission::new(Shutdown::new(self.socket.clone(), direction))
    }

    /// Closes the socket, under io_uring together with the next batch of operations. With operations still in flight it only gives up
    /// the handle: the last of them closes.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn close(self) -> io::Result<()> {
        close(self.socket).await
    }
}

async fn send<B: IoBuf>(socket: SharedSocket, buffer: B) -> BufResult<usize, B> {
    patiently(buffer, |buffer| Submission::new(SendDatagram::new(socket.clone(), buffer))).await
}

async fn send_to<B: IoBuf>(socket: SharedSocket, buffer: B, target: SocketAddr) -> BufResult<usize, B> {
    patiently(buffer, |buffer| Submission::new(SendTo::<B, UnixAddr>::new(socket.clone(), buffer, &target))).await
}

/// Repeats `send` until the receiver has room.
async fn patiently<B, F: Future<Output = BufResult<usize, B>>>(mut buffer: B, mut send: impl FnMut(B) -> F) -> BufResult<usize, B> {
    for round in 0.. {
        let (result, back) = send(buffer).await;
        match result {
            Err(error) if is_full(&error) => buffer = back,
            result => return (result, back),
        }
        pause(round).await;
    }
    unreachable!("a range without an end")
}
