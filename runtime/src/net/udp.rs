//! A UDP socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use socket2::{Domain, Protocol, Socket, Type};

use super::{close, descriptor, internet, no_address, share, std_socket};
use crate::buf::{BufResult, IoBuf, IoBufMut};
use crate::driver::Submission;
use crate::op::{Connect, InternetAddr, Mode, Received, Recv, RecvFrom, Send, SendTo, SharedSocket};

/// A UDP socket: datagrams that arrive whole or not at all, in any order.
///
/// A datagram longer than the buffer it is received into is cut, and the rest is lost; [`receive_from`](Self::receive_from) says so. The longest there is has
/// 65,507 bytes over IPv4.
///
/// Connected, it exchanges datagrams with one address alone, and hears that nobody listens there: the next operation fails with
/// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused).
///
/// A dropped receive may lose the datagram that it had received already, one at most. A dropped send may have sent its datagram or not. Several operations
/// of a kind that are in flight together are done in any order.
///
/// ```
/// use zokio::net::UdpSocket;
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send("ping").await.0?;
///
///     let (received, message) = server.recv_from(Vec::with_capacity(2048)).await;
///     let (count, source) = received?;
///     assert_eq!((count, &message[..], source), (4, &b"ping"[..], client.local_addr()?));
///     server.send_to("pong", source).await.0?;
///     assert_eq!(client.recv(message).await.1, b"pong");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    socket: SharedSocket,
}

std_socket!(UdpSocket, std::net::UdpSocket);
descriptor!(UdpSocket);

impl UdpSocket {
    /// Binds to the first address that can be bound; port 0 lets the system choose. Options that are set before binding: make the socket
    /// another way, and use [`from_std`](Self::from_std).
    ///
    /// Asynchronous only in form: binding does not wait, though a name blocks the thread while it is resolved.
    ///
    /// # Errors
    /// Of the last address tried.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = no_address();
        for address in address.to_socket_addrs()? {
            match Self::bind_one(address) {
                Ok(socket) => return Ok(socket),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_one(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.bind(&address.into())?;
        Ok(Self { socket: share(socket) })
    }

    /// Exchanges datagrams with the first of these addresses that can be connected to, and no other, from now on. Nothing is sent, so it
    /// does not tell whether anybody listens there.
    ///
    /// # Errors
    /// Of the last address tried.
    pub async fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        let mut last = no_address();
        for address in address.to_socket_addrs()? {
            match Submission::new(Connect::<InternetAddr>::new(self.socket.clone(), &address)).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends the initialized bytes of `buffer` as one datagram to `target`; the count is their number.
    ///
    /// # Errors
    /// The operating system's, such as for a datagram that is too long.
    pub fn send_to<B: IoBuf>(
        &self,
        buffer: B,
        target: SocketAddr,
    ) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(SendTo::<B, InternetAddr>::new(self.socket.clone(), buffer, &target))
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
    /// ```
    /// # let runtime = zokio::Builder::new().worker_threads(1).build()?;
    /// # runtime.block_on(async {
    /// # let socket = zokio::net::UdpSocket::bind("127.0.0.1:0").await?;
    /// socket.send_to("much too long", socket.local_addr()?).await.0?;
    /// let (received, buffer) = socket.receive_from(vec![0; 4].into_boxed_slice()).await;
    /// assert!(received?.is_truncated);
    /// assert_eq!(&buffer[..], b"much");
    /// # Ok::<(), std::io::Error>(()) })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The operating system's.
    pub fn receive_from<B: IoBufMut>(
        &self,
        buffer: B,
    ) -> impl Future<Output = BufResult<Received<SocketAddr>, B>> + std::marker::Send + use<B> {
        Submission::new(RecvFrom::<B, InternetAddr>::new(self.socket.clone(), buffer))
    }

    /// As [`receive_from`](Self::receive_from), but leaves the datagram in the socket.
    ///
    /// # Errors
    /// The operating system's.
    #[cfg(unix)]
    pub fn peek_from<B: IoBufMut>(
        &self,
        buffer: B,
    ) -> impl Future<Output = BufResult<Received<SocketAddr>, B>> + std::marker::Send + use<B> {
        Submission::new(RecvFrom::<B, InternetAddr, true>::new(self.socket.clone(), buffer))
    }

    /// Sends the initialized bytes of `buffer` as one datagram to the address that the socket is connected to.
    pub fn send<B: IoBuf>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Send::new(self.socket.clone(), buffer, 0))
    }

    /// The next datagram, as much of it as `buffer` has room for (of a `Vec`, its *capacity*). Zero bytes are an empty datagram.
    pub fn recv<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::new(self.socket.clone(), buffer))
    }

    /// As [`recv`](Self::recv), but leaves the datagram in the socket.
    #[cfg(unix)]
    pub fn peek<B: IoBufMut>(&self, buffer: B) -> impl Future<Output = BufResult<usize, B>> + std::marker::Send + use<B> {
        Submission::new(Recv::peek(self.socket.clone(), buffer))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(&self.raw().local_addr()?)
    }

    /// The address it is connected to.
    ///
    /// # Errors
    /// The operating system's, such as [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        internet(&self.raw().peer_addr()?)
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

