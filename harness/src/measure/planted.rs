//! More work than the subject has: planted, so that a gate can be seen to find it.
//!
//! ```text
//!  operation ends ─▶ t since the last one ended on this thread ─▶ spin for share × t ─▶ next operation
//! ```
//! The spin takes CPU time in the same thread as the work, so rate, service time and CPU per operation get worse by the share alike,
//! whatever the workload and the runtime. With `one_in`, only each so-many-th millisecond is slowed down: medians and best batches do not
//! see that, a high quantile does.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::stamp::now_ns;

/// Work longer than this between two ends is a wait for the start, not an operation.
const WORK_NS_MAX: u64 = 20_000_000;
/// The slots of `one_in`.
const SLOT_NS: u64 = 1_000_000;

/// How much more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planted {
    /// Of the time that the work takes, 0.05 for 5 %.
    pub share: f64,
    /// Only in each so-many-th millisecond; 1: always.
    pub one_in: u32,
}

static OF_THIS_TRIAL: OnceLock<Planted> = OnceLock::new();

/// Plants it in all recorders made from now on: a process runs one trial.
pub(crate) fn plant(planted: Planted) {
    // The first one stays; there is no second.
    let _ = OF_THIS_TRIAL.set(planted);
}

/// One thread's share of the planted work.
#[derive(Debug)]
pub(super) struct Spinner {
    planted: Planted,
    worked_from_ns: u64,
}

impl Spinner {
    /// For the calling thread; `None` where nothing was planted.
    pub(super) fn of_this_trial() -> Option<Box<Self>> {
        let planted = *OF_THIS_TRIAL.get()?;
        Some(Box::new(Self { planted, worked_from_ns: now_ns() }))
    }

    /// An operation, or a round of them, has ended.
    #[cold]
    pub(super) fn spin(&mut self) {
        let now = now_ns();
        let end = now.saturating_add(self.planted.after(now, now.saturating_sub(self.worked_from_ns)));
        self.worked_from_ns = now;
        while self.worked_from_ns < end {
            std::hint::spin_loop();
            self.worked_from_ns = now_ns();
        }
    }
}

impl Planted {
    /// Nanoseconds to add at `now_ns` after work of `work_ns`.
    fn after(self, now_ns: u64, work_ns: u64) -> u64 {
        let is_slow = (now_ns / SLOT_NS).is_multiple_of(u64::from(self.one_in.max(1)));
        if is_slow && work_ns <= WORK_NS_MAX { (work_ns as f64 * self.share) as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_work_and_of_no_wait() {
        let always = Planted { share: 0.05, one_in: 1 };
        assert_eq!(always.after(7_000_000, 1_000), 50);
        assert_eq!(always.after(7_000_000, WORK_NS_MAX + 1), 0);
    }

    #[test]
    fn one_millisecond_in_ten_is_slow() {
        let some = Planted { share: 1.0, one_in: 10 };
        let slow: Vec<u64> = (0..30).filter(|slot| some.after(slot * SLOT_NS + 5, 100) == 100).collect();
        assert_eq!(slow, [0, 10, 20]);
    }

    #[test]
    fn a_spin_lasts_its_share() {
        let mut spinner = Spinner { planted: Planted { share: 2.0, one_in: 1 }, worked_from_ns: now_ns() };
        let start = now_ns();
        while now_ns() - start < 100_000 {}
        let worked = now_ns() - start;
        spinner.spin();
        let total = now_ns() - start;
        assert!(total >= worked + 2 * worked.min(100_000), "worked {worked} ns, with the spin {total} ns");
    }
}
