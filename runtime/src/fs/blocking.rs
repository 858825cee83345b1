//! Threads that may block, for what neither the ring nor an attempt at once can do.
//!
//! They are started as jobs queue up, at most [`THREADS_MAX`], and end after [`IDLE_MAX`] without work. They belong to the process, not to
//! a runtime: a job owns all it works on, so it may outlive whoever asked for it.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::primitives::lock_std;

/// Blocked threads cost memory, and a disk's queue is seldom deeper.
const THREADS_MAX: usize = 64;
/// Starting a thread costs about 30 µs; one that is used once in ten seconds is not worth keeping.
const IDLE_MAX: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// The jobs that wait, and the threads there are.
#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool { state: Mutex::new(State { jobs: VecDeque::new(), threads: 0, idle: 0 }), work: Condvar::new() };

impl Pool {
    /// Queues `job`, and starts a thread if none is idle. Where no thread can be had at all, the job is done here and now.
    fn run(&'static self, job: Job) {
        let mut state = lock_std(&self.state);
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            drop(state);
            self.work.notify_one();
        } else if state.threads < THREADS_MAX {
            state.threads += 1;
            drop(state);
            if thread::Builder::new().name("zokio-blocking".into()).spawn(|| self.serve()).is_err() {
                self.give_up_thread();
            }
        }
    }

    /// A thread that could not be started: the others do its work, or the caller.
    #[cold]
    fn give_up_thread(&self) {
        let mut state = lock_std(&self.state);
        state.threads -= 1;
        let job = if state.threads == 0 { state.jobs.pop_front() } else { None };
        drop(state);
        if let Some(job) = job {
            job();
        }
    }

    /// One thread's life.
    fn serve(&self) {
        let mut state = lock_std(&self.state);
        loop {
            while let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A job catches what it does itself; the waker of who waits for it may panic, and this thread is counted on.
                drop(catch_unwind(AssertUnwindSafe(job)));
                state = lock_std(&self.state);
            }
            let waited;
            (state, waited) = self.wait(state);
            if waited && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    /// Waits for work; whether it was in vain.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle += 1;
        let (mut state, timeout) = self.work.wait_timeout(state, IDLE_MAX).unwrap_or_else(std::sync::PoisonError::into_inner);
        state.idle -= 1;
        (state, timeout.timed_out())
    }
}

/// What the job and the future share.
struct Slot<T> {
    output: Option<thread::Result<T>>,
    waker: Option<Waker>,
    /// Nobody waits any more.
    abandoned: bool,
}

/// The future of a job. Dropping it takes back a job that no thread has begun; one that was begun runs on, and its output is dropped.
pub(crate) struct Blocking<T>(Arc<Mutex<Slot<T>>>);

/// Runs `job` on a thread that may block.
pub(crate) fn run_blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Blocking<T> {
    let slot = Arc::new(Mutex::new(Slot { output: None, waker: None, abandoned: false }));
    let future = Blocking(slot.clone());
    POOL.run(Box::new(move || {
        if lock_std(&slot).abandoned {
            return;
        }
        let output = catch_unwind(AssertUnwindSafe(job));
        let mut shared = lock_std(&slot);
        if shared.abandoned {
            // Dropped without the lock: it may be anything.
            drop(shared);
            return;
        }
        shared.output = Some(output);
        let waker = shared.waker.take();
        drop(shared);
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    future
}

impl<T> Blocking<T> {
    /// The output, if it is there; leaves the waker as it is. Goes on a panic of the job.
    pub(crate) fn take_if_done(&mut self) -> Option<T> {
        let output = lock_std(&self.0).output.take();
        output.map(|output| output.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<T> Future for Blocking<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut slot = lock_std(&self.0);
        if slot.output.is_none() {
            match &mut slot.waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => slot.waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        drop(slot);
        Poll::Ready(self.take_if_done().expect("only this future takes it"))
    }
}

impl<T> Drop for Blocking<T> {
    fn drop(&mut self) {
        let mut slot = lock_std(&self.0);
        slot.abandoned = true;
        let left = (slot.output.take(), slot.waker.take());
        drop(slot);
        drop(left);
    }
}

impl<T> std::fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn wait_for<T>(mut job: Blocking<T>) -> T {
        struct Unpark(thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(output) = Pin::new(&mut job).poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            thread::park();
        }
    }

    #[test]
    fn jobs_run_beside_each_other_and_bring_their_output() {
        let (first, second) = (mpsc::channel(), mpsc::channel());
        // Each waits for the other, so both must run at once.
        let one = run_blocking(move || (first.0.send(1), second.1.recv()).1);
        let two = run_blocking(move || (second.0.send(2), first.1.recv()).1);
        assert_eq!((wait_for(one), wait_for(two)), (Ok(2), Ok(1)));
    }

    #[test]
    fn a_panic_reaches_whoever_waits_and_the_pool_goes_on() {
        let panicking = run_blocking(|| panic!("on purpose"));
        let caught = catch_unwind(AssertUnwindSafe(|| wait_for::<()>(panicking)));
        assert_eq!(caught.expect_err("it panicked").downcast_ref::<&str>(), Some(&"on purpose"));
        assert_eq!(wait_for(run_blocking(|| 7)), 7);
    }

    #[test]
    fn a_dropped_job_keeps_what_it_works_on_until_it_ends() {
        let alive = Arc::new(());
        let held = alive.clone();
        let ((begun, has_begun), (end, must_end)) = (mpsc::channel(), mpsc::channel::<()>());
        let job = run_blocking(move || {
            begun.send(()).expect("the test waits");
            must_end.recv().expect("the test says so");
            held
        });
        has_begun.recv().expect("it begins");
        drop(job);
        assert_eq!(Arc::strong_count(&alive), 2);
        end.send(()).expect("it still runs");
        while Arc::strong_count(&alive) > 1 {
            thread::yield_now();
        }
    }
}
