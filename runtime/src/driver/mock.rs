//! The driver of shuttle's model: shuttle chooses what completes when, in which order, with which result, and how late a cancellation comes.
//!
//! Only the kernel is made up. Cells, mail, the park word and the states of operations are those of the two real drivers, and
//! [`turn`](MockCore::turn) takes the same steps as the ring's: submit; `begin`; wait; `end`; reap.
#![expect(unsafe_code, reason = "works on occupied cells, which belong to the owner while they are in flight")]

use std::io;
use std::time::Duration;

use super::Wait;
use super::cell::CellRef;
use super::core::Sink;
use super::local::CANCELLED;
use super::remote::Remote;
use super::waking::Waking;
use crate::primitives::executor::{Condvar, Mutex, below, lock, one_in, pass, thread};

/// A sleep that something else than the bell may end lasts for fewer turns of the other threads than this.
const TURNS_MAX: u32 = 6;
/// A wait as long as this never ends by itself: what should have ended it earlier would otherwise never be missed.
const FOR_EVER: Duration = Duration::from_secs(1);

/// The eventfd: rung once, it ends one wait, now or later.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *lock(&self.rung) = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut rung = lock(&self.rung);
        while !*rung {
            rung = self.changed.wait(rung).expect("nobody panics with the bell in hand");
        }
        *rung = false;
    }

    fn take(&self) -> bool {
        std::mem::take(&mut *lock(&self.rung))
    }
}

/// An operation that the kernel of the model has.
#[derive(Debug)]
struct Taken {
    cell: CellRef,
    is_cancelled: bool,
}

/// See the module page. An operation whose attempt would block stays until it is cancelled; any other ends some time.
#[derive(Debug, Default)]
pub(super) struct MockCore {
    submitted: Vec<CellRef>,
    taken: Vec<Taken>,
}

impl MockCore {
    pub(super) fn submit(&mut self, cell: CellRef) -> io::Result<()> {
        if one_in(32) {
            return Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        }
        self.submitted.push(cell);
        // SAFETY: the owner's thread.
        unsafe { cell.set_in_flight(true) };
        Ok(())
    }

    /// At once, as with a poller, or later, as with a ring.
    pub(super) fn cancel(&mut self, cell: CellRef) -> bool {
        self.hand_over();
        let place = self.taken.iter().position(|taken| taken.cell == cell).expect("a cell in flight is with the kernel");
        if one_in(2) {
            self.taken[place].is_cancelled = true;
            return false;
        }
        self.taken.swap_remove(place);
        // SAFETY: the owner's thread; the kernel has let go of it.
        unsafe { cell.set_in_flight(false) };
        // SAFETY: as above; nobody reads the result before the burial.
        unsafe { cell.set_result(CANCELLED) };
        true
    }

    pub(super) fn needs_turn(&mut self) -> bool {
        !self.submitted.is_empty() || (!self.taken.is_empty() && one_in(2))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.submitted.len() + self.taken.len()
    }

    pub(super) fn turn(&mut self, wait: Wait, remote: &Remote, sink: &mut Sink<'_>) -> io::Result<()> {
        remote.tally().enters.add(1);
        self.hand_over();
        self.end_some(sink);
        let limit = match wait {
            Wait::No | Wait::For(Duration::ZERO) => return Ok(()),
            Wait::For(_) | Wait::Forever if sink.completed() > 0 => return Ok(()),
            Wait::For(limit) if limit < FOR_EVER => Some(limit),
            Wait::For(_) | Wait::Forever => None,
        };
        if remote.park().begin() {
            self.sleep(limit, remote, sink);
            remote.park().end();
            self.end_some(sink);
        }
        Ok(())
    }

    pub(super) fn shut_down_step(&mut self, _remote: &Remote, sink: &mut Sink<'_>) -> usize {
        self.hand_over();
        self.taken.iter_mut().for_each(|taken| taken.is_cancelled = true);
        self.end_some(sink);
        self.taken.len()
    }

    fn hand_over(&mut self) {
        self.taken.extend(self.submitted.drain(..).map(|cell| Taken { cell, is_cancelled: false }));
    }

    /// Until the bell rings, the time has passed, or an operation has ended. If there is neither time nor such an operation, only the bell
    /// ends it: where it is not rung, shuttle finds a deadlock.
    fn sleep(&mut self, limit: Option<Duration>, remote: &Remote, sink: &mut Sink<'_>) {
        let Waking::Bell(bell) = remote.waking() else { unreachable!("the mock is woken by a bell") };
        let ended: Vec<usize> = (0..self.taken.len()).filter(|&place| self.can_end(place)).collect();
        if limit.is_none() && ended.is_empty() {
            return bell.wait();
        }
        for _ in 0..below(TURNS_MAX) {
            if bell.take() {
                return;
            }
            thread::yield_now();
        }
        match limit {
            // The kernel's timers are late.
            Some(limit) if ended.is_empty() || one_in(2) => pass(limit + Duration::from_micros(u64::from(below(40)))),
            _ => self.end(ended[below(ended.len() as u32) as usize], sink),
        }
    }

    /// Any number of operations, in any order.
    fn end_some(&mut self, sink: &mut Sink<'_>) {
        let mut rounds = below(self.taken.len() as u32 + 1);
        while rounds > 0 && !self.taken.is_empty() {
            rounds -= 1;
            let place = below(self.taken.len() as u32) as usize;
            if self.can_end(place) {
                self.end(place, sink);
            }
        }
    }

    fn can_end(&self, place: usize) -> bool {
        let taken = &self.taken[place];
        // SAFETY: occupied, on the owner's thread.
        taken.is_cancelled || unsafe { taken.cell.attempt() }.is_some()
    }

    /// With what an attempt results in; one that was cancelled may have been faster than that.
    fn end(&mut self, place: usize, sink: &mut Sink<'_>) {
        let Taken { cell, is_cancelled } = self.taken.swap_remove(place);
        // SAFETY: occupied, on the owner's thread.
        let result = if is_cancelled && one_in(2) { None } else { unsafe { cell.attempt() } };
        // SAFETY: the owner's thread; it is in no list any more.
        unsafe { sink.complete(cell, result.unwrap_or(CANCELLED)) };
    }
}
