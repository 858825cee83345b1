//! What the executor is made of: std's names, or shuttle's where its model runs the whole executor.
//!
//! loom's models never look at these: there they are std's as well.

use std::sync::PoisonError;

#[cfg(not(zokio_shuttle))]
pub(crate) use self::plain::*;
#[cfg(zokio_shuttle)]
pub(crate) use super::stepped::*;

/// As [`lock`](super::lock), for the executor's locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(not(zokio_shuttle))]
mod plain {
    pub(crate) use std::hint::spin_loop;
    #[cfg_attr(zokio_loom, allow(unused_imports, reason = "loom has its own of what its models look at"))]
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, mpsc};
    use std::time::Instant;
    pub(crate) use std::{thread, thread_local};

    /// The time.
    #[inline(always)]
    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    /// Where a model may run another thread: before a call that it cannot look into.
    #[inline(always)]
    pub(crate) fn switch_point() {}
}
