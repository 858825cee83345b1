//! Asks the kernel which sockets are ready: epoll by itself on Linux, the `polling` crate elsewhere.
//!
//! On Linux a wait of the `polling` crate takes five system calls (it re-arms its timer and its notifier each time), ours takes one.
//! Its tests run on both.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(any(test, not(target_os = "linux")))]
mod portable;

use std::io;
use std::time::Duration;

use socket2::Socket;

use crate::driver::DriverKind;

/// What the selector of this platform is called.
pub(in crate::driver) const KIND: DriverKind = if cfg!(any(target_os = "linux", target_os = "android")) {
    DriverKind::Epoll
} else if cfg!(windows) {
    DriverKind::Iocp
} else {
    DriverKind::Kqueue
};

/// Events taken by one wait. More are left in the kernel for the next.
const EVENTS_PER_WAIT: usize = 1024;

/// A socket is ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) token: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
}

/// See the module page. Waiting is the owner's; everything else is for any thread.
#[derive(Debug)]
pub(in crate::driver) enum Selector {
    #[cfg(target_os = "linux")]
    Epoll(epoll::Epoll),
    #[cfg(any(test, not(target_os = "linux")))]
    Portable(portable::Portable),
}

/// What the last wait found.
#[derive(Debug)]
pub(super) enum Events {
    #[cfg(target_os = "linux")]
    Epoll(epoll::EventList),
    #[cfg(any(test, not(target_os = "linux")))]
    Portable(portable::EventList),
}

/// Calls the same method of whichever selector it is.
macro_rules! dispatch {
    ($name:ident, $selector:expr, $inner:ident => $call:expr) => {
        match $selector {
            #[cfg(target_os = "linux")]
            $name::Epoll($inner) => $call,
            #[cfg(any(test, not(target_os = "linux")))]
            $name::Portable($inner) => $call,
        }
    };
}

impl Selector {
    #[cfg(target_os = "linux")]
    pub(in crate::driver) fn new(portable: bool) -> io::Result<Self> {
        #[cfg(test)]
        if portable {
            return portable::Portable::new().map(Self::Portable);
        }
        debug_assert!(cfg!(test) || !portable, "only tests compile the portable selector here");
        epoll::Epoll::new().map(Self::Epoll)
    }

    #[cfg(not(target_os = "linux"))]
    pub(in crate::driver) fn new(_portable: bool) -> io::Result<Self> {
        portable::Portable::new().map(Self::Portable)
    }

    /// Room for the events of one wait.
    pub(super) fn events(&self) -> Events {
        match self {
            #[cfg(target_os = "linux")]
            Self::Epoll(_) => Events::Epoll(epoll::EventList::new()),
            #[cfg(any(test, not(target_os = "linux")))]
            Self::Portable(_) => Events::Portable(portable::EventList::new()),
        }
    }

    /// Watches `socket`; [`delete`](Self::delete) must come before it is closed.
    pub(super) fn add(&self, socket: &Socket, token: usize) -> io::Result<()> {
        dispatch!(Selector, self, selector => selector.add(socket, token))
    }

    /// Asks for the next event in the given directions, where edges do not come by themselves.
    pub(super) fn rearm(&self, socket: &Socket, event: Event) -> io::Result<()> {
        dispatch!(Selector, self, selector => selector.rearm(socket, event))
    }

    /// Watches `socket` no more.
    pub(super) fn delete(&self, socket: &Socket) {
        dispatch!(Selector, self, selector => selector.delete(socket));
    }

    /// Sleeps until an event, [`notify`](Self::notify) or the limit; `None`: without limit. A signal ends it like the limit.
    pub(super) fn wait(&self, events: &mut Events, limit: Option<Duration>) -> io::Result<()> {
        let result = match (self, events) {
            #[cfg(target_os = "linux")]
            (Self::Epoll(selector), Events::Epoll(events)) => selector.wait(events, limit),
            #[cfg(any(test, not(target_os = "linux")))]
            (Self::Portable(selector), Events::Portable(events)) => selector.wait(events, limit),
            #[cfg(all(test, target_os = "linux"))]
            _ => unreachable!("events belong to their selector"),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    /// Ends the current wait, or the next.
    pub(in crate::driver) fn notify(&self) -> io::Result<()> {
        dispatch!(Selector, self, selector => selector.notify())
    }
}

impl Events {
    pub(super) fn len(&self) -> usize {
        dispatch!(Events, self, events => events.len())
    }

    pub(super) fn get(&self, index: usize) -> Event {
        dispatch!(Events, self, events => events.get(index))
    }

    pub(super) fn clear(&mut self) {
        dispatch!(Events, self, events => events.clear());
    }
}
