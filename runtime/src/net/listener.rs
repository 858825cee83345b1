//! A TCP listener.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use socket2::Socket;

use super::{TcpSocket, TcpStream, close, descriptor, internet, no_address};
use crate::driver::Submission;
use crate::op::{Accept, InternetAddr, Mode, SharedSocket};

/// Connections that may wait to be accepted, unless said otherwise. Linux cuts it to `net.core.somaxconn`.
const BACKLOG: u32 = 1024;

/// Waits for connections.
#[derive(Debug)]
pub struct TcpListener {
    socket: SharedSocket,
}

impl TcpListener {
    /// Listens on the first address that can be bound; port 0 lets the system choose. For other options see [`TcpSocket`].
    ///
    /// Asynchronous only in form, as users expect it: binding does not wait, though a name blocks the thread while it is resolved.
    ///
    /// # Errors
    /// Of the last address tried.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let mut last = no_address();
        for address in address.to_socket_addrs()? {
            match Self::bind_one(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_one(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::for_address(&address)?;
        // On Windows the option means something else: that another process may take the port over.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    }

    pub(super) fn new(socket: SharedSocket) -> Self {
        Self { socket }
    }

    /// Takes over a listener of the standard library, in whatever mode it is.
    pub fn from_std(listener: std::net::TcpListener) -> Self {
        Self { socket: SharedSocket::new(listener.into(), Mode::Unknown) }
    }

    fn raw(&self) -> &Socket {
        self.socket.get()
    }

    /// The next connection and its other end's address.
    ///
    /// # Errors
    /// The operating system's, such as too many open files. A listener remains usable after an error.
    pub fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send + use<> {
        let listener = self.socket.clone();
        async move {
            loop {
                if let Some((socket, peer)) = Submission::new(Accept::<InternetAddr>::new(listener.clone())).await? {
                    return Ok((TcpStream::accepted(socket), peer));
                }
            }
        }
    }

    /// The address it listens on.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        internet(&self.raw().local_addr()?)
    }

    /// Stops listening. With an accept still in flight it only gives up the handle: the accept closes when it ends.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn close(self) -> io::Result<()> {
        close(self.socket).await
    }
}

descriptor!(TcpListener);
