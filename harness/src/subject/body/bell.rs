//! A bell: one task leaves a stamp and wakes the other. The same few lines for every runtime, so that only the runtime's wake-up differs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

/// See the module page. One ringer, one listener.
#[derive(Debug, Default)]
pub struct Bell {
    /// 0: nothing rang.
    stamp: AtomicU64,
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    /// Leaves `stamp`, which is not 0, and wakes the listener.
    pub fn ring(&self, stamp: u64) {
        // Release pairs with the Acquire in `listen`: what the ringer wrote before goes with the stamp.
        self.stamp.store(stamp, Ordering::Release);
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// Waits for the next stamp and takes it.
    pub fn listen(&self) -> impl Future<Output = u64> + Send + '_ {
        std::future::poll_fn(|context| {
            if let stamp @ 1.. = self.stamp.swap(0, Ordering::Acquire) {
                return Poll::Ready(stamp);
            }
            *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            // It may have rung before the waker was there.
            match self.stamp.swap(0, Ordering::Acquire) {
                0 => Poll::Pending,
                stamp => Poll::Ready(stamp),
            }
        })
    }
}

/// Goes to the end of the queue: a wake-up of oneself, as any runtime understands it.
pub fn pass() -> impl Future<Output = ()> + Send {
    let mut has_passed = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut has_passed, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}
