//! The state word of one operation: who may touch its cell now.
//!
//! ```text
//!            future stores waker              driver takes waker         driver publishes result
//!  SUBMITTED ───────────────────▶ WAITING ───────────────────▶ COMPLETING ─────────────────────▶ DONE ──▶ future takes result,
//!      │ ▲                           │                                                            ▲        frees the cell
//!      │ └── future takes waker ─────┘                                                            │
//!      ├── driver publishes result ───────────────────────────────────────────────────────────────┘
//!      └── future dropped ──▶ ORPHAN or MAILED ──▶ driver: result is there ──▶ driver frees the cell
//! ```
//!
//! | state | waker belongs to | payload belongs to | who frees |
//! | --- | --- | --- | --- |
//! | SUBMITTED | the future | the kernel | |
//! | WAITING | whoever leaves the state | the kernel | |
//! | COMPLETING | the driver, for a few instructions | the driver | |
//! | DONE | nobody, there is none | the future | the future |
//! | ORPHAN | nobody, there is none | the kernel | the driver, at the completion |
//! | MAILED | nobody, there is none | the kernel | the driver, once completion *and* letter arrived |
//! | FINISHED | nobody, there is none | the driver | the driver, when the letter arrives |
//!
//! COMPLETING: from DONE on, the future may free the cell at any moment, so the driver must have the waker before. A future that looks
//! in between waits; it is polled by another wake-up at that very instant, which is rare.
//!
//! MAILED: a future dropped on a foreign thread asks the owner by mail to cancel. Until that letter is read it names the cell, so the
//! cell must not be reused: a completion that comes first only sets FINISHED.

use super::sync::{AtomicU32, Ordering, relax};

const SUBMITTED: u32 = 0;
const WAITING: u32 = 1;
const DONE: u32 = 2;
const ORPHAN: u32 = 3;
const MAILED: u32 = 4;
const FINISHED: u32 = 5;
const COMPLETING: u32 = 6;

/// See the module page.
#[derive(Debug)]
pub(crate) struct OpState(AtomicU32);

/// What the driver does with a cell that completed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Completed<W> {
    /// The future waits: wake it. The cell is its own already.
    Wake(W),
    /// The future will come by itself.
    Quiet,
    /// Nobody waits: discard the result and free the cell.
    Free,
    /// Nobody waits, but a letter still names the cell: keep it until that arrives.
    Keep,
}

/// What a dropped future does with its cell.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Abandoned {
    /// Completed before: discard the result and free the cell.
    Free,
    /// In flight: the driver frees it. Ask it to cancel.
    InFlight,
}

