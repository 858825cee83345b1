//! What the driver's protocols that loom checks are made of: the crate's atomics, and a pause.

pub(crate) use crate::primitives::{AtomicU32, Ordering};

/// Waits for another thread's next few instructions: the `round`th time in a row.
#[cfg(not(any(zokio_loom, zokio_shuttle)))]
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

/// Lets shuttle run another thread.
#[cfg(zokio_shuttle)]
pub(crate) fn relax(_round: u32) {
    crate::primitives::executor::thread::yield_now();
}
