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

    /// So many listeners at one address, over which the kernel spreads the connections (`SO_REUSEPORT`): one a worker, so that each accepts
    /// what it serves, and no connection is handed from worker to worker. A connection belongs to the ring where it was accepted, and so
    /// does the listener: accept in a task that stays on its worker ([`Runtime::spawn_on`](crate::Runtime::spawn_on)).
    ///
    /// The kernel chooses by the addresses of a connection, not by how busy a worker is: it suits many short connections, and few long ones
    /// may meet on one worker. What waits at a listener that is closed is reset. Linux spreads; the BSDs give all to the last.
    ///
    /// ```
    /// use zokio::net::{TcpListener, TcpStream};
    ///
    /// let runtime = zokio::Builder::new().worker_threads(2).build()?;
    /// let listeners = TcpListener::bind_many("127.0.0.1:0", runtime.metrics().workers.len())?;
    /// let address = listeners[0].local_addr()?;
    /// for (worker, listener) in listeners.into_iter().enumerate() {
    ///     let _serves = runtime.spawn_on(worker, async move {
    ///         while let Ok((stream, _)) = listener.accept().await {
    ///             // Begins on this worker; a worker without work may take it over.
    ///             drop(zokio::spawn(async move { stream.write_all("welcome").await.0 }));
    ///         }
    ///     });
    /// }
    /// runtime.block_on(async {
    ///     let stream = TcpStream::connect(address).await?;
    ///     assert_eq!(stream.read_exact(vec![0; 7]).await.1, b"welcome");
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The operating system's: of the last address tried for the first listener, or of a later listener.
    #[cfg(all(unix, not(target_os = "solaris"), not(target_os = "illumos"), not(target_os = "cygwin")))]
    pub fn bind_many(address: impl ToSocketAddrs, listeners: usize) -> io::Result<Vec<Self>> {
        let shared = |address: SocketAddr| {
            let socket = TcpSocket::for_address(&address)?;
            socket.set_reuseaddr(true)?;
            socket.set_reuseport(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let mut last = no_address();
        for address in address.to_socket_addrs()? {
            match shared(address) {
                Ok(first) => {
                    // Port 0 was chosen by the first.
                    let address = first.local_addr()?;
                    let others = (1..listeners).map(|_| shared(address));
                    return std::iter::once(Ok(first)).chain(others).take(listeners).collect();
                }
                Err(error) => last = error,
            }
        }
        Err(last)
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
