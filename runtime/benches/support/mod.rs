//! What the benches of the running runtime share.

use std::future::Future;
use std::time::{Duration, Instant};

use zokio::{Builder, Runtime};

/// A runtime with so many workers.
pub(crate) fn runtime(workers: usize) -> Runtime {
    Builder::new().worker_threads(workers).build().expect("a runtime")
}

/// Runs `round` so many times inside one task, and returns how long that took.
pub(crate) fn rounds<F>(runtime: &Runtime, count: u64, round: impl Fn() -> F + Send + 'static) -> Duration
where
    F: Future<Output = ()> + Send,
{
    let task = runtime.spawn(async move {
        let began = Instant::now();
        for _ in 0..count {
            round().await;
        }
        began.elapsed()
    });
    runtime.block_on(task).expect("the task does not panic")
}
