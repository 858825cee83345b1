//! A slot for one value and the waker of the one task that waits for it: the same hand-over on every subject.
//!
//! A lock around two words, and no cleverness: what a round trip through it costs beyond some 40 ns is the runtime's waking.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The slot; one sender and one receiver at a time.
#[derive(Debug, Default)]
pub struct HandOverCell {
    slot: Mutex<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    value: Option<u64>,
    waiting: Option<Waker>,
}

impl HandOverCell {
    /// Puts a value in and wakes the receiver; a value that was not taken is replaced.
    pub fn put(&self, value: u64) {
        let waiting = {
            let mut slot = self.lock();
            slot.value = Some(value);
            slot.waiting.take()
        };
        // Outside the lock: the woken task may run at once, on another thread.
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Whether the receiver waits for a value that is not there yet.
    pub fn is_waited_for(&self) -> bool {
        let slot = self.lock();
        slot.value.is_none() && slot.waiting.is_some()
    }

    /// Waits for a value and takes it out.
    pub fn take(&self) -> impl Future<Output = u64> + Send + '_ {
        std::future::poll_fn(|context| {
            let mut slot = self.lock();
            match slot.value.take() {
                Some(value) => Poll::Ready(value),
                None => {
                    slot.waiting = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
