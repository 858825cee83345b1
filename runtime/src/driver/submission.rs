//! The future of one operation: started by its first poll, on the driver of the thread that polls it.
#![expect(unsafe_code, reason = "holds a raw cell; its state says who may touch it")]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::cell::{CellRef, OpCell};
use super::context::{self, Current};
use super::erased::attempt;
use super::local::{LocalDriver, Started};
use super::remote::{Letter, Remote};
use super::state::Abandoned;
use crate::op::{self, Operation};

/// See the module page. It may be polled and dropped on any thread, also while in flight.
#[derive(Debug)]
pub(crate) struct Submission<O: Operation>(Phase<O>);

#[derive(Debug)]
enum Phase<O> {
    /// Not polled yet.
    Created(O),
    /// The cell holds the operation.
    InFlight(CellRef),
    /// The result was returned.
    Finished,
}

// SAFETY: the cell is only touched as its state allows, from whichever thread; operations are Send.
unsafe impl<O: Operation> Send for Submission<O> {}
// SAFETY: nothing can be done with a shared reference.
unsafe impl<O: Operation> Sync for Submission<O> {}

impl<O: Operation> Submission<O> {
    /// Nothing happens before the first poll.
    pub(crate) fn new(operation: O) -> Self {
        Self(Phase::Created(operation))
    }

    /// The output, if the operation in flight has completed; leaves the waker as it is.
    #[cfg(target_os = "linux")]
    pub(crate) fn take_if_done(&mut self) -> Option<O::Output> {
        let Phase::InFlight(cell) = self.0 else { return None };
        if !cell.state.is_done() {
            return None;
        }
        self.0 = Phase::Finished;
        Some(finish::<O>(cell))
    }

    #[inline]
    fn start(&mut self, operation: O, waker: &Waker) -> Poll<O::Output> {
        let started = context::with(|current| match current {
            Current::Local(driver) => start_local(driver, operation, waker),
            Current::Remote(remote) => start_foreign(remote, operation, waker),
            Current::None => Started::Refused(operation),
        });
        match started {
            Started::Pending(cell) => {
                self.0 = Phase::InFlight(cell);
                Poll::Pending
            }
            Started::Ready(operation, result) => Poll::Ready(operation.complete(op::from_raw(result))),
            Started::Refused(operation) => Poll::Ready(operation.complete(Err(refusal()))),
        }
    }
}

/// Starts an operation on this thread's driver, or sends it to the home of its socket.
#[inline]
fn start_local<O: Operation>(driver: &LocalDriver, operation: O, waker: &Waker) -> Started<O> {
    if driver.is_ring()
        && let Some(home) = operation.socket().and_then(|socket| socket.home_elsewhere(driver.remote()))
    {
        return start_at_home(driver, &home, operation, waker);
    }
    driver.start(operation, waker)
}

#[cold]
fn start_at_home<O: Operation>(driver: &LocalDriver, home: &Arc<Remote>, operation: O, waker: &Waker) -> Started<O> {
    match start_foreign(home, operation, waker) {
        // The home is gone, with the runtime it belonged to: the socket lives here from now on.
        Started::Refused(operation) => {
            if let Some(socket) = operation.socket() {
                socket.move_home(driver.remote());
            }
            driver.start(operation, waker)
        }
        started => started,
    }
}

/// Why no driver takes an operation.
#[cold]
fn refusal() -> io::Error {
    context::with(|current| match current {
        Current::None => io::Error::other("I/O outside a zokio runtime: start it in a task, or within Runtime::block_on"),
        Current::Local(_) | Current::Remote(_) => io::Error::other("the zokio runtime of this I/O was shut down"),
    })
}

/// Starts an operation from a thread without a driver: in a cell of its own, by mail.
fn start_foreign<O: Operation>(remote: &Arc<Remote>, mut operation: O, waker: &Waker) -> Started<O> {
    // What a ring would try at once is tried here: the ring itself only waits for it.
    if O::ATTEMPT_ON_RING
        && let Some(result) = attempt(&mut operation)
    {
        return Started::Ready(operation, result);
    }
    let cell = Box::new(OpCell::vacant(Arc::into_raw(remote.clone()), true));
    // SAFETY: vacant, and ours.
    unsafe { cell.occupy(operation, waker.clone()) };
    // SAFETY: leaked, until `release` makes a box of it again.
    let cell = unsafe { CellRef::new(NonNull::from(Box::leak(cell))) };
    match remote.post(Letter::Submit(cell)) {
        Ok(()) => Started::Pending(cell),
        Err(_) => {
            // SAFETY: the letter came back, so the cell is still ours.
            let waker = unsafe { cell.take_waker() };
            // SAFETY: as above; it holds an `O`.
            let (operation, _) = unsafe { cell.take::<O>() };
            // SAFETY: vacant now.
            unsafe { release(cell) };
            drop(waker);
            Started::Refused(operation)
        }
    }
}

