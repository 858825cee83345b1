//! One value, from one task to another.
//!
//! ```text
//!  cell: │ state │ value │ waker of the receiver │ waker of the sender │      one allocation, no reference count
//! ```
//!
//! Each side ends once: SENT or TX_GONE, and RX_GONE. Who ends first never touches the cell again; who ends second frees it. To wake the
//! other side, its waker must be taken before the end is published; for these few instructions the state is BUSY, and the other side
//! waits, or asks to be polled again. So a send costs one read-modify-write, a receive that comes later none, and a receive that waits one.
//!
//! Invariants
//!  O1. The value is written by the sender before SENT, and read afterwards by the receiver, or by whoever frees the cell.
//!  O2. A waker slot belongs to its side while its bit (RX_WAKER, TX_WAKER) is clear, and to the side that set BUSY after it saw the bit.
//!  O3. Nobody changes the state while it is BUSY but the side that made it so.
//!  O4. The cell is freed by the side that finds the other's end in the state, which is the second one.
#![expect(unsafe_code, reason = "a cell shared by two sides without a reference count; invariants O1 to O4")]

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use super::park;
use super::waiters::WakerIdentity;
use crate::primitives::{AtomicUsize, Ordering, Pause, UnsafeCell};

/// The value is there; the sender is gone.
const SENT: usize = 1;
/// The sender is gone without a value.
const TX_GONE: usize = 1 << 1;
/// The receiver is gone.
const RX_GONE: usize = 1 << 2;
/// The receiver wants no value any more.
const CLOSED: usize = 1 << 3;
/// The receiver's waker is there.
const RX_WAKER: usize = 1 << 4;
/// The sender's waker is there.
const TX_WAKER: usize = 1 << 5;
/// One side takes the other's waker.
const BUSY: usize = 1 << 6;

struct Cell<T> {
    state: AtomicUsize,
    value: UnsafeCell<Option<T>>,
    rx_waker: UnsafeCell<Option<Waker>>,
    tx_waker: UnsafeCell<Option<Waker>>,
}

/// A pointer to the cell; what may be done with it is up to the state.
struct Shared<T>(NonNull<Cell<T>>);

/// Which slot a waker lies in.
#[derive(Clone, Copy)]
enum Side {
    Rx,
    Tx,
}

/// A channel for one value.
///
/// ```
/// use zokio::sync::oneshot;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// runtime.block_on(async {
///     let (sender, receiver) = oneshot::channel();
///     drop(zokio::spawn(async move { sender.send("done") }));
///     assert_eq!(receiver.await, Ok("done"));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let cell =
        Cell { state: AtomicUsize::new(0), value: UnsafeCell::new(None), rx_waker: UnsafeCell::new(None), tx_waker: UnsafeCell::new(None) };
    let cell = NonNull::from(Box::leak(Box::new(cell)));
    (Sender { cell: Some(Shared(cell)) }, Receiver { cell: Some(Shared(cell)), registered: WakerIdentity::nobody() })
}

/// Sends one value. Dropping it without tells the receiver.
pub struct Sender<T> {
    cell: Option<Shared<T>>,
}

/// Awaits the value. Dropping it tells the sender.
///
/// # Panics
/// When polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct Receiver<T> {
    cell: Option<Shared<T>>,
    /// Identity of the waker that was registered last: the same task need not register twice.
    registered: WakerIdentity,
}

// SAFETY: the value moves from one thread to another, wakers are `Send`, and O1 to O4 order every access.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: a shared sender only reads the state.
unsafe impl<T: Send> Sync for Sender<T> {}
// SAFETY: as for the sender.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: a shared receiver only reads the state.
unsafe impl<T: Send> Sync for Receiver<T> {}

/// The sender was dropped without a value, or the receiver was closed before one came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

/// Why there is no value yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing was sent so far.
    Empty,
    /// Nothing will be sent any more, or the value was taken.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("channel closed")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "channel empty",
            Self::Closed => "channel closed",
        })
    }
}

