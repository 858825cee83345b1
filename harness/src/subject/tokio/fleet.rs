//! The two layouts of tokio: one runtime of many workers, or one runtime per CPU.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;
use zokio_report::schema::journal::Failure;

use super::stack::TokioStack;
use crate::measure::tally::Ledger;
use crate::measure::{cpu, recorder};
use crate::subject::body::stack::{Fleet, FleetReport};
use crate::subject::body::tasks::{Outside, Place, Tasks};
use crate::subject::protocol::Trial;
use crate::subject::worker_cpus;

/// Workers end within this after the trial; a task that blocks longer is left behind.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// All workers have run a task within this.
const FIND_LIMIT: Duration = Duration::from_secs(10);
/// A worker's first task lasts so long.
const VISIT: Duration = Duration::from_micros(100);

/// One multi-thread runtime.
#[derive(Debug)]
pub struct MultiThread {
    runtime: Runtime,
    workers: usize,
}

impl MultiThread {
    /// Starts the runtime; every worker thread gets its recorder.
    ///
    /// # Errors
    /// Class `runtime`: it could not be built.
    pub fn start(trial: &Trial, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let workers = worker_cpus(trial).len();
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .on_thread_stop(recorder::finish_thread)
            .build()
            .map_err(|error| not_built(&error))?;
        find_workers(&runtime, workers, control)?;
        Ok(Self { runtime, workers })
    }
}

/// Installs a recorder on every worker.
///
/// Not when a thread starts: workers and threads for blocking work come from one pool, in no fixed order. A thread that runs a task is a
/// worker, for as long as the runtime lives. So tasks are started, as many as there are workers, until every worker has run one; each keeps
/// its worker for a moment, so that the others do not all come to the same. Not at a barrier: two of them may have come to one worker's queue.
fn find_workers(runtime: &Runtime, workers: usize, control: &Arc<Ledger>) -> Result<(), Failure> {
    let found = Arc::new(Mutex::new(HashSet::new()));
    let deadline = Instant::now() + FIND_LIMIT;
    let count = |found: &Mutex<HashSet<ThreadId>>| found.lock().unwrap_or_else(PoisonError::into_inner).len();
    while count(&found) < workers {
        if Instant::now() > deadline {
            let message = format!("{} of {workers} workers have run a task", count(&found));
            return Err(not_built(&io::Error::new(io::ErrorKind::TimedOut, message)));
        }
        let visit = |_| {
            let (control, found) = (Arc::clone(control), Arc::clone(&found));
            runtime.spawn(async move {
                recorder::install(&control);
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id());
                thread::sleep(VISIT);
            })
        };
        let visits: Vec<_> = (0..workers).map(visit).collect();
        for visit in visits {
            runtime.block_on(visit).map_err(|error| not_built(&io::Error::other(error)))?;
        }
    }
    Ok(())
}

impl Fleet for MultiThread {
    fn workers(&self) -> usize {
        self.workers
    }

    fn spawn_on(&self, _worker: usize, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    fn shut_down(self) -> FleetReport {
        self.runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        report("multi_thread", self.workers, false)
    }
}

/// One current-thread runtime per CPU, each on a pinned thread.
#[derive(Debug)]
pub struct CurrentThreads {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl CurrentThreads {
    /// Starts a thread and its runtime per CPU of the trial.
    ///
    /// # Errors
    /// Class `runtime` or `affinity`.
    pub fn start(trial: &Trial, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let workers = worker_cpus(trial).into_iter().map(|cpu| start_worker(cpu, control)).collect::<Result<_, _>>()?;
        Ok(Self { workers })
    }
}

fn start_worker(cpu: u32, control: &Arc<Ledger>) -> Result<Worker, Failure> {
    let (sender, receiver) = mpsc::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let control = Arc::clone(control);
    let body = move || {
        let runtime = cpu::pin_thread(cpu).map_err(|error| crate::subject::not_pinned(cpu, &error)).and_then(|()| {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| not_built(&error))
        });
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(failure) => return drop(sender.send(Err(failure))),
        };
        recorder::install(&control);
        let _ = sender.send(Ok(runtime.handle().clone()));
        // Ends when the fleet says so or is gone.
        let _ = runtime.block_on(stopped);
        drop(runtime);
        recorder::finish_thread();
    };
    let thread = thread::Builder::new().name(format!("tokio-ct-{cpu}")).spawn(body).map_err(|error| not_built(&error))?;
    let handle = receiver.recv().map_err(|_| not_built(&io::Error::other("the worker thread ended")))??;
    Ok(Worker { handle, stop, thread })
}

impl Fleet for CurrentThreads {
    fn workers(&self) -> usize {
        self.workers.len()
    }

    fn spawn_on(&self, worker: usize, future: impl Future<Output = ()> + Send + 'static) {
        self.workers[worker].handle.spawn(future);
    }

    fn shut_down(self) -> FleetReport {
        let count = self.workers.len();
        let threads: Vec<_> = self
            .workers
            .into_iter()
            .map(|worker| {
                let _ = worker.stop.send(());
                worker.thread
            })
            .collect();
        for thread in threads {
            // A panic of a worker is ours; it has already printed itself.
            let _ = thread.join();
        }
        report("current_thread", count, true)
    }
}

impl Outside<TokioStack> for MultiThread {
    fn spawn<O: Send + 'static>(&self, _place: Place, future: impl Future<Output = O> + Send + 'static) -> <TokioStack as Tasks>::Join<O> {
        self.runtime.spawn(future)
    }
}

impl Outside<TokioStack> for CurrentThreads {
    fn spawn<O: Send + 'static>(&self, place: Place, future: impl Future<Output = O> + Send + 'static) -> <TokioStack as Tasks>::Join<O> {
        self.workers[place.worker(self.workers.len())].handle.spawn(future)
    }
}

fn report(flavor: &str, workers: usize, is_pinned: bool) -> FleetReport {
    let config: Map<String, Value> = [
        ("flavor".to_owned(), json!(flavor)),
        ("worker_threads".to_owned(), json!(workers)),
        ("pinned".to_owned(), json!(is_pinned)),
        ("event_interval".to_owned(), json!("default")),
    ]
    .into_iter()
    .collect();
    let driver = if cfg!(target_os = "linux") {
        "epoll"
    } else if cfg!(windows) {
        "iocp"
    } else {
        "kqueue"
    };
    FleetReport { driver: driver.into(), config, ..FleetReport::default() }
}

fn not_built(error: &io::Error) -> Failure {
    Failure { class: "runtime".into(), message: format!("cannot start tokio: {error}") }
}
