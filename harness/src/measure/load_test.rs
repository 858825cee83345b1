//! Load on a closure for a while, on `zokio`: how many tasks ended well, in what time, and how long each took.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use zokio_report::schema::histogram;
use zokio_report::schema::result::Percentiles;

use super::recorder::{self, ErrorClass};
use super::tally::{Ledger, Tally};

/// A closed loop: so many tasks at a time, each starting the next operation when its last one ended.
///
/// ```
/// use std::time::Duration;
/// use zokio_bench::LoadTest;
///
/// let test = LoadTest { concurrent_tasks: 8, duration: Duration::from_millis(50) };
/// let results = test.run(|_task| async {
///     zokio::time::sleep(Duration::from_millis(5)).await;
///     Ok::<(), std::io::Error>(())
/// })?;
/// assert!(results.tasks_completed >= 8 && results.errors == 0);
/// // The rate is per second that passed, not per second that was asked for.
/// assert!(results.elapsed >= test.duration);
/// let rate = results.tasks_completed as f64 / results.elapsed.as_secs_f64();
/// assert_eq!(results.throughput, Some(rate));
/// assert!(results.latency_ns.p50.is_some_and(|p50| p50 >= 5e6));
/// // A quantile without ten samples beyond it is left out.
/// assert_eq!(results.latency_ns.p999, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadTest {
    /// Operations under way at any time.
    pub concurrent_tasks: u32,
    /// No operation starts after this, but the first of each task; those under way end.
    pub duration: Duration,
}

/// What came of a [`LoadTest`].
#[derive(Clone, Debug, PartialEq)]
pub struct LoadTestResults {
    /// Operations that ended well.
    pub tasks_completed: u64,
    /// Operations that ended in an error; no rate counts them.
    pub errors: u64,
    /// From the first start to the last end.
    pub elapsed: Duration,
    /// Operations that ended well, per second of `elapsed`; `None` where nothing was done or no time passed.
    pub throughput: Option<f64>,
    /// Service times of the operations that ended well, in nanoseconds; a quantile without enough samples is `None`.
    pub latency_ns: Percentiles,
}

impl LoadTest {
    /// Runs the load on a runtime of its own, a worker per CPU; `operation` gets the number of its task.
    ///
    /// # Errors
    /// The runtime could not be built, or an operation panicked.
    pub fn run<O, F, E>(&self, operation: O) -> io::Result<LoadTestResults>
    where
        O: Fn(u32) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: 'static,
    {
        let runtime = zokio::Builder::new().build()?;
        let shared = Arc::new(Shared::default());
        // Everything counts, also what ends after the last start.
        shared.ledger.measure(0);
        let start = Instant::now();
        let tasks = (0..self.concurrent_tasks).map(|number| runtime.spawn(one_task(number, operation.clone(), Arc::clone(&shared))));
        let tasks: Vec<_> = tasks.collect();
        std::thread::sleep(self.duration.saturating_sub(start.elapsed()));
        // Relaxed: a flag alone; what the tasks counted comes by their joins.
        shared.is_over.store(true, Ordering::Relaxed);
        join_all(&runtime, tasks)?;
        let elapsed = start.elapsed();
        // Each worker hands over what was counted on it.
        let workers = runtime.metrics().workers.len();
        join_all(&runtime, (0..workers).map(|worker| runtime.spawn_on(worker, async { recorder::finish_thread() })).collect())?;
        Ok(results(&Tally::of(shared.ledger.take_threads()), elapsed))
    }
}

/// What the tasks share. A recorder belongs to a thread, so memory does not grow with the tasks.
#[derive(Default)]
struct Shared {
    ledger: Arc<Ledger>,
    is_over: AtomicBool,
}

fn join_all(runtime: &zokio::Runtime, tasks: Vec<zokio::task::JoinHandle<()>>) -> io::Result<()> {
    runtime.block_on(async {
        for task in tasks {
            task.await.map_err(|_| io::Error::other("an operation panicked"))?;
        }
        Ok(())
    })
}

async fn one_task<F, E>(number: u32, operation: impl Fn(u32) -> F, shared: Arc<Shared>)
where
    F: Future<Output = Result<(), E>>,
{
    loop {
        let start = Instant::now();
        let is_done = operation(number).await.is_ok();
        let nanoseconds = start.elapsed().as_nanos() as u64;
        recorder::with(&shared.ledger, |recorder| match is_done {
            true => recorder.success(nanoseconds, 0),
            false => recorder.failure(ErrorClass::Mismatch, None),
        });
        // Looked at afterwards: each task runs once, however short the time and however late its start.
        if shared.is_over.load(Ordering::Relaxed) {
            break;
        }
    }
}

fn results(tally: &Tally, elapsed: Duration) -> LoadTestResults {
    let tasks_completed = tally.sum.ok();
    let rate = tasks_completed as f64 / elapsed.as_secs_f64();
    LoadTestResults {
        tasks_completed,
        errors: tally.sum.errors.values().sum(),
        elapsed,
        throughput: Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0),
        latency_ns: histogram::percentiles(&tally.sum.service),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_operation_lengthens_the_time_and_lowers_the_rate() {
        let test = LoadTest { concurrent_tasks: 3, duration: Duration::from_millis(1) };
        let slow = test.run(|_| async {
            zokio::time::sleep(Duration::from_millis(100)).await;
            Ok::<(), ()>(())
        });
        let slow = slow.expect("a runtime");
        assert_eq!((slow.tasks_completed, slow.errors), (3, 0));
        assert!(slow.elapsed >= Duration::from_millis(100), "{slow:?}");
        assert!(slow.throughput.is_some_and(|rate| rate <= 30.0), "3 tasks in 1 ms would be 3,000 a second: {slow:?}");
    }

    #[test]
    fn errors_are_counted_and_are_no_work() {
        let test = LoadTest { concurrent_tasks: 2, duration: Duration::from_millis(10) };
        let results = test
            .run(|task| async move {
                zokio::time::sleep(Duration::from_millis(1)).await;
                if task == 0 { Err("broken") } else { Ok(()) }
            })
            .expect("a runtime");
        assert!(results.errors > 0 && results.tasks_completed > 0, "{results:?}");
        let nothing = LoadTest { concurrent_tasks: 1, duration: Duration::ZERO }.run(|_| async { Err::<(), ()>(()) }).expect("a runtime");
        assert_eq!((nothing.tasks_completed, nothing.throughput), (0, None));
        assert!(
            LoadTest { concurrent_tasks: 1, duration: Duration::from_millis(1) }
                .run(|_| async {
                    panic!("as planned");
                    #[allow(unreachable_code)]
                    Ok::<(), ()>(())
                })
                .is_err()
        );
    }
}
