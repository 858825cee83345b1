//! The `polling` crate: kqueue, IOCP and whatever else it knows.
#![expect(unsafe_code, reason = "promises that a socket is deregistered before it is closed")]

use std::io;
use std::time::Duration;

use polling::{Event as Raw, PollMode, Poller};
use socket2::Socket;

use super::{EVENTS_PER_WAIT, Event};

/// See the module page.
#[derive(Debug)]
pub(in crate::driver) struct Portable {
    poller: Poller,
    /// Edges come by themselves; otherwise each wait has to be asked for.
    edges: bool,
}

/// What the last wait found.
#[derive(Debug)]
pub(in crate::driver::poll) struct EventList {
    raw: polling::Events,
    list: Vec<Event>,
}

impl Portable {
    pub(super) fn new() -> io::Result<Self> {
        let poller = Poller::new()?;
        let edges = poller.supports_edge();
        Ok(Self { poller, edges })
    }

    pub(super) fn add(&self, socket: &Socket, token: usize) -> io::Result<()> {
        let (event, mode) = if self.edges { (Raw::all(token), PollMode::Edge) } else { (Raw::none(token), PollMode::Oneshot) };
        // SAFETY: whoever drops the socket deletes it first.
        unsafe { self.poller.add_with_mode(socket, event, mode) }
    }

    pub(super) fn rearm(&self, socket: &Socket, event: Event) -> io::Result<()> {
        if self.edges {
            return Ok(());
        }
        self.poller.modify(socket, Raw::new(event.token, event.readable, event.writable))
    }

    pub(super) fn delete(&self, socket: &Socket) {
        // An error means that it is not registered, which is what is wanted.
        let _ = self.poller.delete(socket);
    }

    pub(super) fn notify(&self) -> io::Result<()> {
        self.poller.notify()
    }

    pub(super) fn wait(&self, events: &mut EventList, limit: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.poller.wait(&mut events.raw, limit)?;
        let event = |raw: Raw| Event {
            token: raw.key,
            // The end of a connection is for both directions to find out.
            readable: raw.readable || raw.is_interrupt() || raw.is_err().unwrap_or(false),
            writable: raw.writable || raw.is_interrupt() || raw.is_err().unwrap_or(false),
        };
        events.list.extend(events.raw.iter().map(event));
        Ok(())
    }
}

impl EventList {
    pub(super) fn new() -> Self {
        let capacity = std::num::NonZeroUsize::new(EVENTS_PER_WAIT).expect("a positive constant");
        Self { raw: polling::Events::with_capacity(capacity), list: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn get(&self, index: usize) -> Event {
        self.list[index]
    }

    pub(super) fn clear(&mut self) {
        self.raw.clear();
        self.list.clear();
    }
}
