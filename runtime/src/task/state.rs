//! One atomic word per task, and the table of its legal moves.
//!
//! ```text
//!            spawn                      poll returns Ready (or panics, or abort seen)
//!   ┌──────────────────▶ RUNNING ───────────────────────────────────▶ COMPLETE
//!   │                     ▲   │ poll returns Pending
//!   │    popped from the  │   ├──── woken meanwhile ───▶ NOTIFIED (back into a queue)
//!   │    queue            │   └──── else ──────────────▶ idle (only wakers hold it)
//!   │                  NOTIFIED ◀────────── wake ──────────┘
//! ```
//!
//! A task is born RUNNING although it sits in a queue: nobody else can touch its future, and its first poll needs no
//! read-modify-write. The same holds for a task that yields: it keeps RUNNING while it queues again.
//!
//! References: one for the queue entry (or the thread that polls), one for the [`JoinHandle`](super::JoinHandle), one per waker.
//!
//! Orderings: every move that hands the future or its output to another thread is `AcqRel` (or `Acquire` on the taking and
//! `Release` on the giving side); a reference is counted up `Relaxed`, since its holder has one already.

use crate::primitives::{AtomicU32, Ordering};

/// The future may be touched by the one thread that owns the queue entry.
const RUNNING: u32 = 1;
/// The output is stored; set once, by the thread that was RUNNING.
const COMPLETE: u32 = 1 << 1;
/// Woken: the task is in a queue, or will be put into one by the thread that runs it.
const NOTIFIED: u32 = 1 << 2;
/// Abort was asked for.
const CANCELLED: u32 = 1 << 3;
/// The join handle lives; it will take or drop the output.
const JOIN: u32 = 1 << 4;
/// The join waker is written and belongs to the thread that completes the task.
const JOIN_WAKER: u32 = 1 << 5;
/// One reference. Room for 67 million, of which half are given out: 32 bits, so that a small task is one cache line.
const REFERENCE: u32 = 1 << 6;

/// The state word.
#[derive(Debug)]
pub(crate) struct State(AtomicU32);

/// What a thread that popped the task has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Poll the future.
    Poll,
    /// Drop the future and complete as cancelled.
    Cancel,
}

/// What a thread has to do after a poll that returned Pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paused {
    /// The entry's reference is given up; the wakers hold the task.
    Idle,
    /// The entry's reference was the last one: nobody can ever wake this task.
    Forgotten,
    /// Woken meanwhile: put the entry back into a queue.
    Requeue,
    /// Abort was asked for meanwhile: drop the future and complete as cancelled.
    Cancel,
}

/// What a waker has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Nothing: it is queued, running or complete.
    Nothing,
    /// Put an entry, with a reference that was taken for it, into a queue.
    Schedule,
}

/// What the completing thread has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Completed {
    /// Wake the join waker, then give up the entry's reference with [`State::release`].
    pub(crate) wake_join: bool,
    /// The entry's reference is given up and was the last one: free the cell.
    pub(crate) free: bool,
}

/// What a join handle that goes has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing: its reference is given up, and if it was the last one the cell must be freed.
    Released { free: bool },
    /// Drop the join waker it has written, then give up its reference.
    Waker,
    /// Drop the output, then give up its reference: the task is complete.
    Output,
}

