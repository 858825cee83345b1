//! Shuttle's models of the whole executor, on the mock driver: see "Models of the whole executor" in the README of the scheduler.
//!
//! Each scenario runs under a random scheduler and under one that keeps to priorities with few changes (PCT), which finds other bugs.

mod abort;
mod ending;
mod operations;
mod tasks;
mod timers;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::Runtime;
use crate::op::{Interest, Operation, SharedSocket};
use crate::primitives::executor::{below, one_in};

/// Schedules of one scenario unless `ZOKIO_SCHEDULES` says otherwise; half of them by each scheduler.
const SCHEDULES: usize = 400;
/// Changes of priority in a schedule of PCT.
const DEPTH: usize = 4;
/// Steps after which a schedule counts as a livelock; no scenario that ends takes as many.
const STEPS_MAX: usize = 200_000;
/// Bytes of a thread's stack.
const STACK: usize = 256 * 1024;

/// Runs `scenario` under as many schedules as asked for, or under the one in the file that `ZOKIO_REPLAY` names.
fn check(scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::File(Some(std::env::temp_dir()));
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    if let Some(path) = std::env::var_os("ZOKIO_REPLAY") {
        let schedule = ReplayScheduler::new_from_file(path).expect("a file written by a failing model");
        Runner::new(schedule, config).run(scenario);
        return;
    }
    let count = std::env::var("ZOKIO_SCHEDULES").map_or(SCHEDULES, |count| count.parse().expect("ZOKIO_SCHEDULES: a number"));
    Runner::new(RandomScheduler::new(count.div_ceil(2)), config.clone()).run(scenario);
    Runner::new(PctScheduler::new(DEPTH, count / 2), config).run(scenario);
}

/// A runtime of two or three workers.
fn runtime() -> Runtime {
    let builder = crate::Builder::new().worker_threads(2 + below(2) as usize).event_interval(1 + below(3)).lifo_slot(!one_in(3));
    builder.build().expect("the model refuses nothing")
}

/// Counts how often something happened.
#[derive(Clone, Debug, Default)]
struct Count(Arc<AtomicU32>);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Buffers that were made and that were dropped: all of them once, in the end.
#[derive(Clone, Debug, Default)]
struct Ledger {
    made: Count,
    back: Count,
}

impl Ledger {
    fn buffer(&self) -> Buffer {
        self.made.add();
        Buffer { content: Box::new(Buffer::LIVE), ledger: self.clone() }
    }

    fn assert_balanced(&self) {
        assert_eq!(self.made.get(), self.back.get(), "buffers made and buffers that came back");
    }
}

/// What an operation lends to the kernel.
#[derive(Debug)]
struct Buffer {
    content: Box<u64>,
    ledger: Ledger,
}

impl Buffer {
    const LIVE: u64 = 0x4C49_5645_4255_4646;
}

impl Drop for Buffer {
    fn drop(&mut self) {
        assert_eq!(std::mem::take(&mut *self.content), Self::LIVE, "a buffer is dropped once");
        self.ledger.back.add();
    }
}

/// A receive without a socket: it ends with a short or full result or an error, or, when `ends` is not set, only by its cancellation.
#[derive(Debug)]
struct Receive {
    buffer: Buffer,
    ends: bool,
}

impl Operation for Receive {
    type Output = (io::Result<u32>, Buffer);

    const INTEREST: Interest = Interest::Readable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        unreachable!("the mock attempts")
    }

    fn attempt(&mut self) -> io::Result<u32> {
        assert_eq!(*self.buffer.content, Buffer::LIVE, "the kernel's buffer is not dropped");
        match below(8) {
            _ if !self.ends => Err(io::ErrorKind::WouldBlock.into()),
            0 => Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            length => Ok(length),
        }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        (result, self.buffer)
    }
}

/// Polls `future` once and keeps what it gives.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
