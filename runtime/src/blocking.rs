//! Work that blocks its thread, on threads of its own.
//!
//! A closure is a task whose future runs it in its only poll: handle, abort and panic are those of every task. It waits in one queue; a thread is
//! added when more wait than threads are idle, up to `max_blocking_threads`, and ends when it was idle for `thread_keep_alive_ms`.
//!
//! Rule: a thread leaves the count in the critical section in which it saw the queue empty, so nobody relies on a thread that is about to end.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::mem::slab::Slab;
use crate::primitives::executor::thread::{self, JoinHandle as ThreadHandle};
use crate::primitives::executor::{Condvar, Mutex, MutexGuard, lock, now, thread_local};
use crate::scheduler::{Shared, SlabOwner, context};
use crate::task::JoinHandle;
use crate::task::raw::{self, ANY_WORKER, TaskRef};

/// The threads of one runtime that may block.
#[derive(Debug, Default)]
pub(crate) struct BlockingPool {
    inner: Mutex<Inner>,
    work: Condvar,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<TaskRef>,
    /// Cells of the tasks: not a worker's, as workers wait at shutdown until all their tasks are complete.
    slab: Option<Slab<SlabOwner>>,
    /// Threads that wait for work. Each will look at the queue, whatever wakes it.
    idle: usize,
    threads: usize,
    started: usize,
    handles: BTreeMap<usize, ThreadHandle<()>>,
    is_closed: bool,
    /// Nobody waits for the threads any more.
    is_detached: bool,
}

thread_local! {
    /// The runtime whose blocking work this thread does; only compared.
    static WORKS_FOR: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

/// A future that is ready at its first poll, with what the closure returns.
struct RunOnce<F>(Option<F>);

impl<F> Unpin for RunOnce<F> {}

impl<F: FnOnce() -> R, R> Future for RunOnce<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        let closure = self.0.take().expect("a ready future is not polled again");
        Poll::Ready(closure())
    }
}

/// Runs `closure` on a blocking thread of `shared`.
pub(crate) fn spawn<F, R>(shared: &Arc<Shared>, closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let pool = &shared.blocking;
    let mut inner = lock(&pool.inner);
    if inner.is_closed {
        drop(inner);
        return shared.spawn_cancelled(RunOnce(Some(closure)));
    }
    let slab = inner.slab.get_or_insert_with(|| Slab::new(SlabOwner { shared: shared.clone() }));
    let (entry, handle) = raw::spawn_into(slab, RunOnce(Some(closure)), ANY_WORKER);
    inner.queue.push_back(entry);
    if inner.queue.len() <= inner.idle {
        pool.work.notify_one();
    } else if inner.threads < shared.config.max_blocking_threads {
        add_thread(shared, inner);
    }
    JoinHandle::new(handle)
}

/// Starts one more thread. When the system refuses and there is none at all, this is a panic, as it is for [`thread::spawn`].
fn add_thread(shared: &Arc<Shared>, mut inner: MutexGuard<'_, Inner>) {
    let index = inner.started;
    inner.started += 1;
    inner.threads += 1;
    drop(inner);
    let name = format!("{}-blocking-{index}", shared.config.thread_name);
    let spawned = thread::Builder::new().name(name).spawn({
        let shared = shared.clone();
        move || run(&shared, index)
    });
    let mut inner = lock(&shared.blocking.inner);
    match spawned {
        Ok(thread) => drop(inner.handles.insert(index, thread)),
        Err(error) => {
            inner.threads -= 1;
            if inner.threads == 0 {
                let queue = std::mem::take(&mut inner.queue);
                drop(inner);
                cancel(queue);
                panic!("cannot start a thread for blocking work: {error}");
            }
        }
    }
}

/// The life of a thread.
fn run(shared: &Arc<Shared>, index: usize) {
    WORKS_FOR.with(|runtime| runtime.set(Arc::as_ptr(shared)));
    context::enter_shared(shared, true, || {
        let pool = &shared.blocking;
        let keep_alive = Duration::from_millis(shared.config.thread_keep_alive_ms);
        let mut inner = lock(&pool.inner);
        loop {
            while let Some(entry) = inner.queue.pop_front() {
                drop(inner);
                drop(entry.run());
                inner = lock(&pool.inner);
            }
            if inner.is_closed {
                break;
            }
            inner.idle += 1;
            let (woken, timeout) = pool.work.wait_timeout(inner, keep_alive).unwrap_or_else(std::sync::PoisonError::into_inner);
            inner = woken;
            inner.idle -= 1;
            if timeout.timed_out() && inner.queue.is_empty() && !inner.is_closed {
                inner.handles.remove(&index); // nobody needs to join it
                break;
            }
        }
        inner.threads -= 1;
        pool.ended.notify_all();
    });
}

/// Completes tasks as cancelled: their closures are dropped.
fn cancel(queue: VecDeque<TaskRef>) {
    for entry in queue {
        entry.abort();
        drop(entry.run());
    }
}

impl BlockingPool {
    /// Threads that run, idle ones included.
    pub(crate) fn threads(&self) -> usize {
        lock(&self.inner).threads
    }

    /// Nothing new is taken; what waits is cancelled, what runs goes on.
    pub(crate) fn close(&self) {
        let (queue, slab) = {
            let mut inner = lock(&self.inner);
            inner.is_closed = true;
            (std::mem::take(&mut inner.queue), inner.slab.take())
        };
        self.work.notify_all();
        cancel(queue);
        drop(slab);
    }

    /// Waits until the threads have ended, at most until `deadline`; false when that came first, and from then on nobody waits any more.
    ///
    /// Called by one of these threads, it does not wait for that one.
    pub(crate) fn wait(&self, shared: &Arc<Shared>, deadline: Option<Instant>) -> bool {
        let own = usize::from(WORKS_FOR.with(Cell::get) == Arc::as_ptr(shared));
        let mut inner = lock(&self.inner);
        while inner.threads > own && !inner.is_detached {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now()));
            inner = match left {
                Some(Duration::ZERO) => {
                    inner.is_detached = true;
                    return false;
                }
                Some(left) => self.ended.wait_timeout(inner, left).unwrap_or_else(std::sync::PoisonError::into_inner).0,
                None => self.ended.wait(inner).unwrap_or_else(std::sync::PoisonError::into_inner),
            };
        }
        let handles = std::mem::take(&mut inner.handles);
        let may_join = !inner.is_detached;
        drop(inner);
        // They have left the count and end within a few instructions.
        for (_, thread) in handles.into_iter().filter(|_| may_join) {
            if thread.thread().id() != thread::current().id() {
                let _ = thread.join();
            }
        }
        true
    }
}
