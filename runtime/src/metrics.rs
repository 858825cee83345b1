//! Counters that a worker owns alone, summed only when read.
//!
//! A worker is the only writer of its counters, so counting is a load and a store without a locked instruction; a reader may see a
//! value that is a few operations old.

use crossbeam_utils::CachePadded;

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the owner calls this.
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        // Relaxed: a statistic; it orders nothing.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Replaces the value; only the owner calls this.
    #[inline]
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value as last seen.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one worker, on cache lines of their own.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters(CachePadded<Counters>);

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) thread_id: Counter,
    pub(crate) polls: Counter,
    pub(crate) stolen: Counter,
    pub(crate) parks: Counter,
    /// Nanoseconds one poll took lately, smoothed; thieves weigh a queue by it.
    pub(crate) poll_ns: Counter,
}

impl std::ops::Deref for WorkerCounters {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0
    }
}

/// What a runtime counted since it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeMetrics {
    /// One entry per worker, by index.
    pub workers: Vec<WorkerMetrics>,
    /// Threads for blocking work that run now, idle ones included.
    pub blocking_threads: usize,
}

/// What one worker counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// The kernel's id of the thread; 0 where the platform tells none.
    pub thread_id: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// Tasks taken from other workers.
    pub stolen: u64,
    /// Times the worker went to sleep in its driver.
    pub parks: u64,
    /// Calls into the kernel by the driver.
    pub driver_enters: u64,
    /// Operations handed to the kernel.
    pub operations_submitted: u64,
    /// Operations that came back.
    pub operations_completed: u64,
}

impl RuntimeMetrics {
    /// Polls of all workers.
    pub fn polls(&self) -> u64 {
        self.workers.iter().map(|worker| worker.polls).sum()
    }
}
