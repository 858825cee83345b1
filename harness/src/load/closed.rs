//! What all threads of a trial share: which phase it is, so which endings count, and how far everybody is.
//!
//! ```text
//! setup ──all connected──▶ warm-up ──two windows agree──▶ measure (slices) ─┬────────────────────────▶ drain ──all users ended──▶ record
//!                                                                          └─▶ overload ─▶ recovery ─┘
//! ```
//! The coordinator flips one atomic word. An operation that *ends* while the word says "measure" counts, in the slice the word names;
//! the window's length is what the clock says, never what was asked for.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;

use super::offer::Offer;

/// Slices of a measured window at most.
pub const SLICES_MAX: usize = 16;
/// Threads that can record.
const SLOTS: usize = 256;

// The word of `Control`: 0 while users connect, then these; from `MEASURE` on, the slice of the window.
const WARMUP: u32 = 1;
const DRAIN: u32 = 2;
const OVERLOAD: u32 = 3;
const RECOVERY: u32 = 4;
const MEASURE: u32 = 16;
/// A bit beside them: operations start by the offer's schedule.
const PACED: u32 = 1 << 16;

/// The windows of a trial in which endings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The measured one, in this slice.
    Measured(usize),
    /// More is offered than the subject can do.
    Overload,
    /// Less is offered again.
    Recovery,
}

/// One cache line pair a thread, written by that thread alone.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Slot {
    ok: AtomicU64,
    errors: AtomicU64,
    response_ns: AtomicU64,
    accepted: AtomicU64,
    accepted_closed: AtomicU64,
}

// Relaxed throughout: these are counts that the coordinator reads for progress, nothing is published through them.
impl Slot {
    /// Successful operations of the thread so far.
    #[inline]
    pub fn set_ok(&self, count: u64) {
        self.ok.store(count, Ordering::Relaxed);
    }

    /// Failed operations of the thread so far.
    #[inline]
    pub fn set_errors(&self, count: u64) {
        self.errors.store(count, Ordering::Relaxed);
    }

    /// Response times of the thread's successful operations so far, added up.
    #[inline]
    pub fn set_response_ns(&self, sum: u64) {
        self.response_ns.store(sum, Ordering::Relaxed);
    }

    /// Connections the thread has accepted so far.
    #[inline]
    pub fn set_accepted(&self, count: u64) {
        self.accepted.store(count, Ordering::Relaxed);
    }

    /// Accepted connections the thread has closed so far.
    #[inline]
    pub fn set_accepted_closed(&self, count: u64) {
        self.accepted_closed.store(count, Ordering::Relaxed);
    }
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Word(AtomicU32);

/// What all threads of a trial share.
#[derive(Debug)]
pub struct Control {
    word: Word,
    slots: Box<[Slot]>,
    slots_claimed: AtomicUsize,
    users_ready: AtomicU64,
    users_active: AtomicU64,
    gate: Gate,
    offer: Offer,
    failure: Mutex<Option<Failure>>,
    /// Test hook: flip one byte of the n-th request, so that the far end must notice.
    corrupt_request: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            word: Word::default(),
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            slots_claimed: AtomicUsize::new(0),
            users_ready: AtomicU64::new(0),
            users_active: AtomicU64::new(0),
            gate: Gate::default(),
            offer: Offer::default(),
            failure: Mutex::new(None),
            corrupt_request: AtomicU64::new(u64::MAX),
        }
    }
}

impl Control {
    /// The slice of the measured window an operation that ends now counts in; `None` outside the window.
    #[inline]
    pub fn slice(&self) -> Option<usize> {
        // Relaxed: the word says when to count and publishes nothing else.
        (self.word.0.load(Ordering::Relaxed) & !PACED).checked_sub(MEASURE).map(|slice| slice as usize)
    }

    /// The window an operation that ends now counts in.
    #[inline]
    pub fn window(&self) -> Option<Window> {
        match self.word.0.load(Ordering::Relaxed) & !PACED {
            OVERLOAD => Some(Window::Overload),
            RECOVERY => Some(Window::Recovery),
            state => state.checked_sub(MEASURE).map(|slice| Window::Measured(slice as usize)),
        }
    }

    /// Whether operations start by the offer's schedule.
    #[inline]
    pub fn is_paced(&self) -> bool {
        self.word.0.load(Ordering::Relaxed) & PACED != 0
    }

    /// What is offered in an open loop.
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether users must stop after the operation under way.
    #[inline]
    pub fn is_draining(&self) -> bool {
        self.word.0.load(Ordering::Relaxed) == DRAIN
    }

    /// The slot of this index.
    #[inline]
    pub fn slot(&self, index: usize) -> &Slot {
        &self.slots[index]
    }

    /// Users run and nothing counts yet.
    pub fn warm_up(&self) {
        self.set(WARMUP);
    }

    /// From now on operations start by a schedule of this rate, which begins at `start_ns`.
    pub fn pace(&self, rate_per_s: f64, start_ns: u64) {
        self.word.0.fetch_or(PACED, Ordering::Relaxed);
        self.offer.set_rate(rate_per_s, start_ns);
    }

    /// Endings count as those of the overload from now on.
    pub fn overload(&self) {
        self.set(OVERLOAD);
    }

