//! The polling driver's core: sources, their waiting operations, and the turn.
#![expect(unsafe_code, reason = "works on occupied cells, which belong to the owner while they wait")]

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;

use super::queue::Queue;
use super::selector::{Event, Events, Selector};
use crate::driver::Wait;
use crate::driver::cell::CellRef;
use crate::driver::core::Sink;
use crate::driver::local::CANCELLED;
use crate::driver::remote::{Letter, Remote};
use crate::op::{Interest, Registrar, Registration, SharedSocket};

/// See the module page.
#[derive(Debug)]
pub(in crate::driver) struct PollCore {
    remote: Arc<Remote>,
    selector: Arc<Selector>,
    events: Events,
    /// By token.
    sources: Vec<Source>,
    /// Tokens without a socket.
    vacant: Vec<usize>,
    /// Operations to be attempted at the next turn: posted from elsewhere, or beyond the budget.
    ready: Queue,
    in_flight: usize,
    /// Those of `in_flight` that wait for readiness.
    waiting: usize,
}

/// A registered socket.
#[derive(Debug, Default)]
struct Source {
    readers: Queue,
    writers: Queue,
}

impl Source {
    fn queue(&mut self, interest: Interest) -> &mut Queue {
        match interest {
            Interest::Readable => &mut self.readers,
            Interest::Writable => &mut self.writers,
        }
    }
}

impl Registrar for Remote {
    fn deregister(&self, socket: &Socket, token: usize) {
        if let Some(selector) = self.waking().selector() {
            selector.delete(socket);
        }
        // A closed driver needs not be told.
        let _ = self.post_quietly(Letter::Forget(token));
    }
}

/// Whether `registrar` made the registration. Addresses only: the same object may have several vtables.
fn is_by(registration: &Registration, registrar: &Arc<Remote>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(&registration.registrar), Arc::as_ptr(registrar))
}

impl PollCore {
    pub(in crate::driver) fn new(remote: Arc<Remote>) -> Self {
        let selector = remote.waking().selector().expect("a polling driver is woken by its selector").clone();
        Self {
            remote,
            events: selector.events(),
            selector,
            sources: Vec::new(),
            vacant: Vec::new(),
            ready: Queue::default(),
            in_flight: 0,
            waiting: 0,
        }
    }

    pub(in crate::driver) fn submit(&mut self, cell: CellRef, attempted: bool) -> io::Result<()> {
        if attempted {
            self.wait_for_readiness(cell)?;
        } else {
            self.ready.push(cell);
        }
        self.in_flight += 1;
        // SAFETY: the owner's thread.
        unsafe { cell.set_in_flight(true) };
        Ok(())
    }

    /// Puts `cell` where the next event of its socket finds it.
    fn wait_for_readiness(&mut self, cell: CellRef) -> io::Result<()> {
        // SAFETY: occupied, on the owner's thread; not used after the cell.
        let socket = unsafe { cell.socket() };
        // SAFETY: as above.
        let interest = unsafe { cell.interest() };
        let socket = socket.expect("an operation without a socket never would block");
        let token = self.token(socket)?;
        self.sources[token].queue(interest).push(cell);
        if let Err(error) = self.rearm(socket, token) {
            self.sources[token].queue(interest).remove(cell);
            return Err(error);
        }
        self.waiting += 1;
        Ok(())
    }

    /// The token of `socket` here; registers it the first time.
    fn token(&mut self, socket: &SharedSocket) -> io::Result<usize> {
        let me = &self.remote;
        let (selector, sources, vacant) = (&self.selector, &mut self.sources, &mut self.vacant);
        socket.registered(
            |registration| is_by(registration, me),
            |socket| {
                let token = vacant.pop().unwrap_or_else(|| {
                    sources.push(Source::default());
                    sources.len() - 1
                });
                match selector.add(socket, token) {
                    Ok(()) => Ok(Registration { registrar: me.clone(), token }),
                    Err(error) => {
                        vacant.push(token);
                        Err(error)
                    }
                }
            },
        )
    }

    fn rearm(&self, socket: &SharedSocket, token: usize) -> io::Result<()> {
        let source = &self.sources[token];
        let event = Event { token, readable: !source.readers.is_empty(), writable: !source.writers.is_empty() };
        self.selector.rearm(socket.get(), event)
    }

