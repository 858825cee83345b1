//! A TCP socket before it connects or listens, to set its options.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Socket};

use super::options::stream_options;
use super::{TcpListener, TcpStream, new_socket, share};

/// A TCP socket that neither connects nor listens yet.
///
/// ```
/// use zokio::net::TcpSocket;
///
/// // One listener a worker on the same port: the kernel spreads the connections.
/// let first = TcpSocket::new_v4()?;
/// first.set_reuseport(true)?;
/// first.bind("127.0.0.1:0".parse().expect("an address"))?;
/// let second = TcpSocket::new_v4()?;
/// second.set_reuseport(true)?;
/// second.bind(first.local_addr()?)?;
/// let listeners = [first.listen(1024)?, second.listen(1024)?];
/// assert_eq!(listeners[0].local_addr()?, listeners[1].local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
}

stream_options!(TcpSocket);

impl TcpSocket {
    /// For IPv4.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// For IPv6.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    pub(super) fn for_address(address: &SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(*address))
    }

    fn new(domain: Domain) -> io::Result<Self> {
        Ok(Self { socket: new_socket(domain)? })
    }

    fn raw(&self) -> &Socket {
        &self.socket
    }

    /// Lets the address be bound again while old connections linger (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// The operating system's.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        self.raw().set_reuse_address(reuse)
    }

    /// Lets several sockets listen on one address, and the kernel spread connections over them (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The operating system's.
    #[cfg(all(unix, not(target_os = "solaris"), not(target_os = "illumos"), not(target_os = "cygwin")))]
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        self.raw().set_reuse_port(reuse)
    }

    /// Gives the socket its local address; port 0 lets the system choose.
    ///
    /// # Errors
    /// The operating system's.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.raw().bind(&address.into())
    }

    /// Connects to `address`.
    ///
    /// # Errors
    /// The operating system's; or there is no driver on this thread.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect_with(share(self.socket), address).await
    }

    /// Waits for connections, of which `backlog` may wait to be accepted.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.raw().listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::new(share(self.socket)))
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpSocket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
