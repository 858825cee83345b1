//! The atomics of the protocols that loom checks: std's, or loom's under `--cfg zokio_loom`.

#[cfg(zokio_loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
#[cfg(not(zokio_loom))]
pub(crate) use std::sync::atomic::{AtomicU32, Ordering};

/// Waits for another thread's next few instructions: the `round`th time in a row.
#[cfg(not(zokio_loom))]
pub(crate) fn relax(round: u32) {
    // 64 pauses are far more than the owner needs, unless it was preempted: then its core is better given away.
    if round < 64 {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// Lets loom run another thread.
#[cfg(zokio_loom)]
pub(crate) fn relax(_round: u32) {
    loom::thread::yield_now();
}
