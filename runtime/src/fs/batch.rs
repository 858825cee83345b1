//! Many operations in one future: begun together, so that a ring takes them in one call, and awaited with one wake-up.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use super::operation::FileFuture;
use crate::driver::is_ring;
use crate::op::file::FileOperation;
use crate::primitives::lock_std;

/// Operations that a poll begins where each may be done at once, and keep its thread: as many as between two turns of a driver.
const STARTS_PER_POLL: usize = 128;

/// See the module page.
pub(crate) struct Batch<O: FileOperation> {
    operations: Vec<Slot<O>>,
    /// Those before were begun.
    begun: usize,
    countdown: Arc<Countdown>,
    waker: Waker,
}

enum Slot<O: FileOperation> {
    InFlight(FileFuture<O>),
    Done(O::Output),
}

/// Wakes the task when nothing is left.
#[derive(Debug)]
struct Countdown {
    /// Operations not done, and one for the batch until all are begun.
    left: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Countdown {
    fn less_one(&self) -> bool {
        // AcqRel: the last one sees, and shows to the task, what all others did.
        self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Wake for Countdown {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.less_one() {
            let waker = lock_std(&self.waker).take(); // its lock is free when it wakes: a waker may poll at once
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<O: FileOperation> Unpin for Batch<O> {}

impl<O: FileOperation> fmt::Debug for Batch<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("operations", &self.operations.len()).field("countdown", &self.countdown).finish_non_exhaustive()
    }
}

impl<O: FileOperation> Batch<O>
where
    O::Output: Send,
{
    /// Nothing is begun before the first poll.
    pub(crate) fn new(operations: impl Iterator<Item = FileFuture<O>>) -> Self {
        let operations: Vec<_> = operations.map(Slot::InFlight).collect();
        let countdown = Arc::new(Countdown { left: AtomicUsize::new(operations.len() + 1), waker: Mutex::new(None) });
        Self { operations, begun: 0, waker: Waker::from(countdown.clone()), countdown }
    }

    /// Begins what was not begun; false if there is more.
    fn begin(&mut self) -> bool {
        let limit = if is_ring() == Some(false) { self.begun + STARTS_PER_POLL } else { usize::MAX };
        let mut context = Context::from_waker(&self.waker);
        for slot in self.operations.iter_mut().take(limit).skip(self.begun) {
            self.begun += 1;
            let Slot::InFlight(operation) = slot else { unreachable!("begun once") };
            if let Poll::Ready(output) = operation.start(false, &mut context) {
                *slot = Slot::Done(output);
                self.countdown.less_one();
            }
        }
        self.begun == self.operations.len()
    }
}

impl<O: FileOperation> Future for Batch<O>
where
    O::Output: Send,
{
    type Output = Vec<O::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.countdown.left.load(Ordering::Acquire) > 0 {
            // Stored before the count is looked at again: whoever brings it to zero either finds this waker or was seen here.
            *lock_std(&self.countdown.waker) = Some(context.waker().clone());
            if self.begun < self.operations.len() || self.operations.is_empty() {
                if !self.begin() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.countdown.less_one();
            }
            // Acquire pairs with the countdown: every result is visible.
            if self.countdown.left.load(Ordering::Acquire) > 0 {
                return Poll::Pending;
            }
        }
        let slots = std::mem::take(&mut self.operations);
        let outputs = slots.into_iter().map(|slot| match slot {
            Slot::Done(output) => output,
            Slot::InFlight(mut operation) => operation.take_if_done().expect("counted as done"),
        });
        Poll::Ready(outputs.collect())
    }
}
