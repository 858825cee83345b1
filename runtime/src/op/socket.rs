//! A socket shared by its handle and by its operations in flight: closed when the last of them is done.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::Socket;

/// How the descriptor treats a call that cannot go on.
///
/// On the ring a socket must block: a non-blocking one fails with EAGAIN instead of waiting in the kernel. Under polling it must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Mode {
    /// Came from outside.
    Unknown,
    /// For the ring driver.
    Blocking,
    /// For the polling driver.
    NonBlocking,
}

/// Who waits for a socket's readiness, and must hear of its end.
pub(crate) trait Registrar: std::fmt::Debug + Send + Sync {
    /// The socket registered as `token` is about to be closed, or leaves the runtime.
    fn deregister(&self, socket: &Socket, token: usize);
}

/// One entry in a poller.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) registrar: Arc<dyn Registrar>,
    pub(crate) token: usize,
}

/// A counted reference to a socket.
#[derive(Debug, Clone)]
pub(crate) struct SharedSocket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` only once [`SharedSocket::into_sole`] took it.
    socket: Option<Socket>,
    /// Relaxed suffices: the mode is a property of the descriptor, setting it twice is harmless.
    mode: AtomicU8,
    /// One for each polling driver that ever had to wait for this socket; empty under io_uring.
    registrations: Mutex<Vec<Registration>>,
}

impl SharedSocket {
    /// Takes over `socket`.
    pub(crate) fn new(socket: Socket, mode: Mode) -> Self {
        Self(Arc::new(Inner { socket: Some(socket), mode: AtomicU8::new(mode as u8), registrations: Mutex::default() }))
    }

    /// The socket itself.
    pub(crate) fn get(&self) -> &Socket {
        self.0.socket.as_ref().expect("a shared socket is only taken by its last owner")
    }

    /// Puts the descriptor into `mode` unless it is known to be.
    #[inline]
    pub(crate) fn ensure_mode(&self, mode: Mode) -> io::Result<()> {
        if self.0.mode.load(Ordering::Relaxed) == mode as u8 {
            return Ok(());
        }
        self.get().set_nonblocking(mode == Mode::NonBlocking)?;
        self.0.mode.store(mode as u8, Ordering::Relaxed);
        Ok(())
    }

    /// The socket alone, if no operation and no other handle shares it.
    pub(crate) fn into_sole(self) -> Option<Socket> {
        let mut inner = Arc::into_inner(self.0)?;
        inner.deregister();
        inner.socket.take()
    }

    /// The token under which `find` knows this socket; otherwise what `add` registers it as.
    pub(crate) fn registered(
        &self,
        find: impl Fn(&Registration) -> bool,
        add: impl FnOnce(&Socket) -> io::Result<Registration>,
    ) -> io::Result<usize> {
        let mut registrations = self.0.registrations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = registrations.iter().find(|registration| find(registration)) {
            return Ok(known.token);
        }
        let added = add(self.get())?;
        let token = added.token;
        registrations.push(added);
        Ok(token)
    }
}

impl Inner {
    fn deregister(&mut self) {
        let registrations = self.registrations.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(socket) = &self.socket else { return };
        for Registration { registrar, token } in registrations.drain(..) {
            registrar.deregister(socket, token);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.deregister();
    }
}
