//! A running runtime: starting it, entering it, and the numbered steps of its end.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::blocking;
use crate::config::RuntimeConfig;
use crate::driver::{DriverConfig, DriverReport};
use crate::metrics::{RuntimeMetrics, WorkerMetrics};
use crate::primitives::executor::thread::{self, JoinHandle as ThreadHandle};
use crate::primitives::executor::{Condvar, Mutex, lock, mpsc, now};
use crate::scheduler::context;
use crate::scheduler::worker::{self, WorkerSetup};
use crate::scheduler::{Ready, Rendezvous, Shared};
use crate::sync::park;
use crate::task::JoinHandle;
use crate::task::raw::ANY_WORKER;

/// A multi-threaded runtime. Dropping it shuts it down and waits for the workers.
///
/// Dropped inside a task, of this runtime or of another, it does not wait, as a worker that waits for workers may wait for itself: the steps below
/// are taken all the same, by the workers alone, and end some time after the task's poll. The same holds for blocking closures.
///
/// The end of a runtime, in order:
/// 1. Nothing new is run; a task spawned from now on is cancelled before its first poll.
/// 2. Each worker ends the poll it is in, and waits for the others.
/// 3. Every task is cancelled: its future is dropped, its handle says `cancelled`.
/// 4. Each worker cancels its operations in flight and waits until the kernel has given every buffer back.
/// 5. Drivers, file descriptors and memory go; the threads end and are joined.
///
/// Blocking closures that wait are dropped at step 1 and their handles say `cancelled`; those that run are waited for after step 5.
pub struct Runtime {
    shared: Arc<Shared>,
    threads: Mutex<Vec<ThreadHandle<()>>>,
    alive: Arc<Alive>,
}

/// How many worker threads still run, for a shutdown with a limit.
#[derive(Debug, Default)]
struct Alive {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Runtime {
    /// A runtime with every key at its default.
    ///
    /// # Errors
    /// As [`Builder::build`](crate::Builder::build).
    pub fn new() -> io::Result<Self> {
        crate::Builder::new().build()
    }

    pub(crate) fn start(config: RuntimeConfig) -> io::Result<Self> {
        let count = config.workers();
        let ready: Vec<_> = (0..count).map(|_| Ready::new(config.event_interval)).collect();
        let shared = Shared::new(config, ready.iter().map(Ready::stealers).collect());
        let runtime = Self { shared: shared.clone(), threads: Mutex::new(Vec::new()), alive: Arc::default() };
        let barrier = Arc::new(Rendezvous::new(count));
        let (started, outcomes) = mpsc::channel();
        let mut first_error = None;
        // One worker after the other: when the first finds that io_uring is refused, the others are told to poll as well.
        let mut driver_config =
            DriverConfig { choice: shared.config.io_driver, queue_depth: shared.config.io_queue_depth, ..DriverConfig::default() };
        for (index, ready) in ready.into_iter().enumerate() {
            let setup =
                WorkerSetup { shared: shared.clone(), index, ready, driver_config: driver_config.clone(), barrier: barrier.clone() };
            let outcome = runtime
                .start_worker(setup, started.clone())
                .and_then(|()| outcomes.recv().unwrap_or_else(|_| Err(io::Error::other("a worker died"))));
            match outcome {
                Ok(()) if index == 0 => driver_config.follow(shared.workers[0].report.get().expect("the worker started")),
                Ok(()) => {}
                Err(error) => {
                    first_error = Some(error);
                    break;
                }
            }
        }
        match first_error {
            None => Ok(runtime),
            Some(error) => {
                runtime.abandon(&barrier);
                Err(error)
            }
        }
    }

    fn start_worker(&self, setup: WorkerSetup, started: mpsc::Sender<io::Result<()>>) -> io::Result<()> {
        let (alive, cpu) = (self.alive.clone(), self.shared.config.pin_workers.as_ref().map(|cpus| cpus[setup.index % cpus.len()]));
        let name = format!("{}-{}", self.shared.config.thread_name, setup.index);
        *lock(&alive.count) += 1;
        let spawned = thread::Builder::new().name(name).spawn({
            let alive = alive.clone();
            move || {
                let _leaves = Leaves(alive);
                if let Some(Err(error)) = cpu.map(|cpu| crate::topology::pin_current_thread(&[cpu])) {
                    let message = format!("cannot pin worker {} to CPU {}: {error}", setup.index, cpu.unwrap_or_default());
                    let _ = started.send(Err(io::Error::new(error.kind(), message)));
                    return;
                }
                worker::run(setup, |outcome| drop(started.send(outcome)));
            }
        });
        match spawned {
            Ok(thread) => lock(&self.threads).push(thread),
            Err(error) => {
                *lock(&alive.count) -= 1;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Ends the workers of a runtime that did not come up whole: those missing are not waited for at the shutdown's meetings.
    fn abandon(self, barrier: &Rendezvous) {
        let running = self.shared.workers.iter().filter(|worker| worker.remote.get().is_some()).count();
        barrier.excuse(self.shared.workers.len() - running);
        self.shared.close();
        if running == 0 {
            while !self.shared.cancel_outside() {}
        }
    }

    /// Runs `future` on this thread to its end; tasks it spawns run on the workers.
    ///
    /// # Panics
    /// Inside a task, or another `block_on` or `enter`, of this runtime or another: a thread that runs tasks must not block. A blocking closure may
    /// call it.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(context::may_block(), "`block_on` inside a runtime: a thread that runs tasks must not block");
        self.enter(|| park::block_on(future))
    }

    /// Runs `body` with this runtime as the thread's own, so that `zokio::spawn` and I/O work inside; nothing is polled.
    pub fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        context::enter_shared(&self.shared, false, body)
    }

    /// Spawns a task that any worker may run.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared.spawn(future, ANY_WORKER)
    }

