//! The workers of zokio: one per CPU of the trial, pinned.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use zokio::{Runtime, RuntimeConfig};
use zokio_report::schema::journal::Failure;

use super::stack::ZokioStack;
use crate::measure::recorder;
use crate::measure::tally::Ledger;
use crate::subject::body::stack::{Fleet, FleetReport};
use crate::subject::body::tasks::{Outside, Place, Tasks};
use crate::subject::protocol::Trial;
use crate::subject::worker_cpus;

/// Workers end within this after the trial; a task that blocks longer is left behind.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// One runtime, a pinned worker per CPU.
#[derive(Debug)]
pub struct Workers {
    runtime: Runtime,
    count: usize,
}

impl Workers {
    /// Starts the runtime; every worker thread gets its recorder. `[scenario.runtime]` is the runtime's configuration; workers and
    /// pinning follow the trial's CPUs unless it says otherwise.
    ///
    /// # Errors
    /// Class `bad-request`: a key the runtime does not know, or a value it cannot use. Class `runtime`: it could not be built.
    pub fn start(trial: &Trial, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let cpus = worker_cpus(trial);
        let given = runtime_config(trial)?;
        let config = RuntimeConfig {
            worker_threads: given.worker_threads.or(Some(cpus.len())),
            pin_workers: given.pin_workers.clone().or((!trial.cpus.is_empty()).then_some(cpus)),
            ..given
        };
        config.check().map_err(|error| refused(&error.to_string()))?;
        let count = config.workers();
        let runtime = zokio::Builder::from_config(config).build().map_err(|error| not_built(&error))?;
        let workers = Self { runtime, count };
        let control = Arc::clone(control);
        workers.on_every_worker(move || recorder::install(&control));
        Ok(workers)
    }

    /// Runs `body` once on each worker's thread.
    fn on_every_worker(&self, body: impl Fn() + Clone + Send + 'static) {
        let handles: Vec<_> = (0..self.count)
            .map(|worker| {
                let body = body.clone();
                self.runtime.spawn_on(worker, async move { body() })
            })
            .collect();
        self.runtime.block_on(async {
            for handle in handles {
                handle.await.expect("a recorder neither panics nor is aborted");
            }
        });
    }
}

/// `[scenario.runtime]` as the runtime reads it.
///
/// # Errors
/// Class `bad-request`: a key the runtime does not know, or a value it cannot use.
pub fn runtime_config(trial: &Trial) -> Result<RuntimeConfig, Failure> {
    let config: RuntimeConfig =
        serde_json::from_value(Value::Object(trial.runtime.clone())).map_err(|error| refused(&error.to_string()))?;
    config.check().map_err(|error| refused(&error.to_string()))?;
    Ok(config)
}

impl Fleet for Workers {
    fn workers(&self) -> usize {
        self.count
    }

    fn spawn_on(&self, worker: usize, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn_on(worker, future));
    }

    fn shut_down(self) -> FleetReport {
        self.on_every_worker(recorder::finish_thread);
        let driver = self.runtime.driver_report();
        let metrics = self.runtime.metrics();
        let Ok(Value::Object(mut config)) = serde_json::to_value(self.runtime.config()) else { unreachable!("a configuration is a table") };
        config.insert("driver_flags".into(), driver.flags.into());
        self.runtime.shutdown_timeout(SHUTDOWN_LIMIT);
        let polls = metrics.workers.iter().map(|worker| (worker.thread_id as u32, worker.polls)).collect();
        FleetReport { driver: driver.kind.to_string(), driver_reason: driver.reason, config, polls, counters: counters(&metrics) }
    }
}

impl Outside<ZokioStack> for Workers {
    fn spawn<O: Send + 'static>(&self, _place: Place, future: impl Future<Output = O> + Send + 'static) -> <ZokioStack as Tasks>::Join<O> {
        self.runtime.spawn(future)
    }
}

fn counters(metrics: &zokio::metrics::RuntimeMetrics) -> BTreeMap<String, u64> {
    let sum = |read: fn(&zokio::metrics::WorkerMetrics) -> u64| metrics.workers.iter().map(read).sum();
    [
        ("driver_enters", sum(|worker| worker.driver_enters)),
        ("driver_operations", sum(|worker| worker.operations_submitted)),
        ("parks", sum(|worker| worker.parks)),
        ("stolen", sum(|worker| worker.stolen)),
    ]
    .map(|(name, value): (&str, u64)| (name.to_owned(), value))
    .into()
}

fn refused(problem: &str) -> Failure {
    Failure { class: "bad-request".into(), message: format!("`[scenario.runtime]` for zokio: {problem}") }
}

fn not_built(error: &std::io::Error) -> Failure {
    Failure { class: "runtime".into(), message: format!("cannot start zokio: {error}") }
}
