//! The protocol of [`Mutex`](super::Mutex), without the value: who holds the lock, who is next.
//!
//! ```text
//!  state:  FREE ── one CAS ──▶ LOCKED ──▶ LOCKED | WAITING          served: ticket      line (behind a lock): ticket, waker
//!           ▲                    │              │    │
//!           └──── one CAS ───────┘              │    └─▶ the first in line holds the lock now: its ticket is `served`
//!           └──── nobody is in line any more ───┘
//! ```
//!
//! WAITING is set under the lock of the line only, and only beside LOCKED, by whoever queues. From then on the state does not change until
//! the line is empty: a release hands the lock to the first in line by writing its ticket, and nobody overtakes. One waiter at most holds a
//! lock that it has not picked up, so one word tells each of them whether it is the one, without the line.
//!
//! Invariants
//!  X1. The state is FREE exactly while nobody holds the lock; who waits and was served holds it.
//!  X2. FREE → LOCKED is an exchange that succeeds once; otherwise only the holder gives the lock away, to nobody or to one waiter.
//!  X3. A ticket leaves the line by being served or by leaving, under the lock of the line, so exactly one of the two happens.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::primitives::{AtomicUsize, Mutex, Ordering, const_fn, lock};
use crate::sync::give_way::must_give_way;
use crate::sync::waiters::Waiters;

const FREE: usize = 0;
const LOCKED: usize = 1;
/// Somebody may be in line.
const WAITING: usize = 1 << 1;

/// How often a lock that is held with nobody in line is looked at before queueing: a short section on another CPU ends sooner than
/// a task is put away and fetched again.
const LOOKS_MAX: u32 = if cfg!(zokio_loom) { 0 } else { 6 };

/// A lock without a value.
#[derive(Debug)]
pub(super) struct RawMutex {
    state: AtomicUsize,
    /// The ticket that got the lock last. Cut to a word, it still names one waiter: those in line are fewer than a word counts.
    served: AtomicUsize,
    line: Mutex<Waiters<()>>,
}

impl RawMutex {
    const_fn! {
        pub(super) fn new() -> Self {
            // No ticket is that high.
            Self { state: AtomicUsize::new(FREE), served: AtomicUsize::new(usize::MAX), line: Mutex::new(Waiters::new()) }
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(super) fn try_acquire(&self) -> bool {
        // Acquire pairs with the Release of whoever made it free.
        self.state.compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits for the lock.
    #[inline]
    pub(super) fn acquire(&self) -> Acquire<'_> {
        Acquire { raw: self, ticket: None }
    }

    /// Gives the lock away. The caller holds it (X2).
    #[inline]
    pub(super) fn release(&self) {
        // Release pairs with the Acquire of `try_acquire`.
        if self.state.compare_exchange(LOCKED, FREE, Ordering::Release, Ordering::Relaxed).is_err() {
            self.hand_over();
        }
    }

    #[inline(never)]
    fn hand_over(&self) {
        let next = {
            let mut line = lock(&self.line);
            let next = line.pop_with_ticket();
            match &next {
                // Release pairs with the Acquire of `is_served`.
                Some((ticket, _)) => self.served.store(word(*ticket), Ordering::Release),
                // Release as in `release`. Nobody else writes: the state is not FREE, and who queues needs the line.
                None => self.state.store(FREE, Ordering::Release),
            }
            next
        };
        if let Some((_, waiter)) = next {
            waiter.waker.wake();
        }
    }

    /// Whether this ticket holds the lock.
    #[inline]
    fn is_served(&self, ticket: u64) -> bool {
        // Acquire pairs with the Release of `hand_over`: what was done under the lock is seen.
        self.served.load(Ordering::Acquire) == word(ticket)
    }

    /// Takes the lock if it gets free in a moment.
    #[inline]
    fn acquire_soon(&self) -> bool {
        for _ in 0..LOOKS_MAX {
            std::hint::spin_loop();
            match self.state.load(Ordering::Relaxed) {
                FREE if self.try_acquire() => return true,
                FREE | LOCKED => {}
                _ => return false, // nobody overtakes those in line
            }
        }
        false
    }

    /// Queues; `None` when the lock was free after all.
    #[inline(never)]
    fn queue(&self, waker: Waker) -> Option<u64> {
        let mut line = lock(&self.line);
        // Set already: it stays while we have the line, and so does LOCKED.
        if self.state.load(Ordering::Relaxed) != LOCKED | WAITING {
            loop {
                if self.try_acquire() {
                    drop(line);
                    drop(waker);
                    return None;
                }
                // Orders nothing: who releases looks into the line, under its lock.
                if self.state.compare_exchange(LOCKED, LOCKED | WAITING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                    break;
                }
            }
        }
        Some(line.push(waker, ()))
    }

    /// Another waker for one who waits; whether it was served meanwhile.
    fn update(&self, ticket: u64, waker: &Waker) -> bool {
        let mut line = lock(&self.line);
        let is_served = line.get_mut(ticket).is_none();
        let old = line.update(ticket, waker);
        drop(line);
        drop(old);
        is_served
    }
}

/// A ticket as one word.
#[expect(clippy::cast_possible_truncation, reason = "see `RawMutex::served`")]
fn word(ticket: u64) -> usize {
    ticket as usize
}

/// Waits for the lock; dropped early, it leaves the line, or gives away the lock that it got.
#[derive(Debug)]
pub(super) struct Acquire<'a> {
    raw: &'a RawMutex,
    /// The place in line, until the lock is picked up.
    ticket: Option<u64>,
}

impl Future for Acquire<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(ticket) = self.ticket {
            // Acquire as there, also through the lock of the line.
            if !self.raw.is_served(ticket) && !self.raw.update(ticket, cx.waker()) {
                return Poll::Pending;
            }
            self.ticket = None;
            return Poll::Ready(());
        }
        if must_give_way(cx.waker()) {
            return Poll::Pending;
        }
        if self.raw.try_acquire() || self.raw.acquire_soon() {
            return Poll::Ready(());
        }
        self.ticket = self.raw.queue(cx.waker().clone());
        if self.ticket.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Acquire<'_> {
    #[cold]
    fn leave(&mut self, ticket: u64) {
        let left = lock(&self.raw.line).remove(ticket);
        // Served: it holds the lock and nobody will pick it up (X3).
        if left.is_none() {
            // The line may have told it, so `served` need not have been read: Acquire through the lock of the line.
            self.raw.release();
        }
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.leave(ticket);
        }
    }
}
