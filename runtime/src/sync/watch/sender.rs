//! The side that sets the value.

use std::fmt;

use super::receiver::{Receiver, Ref};
use super::{CLOSED, Shared, VERSION, version};
use crate::primitives::{Arc, Ordering, read, write};

/// Sets the value of a [`channel`](super::channel). The channel closes when the last clone is dropped.
pub struct Sender<T> {
    pub(super) shared: Arc<Shared<T>>,
}

/// No receiver is there; the value comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("channel closed")
    }
}

impl<T> std::error::Error for SendError<T> {}

impl<T> Sender<T> {
    /// Replaces the value and tells every receiver.
    ///
    /// # Errors
    /// Gives the value back when there is no receiver; [`Self::send_replace`] sets it even then.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.is_closed() {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Replaces the value, tells every receiver, and returns what was there before; also when there is no receiver.
    pub fn send_replace(&self, mut value: T) -> T {
        self.send_modify(|current| std::mem::swap(current, &mut value));
        value
    }

    /// Changes the value in place and tells every receiver; also when there is none.
    ///
    /// A panic of `modify` leaves the value as it is then, and tells nobody.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// As [`Self::send_modify`], but tells the receivers only if `modify` says so. Returns what it said.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        {
            let mut value = write(&self.shared.value);
            if !modify(&mut value) {
                return false;
            }
            // Release pairs with the Acquire of a receiver that compares versions without the lock. Inside the lock, so that under it
            // version and value belong together.
            self.shared.state.fetch_add(VERSION, Ordering::Release);
        }
        self.shared.changed.notify_waiters();
        true
    }

    /// The current value. Senders wait on their thread while the [`Ref`] lives.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::new(read(&self.shared.value), false)
    }

    /// One more receiver; it has seen the current value.
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared.receivers.fetch_add(1, Ordering::Relaxed);
        // Acquire as in `Receiver::changed`.
        let seen = version(self.shared.state.load(Ordering::Acquire));
        Receiver { shared: self.shared.clone(), seen }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.receivers.load(Ordering::Relaxed)
    }

    /// How many senders there are.
    pub fn sender_count(&self) -> usize {
        self.shared.senders.load(Ordering::Relaxed)
    }

    /// Whether there is no receiver; [`Self::subscribe`] changes that.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    pub async fn closed(&self) {
        loop {
            // Made before the receivers are counted, so the last one that goes later is told.
            let gone = self.shared.gone.notified();
            if self.is_closed() {
                return;
            }
            gone.await;
        }
    }

    /// Whether both send into one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.senders.fetch_add(1, Ordering::Relaxed); // a sender is there already
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // AcqRel: the last one has seen all versions that the others counted.
        if self.shared.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Release as for a version: who sees the end sees the last value.
            self.shared.state.fetch_or(CLOSED, Ordering::Release);
            self.shared.changed.notify_waiters();
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("value", &*self.borrow()).finish_non_exhaustive()
    }
}
