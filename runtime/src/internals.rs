//! Parts of the runtime for its own benches. Nothing here is stable, and nothing of it exists without the feature `internals`.

#![expect(unsafe_code, reason = "cells without a content are given back")]

use std::fmt;
use std::ptr::NonNull;
use std::task::Waker;

use crate::mem::slab::{self, Slab, VacantCell};
use crate::scheduler::{Ready, Stealers};
use crate::time::wheel::{Key, Wheel};

/// The ready queue of a worker, of numbers instead of tasks.
#[derive(Debug)]
pub struct ReadyQueue(Ready<usize>);

/// The thieves' side of a [`ReadyQueue`].
#[derive(Debug)]
pub struct Thief(Stealers<usize>);

impl ReadyQueue {
    /// An empty queue, of a worker that turns to its driver after 61 polls.
    #[expect(clippy::new_without_default, reason = "a worker's queue is made for its event interval")]
    pub fn new() -> Self {
        Self(Ready::new(61))
    }

    /// To the tail.
    pub fn push(&self, entry: usize) {
        self.0.push(entry, false);
    }

    /// As an entry that an event has woken.
    pub fn push_warm(&self, entry: usize) {
        self.0.push_warm(entry, false);
    }

    /// The entry whose turn it is.
    pub fn pop(&self) -> Option<usize> {
        self.0.pop()
    }

    /// A thief of this queue.
    pub fn thief(&self) -> Thief {
        Thief(self.0.stealers())
    }
}

impl Thief {
    /// Takes at most `limit` entries into `own`; false when there was none.
    pub fn steal_into(&self, own: &ReadyQueue, limit: usize) -> bool {
        self.0.steal_into(&own.0, limit)
    }
}

/// A worker's slab of task cells.
pub struct Cells(Slab<()>);

/// A cell; dropped without [`Cells::free`] or [`TaskCell::free_remote`], its memory stays taken.
pub struct TaskCell(VacantCell);

impl Cells {
    /// Without a chunk.
    #[expect(clippy::new_without_default, reason = "as a worker makes it")]
    pub fn new() -> Self {
        Self(Slab::new(()))
    }

    /// A cell of at least `bytes`.
    pub fn allocate(&mut self, bytes: usize) -> TaskCell {
        let cell: NonNull<u8> = self.0.allocate(bytes);
        // SAFETY: the cell came from a `Slab<()>` just now; its first word is zero and stays so, as nothing is ever written to it, and nobody
        // else knows it.
        TaskCell(unsafe { VacantCell::new(cell) })
    }

    /// Gives a cell of this slab back without an atomic.
    ///
    /// # Panics
    /// With another slab's cell.
    pub fn free(&mut self, cell: TaskCell) {
        assert!(slab::free_local(&mut self.0, cell.0).is_ok(), "a cell of this slab");
    }
}

impl TaskCell {
    /// Gives the cell back as a thread does that does not own its slab.
    pub fn free_remote(self) {
        slab::free_remote::<()>(self.0);
    }
}

impl fmt::Debug for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cells").finish_non_exhaustive()
    }
}

impl fmt::Debug for TaskCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskCell").finish_non_exhaustive()
    }
}

/// The timing wheel of a worker; times are its ticks.
pub struct TimerWheel {
    wheel: Wheel,
    wakers: Vec<Waker>,
}

/// A timer of a [`TimerWheel`].
#[derive(Debug)]
pub struct Timer(Key);

impl TimerWheel {
    /// Without timers, at tick 0.
    #[expect(clippy::new_without_default, reason = "as a worker makes it")]
    pub fn new() -> Self {
        Self { wheel: Wheel::new(), wakers: Vec::new() }
    }

    /// Registers a timer that wakes nobody.
    pub fn insert(&mut self, deadline: u64) -> Timer {
        Timer(self.wheel.insert(deadline, Waker::noop().clone()))
    }

    /// Removes a timer; false when it has fired.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.wheel.cancel(timer.0).is_some()
    }

    /// Fires what is due at `now`; returns how many.
    pub fn advance(&mut self, now: u64) -> usize {
        self.wheel.advance(now, &mut self.wakers);
        let fired = self.wakers.len();
        self.wakers.clear();
        fired
    }
}

impl fmt::Debug for TimerWheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWheel").finish_non_exhaustive()
    }
}