impl OpState {
    /// In flight, its waker stored. Set before the driver gets the cell.
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(WAITING))
    }

    /// A vacant cell is used again: as [`new`](OpState::new).
    #[inline]
    pub(crate) fn reset(&self) {
        // Relaxed: the cell is nobody else's yet.
        self.0.store(WAITING, Ordering::Relaxed);
    }

    /// Future: whether the result is there.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        // Acquire pairs with the Release in `complete`: the result is visible.
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Future: takes the waker back from the driver. `false`: it is done, the waker gone.
    pub(crate) fn begin_waker(&self) -> bool {
        // Acquire on failure as in `is_done`. Relaxed on success: this thread, or one that handed the future over with its own
        // synchronization, wrote the waker.
        if self.0.compare_exchange(WAITING, SUBMITTED, Ordering::Relaxed, Ordering::Acquire).is_ok() {
            return true;
        }
        let mut round = 0;
        while !self.is_done() {
            relax(round);
            round += 1;
        }
        false
    }

    /// Future: gives the waker to the driver. `false`: it is done, and the waker is still the future's.
    pub(crate) fn end_waker(&self) -> bool {
        // Release: the driver that sees WAITING sees the waker. Acquire on failure as in `is_done`.
        self.0.compare_exchange(SUBMITTED, WAITING, Ordering::Release, Ordering::Acquire).is_ok()
    }

    /// Driver: the result is written. `take_waker` runs if the future waits, when the waker is the driver's.
    #[inline]
    pub(crate) fn complete<W>(&self, take_waker: impl FnOnce() -> W) -> Completed<W> {
        // Acquire throughout: what the future wrote (a waker) or did before it was dropped is visible.
        let mut state = WAITING;
        loop {
            let next = match state {
                WAITING => COMPLETING,
                SUBMITTED | ORPHAN => DONE,
                MAILED => FINISHED,
                state => unreachable!("an operation completed twice (state {state})"),
            };
            // AcqRel: DONE publishes the result, if it is the next state.
            match self.0.compare_exchange(state, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(current) => state = current,
            }
        }
        match state {
            WAITING => {
                let waker = take_waker();
                // Release publishes the result; a plain store, for nobody else leaves COMPLETING.
                self.0.store(DONE, Ordering::Release);
                Completed::Wake(waker)
            }
            SUBMITTED => Completed::Quiet,
            ORPHAN => Completed::Free,
            _ => Completed::Keep,
        }
    }

    /// Future, dropped on the owner's thread: the last step after [`begin_waker`](OpState::begin_waker).
    pub(crate) fn abandon(&self) -> Abandoned {
        self.give_up(ORPHAN)
    }

    /// As [`abandon`](OpState::abandon) on any other thread; a letter to the owner must follow if it is in flight.
    pub(crate) fn abandon_by_mail(&self) -> Abandoned {
        self.give_up(MAILED)
    }

    fn give_up(&self, orphaned: u32) -> Abandoned {
        // SUBMITTED or DONE, by `begin_waker`. AcqRel: acquires the result if done; releases what the future did before.
        match self.0.swap(orphaned, Ordering::AcqRel) {
            DONE => Abandoned::Free,
            _ => Abandoned::InFlight,
        }
    }

    /// Owner, reading a letter: `true` if the operation finished meanwhile and the cell is to be freed; else it is an orphan now.
    pub(crate) fn open_mail(&self) -> bool {
        // Relaxed: MAILED and FINISHED are only left by the owner; the mailbox's lock orders the rest.
        if self.0.load(Ordering::Relaxed) == FINISHED {
            return true;
        }
        self.0.store(ORPHAN, Ordering::Relaxed);
        false
    }

    /// Owner: whether the future is gone. One that is there may go at any moment; what it asks of the owner then comes later.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        // Relaxed: a hint, which the owner itself has set, or which a letter to it follows.
        matches!(self.0.load(Ordering::Relaxed), ORPHAN | MAILED)
    }

    /// Whether the owner finished the operation and waits for a letter that can no longer be delivered.
    pub(crate) fn is_finished(&self) -> bool {
        // Relaxed: the lock of the closed mailbox orders it.
        self.0.load(Ordering::Relaxed) == FINISHED
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_letter_keeps_the_cell_until_it_is_read() {
        let state = OpState::new();
        assert!(state.begin_waker());
        assert_eq!(state.abandon_by_mail(), Abandoned::InFlight);
        assert_eq!(state.complete(|| ()), Completed::Keep);
        assert!(state.is_finished());
        assert!(state.open_mail(), "the completion came first");

        let state = OpState::new();
        assert!(state.begin_waker());
        assert_eq!(state.abandon_by_mail(), Abandoned::InFlight);
        assert!(!state.open_mail(), "still in flight");
        assert_eq!(state.complete(|| ()), Completed::Free);
    }

    #[test]
    fn a_result_that_is_there_belongs_to_the_future() {
        let state = OpState::new();
        assert!(state.begin_waker());
        assert_eq!(state.complete(|| ()), Completed::Quiet);
        assert!(!state.end_waker());
        assert!(state.is_done());
        assert_eq!(state.abandon(), Abandoned::Free);
    }
}
