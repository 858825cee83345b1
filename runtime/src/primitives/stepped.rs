//! The executor's primitives inside shuttle, which runs one thread at a time and changes between them only where these say so.
//!
//! Locks, conditions and threads are shuttle's. Atomics are std's with a point before each access at which shuttle may run another thread:
//! shuttle's own hold more than their value, and the walk over a slab at shutdown reads the state of a cell that was freed. Every access
//! counts as sequentially consistent; weaker orderings are for loom and the thread sanitizer. Time is virtual.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{self, Ordering};
use std::time::{Duration, Instant};

pub(crate) use shuttle::hint::spin_loop;
use shuttle::rand::Rng;
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, mpsc};
pub(crate) use shuttle::{thread, thread_local};

/// Where shuttle may run another thread.
pub(crate) fn switch_point() {
    // shuttle knows no time: a sleep is a point to change threads at, and nothing else.
    thread::sleep(Duration::ZERO);
}

/// True in one of `count` cases; shuttle chooses, so a schedule that is run again chooses the same.
pub(crate) fn one_in(count: u32) -> bool {
    below(count) == 0
}

/// A number below `limit`, chosen as in [`one_in`].
pub(crate) fn below(limit: u32) -> u32 {
    shuttle::rand::thread_rng().gen_range(0..limit)
}

std::thread_local! {
    /// Of all threads of one model, which are one thread of the system.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The virtual time: a microsecond later with each look, sometimes much later, as when a poll was long.
pub(crate) fn now() -> Instant {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    pass(Duration::from_micros(if one_in(8) { 150 } else { 1 }));
    *BEGINNING.get_or_init(Instant::now) + PASSED.get()
}

/// Time goes on.
pub(crate) fn pass(duration: Duration) {
    PASSED.set(PASSED.get() + duration);
}

/// An atomic of std's with a switch point before each access.
macro_rules! stepped {
    ($name:ident $(<$parameter:ident>)?, $value:ty) => {
        /// As std's.
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name$(<$parameter>)?(atomic::$name$(<$parameter>)?);

        impl$(<$parameter>)? $name$(<$parameter>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self(atomic::$name::new(value))
            }

            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                switch_point();
                self.0.load(ordering)
            }

            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                switch_point();
                self.0.store(value, ordering);
            }

            pub(crate) fn swap(&self, value: $value, ordering: Ordering) -> $value {
                switch_point();
                self.0.swap(value, ordering)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                switch_point();
                self.0.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }
        }
    };
}

/// What only numbers have.
macro_rules! stepped_number {
    ($name:ident, $value:ty) => {
        stepped!($name, $value);

        impl $name {
            pub(crate) fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                switch_point();
                self.0.fetch_add(value, ordering)
            }

            pub(crate) fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                switch_point();
                self.0.fetch_sub(value, ordering)
            }

            pub(crate) fn fetch_or(&self, value: $value, ordering: Ordering) -> $value {
                switch_point();
                self.0.fetch_or(value, ordering)
            }

            pub(crate) fn fetch_and(&self, value: $value, ordering: Ordering) -> $value {
                switch_point();
                self.0.fetch_and(value, ordering)
            }
        }
    };
}

stepped!(AtomicBool, bool);
stepped!(AtomicPtr<T>, *mut T);
stepped_number!(AtomicU32, u32);
stepped_number!(AtomicU64, u64);
stepped_number!(AtomicUsize, usize);
