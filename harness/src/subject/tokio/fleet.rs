//! The two layouts of tokio: one runtime of many workers, or one runtime per CPU.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
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
        let (for_threads, started) = (Arc::clone(control), Arc::new(AtomicUsize::new(0)));
        // The workers are started first; later threads are those of blocking work, which come and go and are no workers.
        // Relaxed: a count alone.
        let counted = Arc::clone(&started);
        let on_start = move || {
            if counted.fetch_add(1, Ordering::Relaxed) < workers {
                recorder::install(&for_threads);
            }
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .on_thread_start(on_start)
            .on_thread_stop(recorder::finish_thread)
            .build()
            .map_err(|error| not_built(&error))?;
        // Before there is work, so that no thread for blocking work starts earlier than the last worker.
        let deadline = Instant::now() + SHUTDOWN_LIMIT;
        while started.load(Ordering::Relaxed) < workers {
            if Instant::now() > deadline {
                return Err(not_built(&std::io::ErrorKind::TimedOut.into()));
            }
            thread::sleep(Duration::from_micros(50));
        }
        Ok(Self { runtime, workers })
    }
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
    let handle = receiver.recv().map_err(|_| not_built(&std::io::Error::other("the worker thread ended")))??;
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

fn not_built(error: &std::io::Error) -> Failure {
    Failure { class: "runtime".into(), message: format!("cannot start tokio: {error}") }
}
