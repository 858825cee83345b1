//! Addresses by the family of their sockets: one operation for all of them.

use std::io;
use std::net::SocketAddr;

use socket2::SockAddr;

/// An address in the layout that the system takes. It lies inside the operation, where the kernel may write to it.
pub(crate) trait Address: Unpin + Send + std::fmt::Debug + Sized + 'static {
    /// The same as std names it.
    type Std: Unpin + Send + std::fmt::Debug;

    /// Whether a receiver without room makes no event when it has room again: then a try that finds none fails with [`is_full`].
    const FULL_IS_SILENT: bool = false;

    /// Room for an address that the kernel fills in.
    fn empty() -> Self;

    /// `address` for the kernel.
    fn new(address: &Self::Std) -> Self;

    /// As std names it.
    fn to_std(&self) -> io::Result<Self::Std>;

    /// As the socket layer takes it.
    fn to_socket(&self) -> io::Result<SockAddr>;

    /// As std names what the socket layer gave.
    fn of_socket(address: &SockAddr) -> io::Result<Self::Std>;

    /// The first byte, for the kernel to read and write.
    #[cfg(unix)]
    fn as_mut_ptr(&mut self) -> *mut libc::sockaddr;

    /// Bytes in use, or of room.
    #[cfg(unix)]
    fn length_mut(&mut self) -> &mut libc::socklen_t;
}

/// The receiver has no room now, and no poller will say when it has. (The BSDs say so themselves, with this very number.)
#[cfg(unix)]
const FULL: i32 = libc::ENOBUFS;
/// Where no address is of that kind.
#[cfg(not(unix))]
const FULL: i32 = i32::MAX;

/// Try again later.
pub(super) fn full() -> io::Error {
    io::Error::from_raw_os_error(FULL)
}

/// Whether an operation found a receiver without room, and should be tried again later.
#[cfg(unix)]
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(FULL)
}

/// An internet address from what the socket layer says.
pub(crate) fn internet(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "address is neither IPv4 nor IPv6"))
}

/// Where the layout is the socket layer's own business.
#[cfg(not(unix))]
impl Address for SockAddr {
    type Std = SocketAddr;

    fn empty() -> Self {
        Self::from(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    fn new(address: &SocketAddr) -> Self {
        Self::from(*address)
    }

    fn to_std(&self) -> io::Result<SocketAddr> {
        internet(self)
    }

    fn to_socket(&self) -> io::Result<SockAddr> {
        Ok(self.clone())
    }

    fn of_socket(address: &SockAddr) -> io::Result<SocketAddr> {
        internet(address)
    }
}
