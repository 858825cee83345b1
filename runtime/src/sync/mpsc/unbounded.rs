//! A channel that holds any number of values.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use super::error::{SendError, TryRecvError};
use super::receiver::{Rx, Tx, pair};
use crate::sync::park;

/// No limit.
struct Unlimited;

/// A channel for any number of values: sending never waits, so a receiver that is slower than its senders lets the memory grow.
///
/// ```
/// use zokio::sync::mpsc;
///
/// let (sender, mut receiver) = mpsc::unbounded_channel();
/// let producer = std::thread::spawn(move || (0..100).for_each(|number| sender.send(number).unwrap()));
/// let sum: i32 = std::iter::from_fn(|| receiver.blocking_recv()).sum();
/// assert_eq!(sum, (0..100).sum());
/// producer.join().unwrap();
/// ```
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (tx, rx) = pair(Unlimited);
    (UnboundedSender { tx }, UnboundedReceiver { rx })
}

/// Sends values into an [`unbounded_channel`]. The channel ends when the last clone is dropped.
pub struct UnboundedSender<T> {
    tx: Tx<T, Unlimited>,
}

/// Receives the values of an [`unbounded_channel`]. Dropping it drops them, and tells the senders.
pub struct UnboundedReceiver<T> {
    rx: Rx<T, Unlimited>,
}

impl<T> Clone for UnboundedSender<T> {
    fn clone(&self) -> Self {
        Self { tx: self.tx.clone() }
    }
}

impl<T> UnboundedSender<T> {
    /// Sends `value`.
    ///
    /// # Errors
    /// Gives the value back when the receiver is closed or gone.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.tx.0.queue.push(value).map_err(SendError)
    }

    /// Whether the receiver is closed or gone.
    pub fn is_closed(&self) -> bool {
        self.tx.0.queue.is_closed()
    }
}

impl<T> UnboundedReceiver<T> {
    /// The next value; `None` when nothing will come any more. Nothing is lost when this future is dropped.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`Self::recv`], to be called inside another future.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.rx.poll(cx)
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError`] says why not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.rx.try_recv()
    }

    /// As [`Self::recv`], waiting on this thread, which must not be one that runs tasks.
    pub fn blocking_recv(&mut self) -> Option<T> {
        park::block_on(self.recv())
    }

    /// Refuses new values; those sent before can still be received.
    pub fn close(&mut self) {
        self.rx.close();
    }
}

impl<T> fmt::Debug for UnboundedSender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnboundedSender").field("queue", &self.tx.0.queue).finish()
    }
}

impl<T> fmt::Debug for UnboundedReceiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("UnboundedReceiver").field("queue", &self.rx.channel.queue).finish()
    }
}
