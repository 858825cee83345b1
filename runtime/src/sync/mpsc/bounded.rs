//! A channel that holds a limited number of values.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use super::error::{SendError, TryRecvError, TrySendError};
use super::receiver::{Rx, Tx, pair};
use crate::sync::park;
use crate::sync::semaphore::{Semaphore, TryAcquireError};

/// Free places, and how many there are in all.
struct Places {
    free: Semaphore,
    count: usize,
}

/// A channel for at most `capacity` values that wait to be received.
///
/// ```
/// use zokio::sync::mpsc;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// runtime.block_on(async {
///     let (sender, mut receiver) = mpsc::channel(4);
///     for producer in 0..3 {
///         let sender = sender.clone();
///         drop(zokio::spawn(async move {
///             for number in 0..10 {
///                 sender.send(producer * 10 + number).await.unwrap();
///             }
///         }));
///     }
///     drop(sender);
///     let mut sum = 0;
///     while let Some(number) = receiver.recv().await {
///         sum += number;
///     }
///     assert_eq!(sum, (0..30).sum());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// When `capacity` is 0, or above [`Semaphore::MAX_PERMITS`].
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a channel holds at least one value");
    let (tx, rx) = pair(Places { free: Semaphore::new(capacity), count: capacity });
    (Sender { tx }, Receiver { rx })
}

/// Sends values into a [`channel`]. The channel ends when the last clone is dropped.
pub struct Sender<T> {
    tx: Tx<T, Places>,
}

/// Receives the values of a [`channel`]. Dropping it drops them, and tells the senders.
pub struct Receiver<T> {
    rx: Rx<T, Places>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { tx: self.tx.clone() }
    }
}

impl<T> Sender<T> {
    /// Sends `value`, waiting for a free place; who waits longer is served first. Dropped early, the value is not sent, and the place goes to the
    /// next in line.
    ///
    /// # Errors
    /// Gives the value back when the receiver is closed or gone.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        match self.tx.0.limit.free.take(1).await {
            Ok(()) => self.tx.0.queue.push(value).map_err(SendError),
            Err(_) => Err(SendError(value)),
        }
    }

    /// Sends `value` if there is a free place and nobody waits for it.
    ///
    /// # Errors
    /// Gives the value back, with the reason.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.tx.0.limit.free.try_take(1) {
            Ok(()) => self.tx.0.queue.push(value).map_err(TrySendError::Closed),
            Err(TryAcquireError::NoPermits) => Err(TrySendError::Full(value)),
            Err(TryAcquireError::Closed) => Err(TrySendError::Closed(value)),
        }
    }

    /// As [`Self::send`], waiting on this thread, which must not be one that runs tasks.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        park::block_on(self.send(value))
    }

    /// Whether the receiver is closed or gone.
    pub fn is_closed(&self) -> bool {
        self.tx.0.queue.is_closed()
    }

    /// Places that are free now.
    pub fn capacity(&self) -> usize {
        self.tx.0.limit.free.available_permits()
    }

    /// Places in all.
    pub fn max_capacity(&self) -> usize {
        self.tx.0.limit.count
    }
}

impl<T> Receiver<T> {
    /// The next value; `None` when nothing will come any more. Nothing is lost when this future is dropped.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`Self::recv`], to be called inside another future.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let polled = self.rx.poll(cx);
        if matches!(polled, Poll::Ready(Some(_))) {
            self.rx.channel.limit.free.release(1);
        }
        polled
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError`] says why not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let value = self.rx.try_recv()?;
        self.rx.channel.limit.free.release(1);
        Ok(value)
    }

    /// As [`Self::recv`], waiting on this thread, which must not be one that runs tasks.
    pub fn blocking_recv(&mut self) -> Option<T> {
        park::block_on(self.recv())
    }

    /// Refuses new values; those sent before can still be received.
    pub fn close(&mut self) {
        self.rx.close();
        self.rx.channel.limit.free.close();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("capacity", &self.capacity()).field("queue", &self.tx.0.queue).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").field("queue", &self.rx.channel.queue).finish()
    }
}
