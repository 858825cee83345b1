//! Ends one or both directions of a connection.

use std::io;
use std::net::Shutdown as Direction;

use super::{Interest, Operation, SharedSocket};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Shutdown {
    socket: SharedSocket,
    direction: Direction,
}

impl Shutdown {
    /// Ends `direction` of `socket`.
    pub(crate) fn new(socket: SharedSocket, direction: Direction) -> Self {
        Self { socket, direction }
    }
}

impl Operation for Shutdown {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        let how = match self.direction {
            Direction::Read => libc::SHUT_RD,
            Direction::Write => libc::SHUT_WR,
            Direction::Both => libc::SHUT_RDWR,
        };
        io_uring::opcode::Shutdown::new(io_uring::types::Fd(self.socket.get().as_raw_fd()), how).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        self.socket.get().shutdown(self.direction).map(|()| 0)
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}
