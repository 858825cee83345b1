//! The latest value, from senders to any number of receivers that may miss older ones.
//!
//! ```text
//!  value: behind a lock of its own      state: │ version │ CLOSED │      changed: wakes receivers      gone: wakes senders
//! ```
//!
//! A value is replaced, and its version counted, while the value is locked; then the receivers are told. A receiver makes its
//! [`Notified`](super::Notified) first, then compares versions, then waits: a version that it did not see is told to it. CLOSED is set after
//! the last version, so who sees it sees the last value.
//!
//! The lock of the value holds up the thread: a [`Ref`] should be short, and never lives across an `.await`.

mod receiver;
mod sender;

pub use receiver::{Receiver, Ref};
pub use sender::{SendError, Sender};

use std::fmt;

use super::notify::Notify;
use crate::primitives::{Arc, AtomicUsize, RwLock};

/// No sender is left.
const CLOSED: usize = 1;
/// One more value.
const VERSION: usize = 1 << 1;

/// What both sides share.
struct Shared<T> {
    value: RwLock<T>,
    state: AtomicUsize,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    changed: Notify,
    gone: Notify,
}

/// All senders are gone, and the last value was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("channel closed")
    }
}

impl std::error::Error for RecvError {}

/// A channel that keeps the latest value only. Its receivers have seen `init`.
///
/// ```
/// use zokio::sync::watch;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// runtime.block_on(async {
///     let (sender, mut receiver) = watch::channel("starting");
///     let last = zokio::spawn(async move {
///         let mut last = *receiver.borrow();
///         while receiver.changed().await.is_ok() {
///             last = *receiver.borrow_and_update();
///         }
///         last
///     });
///     sender.send("ready").unwrap();
///     sender.send("stopped").unwrap();
///     drop(sender);
///     assert_eq!(last.await.unwrap(), "stopped"); // "ready" may have been missed
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        value: RwLock::new(init),
        state: AtomicUsize::new(0),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
        changed: Notify::new(),
        gone: Notify::new(),
    });
    (Sender { shared: shared.clone() }, Receiver { shared, seen: 0 })
}

/// The version without CLOSED.
fn version(state: usize) -> usize {
    state & !CLOSED
}
