//! What one thread writes down while operations end on it.
//!
//! ```text
//!   coordinator ── Control::word ──▶ recorder: is this operation in the measured window, and in which slice?
//!   recorder ── Slot (one cache line a thread) ──▶ coordinator: how many so far (warm-up windows, progress)
//! ```
//! A recorder belongs to one thread: no lock, no allocation, no shared write. Async subjects, whose tasks may move between threads,
//! reach the recorder of the thread they are on through [`with`]; a hand-written loop owns its recorder and [`Recorder::finish`]es it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::cpu;
use super::paced::LATE_NS;
use super::planted::Spinner;
use super::tally::{Ledger, ThreadTally};
use crate::load::closed::{SLICES_MAX, Window};

/// Longest time a histogram holds; longer ones are recorded as this.
const TIME_NS_MAX: u64 = 60_000_000_000;
/// Significant digits of every histogram.
const DIGITS: u8 = 3;

/// An empty histogram of times, 1 ns to 60 s, allocated whole so that recording never allocates.
pub fn time_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, TIME_NS_MAX, DIGITS).expect("constant bounds are valid")
}

/// The kinds of failed operation, as the record names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorClass {
    /// No connection.
    Connect,
    /// No accepted connection.
    Accept,
    /// The request could not be sent.
    Write,
    /// The answer did not come, or not whole.
    Read,
    /// The answer is a refusal.
    Status,
    /// The bytes are not those that were sent.
    Mismatch,
    /// Not ended within its limit.
    Timeout,
    /// A sleep that ended before its time.
    Early,
    /// A pool that had nothing to give.
    Exhausted,
    /// Offered while as many operations as allowed were under way, and therefore never begun.
    Overload,
}

impl ErrorClass {
    /// The class's name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Accept => "accept",
            Self::Write => "write",
            Self::Read => "read",
            Self::Status => "status",
            Self::Mismatch => "mismatch",
            Self::Timeout => "timeout",
            Self::Early => "early",
            Self::Exhausted => "exhausted",
            Self::Overload => "overload",
        }
    }
}

/// The counts and times of one thread.
#[derive(Debug)]
pub struct Recorder {
    control: Arc<Ledger>,
    slot: usize,
    total_ok: u64,
    total_errors: u64,
    total_response_ns: u64,
    tally: ThreadTally,
    /// `None` but in the trial of a gate that proves itself.
    planted: Option<Box<Spinner>>,
}

impl Recorder {
    /// A recorder for the calling thread.
    pub fn new(control: &Arc<Ledger>) -> Self {
        let mut tally = ThreadTally::new();
        tally.thread_id = cpu::thread_id();
        tally.cpus = cpu::thread_cpus();
        let (control, slot) = (Arc::clone(control), control.claim_slot());
        Self { control, slot, total_ok: 0, total_errors: 0, total_response_ns: 0, tally, planted: Spinner::of_this_trial() }
    }

    /// An operation ended well and was verified.
    #[inline]
    pub fn success(&mut self, service_ns: u64, bytes: u64) {
        self.total_ok += 1;
        self.control.slot(self.slot).set_ok(self.total_ok);
        if let Some(slice) = self.control.slice() {
            let slice = slice.min(SLICES_MAX - 1);
            self.tally.slice_ok[slice] += 1;
            self.tally.bytes += bytes;
            self.tally.service.saturating_record(service_ns);
        }
        self.spin();
    }

    /// The planted work of this operation, or of these, where there is any.
    #[inline]
    fn spin(&mut self) {
        if let Some(planted) = &mut self.planted {
            planted.spin();
        }
    }

    /// So many operations were due at `intended_ns`, and the pacer told of them at `now_ns`.
    #[inline]
    pub fn intended(&mut self, intended_ns: u64, now_ns: u64, operations: u64) {
        if let Some(window) = self.control.window() {
            // Made once, by the first operation that a schedule brings.
            let tally = self.tally.paced.get_or_insert_default().window(window);
            tally.intended += operations;
            tally.lag.saturating_record(now_ns.saturating_sub(intended_ns));
        }
    }

    /// So many operations of an open loop begin, which were wanted together.
    #[inline]
    pub fn sent(&mut self, intended_ns: u64, now_ns: u64, operations: u64) {
        if let Some(window) = self.control.window() {
            // Made once, by the first operation that a schedule brings.
            let tally = self.tally.paced.get_or_insert_default().window(window);
            tally.sent += operations;
            tally.late += operations * u64::from(now_ns.saturating_sub(intended_ns) >= LATE_NS);
        }
    }

