//! Connects a socket.

use std::io;

use super::{Address, Interest, InternetAddr, Operation, SharedSocket};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Connect<A: Address = InternetAddr> {
    socket: SharedSocket,
    address: A,
    /// The first attempt was made: later ones ask for its outcome.
    started: bool,
}

impl<A: Address> Connect<A> {
    /// Connects `socket` to `address`.
    pub(crate) fn new(socket: SharedSocket, address: &A::Std) -> Self {
        Self { socket, address: A::new(address), started: false }
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

impl<A: Address> Operation for Connect<A> {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let fd = io_uring::types::Fd(self.socket.get().as_raw_fd());
        let length = *self.address.length_mut();
        io_uring::opcode::Connect::new(fd, self.address.as_mut_ptr(), length).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        if self.started {
            return self.outcome();
        }
        self.started = true;
        match self.socket.get().connect(&self.address.to_socket()?) {
            Ok(()) => Ok(0),
            // Nothing is under way, so no event will come.
            Err(error) if A::FULL_IS_SILENT && error.kind() == io::ErrorKind::WouldBlock => Err(super::address::full()),
            Err(error) if in_progress(&error) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error),
        }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}
