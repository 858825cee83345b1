//! A set of tasks whose outputs are taken in the order in which they come.
//!
//! Each task's handle has a waker of its own, which puts the task's key on the list of the finished. So the cost of an output does not
//! depend on how many tasks are left.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::error::JoinError;
use super::join::{AbortHandle, JoinHandle};
use crate::primitives::executor::{Mutex, lock};
use crate::scheduler::context;

/// Tasks whose outputs are awaited together; dropping the set aborts them.
///
/// ```
/// use zokio::task::JoinSet;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// runtime.block_on(async {
///     let mut set = JoinSet::new();
///     for number in 0..10 {
///         set.spawn(async move { number * number });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.unwrap();
///     }
///     assert_eq!(sum, 285);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct JoinSet<T> {
    tasks: HashMap<u64, JoinHandle<T>>,
    next_key: u64,
    finished: Arc<Finished>,
}

/// Whose output is there, and who waits for one.
#[derive(Debug, Default)]
struct Finished {
    inner: Mutex<FinishedInner>,
}

#[derive(Debug, Default)]
struct FinishedInner {
    keys: VecDeque<u64>,
    waker: Option<Waker>,
}

/// The waker that a task's handle gets.
struct Entry {
    key: u64,
    finished: Arc<Finished>,
}

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut inner = lock(&self.finished.inner);
            inner.keys.push_back(self.key);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self { tasks: HashMap::new(), next_key: 0, finished: Arc::default() }
    }

    /// Tasks whose outputs were not taken yet.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether every output was taken.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Spawns a task on the current runtime into this set.
    ///
    /// # Panics
    /// Outside every runtime; there, [`Self::insert`] takes what `Runtime::spawn` returns.
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.insert(context::spawn(future))
    }

    /// Adds a task that was spawned elsewhere: on another runtime, on a certain worker, on a blocking thread.
    pub fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let key = self.next_key;
        self.next_key += 1;
        let abort = handle.abort_handle();
        let waker = Waker::from(Arc::new(Entry { key, finished: self.finished.clone() }));
        if handle.wake_when_finished(&waker) {
            waker.wake();
        }
        self.tasks.insert(key, handle);
        abort
    }

    /// The next output, in the order in which tasks finish; `None` when the set is empty. Nothing is lost when this future is dropped.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// An output that is there already.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let key = lock(&self.finished.inner).keys.pop_front()?;
        Some(self.output(key))
    }

    /// As [`Self::join_next`], to be called inside another future.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        let key = {
            let mut inner = lock(&self.finished.inner);
            let Some(key) = inner.keys.pop_front() else {
                let old = inner.waker.replace(cx.waker().clone());
                drop(inner);
                drop(old);
                return Poll::Pending;
            };
            key
        };
        Poll::Ready(Some(self.output(key)))
    }

    fn output(&mut self, key: u64) -> Result<T, JoinError> {
        let mut handle = self.tasks.remove(&key).expect("a task finishes once");
        let polled = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(output) = polled else { unreachable!("a handle wakes when its task is complete") };
        output
    }

    /// Every output, in the order in which the tasks finish.
    ///
    /// # Panics
    /// With the panic of the first task that panicked, and when a task was aborted; the others are aborted then.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(output) = self.join_next().await {
            match output.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => std::panic::resume_unwind(payload),
                Err(Err(error)) => panic!("{error}"),
            }
        }
        outputs
    }

    /// Asks every task to end; their outputs are still to be taken.
    pub fn abort_all(&self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }

    /// Lets the tasks go on without the set.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
        // Keys that come later belong to nobody.
        self.finished = Arc::default();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}
