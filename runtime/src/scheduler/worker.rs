//! A worker: one thread, one queue, one driver, and the loop that feeds them.
//!
//! ```text
//!  ┌─▶ run up to `event_interval` ready tasks ─▶ driver (submit, reap), timers, inbox, injector ─┐
//!  │                                                                                            │ work
//!  ├────────────────────────────────────────────────────────────────────────────────────────────┘
//!  │        no work: steal what is worth it ─▶ else sleep in the driver until a completion, a timer or a wake-up
//!  └────────────────────────────────────────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::WakeReason;
use super::context::{self, Current, WorkerContext};
use super::ready::Ready;
use super::rendezvous::Rendezvous;
use super::shared::{self, Shared, SlabOwner};
use super::steal::NOTHING_WAITED;
use crate::driver::{self, Driver, DriverConfig, DriverKind, Wait};
use crate::mem::slab::Slab;
use crate::primitives::executor::{now, thread};
use crate::task::raw::{self, Ran, TaskRef};

/// How often the slot for the next task is served in a row before the queue gets its turn; more would starve the queue.
const NEXT_IN_A_ROW_MAX: u32 = 3;
/// First and longest time between two looks of the sentinel at queues that wait behind a long poll.
pub(super) const SENTINEL_FIRST: Duration = Duration::from_micros(500);
pub(super) const SENTINEL_LONGEST: Duration = Duration::from_millis(2);
/// Polls between two looks at the driver and the injector take about so long at most: who is woken from elsewhere waits for as long.
const LOOK_INTERVAL: Duration = Duration::from_nanos(LOOK_INTERVAL_NS);
const LOOK_INTERVAL_NS: u64 = 200_000;
/// What a poll is taken to cost before any was measured.
const POLL_NS_FIRST_GUESS: u64 = 1_000;
/// At most so many tasks are taken from the injector or a peer at once.
pub(super) const BATCH_MAX: usize = 32;

/// What a worker's thread needs to begin.
#[derive(Debug)]
pub(crate) struct WorkerSetup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) ready: Ready<TaskRef>,
    pub(crate) driver_config: DriverConfig,
    /// All workers meet here twice at shutdown: before tasks are cancelled, and before drivers go.
    pub(crate) barrier: Arc<Rendezvous>,
}

/// The loop of a worker, with what only the loop needs.
pub(super) struct Worker<'a> {
    pub(super) cx: &'a WorkerContext,
    driver: &'a RefCell<Driver>,
    pub(super) wakers: Vec<Waker>,
    /// This worker is counted among the searching ones.
    pub(super) searching: bool,
    /// How often the next-task slot was served in a row.
    next_in_a_row: u32,
    pub(super) sentinel_pause: Duration,
    /// Timed waits are ended so much before their deadline.
    pub(super) early: Duration,
    /// What a long poll of this worker costs: rises at once, falls slowly.
    slow_poll_ns: u64,
    /// Polls of each worker when this one last looked and something waited there: unchanged means that a long poll is under way.
    pub(super) seen_polls: Vec<u64>,
    /// Where the search for a victim starts.
    pub(super) random: u64,
}

/// Sets a worker up in its own thread, says through `started` whether that worked, and runs it until the runtime has closed.
pub(crate) fn run(setup: WorkerSetup, started: impl FnOnce(io::Result<()>)) {
    let WorkerSetup { shared, index, ready, driver_config, barrier } = setup;
    let (driver, remote) = match Driver::new(&driver_config) {
        Ok(made) => made,
        Err(error) => return started(Err(error)),
    };
    let own = &shared.workers[index];
    own.counters.thread_id.set(crate::primitives::thread_id());
    own.counters.poll_ns.set(POLL_NS_FIRST_GUESS);
    let _ = own.report.set(driver.report().clone());
    let _ = own.remote.set(remote);
    let driver = RefCell::new(driver);
    let context = WorkerContext {
        index,
        ready,
        next: Cell::new(None),
        slab: RefCell::new(Slab::new(SlabOwner { shared: shared.clone() })),
        heap: RefCell::new(None),
        reason: Cell::new(WakeReason::Message),
        polled: Cell::new(std::ptr::null()),
        yielded: Cell::new(false),
        pushes_to_look: Cell::new(0),
        shared,
    };
    let current = Current::Worker(context);
    let Current::Worker(cx) = &current else { unreachable!("made above") };
    driver::context::enter_local(&driver, || {
        context::enter(&current, || {
            started(Ok(()));
            let mut worker = Worker {
                cx,
                driver: &driver,
                wakers: Vec::with_capacity(256),
                searching: false,
                next_in_a_row: 0,
                sentinel_pause: SENTINEL_FIRST,
                early: Duration::ZERO,
                slow_poll_ns: POLL_NS_FIRST_GUESS,
                seen_polls: vec![NOTHING_WAITED; cx.shared.workers.len()],
                random: 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(index as u64 + 1),
            };
            worker.run();
            worker.shut_down(&barrier);
        });
    });
}

