//! The timers of one worker: its wheel, behind a lock that is all but uncontended.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::wheel::{Key, Wheel};
use crate::primitives::Ordering;
use crate::primitives::executor::{AtomicU64, Mutex, lock, now};

/// Length of a tick as a power of two in nanoseconds: 2^16 ns is 65.5 µs, the most a timer is late by rounding.
const TICK_BITS: u32 = 16;

/// The timers of one worker.
#[derive(Debug)]
pub(crate) struct TimerShard {
    origin: Instant,
    /// The wheel's next tick, readable without the lock; `u64::MAX` when there is none.
    next: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    wheel: Wheel,
    /// The tick until which the owner sleeps; 0 while it is awake. An earlier timer from another thread must wake it.
    sleeps_until: u64,
    /// The owner is gone: nobody fires timers any more.
    is_closed: bool,
}

impl TimerShard {
    pub(crate) fn new() -> Self {
        let inner = Inner { wheel: Wheel::new(), sleeps_until: 0, is_closed: false };
        Self { origin: now(), next: AtomicU64::new(u64::MAX), inner: Mutex::new(inner) }
    }

    /// The first tick that does not begin before `deadline`.
    fn tick_at_or_after(&self, deadline: Instant) -> u64 {
        let nanos = deadline.saturating_duration_since(self.origin).as_nanos().min(u128::from(u64::MAX >> 1)) as u64;
        nanos.div_ceil(1 << TICK_BITS)
    }

    /// The last tick that has begun at `now`.
    fn tick_at(&self, now: Instant) -> u64 {
        (now.saturating_duration_since(self.origin).as_nanos() as u64) >> TICK_BITS
    }

    /// Adds a timer; the second value says that the owner sleeps past it and must be woken. `None` when the owner is gone.
    pub(crate) fn insert(&self, deadline: Instant, waker: Waker) -> Option<(Key, bool)> {
        let tick = self.tick_at_or_after(deadline);
        let mut inner = lock(&self.inner);
        if inner.is_closed {
            drop(inner); // before the waker goes
            return None;
        }
        let key = inner.wheel.insert(tick, waker);
        self.publish(&inner.wheel);
        Some((key, tick < inner.sleeps_until))
    }

    /// Gives a live timer another waker; false when it has fired.
    pub(crate) fn update(&self, key: Key, waker: &Waker) -> bool {
        let updated = lock(&self.inner).wheel.update(key, waker);
        updated.is_some() // the old waker goes outside of the lock: it may be the last of a task that has timers
    }

    /// Removes a timer.
    pub(crate) fn cancel(&self, key: Key) {
        let waker = {
            let mut inner = lock(&self.inner);
            let waker = inner.wheel.cancel(key);
            self.publish(&inner.wheel);
            waker
        };
        drop(waker);
    }

    /// Hands out the wakers whose time has come.
    pub(crate) fn fire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        // Relaxed: the owner's own stores are seen; one from another thread is seen soon, or by `before_sleep` under the lock.
        if self.next.load(Ordering::Relaxed) == u64::MAX {
            return;
        }
        let tick = self.tick_at(now);
        if self.next.load(Ordering::Relaxed) > tick {
            return;
        }
        let mut inner = lock(&self.inner);
        inner.wheel.advance(tick, wakers);
        self.publish(&inner.wheel);
    }

    /// The owner goes to sleep: when it must be awake again.
    pub(crate) fn before_sleep(&self) -> Option<Instant> {
        let mut inner = lock(&self.inner);
        let next = inner.wheel.next_tick();
        inner.sleeps_until = next.unwrap_or(u64::MAX);
        next.map(|tick| self.origin + Duration::from_nanos(tick << TICK_BITS))
    }

    /// The owner is awake.
    pub(crate) fn after_sleep(&self) {
        lock(&self.inner).sleeps_until = 0;
    }

    /// The owner ends: hands out every waker, and takes no timer from now on.
    pub(crate) fn close(&self, wakers: &mut Vec<Waker>) {
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        inner.wheel.clear(wakers);
        self.publish(&inner.wheel);
    }

    fn publish(&self, wheel: &Wheel) {
        self.next.store(wheel.next_tick().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
