//! What a driver did: counted by its owner alone, readable by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a driver did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DriverCounters {
    /// System calls into the kernel's queue: `io_uring_enter`, or the poller's wait.
    pub enters: u64,
    /// Operations that the driver took; those a polling driver finished at its first attempt are not among them.
    pub submitted: u64,
    /// Operations whose result arrived.
    pub completed: u64,
    /// Cancellations asked for.
    pub cancelled: u64,
    /// Operations that ended with nobody waiting for them.
    pub orphans: u64,
    /// Operations that a polling driver finished at its first attempt.
    pub inline: u64,
}

/// The owner's side: plain additions, no locked instruction.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) enters: Counter,
    pub(super) submitted: Counter,
    pub(super) completed: Counter,
    pub(super) cancelled: Counter,
    pub(super) orphans: Counter,
    pub(super) inline: Counter,
}

/// Written by one thread.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Owner only.
    #[inline]
    pub(super) fn add(&self, count: u64) {
        // Relaxed load and store: one writer, and readers only want a recent value.
        self.0.store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn read(&self) -> DriverCounters {
        DriverCounters {
            enters: self.enters.read(),
            submitted: self.submitted.read(),
            completed: self.completed.read(),
            cancelled: self.cancelled.read(),
            orphans: self.orphans.read(),
            inline: self.inline.read(),
        }
    }
}
