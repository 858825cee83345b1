//! The side that sees the value.

use std::fmt;
use std::ops::Deref;

use super::{CLOSED, RecvError, Shared, VERSION, version};
use crate::primitives::{Arc, Ordering, RwLockReadGuard, read};

/// Sees the latest value of a [`channel`](super::channel). Each clone remembers for itself what it has seen.
pub struct Receiver<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// The version that was seen last.
    pub(super) seen: usize,
}

/// The value of a [`channel`](super::channel), borrowed. Senders wait on their thread while it lives, so it should be short, and the
/// thread that has it must not send.
#[must_use = "borrowing a value does nothing by itself"]
pub struct Ref<'a, T> {
    value: RwLockReadGuard<'a, T>,
    has_changed: bool,
}

impl<'a, T> Ref<'a, T> {
    pub(super) fn new(value: RwLockReadGuard<'a, T>, has_changed: bool) -> Self {
        Self { value, has_changed }
    }

    /// Whether the receiver had not seen this value; false for a sender.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ref").field("value", &**self).field("has_changed", &self.has_changed).finish()
    }
}

impl<T> Receiver<T> {
    /// The latest value, which does not count as seen by this.
    pub fn borrow(&self) -> Ref<'_, T> {
        let value = read(&self.shared.value);
        let has_changed = self.latest() != self.seen; // under the lock: the version of this very value
        Ref::new(value, has_changed)
    }

    /// The latest value, which counts as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let value = read(&self.shared.value);
        let latest = version(self.shared.state.load(Ordering::Relaxed)); // ordered by the lock
        let has_changed = std::mem::replace(&mut self.seen, latest) != latest;
        Ref::new(value, has_changed)
    }

    /// Whether there is a value that was not seen.
    ///
    /// # Errors
    /// When all senders are gone, also if the last value was not seen.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        // Acquire as in `changed`.
        let state = self.shared.state.load(Ordering::Acquire);
        if state & CLOSED != 0 { Err(RecvError) } else { Ok(version(state) != self.seen) }
    }

    /// Forgets that the current value was seen.
    pub fn mark_changed(&mut self) {
        self.seen = self.latest().wrapping_sub(VERSION);
    }

    /// Counts the current value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.latest();
    }

    /// Waits for a value that was not seen, and counts it as seen; at once if there is one. Nothing is lost when this future is dropped.
    ///
    /// # Errors
    /// When all senders are gone and the last value was seen.
    pub async fn changed(&mut self) -> Result<(), RecvError> {
        loop {
            // Made before the versions are compared, so the next one is told.
            let changed = self.shared.changed.notified();
            // Acquire pairs with the Release of the sender: what it did before is seen.
            let state = self.shared.state.load(Ordering::Acquire);
            if version(state) != self.seen {
                self.seen = version(state);
                return Ok(());
            }
            if state & CLOSED != 0 {
                return Err(RecvError);
            }
            changed.await;
        }
    }

    /// Waits for a value that `is_wanted`, beginning with the current one; it counts as seen, as do those before.
    ///
    /// # Errors
    /// When all senders are gone and the last value is not wanted.
    pub async fn wait_for(&mut self, mut is_wanted: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, RecvError> {
        loop {
            let changed = self.shared.changed.notified();
            // Acquire as in `changed`; read before the value, so that the value is the last one if this is the end.
            let is_closed = self.shared.state.load(Ordering::Acquire) & CLOSED != 0;
            {
                let value = read(&self.shared.value);
                let latest = version(self.shared.state.load(Ordering::Relaxed)); // ordered by the lock
                let has_changed = std::mem::replace(&mut self.seen, latest) != latest;
                if is_wanted(&value) {
                    return Ok(Ref::new(value, has_changed));
                }
            }
            if is_closed {
                return Err(RecvError);
            }
            changed.await;
        }
    }

    /// Whether both see one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    fn latest(&self) -> usize {
        // Acquire as in `changed`.
        version(self.shared.state.load(Ordering::Acquire))
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed); // a receiver is there already
        Self { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Release: the notification publishes it to who waits for the end; nothing is freed by this count.
        if self.shared.receivers.fetch_sub(1, Ordering::Release) == 1 {
            self.shared.gone.notify_waiters();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("value", &*self.borrow()).finish_non_exhaustive()
    }
}
