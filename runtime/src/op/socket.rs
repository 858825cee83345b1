//! A socket shared by its handle and by its operations in flight: closed when the last of them is done.

use std::io;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::Socket;

use crate::driver::Remote;

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
    home: Home,
}

/// The ring that does the operations of this socket.
///
/// A task that was stolen for one poll should not take its connection along: its peer's task, its buffers and the kernel's queues are warm where
/// they were. So an operation that is begun elsewhere is sent to the home of its socket, completes there, and wakes its task there.
/// A task that begins [`AWAY_MAX`] operations in a row elsewhere was not stolen by chance: its home is overloaded, and moves.
#[derive(Debug, Default)]
struct Home {
    /// Address of the home's `Remote`, for a comparison without the lock; 0 before the first operation.
    address: AtomicUsize,
    /// Operations begun elsewhere since the last one at home.
    away: AtomicU32,
    remote: Mutex<Option<Arc<Remote>>>,
}

/// Operations in a row that are begun elsewhere and still sent home; the next one moves the home. A steal for a single long poll begins
/// one or two (the rest of a message, and the next).
const AWAY_MAX: u32 = 3;

impl SharedSocket {
    /// Where an operation begun on the ring of `own` belongs; `None` if it is there.
    #[inline]
    pub(crate) fn home_elsewhere(&self, own: &Arc<Remote>) -> Option<Arc<Remote>> {
        // Relaxed: only tasks that share this handle write it, and what it leads to is read under the lock.
        let home = &self.0.home;
        if home.address.load(Ordering::Relaxed) != Arc::as_ptr(own).addr() {
            return self.send_home(own);
        }
        if home.away.load(Ordering::Relaxed) != 0 {
            home.away.store(0, Ordering::Relaxed);
        }
        None
    }

    #[cold]
    fn send_home(&self, own: &Arc<Remote>) -> Option<Arc<Remote>> {
        let home = &self.0.home;
        let known = home.remote.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(remote) if home.away.fetch_add(1, Ordering::Relaxed) < AWAY_MAX => Some(remote),
            _ => {
                self.move_home(own);
                None
            }
        }
    }

    /// Shares the home of `listener`, from which this socket was accepted: its task may be stolen before its first operation.
    pub(crate) fn at_home_of(self, listener: &Self) -> Self {
        let home = listener.0.home.remote.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(home) = home {
            self.move_home(&home);
        }
        self
    }

    /// Makes the ring of `own` the home of this socket.
    #[cold]
    pub(crate) fn move_home(&self, own: &Arc<Remote>) {
        let home = &self.0.home;
        let before = home.remote.lock().unwrap_or_else(PoisonError::into_inner).replace(own.clone());
        home.address.store(Arc::as_ptr(own).addr(), Ordering::Relaxed);
        home.away.store(0, Ordering::Relaxed);
        drop(before);
    }

    /// Takes over `socket`.
    pub(crate) fn new(socket: Socket, mode: Mode) -> Self {
        let mode = AtomicU8::new(mode as u8);
        Self(Arc::new(Inner { socket: Some(socket), mode, registrations: Mutex::default(), home: Home::default() }))
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

    /// The socket alone, and such that its calls wait; the handle if an operation or another handle shares it.
    pub(crate) fn into_blocking(self) -> Result<Socket, Self> {
        if self.ensure_mode(Mode::Blocking).is_err() {
            return Err(self);
        }
        let mut inner = Arc::try_unwrap(self.0).map_err(Self)?;
        inner.deregister();
        Ok(inner.socket.take().expect("a shared socket is only taken by its last owner"))
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
