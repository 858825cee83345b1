//! What both drivers have in common: one enum, and the sink that takes completions.
#![expect(unsafe_code, reason = "passes cells on to the driver that owns them")]

use std::io;
use std::task::Waker;

use super::Wait;
use super::cell::CellRef;
#[cfg(zokio_shuttle)]
use super::mock::MockCore;
use super::poll::PollCore;
use super::remote::Remote;
use super::state::Completed;
#[cfg(target_os = "linux")]
use super::uring::UringCore;

/// One of the drivers. An enum and not a trait object: the branch is always the same one, and predicted.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a worker, and no pointer to follow on the way to its ring")]
pub(super) enum Core {
    /// Completions from io_uring.
    #[cfg(target_os = "linux")]
    Uring(UringCore),
    /// Readiness from epoll, kqueue or IOCP.
    Poll(PollCore),
    /// What shuttle decides.
    #[cfg(zokio_shuttle)]
    Mock(MockCore),
}

/// Calls the same method of whichever driver it is.
macro_rules! dispatch {
    ($core:expr, $driver:ident => $call:expr) => {
        match $core {
            #[cfg(target_os = "linux")]
            Core::Uring($driver) => $call,
            Core::Poll($driver) => $call,
            #[cfg(zokio_shuttle)]
            Core::Mock($driver) => $call,
        }
    };
}

impl Core {
    /// Takes an occupied cell; `attempted`: it was tried already and would block. On an error the cell is still the caller's.
    #[inline]
    pub(super) fn submit(&mut self, cell: CellRef, attempted: bool) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Core::Uring(driver) => driver.submit(cell),
            Core::Poll(driver) => driver.submit(cell, attempted),
            #[cfg(zokio_shuttle)]
            Core::Mock(driver) => driver.submit(cell),
        }
    }

    /// Asks for the end of a cell in flight. `true`: it ended at once, and nothing names it any more.
    pub(super) fn cancel(&mut self, cell: CellRef) -> bool {
        dispatch!(self, driver => driver.cancel(cell))
    }

    /// Submits, waits if `wait` says so, and puts what completed into the sink.
    pub(super) fn turn(&mut self, wait: Wait, remote: &Remote, sink: &mut Sink<'_>) -> io::Result<()> {
        dispatch!(self, driver => driver.turn(wait, remote, sink))
    }

    pub(super) fn needs_turn(&mut self) -> bool {
        dispatch!(self, driver => driver.needs_turn())
    }

    pub(super) fn in_flight(&self) -> usize {
        dispatch!(self, driver => driver.in_flight())
    }

    /// A socket registered under `token` is gone.
    pub(super) fn forget(&mut self, token: usize) {
        match self {
            #[cfg(target_os = "linux")]
            Core::Uring(_) => debug_assert!(false, "token {token}: a ring registers no socket"),
            Core::Poll(driver) => driver.forget(token),
            #[cfg(zokio_shuttle)]
            Core::Mock(_) => unreachable!("token {token}: the mock registers no socket"),
        }
    }

    /// Cancels everything and takes what ends within 10 ms; returns what is still in flight.
    pub(super) fn shut_down_step(&mut self, remote: &Remote, sink: &mut Sink<'_>) -> usize {
        dispatch!(self, driver => driver.shut_down_step(remote, sink))
    }
}

/// Takes completions: wakers to be woken and cells to be buried by the caller, later.
pub(super) struct Sink<'a> {
    wakers: &'a mut Vec<Waker>,
    graveyard: &'a mut Vec<CellRef>,
    completed: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(wakers: &'a mut Vec<Waker>, graveyard: &'a mut Vec<CellRef>) -> Self {
        Self { wakers, graveyard, completed: 0 }
    }

    pub(super) fn completed(&self) -> usize {
        self.completed
    }

    /// The operation of `cell` ended with `result`; it is in no list and no ring any more.
    ///
    /// # Safety
    /// Owner's thread; the cell is occupied and not completed before.
    #[inline]
    pub(super) unsafe fn complete(&mut self, cell: CellRef, result: i32) {
        self.completed += 1;
        // SAFETY: the owner, before publishing.
        unsafe { cell.set_in_flight(false) };
        // SAFETY: as above.
        unsafe { cell.set_result(result) };
        // SAFETY: called only when the waker is the driver's.
        match cell.state.complete(|| unsafe { cell.take_waker() }) {
            Completed::Wake(waker) => self.wakers.extend(waker),
            Completed::Free => self.graveyard.push(cell),
            Completed::Quiet | Completed::Keep => {}
        }
    }
}