    /// Endings count as those of the recovery from now on.
    pub fn recover(&self) {
        self.set(RECOVERY);
    }

    /// Sets the state and keeps the pace; the coordinator alone writes.
    fn set(&self, state: u32) {
        self.word.0.store(state | self.word.0.load(Ordering::Relaxed) & PACED, Ordering::Relaxed);
    }

    /// Endings count from now on, in this slice.
    pub fn measure(&self, slice: u32) {
        self.set(MEASURE + slice);
    }

    /// Nothing counts any more, and users stop.
    pub fn stop(&self) {
        self.word.0.store(DRAIN, Ordering::Relaxed);
        self.offer.end();
    }

    /// Users that have not ended.
    pub fn users_active(&self) -> u64 {
        // Acquire pairs with the Release in `user_done`.
        self.users_active.load(Ordering::Acquire)
    }

    /// A slot for a new recorder.
    ///
    /// # Panics
    /// More threads than slots: no subject has so many workers.
    pub fn claim_slot(&self) -> usize {
        let index = self.slots_claimed.fetch_add(1, Ordering::Relaxed);
        assert!(index < self.slots.len(), "at most {SLOTS} recording threads");
        index
    }

    /// A user is connected and waits for the start.
    pub fn user_ready(&self) {
        self.users_active.fetch_add(1, Ordering::Relaxed);
        self.users_ready.fetch_add(1, Ordering::Release);
    }

    /// A user has ended its last operation and closed its connection.
    pub fn user_done(&self) {
        self.users_active.fetch_sub(1, Ordering::Release);
    }

    /// The start gate.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Ends the trial with this failure; the first one stays.
    pub fn fail(&self, failure: Failure) {
        lock(&self.failure).get_or_insert(failure);
    }

    /// Successful operations of all threads so far.
    pub fn ok_so_far(&self) -> u64 {
        self.sum(|slot| &slot.ok)
    }

    /// Failed operations of all threads so far.
    pub fn errors_so_far(&self) -> u64 {
        self.sum(|slot| &slot.errors)
    }

    /// Response times of all successful operations of an open loop so far, added up.
    pub fn response_ns_so_far(&self) -> u64 {
        self.sum(|slot| &slot.response_ns)
    }

    /// Accepted connections that are still open.
    pub fn accepted_open(&self) -> u64 {
        self.sum(|slot| &slot.accepted).saturating_sub(self.sum(|slot| &slot.accepted_closed))
    }

    /// Accepted connections so far.
    pub fn accepted_so_far(&self) -> u64 {
        self.sum(|slot| &slot.accepted)
    }

    fn sum(&self, count: impl Fn(&Slot) -> &AtomicU64) -> u64 {
        let claimed = self.slots_claimed.load(Ordering::Relaxed).min(self.slots.len());
        self.slots[..claimed].iter().map(|slot| count(slot).load(Ordering::Relaxed)).sum()
    }

    /// Asks the user with this number to damage its next request, once: the negative test of every verifier.
    #[doc(hidden)]
    pub fn corrupt_next_request_of(&self, user: u32) {
        self.corrupt_request.store(u64::from(user), Ordering::Relaxed);
    }

    /// Whether this user must damage the request it is about to send.
    #[inline]
    pub fn takes_corruption(&self, user: u32) -> bool {
        self.corrupt_request.load(Ordering::Relaxed) == u64::from(user)
            && self.corrupt_request.swap(u64::MAX, Ordering::Relaxed) == u64::from(user)
    }

    /// Blocks until `users` are connected.
    ///
    /// # Errors
    /// What a thread told with [`Control::fail`], or class `setup-timeout`.
    pub fn wait_ready(&self, users: u64, limit: Duration) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        loop {
            self.check()?;
            // Acquire pairs with the Release in `user_ready`.
            let ready = self.users_ready.load(Ordering::Acquire);
            if ready >= users {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let message = format!("{ready} of {users} users were connected within {limit:?}");
                return Err(Failure { class: "setup-timeout".into(), message });
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The failure a thread told, if any.
    ///
    /// # Errors
    /// That failure.
    pub fn check(&self) -> Result<(), Failure> {
        lock(&self.failure).clone().map_or(Ok(()), Err)
    }
}

/// Holds all users back until every one is connected; for tasks of any runtime and for bare threads.
#[derive(Debug, Default)]
pub struct Gate {
    is_open: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
    threads: Condvar,
}

impl Gate {
    /// Lets everyone through, now and later.
    pub fn open(&self) {
        let waiting = {
            let mut waiting = lock(&self.waiting);
            // Relaxed: the lock orders it before every later check under the lock.
            self.is_open.store(true, Ordering::Relaxed);
            std::mem::take(&mut *waiting)
        };
        self.threads.notify_all();
        for waker in waiting {
            waker.wake();
        }
    }

    /// Waits as a task.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + '_ {
        std::future::poll_fn(|context| {
            let mut waiting = lock(&self.waiting);
            if self.is_open.load(Ordering::Relaxed) {
                return Poll::Ready(());
            }
            waiting.push(context.waker().clone());
            Poll::Pending
        })
    }

    /// Waits as a thread.
    pub fn wait_thread(&self) {
        let mut waiting = lock(&self.waiting);
        while !self.is_open.load(Ordering::Relaxed) {
            waiting = self.threads.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
