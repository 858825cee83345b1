//! Connects a socket.

use std::io;
use std::net::SocketAddr;

use super::{Interest, Operation, SharedSocket};

#[cfg(target_os = "linux")]
type Address = super::sockaddr::RawAddr;
#[cfg(not(target_os = "linux"))]
type Address = SocketAddr;

/// See the module page.
#[derive(Debug)]
pub(crate) struct Connect {
    socket: SharedSocket,
    address: Address,
    /// The first attempt was made: later ones ask for its outcome.
    started: bool,
}

impl Connect {
    /// Connects `socket` to `address`.
    pub(crate) fn new(socket: SharedSocket, address: SocketAddr) -> Self {
        Self { socket, address: Address::from(address), started: false }
    }

    #[cfg(target_os = "linux")]
    fn address(&self) -> io::Result<SocketAddr> {
        self.address.to_std()
    }

    #[cfg(not(target_os = "linux"))]
    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn outcome(&self) -> io::Result<u32> {
        if let Some(error) = self.socket.get().take_error()? {
            return Err(error);
        }
        match self.socket.get().peer_addr() {
            Ok(_) => Ok(0),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a non-blocking connect is on its way.
fn in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl Operation for Connect {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        io_uring::opcode::Connect::new(fd, self.address.as_ptr(), self.address.length()).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        if self.started {
            return self.outcome();
        }
        self.started = true;
        match self.socket.get().connect(&self.address()?.into()) {
            Ok(()) => Ok(0),
            Err(error) if in_progress(&error) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}
