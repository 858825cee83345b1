//! What both kinds of channel share: the count of senders, and the one receiver.
#![expect(unsafe_code, reason = "the queue wants to be read by one receiver: there is one `Rx` a queue, used by `&mut`")]

use std::task::{Context, Poll};

use super::error::TryRecvError;
use super::list::{Queue, Taken};
use crate::primitives::{Arc, AtomicUsize, Ordering};

/// So many values in a row are received before other tasks get their turn. As many as tokio's budget of a poll allows.
const IN_A_ROW_MAX: u32 = 128;

/// A channel; `limit` is what a sender waits for.
pub(super) struct Channel<T, L> {
    pub(super) queue: Queue<T>,
    pub(super) limit: L,
    senders: AtomicUsize,
}

/// One sender's share of a channel.
pub(super) struct Tx<T, L>(pub(super) Arc<Channel<T, L>>);

/// The receiver's share; there is exactly one, so `&mut Rx` is the right to read the queue (M4).
pub(super) struct Rx<T, L> {
    pub(super) channel: Arc<Channel<T, L>>,
    in_a_row: u32,
}

/// A channel with one sender.
pub(super) fn pair<T, L>(limit: L) -> (Tx<T, L>, Rx<T, L>) {
    let channel = Arc::new(Channel { queue: Queue::new(), limit, senders: AtomicUsize::new(1) });
    (Tx(channel.clone()), Rx { channel, in_a_row: 0 })
}

impl<T, L> Clone for Tx<T, L> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed); // a sender is there already
        Self(self.0.clone())
    }
}

impl<T, L> Drop for Tx<T, L> {
    fn drop(&mut self) {
        // AcqRel: the last one has seen all that the others sent.
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.queue.end();
        }
    }
}

impl<T, L> Rx<T, L> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if self.in_a_row == IN_A_ROW_MAX {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // SAFETY: `&mut self` is the receiver (M4).
        let polled = unsafe { self.channel.queue.poll_take(cx) };
        self.in_a_row = if matches!(polled, Poll::Ready(Some(_))) { self.in_a_row + 1 } else { 0 };
        polled
    }

    pub(super) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // SAFETY: `&mut self` is the receiver (M4).
        match unsafe { self.channel.queue.take() } {
            Taken::Value(value) => Ok(value),
            Taken::Empty => Err(TryRecvError::Empty),
            Taken::Ended => Err(TryRecvError::Disconnected),
        }
    }

    pub(super) fn close(&mut self) {
        // SAFETY: `&mut self` is the receiver (M4).
        unsafe { self.channel.queue.close() };
    }
}

impl<T, L> Drop for Rx<T, L> {
    /// Closes, and drops what was sent: a value may hold something that others wait for.
    fn drop(&mut self) {
        self.close();
        while self.try_recv().is_ok() {}
    }
}