impl std::error::Error for RecvError {}
impl std::error::Error for TryRecvError {}

impl<T> Shared<T> {
    fn get(&self) -> &Cell<T> {
        // SAFETY: a side that holds this pointer has not ended yet, so the cell was not freed (O4).
        unsafe { self.0.as_ref() }
    }

    /// The state, when nobody is busy with it (Acquire: what the other side published can be read).
    fn settled(&self) -> usize {
        let pause = Pause::default();
        loop {
            let seen = self.get().state.load(Ordering::Acquire);
            if seen & BUSY == 0 {
                return seen;
            }
            pause.wait();
        }
    }

    /// One exchange (Release: what this side wrote goes with it; Acquire as in [`Self::settled`]).
    fn exchange(&self, seen: usize, next: usize) -> bool {
        self.get().state.compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn slot(&self, side: Side) -> (&UnsafeCell<Option<Waker>>, usize) {
        match side {
            Side::Rx => (&self.get().rx_waker, RX_WAKER),
            Side::Tx => (&self.get().tx_waker, TX_WAKER),
        }
    }

    /// Publishes `bits` and wakes `other` if it waits. `seen` is the settled state; false when it has changed meanwhile. If `bits` end this
    /// side, the cell must not be touched afterwards.
    fn publish(&self, seen: usize, bits: usize, other: Side) -> bool {
        let (slot, bit) = self.slot(other);
        if seen & bit == 0 {
            return self.exchange(seen, seen | bits);
        }
        if !self.exchange(seen, seen | BUSY) {
            return false;
        }
        // SAFETY: we saw the bit and set BUSY, so the slot is ours (O2).
        let waker = slot.with_mut(|slot| unsafe { (*slot).take() });
        // Release pairs with the Acquire of `settled`; a plain store, as nobody else changes a BUSY state (O3).
        self.get().state.store((seen & !bit) | bits, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Puts the waker of `own` in place; false when the state has changed and must be looked at again.
    fn register(&self, seen: usize, own: Side, waker: &Waker) -> bool {
        let (slot, bit) = self.slot(own);
        if seen & bit != 0 && !self.exchange(seen, seen & !bit) {
            return false;
        }
        let waker = waker.clone();
        // SAFETY: the bit is clear, and only this side sets it (O2).
        let old = slot.with_mut(|slot| unsafe { (*slot).replace(waker) });
        drop(old);
        let seen = seen & !bit;
        self.exchange(seen, seen | bit)
    }

    /// The value.
    ///
    /// # Safety
    /// The caller may touch it (O1).
    unsafe fn take_value(&self) -> Option<T> {
        // SAFETY: passed on.
        self.get().value.with_mut(|value| unsafe { (*value).take() })
    }

    /// Frees the cell.
    ///
    /// # Safety
    /// The other side has ended, and this one ends here (O4).
    unsafe fn free(self) {
        // SAFETY: made by `Box::leak` in `channel`; freed once, by the second side to end (O4).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<T> Sender<T> {
    /// Sends `value`; the receiver may still drop it unread.
    ///
    /// # Errors
    /// Gives the value back when the receiver is closed or gone.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let cell = self.cell.take().expect("a sender is used once");
        let seen = cell.settled();
        if seen & (CLOSED | RX_GONE) == 0 {
            // SAFETY: nothing is sent yet, so the value is the sender's (O1).
            cell.get().value.with_mut(|slot| unsafe { *slot = Some(value) });
            return Self::finish_sent(cell, seen);
        }
        self.cell = Some(cell);
        Err(value)
    }

    fn finish_sent(cell: Shared<T>, mut seen: usize) -> Result<(), T> {
        loop {
            if seen & (CLOSED | RX_GONE) == 0 {
                if cell.publish(seen, SENT, Side::Rx) {
                    return Ok(());
                }
            } else {
                // SAFETY: SENT was not published (O1).
                let value = unsafe { cell.take_value() }.expect("written by `send`");
                drop(Self { cell: Some(cell) });
                return Err(value);
            }
            seen = cell.settled();
        }
    }

    /// Whether the receiver is closed or gone: a value would come back.
    pub fn is_closed(&self) -> bool {
        let cell = self.cell.as_ref().expect("a sender is used once");
        cell.get().state.load(Ordering::Acquire) & (CLOSED | RX_GONE) != 0
    }

    /// Waits until the receiver is closed or gone. Nothing is lost when this future is dropped.
    pub async fn closed(&mut self) {
        poll_fn(|cx| self.poll_closed(cx)).await;
    }

    /// As [`Self::closed`], to be called inside another future.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let cell = self.cell.as_ref().expect("a sender is used once");
        loop {
            let seen = cell.settled();
            if seen & (CLOSED | RX_GONE) != 0 {
                return Poll::Ready(());
            }
            if cell.register(seen, Side::Tx, cx.waker()) {
                return Poll::Pending;
            }
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        loop {
            let seen = cell.settled();
            if seen & RX_GONE != 0 {
                // SAFETY: the receiver has ended (O4).
                return unsafe { cell.free() };
            }
            if cell.publish(seen, TX_GONE, Side::Rx) {
                return;
            }
        }
    }
}

impl<T> Receiver<T> {
    /// Refuses the value from now on; one that was sent before can still be received.
    pub fn close(&mut self) {
        let Some(cell) = &self.cell else { return };
        loop {
            let seen = cell.settled();
            if seen & (SENT | TX_GONE | CLOSED) != 0 || cell.publish(seen, CLOSED, Side::Tx) {
                return;
            }
        }
    }

    /// The value, if it is there.
    ///
    /// # Errors
    /// [`TryRecvError`] says why not.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let Some(cell) = &self.cell else { return Err(TryRecvError::Closed) };
        match self.end(cell.settled()) {
            Some(end) => end.map_err(|RecvError| TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// Waits on this thread, which must not be one that runs tasks.
    ///
    /// # Errors
    /// As awaiting.
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        park::block_on(self)
    }

    /// What the channel came to, once it is decided; the cell is given up unless the sender still has it.
    fn end(&mut self, seen: usize) -> Option<Result<T, RecvError>> {
        if seen & (SENT | TX_GONE) != 0 {
            let cell = self.cell.take().expect("looked at by the caller");
            // SAFETY: SENT or nothing was written; either way the value is the receiver's (O1).
            let value = unsafe { cell.take_value() };
            // SAFETY: the sender has ended (O4).
            unsafe { cell.free() };
            return Some(value.ok_or(RecvError));
        }
        (seen & CLOSED != 0).then_some(Err(RecvError))
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let cell = self.cell.as_ref().expect("a receiver is not polled after it gave its value");
            let seen = cell.get().state.load(Ordering::Acquire); // pairs with the Release of `publish`
            if seen & BUSY != 0 {
                cx.waker().wake_by_ref(); // the sender is about to say something
                return Poll::Pending;
            }
            if let Some(end) = self.end(seen) {
                return Poll::Ready(end);
            }
            let waker = cx.waker();
            // The waker that is known lives on in its slot, so its address was not given to another task.
            if seen & RX_WAKER != 0 && self.registered == WakerIdentity::of(waker) {
                return Poll::Pending;
            }
            if self.cell.as_ref().is_some_and(|cell| cell.register(seen, Side::Rx, waker)) {
                self.registered = WakerIdentity::of(cx.waker());
                return Poll::Pending;
            }
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let Some(cell) = self.cell.take() else { return };
        loop {
            let seen = cell.settled();
            if seen & (SENT | TX_GONE) != 0 {
                // SAFETY: the sender has ended (O4).
                return unsafe { cell.free() };
            }
            if cell.publish(seen, RX_GONE, Side::Tx) {
                return;
            }
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Receiver").finish_non_exhaustive()
    }
}
