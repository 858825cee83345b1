//! The smallest executor that can drive a driver: polls what was woken, then turns.

#![expect(unsafe_code, reason = "a buffer type of its own")]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::buf::{AlignedBuf, IoBuf, IoBufMut};
use crate::driver::{Driver, DriverConfig, DriverCounters, Remote, Wait, context};

/// No story takes this long.
const TOO_LONG: Duration = Duration::from_secs(30);

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A driver and the tasks of one thread.
pub(super) struct Executor {
    driver: RefCell<Driver>,
    pub(super) remote: Arc<Remote>,
    tasks: RefCell<Vec<Option<Task>>>,
    woken: Arc<Mutex<Vec<usize>>>,
}

struct TaskWaker {
    index: usize,
    woken: Arc<Mutex<Vec<usize>>>,
    remote: Arc<Remote>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.lock().unwrap().push(self.index);
        self.remote.unpark();
    }
}

impl Executor {
    pub(super) fn new(config: &DriverConfig) -> Self {
        let (driver, remote) = Driver::new(config).expect("a driver");
        Self { driver: RefCell::new(driver), remote, tasks: RefCell::default(), woken: Arc::default() }
    }

    /// Adds a task; it first runs within [`run`](Self::run).
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.tasks.borrow_mut();
        self.woken.lock().unwrap().push(tasks.len());
        tasks.push(Some(Box::pin(task)));
    }

    /// Runs until `root` is done; other tasks may be left.
    pub(super) fn run<T>(&self, root: impl Future<Output = T>) -> T {
        let mut root = std::pin::pin!(root);
        self.run_until(|context| root.as_mut().poll(context))
    }

    /// Runs until every task is done.
    pub(super) fn run_all(&self) {
        self.run_until(|_| if self.tasks.borrow().iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending });
    }

    fn run_until<T>(&self, mut root: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        let deadline = Instant::now() + TOO_LONG;
        let root_waker = self.waker(usize::MAX);
        context::enter_local(&self.driver, || {
            loop {
                if let Poll::Ready(output) = root(&mut Context::from_waker(&root_waker)) {
                    return output;
                }
                let woken = std::mem::take(&mut *self.woken.lock().unwrap());
                let idle = woken.is_empty();
                woken.into_iter().for_each(|index| self.poll_task(index));
                self.turn(if idle { Wait::For(deadline - Instant::now()) } else { Wait::No });
                assert!(Instant::now() < deadline, "the story hangs: {:?}", self.driver.borrow());
            }
        })
    }

    fn waker(&self, index: usize) -> Waker {
        Waker::from(Arc::new(TaskWaker { index, woken: self.woken.clone(), remote: self.remote.clone() }))
    }

    fn poll_task(&self, index: usize) {
        let Some(mut task) = self.tasks.borrow_mut().get_mut(index).and_then(Option::take) else { return };
        let waker = self.waker(index);
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut()[index] = Some(task);
        }
    }

    /// One turn; returns the completions.
    pub(super) fn turn(&self, wait: Wait) -> usize {
        let mut wakers = Vec::new();
        let completed = self.driver.borrow_mut().turn(wait, &mut wakers).expect("a turn");
        wakers.into_iter().for_each(Waker::wake);
        completed
    }

    /// Turns until nothing is in flight.
    pub(super) fn settle(&self) {
        let deadline = Instant::now() + TOO_LONG;
        context::enter_local(&self.driver, || {
            while self.in_flight() > 0 {
                self.turn(Wait::For(Duration::from_millis(10)));
                assert!(Instant::now() < deadline, "{} operations never end", self.in_flight());
            }
        });
    }

    /// Runs `body` as on a worker, outside any turn.
    pub(super) fn enter<R>(&self, body: impl FnOnce() -> R) -> R {
        context::enter_local(&self.driver, body)
    }

    pub(super) fn driver(&self) -> std::cell::RefMut<'_, Driver> {
        self.driver.borrow_mut()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.driver.borrow().in_flight()
    }

    /// Cells that were ever made.
    pub(super) fn cells(&self) -> usize {
        let mut count = 0;
        self.remote.for_each_cell(|_| count += 1);
        count
    }

    pub(super) fn counters(&self) -> DriverCounters {
        self.remote.counters()
    }
}

/// Polls `future` once.
pub(super) fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A buffer that counts how many of its kind are alive.
#[derive(Debug)]
pub(super) struct CountedBuffer {
    bytes: AlignedBuf,
    _alive: Arc<()>,
}

impl CountedBuffer {
    pub(super) fn new(length: usize, alive: &Arc<()>) -> Self {
        Self { bytes: AlignedBuf::zeroed(length, 1), _alive: alive.clone() }
    }

    /// At a multiple of its length.
    pub(super) fn aligned(length: usize, alive: &Arc<()>) -> Self {
        Self { bytes: AlignedBuf::zeroed(length, length), _alive: alive.clone() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

// SAFETY: as AlignedBuf.
unsafe impl IoBuf for CountedBuffer {
    fn stable_ptr(&self) -> *const u8 {
        self.bytes.stable_ptr()
    }
    fn bytes_init(&self) -> usize {
        self.bytes.bytes_init()
    }
}

// SAFETY: as AlignedBuf.
unsafe impl IoBufMut for CountedBuffer {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.stable_mut_ptr()
    }
    fn bytes_total(&self) -> usize {
        self.bytes.bytes_total()
    }
    unsafe fn set_init(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.bytes.set_init(count) };
    }
}

/// Buffers of `alive` that were not dropped.
pub(super) fn count_alive(alive: &Arc<()>) -> usize {
    Arc::strong_count(alive) - 1
}

/// Lines of `/proc/self/fd` that name sockets: those of this test alone, if it has the process to itself.
pub(super) fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}