    /// So many operations of an open loop, wanted together and answered together, ended well and were verified; `response_ns` runs from their
    /// intended start. Their time is that of their answer.
    #[inline]
    pub fn paced_success(&mut self, response_ns: u64, service_ns: u64, operations: u64, bytes: u64) {
        self.total_response_ns += response_ns * operations;
        self.control.slot(self.slot).set_response_ns(self.total_response_ns);
        self.total_ok += operations;
        self.control.slot(self.slot).set_ok(self.total_ok);
        // Read once: an operation at the edge of a window counts on one side of it, with all its times.
        let Some(window) = self.control.window() else { return self.spin() };
        let tally = self.tally.paced.get_or_insert_default().window(window);
        tally.ok += operations;
        tally.bytes += bytes;
        tally.response.saturating_record_n(response_ns, operations);
        if let Window::Measured(slice) = window {
            self.tally.slice_ok[slice.min(SLICES_MAX - 1)] += operations;
            self.tally.bytes += bytes;
            self.tally.service.saturating_record_n(service_ns, operations);
        }
        self.spin();
    }

    /// A round of operations ended well and was verified. Its operations were not timed one by one, so they have no service time: a
    /// distribution is never made up from a mean.
    #[inline]
    pub fn round(&mut self, operations: u64, bytes: u64) {
        self.total_ok += operations;
        self.control.slot(self.slot).set_ok(self.total_ok);
        if let Some(slice) = self.control.slice() {
            self.tally.slice_ok[slice.min(SLICES_MAX - 1)] += operations;
            self.tally.bytes += bytes;
        }
        self.spin();
    }

    /// A server has answered a request it had verified; its time is the client's to tell.
    #[inline]
    pub fn served(&mut self, bytes: u64) {
        self.total_ok += 1;
        self.control.slot(self.slot).set_ok(self.total_ok);
        if self.control.slice().is_some() {
            self.tally.slice_ok[0] += 1;
            self.tally.bytes += bytes;
        }
        self.spin();
    }

    /// A task beside the measured ones kept the CPU for so long.
    #[inline]
    pub fn beside(&mut self, cpu_ns: u64) {
        if self.control.slice().is_some() {
            self.tally.beside_ns += cpu_ns;
        }
    }

    /// A connection was established for an operation that will end later.
    #[inline]
    pub fn connected(&mut self, connect_ns: u64) {
        if self.control.slice().is_some() {
            self.tally.connect.saturating_record(connect_ns);
        }
    }

    /// An operation ended badly; `errno` as the system told it.
    #[cold]
    pub fn failure(&mut self, class: ErrorClass, errno: Option<i32>) {
        self.failures(class, 1);
        if let Some(errno) = errno.filter(|_| self.control.slice().is_some()) {
            *self.tally.errnos.entry((class, errno)).or_default() += 1;
        }
    }

    /// So many operations ended badly.
    #[cold]
    pub fn failures(&mut self, class: ErrorClass, operations: u64) {
        *self.tally.errors_ever.entry(class).or_default() += operations;
        self.total_errors += operations;
        self.control.slot(self.slot).set_errors(self.total_errors);
        let Some(window) = self.control.window() else { return };
        if let Some(paced) = &mut self.tally.paced {
            *paced.window(window).errors.entry(class).or_default() += operations;
        }
        if let Window::Measured(_) = window {
            *self.tally.errors.entry(class).or_default() += operations;
        }
    }

    /// [`Recorder::failure`] with the number of an I/O error.
    #[cold]
    pub fn failed_io(&mut self, class: ErrorClass, error: &std::io::Error) {
        self.failure(class, error.raw_os_error());
    }

    /// A connection was opened by this end.
    #[inline]
    pub fn opened(&mut self) {
        self.tally.opened += 1;
    }

    /// A connection was accepted by this end.
    #[inline]
    pub fn accepted(&mut self) {
        self.tally.accepted += 1;
        self.control.slot(self.slot).set_accepted(self.tally.accepted);
    }

    /// An accepted connection was closed.
    #[inline]
    pub fn accepted_closed(&mut self) {
        self.tally.accepted_closed += 1;
        self.control.slot(self.slot).set_accepted_closed(self.tally.accepted_closed);
    }

    /// System calls made by this thread; those of the measured window are kept.
    #[inline]
    pub fn syscalls(&mut self, count: u64) {
        if self.control.slice().is_some() {
            self.tally.syscalls += count;
        }
    }

    /// Successful operations of this thread, whole life.
    pub fn ok_ever(&self) -> u64 {
        self.total_ok
    }

    /// Hands everything over; call it on the thread that recorded.
    pub fn finish(mut self) {
        self.tally.ok_ever = self.total_ok;
        self.control.deposit(self.tally);
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// Runs `write` on the recorder of the calling thread, which is made on first use.
#[inline]
pub fn with<T>(control: &Arc<Ledger>, write: impl FnOnce(&mut Recorder) -> T) -> T {
    CURRENT.with_borrow_mut(|current| write(current.get_or_insert_with(|| Recorder::new(control))))
}

/// Makes the recorder of the calling thread, so that a worker shows in the record even if no operation ends on it.
pub fn install(control: &Arc<Ledger>) {
    with(control, |_| ());
}

/// Hands over the recorder of the calling thread, if it has one: at the end of a worker thread.
pub fn finish_thread() {
    if let Some(recorder) = CURRENT.take() {
        recorder.finish();
    }
}

/// Sums a map of counts into another.
pub(super) fn add_counts<K: Ord + Copy>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(*key).or_default() += count;
    }
}