    /// Always ends it at once: nothing but our own lists names it.
    pub(in crate::driver) fn cancel(&mut self, cell: CellRef) -> bool {
        // SAFETY: occupied, on the owner's thread; not used after the cell.
        let socket = unsafe { cell.socket() };
        // SAFETY: as above.
        let interest = unsafe { cell.interest() };
        let queued = socket.and_then(|socket| self.token_if_registered(socket));
        if queued.is_some_and(|token| self.sources[token].queue(interest).remove(cell)) {
            self.waiting -= 1;
        } else {
            let removed = self.ready.remove(cell);
            debug_assert!(removed, "a cell in flight is in one list");
        }
        self.in_flight -= 1;
        // SAFETY: the owner's thread, in no list any more.
        unsafe { cell.set_in_flight(false) };
        // SAFETY: as above; nobody reads the result before the burial.
        unsafe { cell.set_result(CANCELLED) };
        true
    }

    fn token_if_registered(&self, socket: &SharedSocket) -> Option<usize> {
        let me = &self.remote;
        let absent = |_: &Socket| Err(io::ErrorKind::NotFound.into());
        socket.registered(|registration| is_by(registration, me), absent).ok()
    }

    pub(in crate::driver) fn forget(&mut self, token: usize) {
        debug_assert!(self.sources[token].readers.is_empty() && self.sources[token].writers.is_empty(), "a waiting cell holds its socket");
        self.vacant.push(token);
    }

    pub(in crate::driver) fn needs_turn(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(in crate::driver) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(in crate::driver) fn turn(&mut self, wait: Wait, remote: &Remote, sink: &mut Sink<'_>) -> io::Result<()> {
        self.attempt_ready(sink)?;
        let wait = if sink.completed() > 0 { Wait::No } else { wait };
        match wait {
            Wait::No if self.waiting == 0 => return Ok(()),
            Wait::No => self.select(Some(Duration::ZERO))?,
            Wait::For(Duration::ZERO) => self.select(Some(Duration::ZERO))?,
            Wait::For(_) | Wait::Forever if !remote.park().begin() => self.select(Some(Duration::ZERO))?,
            Wait::For(_) | Wait::Forever => {
                let limit = if let Wait::For(limit) = wait { Some(limit) } else { None };
                let selected = self.select(limit);
                remote.park().end();
                selected?;
            }
        }
        self.retry_waiting(sink)
    }

    fn select(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.remote.tally().enters.add(1);
        self.selector.wait(&mut self.events, limit)
    }

    /// Attempts what was put off.
    fn attempt_ready(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        while let Some(cell) = self.ready.pop() {
            // SAFETY: occupied, on the owner's thread, in no list.
            if let Some(result) = unsafe { cell.attempt() } {
                self.finish(cell, result, sink);
            } else if let Err(error) = self.wait_for_readiness(cell) {
                self.finish(cell, crate::op::to_raw(Err(error)), sink);
            }
        }
        Ok(())
    }

    /// Retries the operations whose sockets the selector named.
    fn retry_waiting(&mut self, sink: &mut Sink<'_>) -> io::Result<()> {
        for index in 0..self.events.len() {
            let event = self.events.get(index);
            if event.token >= self.sources.len() {
                continue;
            }
            for (interest, ready) in [(Interest::Readable, event.readable), (Interest::Writable, event.writable)] {
                while ready && let Some(cell) = self.sources[event.token].queue(interest).front() {
                    // SAFETY: occupied, on the owner's thread, in no ring.
                    let Some(result) = (unsafe { cell.attempt() }) else {
                        // SAFETY: as above.
                        let next = unsafe { cell.interest() };
                        if next == interest {
                            break;
                        }
                        // It went a step on, and waits for the other direction now.
                        self.sources[event.token].queue(interest).pop();
                        self.sources[event.token].queue(next).push(cell);
                        continue;
                    };
                    self.sources[event.token].queue(interest).pop();
                    self.waiting -= 1;
                    self.finish(cell, result, sink);
                }
            }
            let source = &self.sources[event.token];
            // SAFETY: it waits, so it is occupied and keeps the socket alive.
            if let Some(socket) = source.readers.front().or(source.writers.front()).and_then(|cell| unsafe { cell.socket() }) {
                self.rearm(socket, event.token)?;
            }
        }
        self.events.clear();
        Ok(())
    }

    fn finish(&mut self, cell: CellRef, result: i32, sink: &mut Sink<'_>) {
        self.in_flight -= 1;
        // SAFETY: the owner's thread; in no list any more.
        unsafe { sink.complete(cell, result) };
    }

    pub(in crate::driver) fn shut_down_step(&mut self, _remote: &Remote, sink: &mut Sink<'_>) -> usize {
        while let Some(cell) = self.ready.pop() {
            self.finish(cell, CANCELLED, sink);
        }
        for token in 0..self.sources.len() {
            for interest in [Interest::Readable, Interest::Writable] {
                while let Some(cell) = self.sources[token].queue(interest).pop() {
                    self.waiting -= 1;
                    self.finish(cell, CANCELLED, sink);
                }
            }
        }
        self.in_flight
    }
}
