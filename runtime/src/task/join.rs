//! Waiting for a task's output, and aborting it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::error::JoinError;
use super::raw::TaskRef;

/// Owns the right to a task's output. Dropping it detaches the task, which goes on.
///
/// Awaiting gives the output, or a [`JoinError`] when the task panicked, was aborted, or the runtime shut down first. The handle may
/// outlive the runtime.
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// let handle = runtime.spawn(async { 6 * 7 });
/// assert_eq!(runtime.block_on(handle).unwrap(), 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping a handle detaches its task; say so with `drop`, or await it"]
pub struct JoinHandle<T> {
    task: Option<TaskRef>,
    output: PhantomData<fn() -> T>,
}

impl<T> JoinHandle<T> {
    /// The handle of a task whose output is a `T`; `task` is the handle's own reference.
    pub(crate) fn new(task: TaskRef) -> Self {
        Self { task: Some(task), output: PhantomData }
    }

    /// Asks the task to end: it is not polled again, its future is dropped, and awaiting the handle says `cancelled`. A task that has
    /// completed already keeps its output.
    pub fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    /// Wakes `waker` when the task has ended; true when it has already, and nobody will be woken.
    pub(super) fn wake_when_finished(&self, waker: &Waker) -> bool {
        self.task.as_ref().is_none_or(|task| leave_waker(task, waker))
    }

    /// A handle that can abort the task and nothing else.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle { task: self.task.as_ref().map(TaskRef::duplicate) }
    }

    /// Whether the task has ended and its output is there.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.header().state.is_complete())
    }
}

/// Leaves a waker for the end of `task`, for its join handle; true when it is complete.
fn leave_waker(task: &TaskRef, waker: &Waker) -> bool {
    let state = &task.header().state;
    if state.is_complete() {
        return true;
    }
    // First, as a foreign waker may panic: once the slot is claimed, what lies in it is published or gone.
    let waker = waker.clone();
    if state.claim_join_waker() {
        task.set_join_waker(Some(waker));
        if state.publish_join_waker() {
            return false;
        }
        task.set_join_waker(None);
    }
    debug_assert!(state.is_complete());
    true
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task.as_ref().expect("a join handle is not polled after it gave its output");
        if !leave_waker(task, cx.waker()) {
            return Poll::Pending;
        }
        let task = self.task.take().expect("looked at above");
        Poll::Ready(task.into_output::<T>().expect("the output of a complete task is taken once"))
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.leave_join();
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinHandle").field("is_finished", &self.is_finished()).finish()
    }
}

/// Aborts a task; see [`JoinHandle::abort`].
#[derive(Debug)]
pub struct AbortHandle {
    task: Option<TaskRef>,
}

impl AbortHandle {
    /// Asks the task to end.
    pub fn abort(&self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(|task| task.header().state.is_complete())
    }
}
