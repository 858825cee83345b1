//! What all threads of one runtime share.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use crossbeam_deque::Injector;

use super::idle::Idle;
use super::ready::Stealers;
use crate::blocking::BlockingPool;
use crate::config::RuntimeConfig;
use crate::driver::{DriverReport, Remote};
use crate::mem::slab::Slab;
use crate::metrics::WorkerCounters;
use crate::primitives::Ordering;
use crate::primitives::executor::{AtomicBool, AtomicUsize, Mutex, lock, switch_point};
use crate::task::JoinHandle;
use crate::task::raw::{self, ANY_WORKER, TaskRef};
use crate::time::TimerShard;

/// Whose cells a slab holds; found from every task through its chunk.
#[derive(Debug)]
pub(crate) struct SlabOwner {
    pub(crate) shared: Arc<Shared>,
}

/// One runtime.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: RuntimeConfig,
    pub(crate) workers: Vec<WorkerShared>,
    /// Work that any worker may take, from threads that are not workers.
    pub(crate) injector: Injector<TaskRef>,
    pub(crate) idle: Idle,
    pub(crate) blocking: BlockingPool,
    /// Cells of tasks that were spawned by threads that are not workers; `None` once the runtime is closed.
    outside: Mutex<Option<Slab<SlabOwner>>>,
    /// Set once, when the runtime shuts down.
    closing: AtomicBool,
    next_home: AtomicUsize,
}

/// What other threads see of a worker.
#[derive(Debug)]
pub(crate) struct WorkerShared {
    pub(crate) stealers: Stealers<TaskRef>,
    /// Tasks that only this worker may run, from other threads.
    pub(crate) inbox: Inbox,
    pub(crate) timers: TimerShard,
    pub(crate) counters: WorkerCounters,
    /// Set by the worker's thread once its driver is there.
    pub(crate) remote: OnceLock<Arc<Remote>>,
    pub(crate) report: OnceLock<DriverReport>,
}

impl WorkerShared {
    pub(crate) fn new(stealers: Stealers<TaskRef>) -> Self {
        Self {
            stealers,
            inbox: Inbox::default(),
            timers: TimerShard::new(),
            counters: WorkerCounters::default(),
            remote: OnceLock::new(),
            report: OnceLock::new(),
        }
    }

    /// Wakes the worker if it sleeps in its driver.
    pub(crate) fn unpark(&self) {
        if let Some(remote) = self.remote.get() {
            remote.unpark();
        }
    }
}

/// A queue into one worker.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    tasks: Mutex<Vec<TaskRef>>,
    length: AtomicUsize,
}

impl Inbox {
    fn push(&self, task: TaskRef) {
        let mut tasks = lock(&self.tasks);
        tasks.push(task);
        self.length.store(tasks.len(), Ordering::SeqCst);
    }

    /// Whether there is anything, without the lock.
    pub(crate) fn is_empty(&self) -> bool {
        self.length.load(Ordering::SeqCst) == 0
    }

    /// Everything, oldest first.
    pub(crate) fn take(&self) -> Vec<TaskRef> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut tasks = lock(&self.tasks);
        self.length.store(0, Ordering::SeqCst);
        std::mem::take(&mut *tasks)
    }
}

impl Shared {
    pub(crate) fn new(config: RuntimeConfig, stealers: Vec<Stealers<TaskRef>>) -> Arc<Self> {
        let shared = Arc::new(Self {
            idle: Idle::new(stealers.len()),
            workers: stealers.into_iter().map(WorkerShared::new).collect(),
            config,
            injector: Injector::new(),
            blocking: BlockingPool::default(),
            outside: Mutex::new(None),
            closing: AtomicBool::new(false),
            next_home: AtomicUsize::new(0),
        });
        *lock(&shared.outside) = Some(Slab::new(SlabOwner { shared: shared.clone() }));
        shared
    }

    /// Whether the runtime shuts down: nothing new is run.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Begins the shutdown; true for the first caller.
    pub(crate) fn close(&self) -> bool {
        let first = !self.closing.swap(true, Ordering::SeqCst);
        for worker in &self.workers {
            worker.unpark();
        }
        self.blocking.close();
        first
    }

