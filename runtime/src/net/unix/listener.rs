//! A listener of Unix streams.

use std::future::Future;
use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::Type;

use super::{UnixStream, at, bound, named};
use crate::driver::Submission;
use crate::net::{close, descriptor, share, std_socket};
use crate::op::{Accept, Mode, SharedSocket, UnixAddr};

/// Connections that may wait to be accepted. Linux cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 1024;

/// Waits for connections at a path, or on Linux at an abstract name.
///
/// The file at the path stays when the listener is gone: remove it, before the next one is bound there.
///
/// ```
/// use zokio::net::{UnixListener, UnixStream};
///
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     let dir = tempfile::tempdir()?;
///     let path = dir.path().join("socket");
///     let listener = UnixListener::bind(&path)?;
///     let client = UnixStream::connect(&path).await?;
///     let (server, _) = listener.accept().await?;
///     assert_eq!(server.peer_cred()?, client.peer_cred()?, "both ends are of one process");
///     client.write_all("ping").await.0?;
///     assert_eq!(server.read(Vec::with_capacity(64)).await.1, b"ping");
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct UnixListener {
    socket: SharedSocket,
}

std_socket!(UnixListener, std::os::unix::net::UnixListener);
descriptor!(UnixListener);

impl UnixListener {
    /// Listens at `path`, where it makes a file.
    ///
    /// # Errors
    /// The operating system's: [`AddrInUse`](io::ErrorKind::AddrInUse) if there is a file already, [`InvalidInput`](io::ErrorKind::InvalidInput) for a
    /// path longer than the system takes (107 bytes on Linux).
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&at(path.as_ref())?)
    }

    /// Listens at `address`: a path, or an abstract name.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        let socket = bound(Type::STREAM, address)?;
        socket.listen(BACKLOG)?;
        Ok(Self { socket: share(socket) })
    }

    /// The next connection and its other end's address, which mostly has no name.
    ///
    /// # Errors
    /// The operating system's, such as too many open files. A listener remains usable after an error.
    pub fn accept(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> + Send + use<> {
        let listener = self.socket.clone();
        async move {
            loop {
                if let Some((socket, peer)) = Submission::new(Accept::<UnixAddr>::new(listener.clone())).await? {
                    return Ok((UnixStream::of(socket), peer));
                }
            }
        }
    }

    /// The address it listens at.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        named(&self.raw().local_addr()?)
    }

    /// Stops listening. With an accept still in flight it only gives up the handle: the accept closes when it ends.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn close(self) -> io::Result<()> {
        close(self.socket).await
    }
}
