//! The ready tasks of a worker: a queue, and a short lane before it for what events have woken.
//!
//! An event's task goes to the warm lane as long as there is credit, and each task taken from the queue brings credit for
//! [`WARM_PER_TASK`] of them. So a worker with more connections than its caches hold serves them in groups: the sends of a group, then the
//! receives that they complete, then the answers, while the kernel's and the tasks' data of that group is still in the cache. The queue goes
//! on meanwhile: at least one poll in `WARM_PER_TASK + 1` is its own.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Queue};

use crate::primitives::executor::switch_point;

/// Polls of a request and its answer between two tasks on one worker, less the first: more would let a group have several turns while the
/// others wait, which gains another 8 % of throughput and doubles the 99th percentile (1,000 connections on two workers).
const WARM_PER_TASK: u32 = 3;

/// See the module page. A worker's own half.
#[derive(Debug)]
pub(crate) struct Ready<T> {
    queue: Lane<T>,
    warm: Lane<T>,
    /// Cleared when the warm lane is found empty: those who never wait for an event never look at it.
    has_warm: Cell<bool>,
    credit: Cell<u32>,
    credit_max: u32,
    /// Parity decides whether pinned tasks or the others go first.
    turn: Cell<u32>,
}

/// Tasks in order, those that any worker may run apart from those that only this one may.
#[derive(Debug)]
struct Lane<T> {
    any: Queue<T>,
    pinned: RefCell<VecDeque<T>>,
}

/// What thieves see.
#[derive(Debug)]
pub(crate) struct Stealers<T>([Stealer<T>; 2]);

impl<T> Ready<T> {
    /// For a worker that turns to its driver after so many polls: a group is not larger than a batch.
    pub(crate) fn new(event_interval: u32) -> Self {
        Self {
            queue: Lane::new(),
            warm: Lane::new(),
            has_warm: Cell::new(false),
            credit: Cell::new(0),
            credit_max: event_interval.saturating_mul(WARM_PER_TASK),
            turn: Cell::new(0),
        }
    }

    pub(crate) fn stealers(&self) -> Stealers<T> {
        Stealers([self.queue.any.stealer(), self.warm.any.stealer()])
    }

    /// To the tail of the queue; thieves never get what is pinned.
    pub(crate) fn push(&self, entry: T, is_pinned: bool) {
        self.queue.push(entry, is_pinned);
    }

    /// A task that an event has woken: to the warm lane, or without credit to the tail of the queue.
    pub(crate) fn push_warm(&self, entry: T, is_pinned: bool) {
        match self.credit.get().checked_sub(1) {
            Some(left) => {
                self.credit.set(left);
                self.has_warm.set(true);
                self.warm.push(entry, is_pinned);
            }
            None => self.queue.push(entry, is_pinned),
        }
    }

    /// The task whose turn it is.
    #[inline]
    pub(crate) fn pop(&self) -> Option<T> {
        let turn = self.turn.get().wrapping_add(1);
        self.turn.set(turn);
        if self.has_warm.get() {
            let warm = self.warm.pop(turn);
            if warm.is_some() {
                return warm;
            }
            self.has_warm.set(false);
        }
        let entry = self.queue.pop(turn)?;
        self.credit.set((self.credit.get() + WARM_PER_TASK).min(self.credit_max));
        Some(entry)
    }

    /// Ready tasks.
    pub(super) fn len(&self) -> usize {
        self.queue.len() + self.warm_len()
    }

    /// Those that go first.
    pub(super) fn warm_len(&self) -> usize {
        if self.has_warm.get() { self.warm.len() } else { 0 }
    }

    /// Those that other workers could take.
    pub(super) fn stealable_len(&self) -> usize {
        self.queue.any.len() + if self.has_warm.get() { self.warm.any.len() } else { 0 }
    }

    /// Takes at most `limit` tasks from the injector; false when it is empty.
    pub(super) fn take_from(&self, injector: &Injector<T>, limit: usize) -> bool {
        persist(|| injector.steal_batch_with_limit(&self.queue.any, limit))
    }
}