    /// Spawns a task that only worker `worker` runs, in turn with the others: `worker` may exceed the number of workers.
    pub fn spawn_on<F>(&self, worker: usize, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.shared.spawn(future, (worker % self.shared.workers.len()) as u32)
    }

    /// Spawns tasks that any worker may run, all of them before the first wake-up; the handles come in the order of the futures.
    pub fn spawn_batch<F>(&self, futures: impl IntoIterator<Item = F>) -> Vec<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // Collected first: the iterator may spawn as well.
        self.shared.spawn_batch(futures.into_iter().collect())
    }

    /// Runs `closure` on a thread that may block; see [`spawn_blocking`](crate::spawn_blocking).
    pub fn spawn_blocking<F, R>(&self, closure: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        blocking::spawn(&self.shared, closure)
    }

    /// What the runtime counted since it started.
    pub fn metrics(&self) -> RuntimeMetrics {
        let one = |worker: &crate::scheduler::WorkerShared| {
            let driver = worker.remote.get().map(|remote| remote.counters()).unwrap_or_default();
            WorkerMetrics {
                thread_id: worker.counters.thread_id.get(),
                polls: worker.counters.polls.get(),
                stolen: worker.counters.stolen.get(),
                parks: worker.counters.parks.get(),
                driver_enters: driver.enters,
                operations_submitted: driver.submitted,
                operations_completed: driver.completed,
            }
        };
        RuntimeMetrics { workers: self.shared.workers.iter().map(one).collect(), blocking_threads: self.shared.blocking.threads() }
    }

    /// Which driver runs, and why.
    pub fn driver_report(&self) -> DriverReport {
        self.shared.workers[0].report.get().expect("a started runtime has its drivers").clone()
    }

    /// The effective configuration.
    pub fn config(&self) -> &RuntimeConfig {
        &self.shared.config
    }

    /// Shuts down, and waits at most `limit` for the workers and the blocking threads. True when they have ended; otherwise a task still
    /// blocks its worker or a closure still runs, and the threads end by themselves when it lets go. Inside a task there is no waiting, whatever
    /// the limit.
    pub fn shutdown_timeout(self, limit: Duration) -> bool {
        self.shared.close();
        let deadline = now() + if is_worker() { Duration::ZERO } else { limit };
        let mut count = lock(&self.alive.count);
        while *count != 0 {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                drop(count);
                lock(&self.threads).clear();
                self.shared.blocking.wait(&self.shared, Some(deadline));
                return false;
            }
            count = self.alive.changed.wait_timeout(count, left).map_or_else(|poisoned| poisoned.into_inner().0, |(count, _)| count);
        }
        drop(count);
        self.shared.blocking.wait(&self.shared, Some(deadline))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shared.close();
        if is_worker() {
            // The thread of this task has to meet the others before any of them ends; and two runtimes may drop each other.
            lock(&self.threads).clear();
            self.shared.blocking.wait(&self.shared, Some(now()));
            return;
        }
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join();
        }
        self.shared.blocking.wait(&self.shared, None);
    }
}

/// Whether this thread is a worker, of whichever runtime: it must not wait for workers.
fn is_worker() -> bool {
    context::with_worker(|worker| worker.is_some())
}

impl fmt::Debug for Runtime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runtime").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// Counts a worker out when its thread ends. A worker that panics takes the process with it: its tasks would be lost in silence, and the
/// others would wait for it for ever.
struct Leaves(Arc<Alive>);

impl Drop for Leaves {
    fn drop(&mut self) {
        // In a model, shuttle reports the panic and the schedule that led to it.
        if cfg!(not(zokio_shuttle)) && thread::panicking() {
            eprintln!("zokio: a worker thread panicked outside of a task; the process cannot go on");
            std::process::abort();
        }
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_all();
    }
}