/// Options by their methods of the socket layer.
macro_rules! options {
    ($($(#[doc = $doc:literal])* $get:ident $set:ident: $value:ty => $raw_get:ident $raw_set:ident;)*) => {
        impl UdpSocket {$(
            $(#[doc = $doc])*
            ///
            /// # Errors
            /// The operating system's.
            pub fn $get(&self) -> io::Result<$value> {
                self.raw().$raw_get()
            }

            /// Sets what
            #[doc = concat!("[`", stringify!($get), "`](Self::", stringify!($get), ")")]
            /// returns.
            ///
            /// # Errors
            /// The operating system's.
            pub fn $set(&self, value: $value) -> io::Result<()> {
                self.raw().$raw_set(value)
            }
        )*}
    };
}

options! {
    /// Whether datagrams may be sent to broadcast addresses (`SO_BROADCAST`).
    broadcast set_broadcast: bool => broadcast set_broadcast;
    /// Hops that IPv4 datagrams may take.
    ttl set_ttl: u32 => ttl_v4 set_ttl_v4;
    /// Hops that IPv4 datagrams to a group may take: 1 stays on the local network.
    multicast_ttl_v4 set_multicast_ttl_v4: u32 => multicast_ttl_v4 set_multicast_ttl_v4;
    /// Whether IPv4 datagrams to a group come back to members on this host.
    multicast_loop_v4 set_multicast_loop_v4: bool => multicast_loop_v4 set_multicast_loop_v4;
    /// Whether IPv6 datagrams to a group come back to members on this host.
    multicast_loop_v6 set_multicast_loop_v6: bool => multicast_loop_v6 set_multicast_loop_v6;
    /// Size of the kernel's buffer for sending (`SO_SNDBUF`). Linux doubles what is set.
    send_buffer_size set_send_buffer_size: usize => send_buffer_size set_send_buffer_size;
    /// Size of the kernel's buffer for receiving (`SO_RCVBUF`), beyond which datagrams are lost. Linux doubles what is set.
    recv_buffer_size set_recv_buffer_size: usize => recv_buffer_size set_recv_buffer_size;
}

/// Groups. IPv4 names the interface by its address (unspecified: the system chooses), IPv6 by its index (0: the system chooses).
impl UdpSocket {
    /// The interface from which datagrams to a group are sent, by its address.
    ///
    /// # Errors
    /// The operating system's.
    pub fn set_multicast_if_v4(&self, interface: Ipv4Addr) -> io::Result<()> {
        self.raw().set_multicast_if_v4(&interface)
    }

    /// Receives what is sent to the group too.
    ///
    /// # Errors
    /// The operating system's.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.raw().join_multicast_v4(&group, &interface)
    }

    /// Undoes [`join_multicast_v4`](Self::join_multicast_v4).
    ///
    /// # Errors
    /// The operating system's.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.raw().leave_multicast_v4(&group, &interface)
    }

    /// Receives what is sent to the group too.
    ///
    /// # Errors
    /// The operating system's.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.raw().join_multicast_v6(group, interface)
    }

    /// Undoes [`join_multicast_v6`](Self::join_multicast_v6).
    ///
    /// # Errors
    /// The operating system's.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.raw().leave_multicast_v6(group, interface)
    }
}