impl<T> Lane<T> {
    fn new() -> Self {
        Self { any: Queue::new_fifo(), pinned: RefCell::default() }
    }

    fn push(&self, entry: T, is_pinned: bool) {
        switch_point();
        if is_pinned {
            self.pinned.borrow_mut().push_back(entry);
        } else {
            self.any.push(entry);
        }
    }

    #[inline]
    fn pop(&self, turn: u32) -> Option<T> {
        switch_point();
        let pop_pinned = || self.pinned.borrow_mut().pop_front();
        if turn.is_multiple_of(2) { pop_pinned().or_else(|| self.any.pop()) } else { self.any.pop().or_else(pop_pinned) }
    }

    fn len(&self) -> usize {
        self.any.len() + self.pinned.borrow().len()
    }
}

impl<T> Stealers<T> {
    /// Tasks that could be taken.
    pub(super) fn len(&self) -> usize {
        switch_point();
        self.0.iter().map(Stealer::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Stealer::is_empty)
    }

    /// Takes at most `limit` tasks, cold ones first; false when there are none.
    pub(crate) fn steal_into(&self, own: &Ready<T>, limit: usize) -> bool {
        self.0.iter().any(|stealer| persist(|| stealer.steal_batch_with_limit(&own.queue.any, limit)))
    }
}

/// Repeats a theft that ran into another; false when there was nothing.
fn persist(mut steal: impl FnMut() -> Steal<()>) -> bool {
    loop {
        switch_point();
        match steal() {
            Steal::Success(()) => return true,
            Steal::Empty => return false,
            Steal::Retry => {}
        }
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    fn taken(ready: &Ready<u32>, count: usize) -> Vec<u32> {
        (0..count).filter_map(|_| ready.pop()).collect()
    }

    #[test]
    fn events_go_before_the_queue_as_far_as_the_queue_has_paid_for_them() {
        let ready = Ready::new(61);
        (0..6).for_each(|task| ready.push(task, false));
        ready.push_warm(100, false);
        assert_eq!(taken(&ready, 1), [0], "there was no credit yet: 100 is the last of the queue");
        (101..106).for_each(|task| ready.push_warm(task, false));
        assert_eq!(ready.warm_len(), 3);
        assert_eq!(taken(&ready, 20), [101, 102, 103, 1, 2, 3, 4, 5, 100, 104, 105]);
        assert_eq!((ready.len(), ready.pop()), (0, None));
    }

    #[test]
    fn events_without_end_leave_every_fourth_turn_to_the_queue() {
        let ready = Ready::new(61);
        (0..1_000).for_each(|task| ready.push(task, task % 3 == 0));
        let mut own = 0;
        for _ in 0..400 {
            own += usize::from(ready.pop().expect("a task") < 1_000);
            ready.push_warm(1_000, false);
        }
        assert_eq!(own, 100);
    }

    #[test]
    fn credit_is_for_one_group() {
        let ready = Ready::new(10);
        (0..100).for_each(|task| ready.push(task, false));
        taken(&ready, 100);
        (0..100).for_each(|task| ready.push_warm(task, false));
        assert_eq!((ready.warm_len(), ready.len()), (30, 100));
    }

    #[test]
    fn thieves_get_both_lanes_and_nothing_pinned() {
        let (ready, thief) = (Ready::new(61), Ready::new(61));
        (0..4).for_each(|task| ready.push(task, task == 3));
        taken(&ready, 1);
        ready.push_warm(10, false);
        ready.push_warm(11, true);
        let stealers = ready.stealers();
        assert_eq!((stealers.len(), ready.stealable_len(), ready.len()), (3, 3, 5));
        (0..3).for_each(|_| assert!(stealers.steal_into(&thief, 1)));
        assert!(stealers.is_empty() && !stealers.steal_into(&thief, 1));
        assert_eq!(taken(&thief, 9), [1, 2, 10]);
        let mut left = taken(&ready, 9);
        left.sort_unstable();
        assert_eq!(left, [3, 11]);
    }
}