/// Gives a vacant cell back to where it came from.
///
/// # Safety
/// The cell is vacant, belongs to the caller, and is not used afterwards.
#[inline]
unsafe fn release(cell: CellRef) {
    if context::with(|current| matches!(current, Current::Local(driver) if driver.release(cell))) {
        return;
    }
    let (home, foreign) = (cell.home(), cell.is_foreign());
    if foreign {
        // SAFETY: made from a box in `start_foreign`.
        drop(unsafe { Box::from_raw(cell.as_ptr()) });
        // SAFETY: `start_foreign` made it from an Arc for this cell.
        drop(unsafe { Arc::from_raw(home) });
    } else {
        // SAFETY: a vacant cell of that driver's slab.
        unsafe { Remote::push_freed(home, cell) };
    }
}

/// Drops what an occupied cell holds, as if its output had been returned and dropped, and releases it. Runs foreign code.
///
/// # Safety
/// The cell is occupied, belongs to the caller (completed or never submitted), and is not used afterwards.
pub(super) unsafe fn discard(cell: CellRef) {
    // SAFETY: the caller's promise.
    let waker = unsafe { cell.take_waker() };
    // SAFETY: the caller's promise.
    unsafe { cell.discard() };
    // SAFETY: vacant now.
    unsafe { release(cell) };
    drop(waker);
}

impl<O: Operation> Future for Submission<O> {
    type Output = O::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O::Output> {
        let cell = match std::mem::replace(&mut self.0, Phase::Finished) {
            Phase::Created(operation) => return self.start(operation, context.waker()),
            Phase::InFlight(cell) => cell,
            Phase::Finished => panic!("an operation was polled after it had completed"),
        };
        if !cell.state.is_done() && cell.state.begin_waker() {
            // SAFETY: SUBMITTED: the waker is the future's.
            unsafe { cell.update_waker(context.waker()) };
            if cell.state.end_waker() {
                self.0 = Phase::InFlight(cell);
                return Poll::Pending;
            }
            // SAFETY: DONE, seen by the failed exchange; the driver did not find a waker to take.
            drop(unsafe { cell.take_waker() });
        }
        Poll::Ready(finish::<O>(cell))
    }
}

/// The output of a future whose cell is DONE and without a waker.
#[inline]
fn finish<O: Operation>(cell: CellRef) -> O::Output {
    // SAFETY: DONE: payload and result are the future's; `O` is what it put in.
    let (operation, result) = unsafe { cell.take::<O>() };
    // SAFETY: vacant now.
    unsafe { release(cell) };
    operation.complete(op::from_raw(result))
}

impl<O: Operation> Drop for Submission<O> {
    fn drop(&mut self) {
        if let Phase::InFlight(cell) = self.0 {
            abandon(cell);
        }
    }
}

/// The future of an operation in flight was dropped: the operation goes on without it, and is asked to end.
#[cold]
fn abandon(cell: CellRef) {
    if cell.state.begin_waker() {
        // The task must not be kept until the kernel is done.
        // SAFETY: SUBMITTED: the waker is the future's.
        drop(unsafe { cell.take_waker() });
    }
    let outcome = context::with(|current| match current {
        Current::Local(driver) => driver.abandon(cell),
        Current::Remote(_) | Current::None => None,
    });
    match outcome {
        Some(Abandoned::InFlight) => {}
        // SAFETY: DONE: the cell was the future's.
        Some(Abandoned::Free) => unsafe { discard(cell) },
        None => abandon_elsewhere(cell),
    }
}

/// As [`abandon`], on a thread that does not own the driver.
fn abandon_elsewhere(cell: CellRef) {
    let home = cell.home();
    // The letter may be read, and the home dropped, before `post` returns: hold a reference of our own.
    // SAFETY: an occupied cell keeps its home alive, and `home` came from an Arc.
    unsafe { Arc::increment_strong_count(home) };
    // SAFETY: the reference just counted.
    let home = unsafe { Arc::from_raw(home) };
    let finished = match cell.state.abandon_by_mail() {
        Abandoned::Free => true,
        // A letter that comes back: the driver is closed, and has finished the operation unless the kernel never gave it back.
        Abandoned::InFlight => home.post(Letter::Cancel(cell)).is_err() && cell.state.is_finished(),
    };
    if finished {
        // SAFETY: DONE, or FINISHED with the letter in our hands: the cell is ours.
        unsafe { discard(cell) };
    }
}