impl Worker<'_> {
    pub(super) fn shared(&self) -> &Shared {
        &self.cx.shared
    }

    fn run(&mut self) {
        while !self.shared().is_closing() {
            // Only polls are timed: what the driver does for them in the kernel says nothing about how long the queue will take.
            let began = now();
            let polls = self.run_ready(began);
            let now = now();
            self.note_poll_time(polls, now - began);
            let found = self.look_around(now);
            if found || self.has_ready() {
                self.settle();
                continue;
            }
            if self.steal() {
                self.settle();
                continue;
            }
            self.sleep();
        }
    }

    /// Runs the tasks that are ready now, as far as they fit between two looks at the driver; returns how many.
    fn run_ready(&mut self, began: Instant) -> u64 {
        let limit = self.polls_between_looks();
        // A clock reading after each poll would cost as much as a short one: it is read as often as polls have lately been long.
        let stride = (LOOK_INTERVAL_NS / self.slow_poll_ns).max(1);
        let (mut polls, mut next_reading) = (0, stride);
        while polls < limit {
            let Some(entry) = self.next_entry() else { break };
            polls += 1;
            self.run_entry(entry);
            if polls == next_reading {
                if now() - began >= LOOK_INTERVAL {
                    break;
                }
                next_reading += stride;
            }
        }
        polls
    }

    /// How many polls may lie between two looks at the driver: an event interval, or all that are ready if they are not many more.
    ///
    /// A batch that is run whole is submitted in one call, sends first. One that is too long for the caches of a core is not: of 500 connections
    /// a worker, the first ones' data would have left the cache before their peers get to it.
    fn polls_between_looks(&self) -> u64 {
        let interval = u64::from(self.shared().config.event_interval);
        let ready = self.cx.ready.len() as u64;
        interval.max(if ready <= 2 * interval { ready } else { self.cx.ready.warm_len() as u64 })
    }

    fn run_entry(&self, entry: TaskRef) {
        let counters = &self.shared().workers[self.cx.index].counters;
        counters.polls.add(1);
        self.cx.polled.set(entry.identity());
        if let Ran::Again(entry) = entry.run() {
            self.cx.push(entry);
        }
        self.cx.polled.set(std::ptr::null());
    }

    fn next_entry(&mut self) -> Option<TaskRef> {
        if self.next_in_a_row < NEXT_IN_A_ROW_MAX {
            if let Some(entry) = self.cx.next.take() {
                self.next_in_a_row += 1;
                return Some(entry);
            }
        } else if let Some(entry) = self.cx.next.take() {
            self.cx.ready.push(entry, false);
        }
        self.next_in_a_row = 0;
        self.cx.ready.pop()
    }

    /// Whether a task of this worker is ready, without taking it.
    fn has_ready(&self) -> bool {
        let next = self.cx.next.take();
        let has_next = next.is_some();
        self.cx.next.set(next);
        has_next || self.cx.ready.len() > 0
    }

    /// Keeps a smoothed time per poll, by which thieves weigh this worker's queue.
    fn note_poll_time(&mut self, polls: u64, elapsed: Duration) {
        if polls == 0 {
            return;
        }
        let counters = &self.shared().workers[self.cx.index].counters;
        let sample = (elapsed.as_nanos() as u64 / polls).clamp(1, 1_000_000_000);
        counters.poll_ns.set((3 * counters.poll_ns.get() + sample) / 4);
        self.slow_poll_ns = sample.max(self.slow_poll_ns - self.slow_poll_ns / 64);
    }

    /// Submits and reaps without waiting, then timers, inbox and injector; true when that made something ready.
    fn look_around(&mut self, now: Instant) -> bool {
        if self.driver_has_work() {
            self.turn_driver(Wait::No);
        }
        self.cx.shared.workers[self.cx.index].timers.fire(now, &mut self.wakers);
        let mut found = self.wake_all();
        for entry in self.shared().workers[self.cx.index].inbox.take() {
            self.cx.ready.push(entry, true);
            found = true;
        }
        found | self.take_injected()
    }

    /// Whether a turn may bring something. A ring shows it in shared memory; sockets that a poller waits for show nothing, so it is asked.
    fn driver_has_work(&self) -> bool {
        let driver = self.driver.borrow();
        driver.needs_turn() || (driver.report().kind != DriverKind::IoUring && driver.in_flight() > 0)
    }

    pub(super) fn turn_driver(&mut self, wait: Wait) {
        if let Err(error) = self.driver.borrow_mut().turn(wait, &mut self.wakers) {
            // The driver retries what can be retried; what is left is a bug or a kernel that took its promise back.
            panic!("the I/O driver of worker {} failed: {error}", self.cx.index);
        }
    }

    /// Wakes what the driver and the timers found, in their order; true when there was anything.
    fn wake_all(&mut self) -> bool {
        if self.wakers.is_empty() {
            return false;
        }
        self.cx.reason.set(WakeReason::Event);
        wake_each(self.wakers.drain(..));
        self.cx.reason.set(WakeReason::Message);
        true
    }

    /// Takes a fair share of the injector; true when there was anything.
    pub(super) fn take_injected(&mut self) -> bool {
        let injector = &self.shared().injector;
        if injector.is_empty() {
            return false;
        }
        let share = (injector.len() / self.shared().workers.len() + 1).min(BATCH_MAX);
        self.cx.ready.take_from(injector, share)
    }

    /// Work was found: stops searching, and wakes a successor if there is more.
    fn settle(&mut self) {
        if std::mem::take(&mut self.searching) && self.shared().idle.end_search() && self.is_more_work() {
            self.shared().wake_somebody();
        }
    }

    /// Sleeps in the driver until a completion, a timer or a wake-up.
    fn sleep(&mut self) {
        if let Some(heap) = self.cx.heap.borrow_mut().as_mut() {
            heap.look();
        }
        let index = self.cx.index;
        let was_searching = std::mem::take(&mut self.searching);
        self.shared().idle.sleep(index, was_searching);
        let must_stay = self.shared().is_closing() || !self.shared().injector.is_empty() || !self.shared().workers[index].inbox.is_empty();
        if !must_stay {
            self.block();
        }
        if self.shared().idle.awake(index) {
            self.searching = true;
        }
        if self.wake_all() {
            self.settle();
        }
    }

    /// The numbered steps of a worker's end; all workers take them together.
    ///
    /// 1. Nobody polls any more (barrier).
    /// 2. Every task of this worker's slab is cancelled: its future is dropped here, and entries that still lie in queues are used up.
    ///    A wake that is under way on another thread is waited for.
    /// 3. All futures are dropped (barrier), so no operation can be cancelled from outside any more.
    /// 4. Timers that others than tasks wait for are woken, as nobody fires them from now on. The driver cancels what is in flight and reaps
    ///    until nothing is; then it goes, and the slab closes.
    fn shut_down(&mut self, barrier: &Rendezvous) {
        barrier.wait();
        loop {
            // Not while the slab is borrowed: a future's destructor may spawn.
            let tasks = raw::live_tasks(&self.cx.slab.borrow());
            let mut all_complete = shared::cancel_all(tasks);
            all_complete &= self.shared().cancel_outside();
            self.drain();
            if all_complete {
                break;
            }
            thread::yield_now();
        }
        barrier.wait();
        self.drain();
        self.cx.shared.workers[self.cx.index].timers.close(&mut self.wakers);
        wake_each(self.wakers.drain(..));
        self.driver.borrow_mut().shut_down();
        self.wakers.clear();
    }

    /// Uses up the entries of this worker's queues and the shared ones: their tasks are cancelled, so nothing is polled.
    fn drain(&mut self) {
        while let Some(entry) = self.cx.next.take().or_else(|| self.cx.ready.pop()) {
            drop(entry.run());
        }
        self.shared().drain_queues();
    }
}

/// Wakes all of `wakers`; one that panics is somebody else's, and neither this worker nor the other wakers suffer from it.
fn wake_each(mut wakers: impl Iterator<Item = Waker>) {
    while catch_unwind(AssertUnwindSafe(|| wakers.by_ref().for_each(Waker::wake))).is_err() {}
}