impl State {
    /// A new task: RUNNING in a queue, one reference for the entry and one for the join handle.
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(RUNNING | JOIN | (2 * REFERENCE)))
    }

    /// Whether the output is stored (`Acquire`: it may be read afterwards).
    pub(crate) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// The owner of a queue entry begins to run it.
    pub(crate) fn start(&self) -> Start {
        // Relaxed: a RUNNING entry came through a queue, whose hand-over orders the future's memory; CANCELLED carries no data.
        let seen = self.0.load(Ordering::Relaxed);
        let before = if seen & RUNNING != 0 {
            seen
        } else {
            debug_assert!(seen & NOTIFIED != 0, "an entry is queued because it is notified");
            // Acquire pairs with the Release of the wake that set NOTIFIED: what it published is seen by this poll.
            self.0.fetch_add(RUNNING.wrapping_sub(NOTIFIED), Ordering::AcqRel)
        };
        if before & CANCELLED != 0 { Start::Cancel } else { Start::Poll }
    }

    /// The poll returned Pending.
    pub(crate) fn pause(&self) -> Paused {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & CANCELLED != 0 {
                return Paused::Cancel;
            }
            let (next, outcome) = if seen & NOTIFIED != 0 {
                (seen & !RUNNING, Paused::Requeue)
            } else {
                let next = (seen & !RUNNING) - REFERENCE;
                (next, if next < REFERENCE { Paused::Forgotten } else { Paused::Idle })
            };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return outcome,
                Err(current) => seen = current,
            }
        }
    }

    /// The output is stored. `None` when the join handle is gone but `output_dropped` is false: the caller drops the output, which nobody
    /// will take, and calls again.
    pub(crate) fn complete(&self, output_dropped: bool) -> Option<Completed> {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            debug_assert!(seen & (RUNNING | COMPLETE) == RUNNING, "only the running thread completes, once");
            if seen & JOIN == 0 && !output_dropped {
                return None;
            }
            let wake_join = seen & JOIN_WAKER != 0;
            let done = (seen & !(RUNNING | NOTIFIED)) | COMPLETE;
            let next = if wake_join { done } else { done - REFERENCE };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(Completed { wake_join, free: next < REFERENCE }),
                Err(current) => seen = current,
            }
        }
    }

    /// A waker is used up; on [`Woken::Schedule`] its reference becomes the entry's, otherwise the caller releases it.
    pub(crate) fn wake_by_value(&self) -> Woken {
        let before = self.0.fetch_or(NOTIFIED, Ordering::AcqRel);
        if before & (RUNNING | NOTIFIED | COMPLETE) == 0 { Woken::Schedule } else { Woken::Nothing }
    }

    /// A waker is used; on [`Woken::Schedule`] a reference was added for the entry.
    pub(crate) fn wake_by_ref(&self) -> Woken {
        self.notify(0)
    }

    /// Asks the task to end at its next chance; on [`Woken::Schedule`] a reference was added for the entry.
    pub(crate) fn cancel(&self) -> Woken {
        self.notify(CANCELLED)
    }

    fn notify(&self, extra: u32) -> Woken {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            if seen & COMPLETE != 0 || (extra != 0 && seen & extra != 0) {
                return Woken::Nothing;
            }
            let idle = seen & (RUNNING | NOTIFIED) == 0;
            let next = (seen | NOTIFIED | extra) + if idle { REFERENCE } else { 0 };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return if idle { Woken::Schedule } else { Woken::Nothing },
                Err(current) => seen = current,
            }
        }
    }

    /// Takes a reference beside one that the caller has.
    pub(crate) fn retain(&self) {
        let before = self.0.fetch_add(REFERENCE, Ordering::Relaxed);
        assert!(before <= u32::MAX / 2, "more than 33 million wakers of one task");
    }

    /// Takes a reference to a task that may be gone; false when it is. For the walk over a slab at shutdown.
    pub(crate) fn retain_if_live(&self) -> bool {
        let mut seen = self.0.load(Ordering::Acquire);
        while seen >= REFERENCE {
            match self.0.compare_exchange_weak(seen, seen + REFERENCE, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
        false
    }

    /// Gives up a reference; true when it was the last one and the cell must be freed.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // AcqRel: whoever frees has seen everything that the other holders did.
        let before = self.0.fetch_sub(REFERENCE, Ordering::AcqRel);
        debug_assert!(before >= REFERENCE, "a reference is given up once");
        before < 2 * REFERENCE
    }

    /// The handle wants to write its waker: true when the slot is the handle's, false when the task is complete.
    pub(crate) fn claim_join_waker(&self) -> bool {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & COMPLETE != 0 {
                return false;
            }
            if seen & JOIN_WAKER == 0 {
                return true;
            }
            match self.0.compare_exchange_weak(seen, seen & !JOIN_WAKER, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
    }

    /// The handle has written its waker: true when the completing thread will use it, false when the task is complete already and
    /// the slot is still the handle's.
    pub(crate) fn publish_join_waker(&self) -> bool {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & COMPLETE != 0 {
                return false;
            }
            // Release: the completing thread reads the waker after its Acquire saw the bit.
            match self.0.compare_exchange_weak(seen, seen | JOIN_WAKER, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
    }

    /// The handle goes.
    pub(crate) fn leave_join(&self) -> Left {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen & COMPLETE != 0 {
                return Left::Output;
            }
            let bare = seen & !(JOIN | JOIN_WAKER);
            let (next, left) = if seen & JOIN_WAKER != 0 {
                (bare, Left::Waker)
            } else {
                (bare - REFERENCE, Left::Released { free: bare < 2 * REFERENCE })
            };
            match self.0.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return left,
                Err(current) => seen = current,
            }
        }
    }

    /// Whether the caller's reference is the only one (`Acquire`: all that the other holders did is seen).
    ///
    /// On the thread that owns the task's slab nobody can change this any more: the walk over the slab, which alone takes references from
    /// nothing, is that thread's own. There the cell may be freed without a read-modify-write.
    pub(crate) fn is_last(&self) -> bool {
        self.0.load(Ordering::Acquire) < 2 * REFERENCE
    }

    /// [`Self::is_last`] of a task whose handle is gone.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.0.load(Ordering::Acquire) & !(RUNNING | NOTIFIED | CANCELLED) == REFERENCE
    }

    /// The cell is free: a walk over the slab passes it by.
    pub(crate) fn vacate(&self) {
        self.0.store(0, Ordering::Release);
    }
}
