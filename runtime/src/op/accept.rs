//! Takes the next connection of a listener.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "accept4 with our own address block; takes over the descriptor it returns"))]

use std::io;

use super::{Address, Interest, InternetAddr, Mode, Operation, SharedSocket, uninterrupted};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Accept<A: Address = InternetAddr> {
    listener: SharedSocket,
    /// What the accepted socket is, by the driver that took it.
    mode: Mode,
    #[cfg(target_os = "linux")]
    peer: A,
    /// The ring waits for a connection; its result is no descriptor.
    #[cfg(target_os = "linux")]
    waits: bool,
    #[cfg(not(target_os = "linux"))]
    accepted: Option<(socket2::Socket, A::Std)>,
}

impl<A: Address> Accept<A> {
    /// The next connection of `listener`.
    pub(crate) fn new(listener: SharedSocket) -> Self {
        Self {
            listener,
            mode: Mode::Unknown,
            #[cfg(target_os = "linux")]
            peer: A::empty(),
            #[cfg(target_os = "linux")]
            waits: false,
            #[cfg(not(target_os = "linux"))]
            accepted: None,
        }
    }
}

/// An accepted connection; `None`: there may be one now, try again.
pub(crate) type Accepted<A> = Option<(SharedSocket, <A as Address>::Std)>;

/// On the ring too, the connection is taken by accept4, and the ring only waits for one to come. A ring's own accept takes one connection a
/// turn, and a turn of a busy worker is long: five hundred connections at once would wait for five hundred turns. Nor does a
/// cancelled wait lose a connection.
#[cfg(target_os = "linux")]
impl<A: Address> Operation for Accept<A> {
    type Output = io::Result<Accepted<A>>;

    const INTEREST: Interest = Interest::Readable;
    const ATTEMPT_ON_RING: bool = true;
    const RING_MODE: Mode = Mode::NonBlocking;

    fn on_ring(&mut self) {
        self.mode = Mode::Blocking;
    }

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.listener)
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        self.waits = true;
        let fd = io_uring::types::Fd(self.listener.get().as_raw_fd());
        io_uring::opcode::PollAdd::new(fd, libc::POLLIN as u32).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        use std::os::fd::AsRawFd;
        let nonblocking = if self.mode == Mode::Blocking { 0 } else { libc::SOCK_NONBLOCK };
        uninterrupted(|| {
            self.peer = A::empty();
            let fd = self.listener.get().as_raw_fd();
            let length = &raw mut *self.peer.length_mut();
            // SAFETY: both pointers lead into `self.peer`, whose length is the room it has.
            let result = unsafe { libc::accept4(fd, self.peer.as_mut_ptr(), length, libc::SOCK_CLOEXEC | nonblocking) };
            u32::try_from(result).map_err(|_| io::Error::last_os_error())
        })
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        use std::os::fd::FromRawFd;
        let fd = result?;
        if self.waits {
            return Ok(None);
        }
        let mode = if self.mode == Mode::Blocking { Mode::Blocking } else { Mode::NonBlocking };
        // SAFETY: accept made this descriptor for us; the result is completed once, so nobody else owns it.
        let socket = unsafe { socket2::Socket::from_raw_fd(fd as libc::c_int) };
        Ok(Some((SharedSocket::new(socket, mode).at_home_of(&self.listener), self.peer.to_std()?)))
    }
}

#[cfg(not(target_os = "linux"))]
impl<A: Address> Operation for Accept<A> {
    type Output = io::Result<Accepted<A>>;

    const INTEREST: Interest = Interest::Readable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.listener)
    }

    fn attempt(&mut self) -> io::Result<u32> {
        let (socket, peer) = uninterrupted(|| self.listener.get().accept())?;
        socket.set_nonblocking(true)?;
        self.mode = Mode::NonBlocking;
        self.accepted = Some((socket, A::of_socket(&peer)?));
        Ok(0)
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result?;
        let (socket, peer) = self.accepted.expect("a successful attempt leaves the socket");
        Ok(Some((SharedSocket::new(socket, self.mode).at_home_of(&self.listener), peer)))
    }
}