    /// The worker that serves the next thread from outside.
    pub(crate) fn assign_home(&self) -> usize {
        self.next_home.fetch_add(1, Ordering::Relaxed) % self.workers.len()
    }

    /// Spawns from a thread that is not a worker of this runtime. Once the runtime closes, the task is cancelled before its first poll.
    pub(crate) fn spawn<F>(self: &Arc<Self>, future: F, affinity: u32) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (entry, handle) = {
            let mut outside = lock(&self.outside);
            // Under the lock: the shutdown takes it after it closed, so it sees every task that is born here.
            match outside.as_mut().filter(|_| !self.is_closing()) {
                Some(slab) => raw::spawn_into(slab, future, affinity),
                None => {
                    drop(outside);
                    return self.spawn_cancelled(future);
                }
            }
        };
        self.schedule(entry);
        JoinHandle::new(handle)
    }

    /// Spawns many at once, with one wake-up; otherwise as [`Self::spawn`].
    pub(crate) fn spawn_batch<F>(self: &Arc<Self>, futures: Vec<F>) -> Vec<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut outside = lock(&self.outside);
        let Some(slab) = outside.as_mut().filter(|_| !self.is_closing()) else {
            drop(outside);
            return futures.into_iter().map(|future| self.spawn_cancelled(future)).collect();
        };
        let mut handles = Vec::with_capacity(futures.len());
        for future in futures {
            let (entry, handle) = raw::spawn_into(slab, future, ANY_WORKER);
            switch_point();
            self.injector.push(entry);
            handles.push(JoinHandle::new(handle));
        }
        drop(outside);
        if !handles.is_empty() {
            self.wake_somebody();
        }
        handles
    }

    /// A task that ends before its first poll, for a runtime that closes.
    pub(crate) fn spawn_cancelled<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut slab = Slab::new(SlabOwner { shared: self.clone() });
        let (entry, handle) = raw::spawn_into(&mut slab, future, ANY_WORKER);
        entry.abort();
        drop(entry.run());
        JoinHandle::new(handle)
    }

    /// Queues an entry from a thread that is not a worker of this runtime.
    pub(crate) fn schedule(&self, entry: TaskRef) {
        match entry.affinity() {
            ANY_WORKER => {
                switch_point();
                self.injector.push(entry);
                self.wake_somebody();
            }
            worker => self.send(worker as usize, entry),
        }
    }

    /// Queues an entry for the only worker that may run it.
    pub(crate) fn send(&self, worker: usize, entry: TaskRef) {
        self.workers[worker].inbox.push(entry);
        self.workers[worker].unpark();
    }

    /// Wakes a sleeper to search, unless somebody searches already.
    pub(crate) fn wake_somebody(&self) {
        if let Some(worker) = self.idle.worker_to_wake() {
            self.workers[worker].unpark();
        }
    }

    /// Cancels every task that was spawned from outside, and forgets their slab; false while a task is still on its way into a queue.
    /// Called when no worker polls any more.
    pub(crate) fn cancel_outside(&self) -> bool {
        // Not under the lock: a future's destructor may spawn.
        let tasks = lock(&self.outside).as_ref().map(raw::live_tasks).unwrap_or_default();
        let all_complete = cancel_all(tasks);
        if all_complete {
            let slab = lock(&self.outside).take();
            drop(slab);
        }
        all_complete
    }

    /// Runs the entries that still lie in queues: their tasks are cancelled, so nothing is polled.
    pub(crate) fn drain_queues(&self) {
        loop {
            match self.injector.steal() {
                crossbeam_deque::Steal::Success(entry) => drop(entry.run()),
                crossbeam_deque::Steal::Retry => {}
                crossbeam_deque::Steal::Empty => break,
            }
        }
        for worker in &self.workers {
            for entry in worker.inbox.take() {
                drop(entry.run());
            }
        }
    }
}

/// Cancels `tasks`; true when all of them are complete.
pub(crate) fn cancel_all(tasks: Vec<TaskRef>) -> bool {
    let mut all_complete = true;
    for task in tasks {
        let watched = task.duplicate();
        task.shut_down();
        all_complete &= watched.header().state.is_complete();
    }
    all_complete
}
