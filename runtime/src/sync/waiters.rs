//! Those who wait, first come first served; lives behind the lock of what they wait for.
//!
//! A waiter is known by a ticket that only grows, so it is found by bisection although the line is a plain ring buffer: no allocation
//! for each waiter, no pointer into a future. Who leaves early is marked and passed by later.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// A line of waiters, each with a `P` of its own.
#[derive(Debug)]
pub(crate) struct Waiters<P> {
    line: VecDeque<Entry<P>>,
    next_ticket: u64,
    /// Entries that have not left.
    live: usize,
}

#[derive(Debug)]
struct Entry<P> {
    ticket: u64,
    /// `None`: left early.
    waiter: Option<Waiter<P>>,
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter<P> {
    pub(crate) waker: Waker,
    pub(crate) payload: P,
}

/// Entries that were left and may stay before the line is closed up.
const LEFT_MAX: usize = 32;

impl<P> Waiters<P> {
    pub(crate) const fn new() -> Self {
        Self { line: VecDeque::new(), next_ticket: 0, live: 0 }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Queues at the end; the ticket is never given twice.
    pub(crate) fn push(&mut self, waker: Waker, payload: P) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.live += 1;
        self.line.push_back(Entry { ticket, waiter: Some(Waiter { waker, payload }) });
        ticket
    }

    /// Who is first.
    pub(crate) fn front_mut(&mut self) -> Option<&mut Waiter<P>> {
        while self.line.front().is_some_and(|entry| entry.waiter.is_none()) {
            self.line.pop_front();
        }
        self.line.front_mut().and_then(|entry| entry.waiter.as_mut())
    }

    /// Serves who is first.
    pub(crate) fn pop(&mut self) -> Option<Waiter<P>> {
        self.pop_with_ticket().map(|(_, waiter)| waiter)
    }

    /// Serves who is first, and says which ticket that was.
    pub(crate) fn pop_with_ticket(&mut self) -> Option<(u64, Waiter<P>)> {
        self.front_mut()?;
        self.live -= 1;
        let entry = self.line.pop_front()?;
        entry.waiter.map(|waiter| (entry.ticket, waiter))
    }

    /// Serves everybody who waits; their wakers are for after the lock.
    pub(crate) fn pop_all(&mut self) -> WakeList {
        let mut wake = WakeList::default();
        self.line.drain(..).filter_map(|entry| entry.waiter).for_each(|waiter| wake.push(waiter.waker));
        self.live = 0;
        wake
    }

    /// The waiter with this ticket; `None` when it was served.
    pub(crate) fn get_mut(&mut self, ticket: u64) -> Option<&mut Waiter<P>> {
        let place = self.place(ticket)?;
        self.line[place].waiter.as_mut()
    }

    /// Takes a waiter out of the line; `None` when it was served. The caller drops the waker outside of the lock.
    pub(crate) fn remove(&mut self, ticket: u64) -> Option<Waiter<P>> {
        let place = self.place(ticket)?;
        let waiter = self.line[place].waiter.take()?;
        self.live -= 1;
        if self.line.len() > 2 * self.live + LEFT_MAX {
            self.line.retain(|entry| entry.waiter.is_some());
        }
        Some(waiter)
    }

    /// Replaces the waker of a waiter if it would wake another task; the old one is dropped outside of the lock.
    pub(crate) fn update(&mut self, ticket: u64, waker: &Waker) -> Option<Waker> {
        let waiter = self.get_mut(ticket)?;
        (!waiter.waker.will_wake(waker)).then(|| std::mem::replace(&mut waiter.waker, waker.clone()))
    }

    /// Everybody who waits, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Waiter<P>> {
        self.line.iter().filter_map(|entry| entry.waiter.as_ref())
    }

    fn place(&self, ticket: u64) -> Option<usize> {
        self.line.binary_search_by_key(&ticket, |entry| entry.ticket).ok()
    }
}

/// Which task a waker wakes, for comparison while a clone of that waker lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WakerIdentity {
    data: usize,
    vtable: usize,
}

impl WakerIdentity {
    pub(crate) fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), vtable: std::ptr::from_ref(waker.vtable()).addr() }
    }

    /// Nobody.
    pub(crate) fn nobody() -> Self {
        Self { data: 0, vtable: 0 }
    }
}

/// Wakers to be used when the lock is released; the first needs no allocation.
#[derive(Debug, Default)]
pub(crate) struct WakeList {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl WakeList {
    pub(crate) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }

    /// Wakes in the order of the line, also those behind a waker that panics; the first panic goes on afterwards.
    pub(crate) fn wake(self) {
        let Some(first) = self.first else { return };
        if self.rest.is_empty() {
            return first.wake();
        }
        let mut panicked = None;
        for waker in std::iter::once(first).chain(self.rest) {
            // Nothing of ours is broken by a panic in between: each waker is used up by its call.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                panicked.get_or_insert(payload);
            }
        }
        if let Some(payload) = panicked {
            resume_unwind(payload);
        }
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn those_who_stay_are_served_in_order_whoever_leaves() {
        let mut waiters = Waiters::new();
        let tickets: Vec<_> = (0..1_000).map(|number| waiters.push(Waker::noop().clone(), number)).collect();
        for &ticket in tickets.iter().filter(|&&ticket| ticket % 3 != 0) {
            assert_eq!(waiters.remove(ticket).unwrap().payload, ticket);
            assert!(waiters.remove(ticket).is_none(), "one leaves once");
        }
        assert!(waiters.line.len() <= 2 * waiters.live + LEFT_MAX, "the line is closed up");
        let served: Vec<u64> = std::iter::from_fn(|| waiters.pop()).map(|waiter| waiter.payload).collect();
        assert_eq!(served, (0..1_000).step_by(3).collect::<Vec<_>>());
        assert!(waiters.is_empty());
        assert!(waiters.get_mut(0).is_none());
    }
}
