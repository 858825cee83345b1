//! The park word: a system call to wake a worker only when it really sleeps.
//!
//! ```text
//!            begin()                        notify(): nothing to do
//!  RUNNING ──────────▶ PARKED     RUNNING ─────────────────────────▶ NOTIFIED
//!     ▲                  │                                              │
//!     ├──── end() ───────┤ notify(): wake it by a system call           │
//!     │                  ▼                                              │
//!     └──── end() ── NOTIFIED ◀─────────────────────────────────────────┘
//!                        begin() in NOTIFIED: back to RUNNING, do not sleep
//! ```
//!
//! Every transition is a read-modify-write of one word, so they have one order: a notification comes either before `begin`, which then
//! refuses, or after it, and then sees PARKED and wakes. What was written before `notify` is visible to the owner once `begin` refused
//! or `end` returned.

use super::sync::{AtomicU32, Ordering};

const RUNNING: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;

/// See the module page.
#[derive(Debug)]
pub(crate) struct ParkWord(AtomicU32);

impl ParkWord {
    /// The owner runs and nobody notified it.
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(RUNNING))
    }

    /// Owner: about to sleep. `false`: a notification arrived, which is hereby taken; do not sleep.
    pub(crate) fn begin(&self) -> bool {
        // Acquire on failure pairs with the Release of `notify`; Relaxed on success: nothing is published by going to sleep.
        match self.0.compare_exchange(RUNNING, PARKED, Ordering::Relaxed, Ordering::Acquire) {
            Ok(_) => true,
            Err(_) => {
                self.end();
                false
            }
        }
    }

    /// Owner: awake again, for whatever reason. Takes a notification that arrived meanwhile.
    pub(crate) fn end(&self) {
        // Acquire pairs with the Release of `notify`.
        self.0.swap(RUNNING, Ordering::Acquire);
    }

    /// Anyone: the owner shall look around. `true`: it sleeps, and the caller must wake it.
    #[must_use = "a sleeping owner must be woken"]
    pub(crate) fn notify(&self) -> bool {
        // Release pairs with the Acquire in `begin` and `end`. No load beforehand: a stale NOTIFIED would hide that it was taken.
        self.0.swap(NOTIFIED, Ordering::Release) == PARKED
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_notification_while_running_makes_the_next_sleep_return_at_once() {
        let word = ParkWord::new();
        assert!(!word.notify(), "no system call: the owner runs");
        assert!(!word.begin(), "taken instead of sleeping");
        assert!(word.begin(), "and only once");
        assert!(word.notify(), "now it sleeps");
        assert!(!word.notify(), "one wake-up is enough");
        word.end();
        assert!(word.begin(), "the notification was taken on waking");
    }
}
