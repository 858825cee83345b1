//! The words of an atomics trial, one round of operations on them, and the user that is a task.
//!
//! A round is timed by nobody: it counts its operations when its own check has passed. Inside a runtime a user yields after each round, as
//! any task must; what that costs is below 1 % of a round and is part of the row.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::stack::Fleet;
use super::tasks::Tasks;
use super::users;
use crate::measure::doubling::Pieces;
use crate::measure::recorder::{self, ErrorClass, Recorder};
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::atomics::{AtomicMode, AtomicsWorkload, MIXED_TURN, Sharing};

/// Value of an untouched word: a sum of loads that never happened is not the count of them.
const START: u64 = 1;
/// Words of a cache line.
const LINE: usize = 8;

/// Two cache lines: neighbours are fetched in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Padded(AtomicU64);

#[derive(Debug)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

#[derive(Debug)]
enum Words {
    Shared(Padded),
    Adjacent(Box<[Line]>),
    Padded(Box<[Padded]>),
}

// Relaxed throughout: the operations themselves are what is measured, and no other data is published by them. The sums at the end are read
// when every user has said `user_done`, which releases, and the coordinator has seen it, which acquires.

/// What the users of a trial share.
#[derive(Debug)]
pub struct Shared {
    workload: AtomicsWorkload,
    words: Words,
    added: AtomicU64,
    retries: AtomicU64,
}

/// What one user knows.
#[derive(Debug)]
pub struct User {
    number: u32,
    added: u64,
    retries: u64,
}

impl Shared {
    /// Untouched words for so many users.
    pub fn new(workload: &AtomicsWorkload, users: u32) -> Self {
        let padded = || Padded(AtomicU64::new(START));
        let words = match workload.sharing {
            Sharing::Shared => Words::Shared(padded()),
            Sharing::Adjacent => {
                let line = |_| Line(std::array::from_fn(|_| AtomicU64::new(START)));
                Words::Adjacent((0..(users as usize).div_ceil(LINE)).map(line).collect())
            }
            Sharing::Padded => Words::Padded((0..users).map(|_| padded()).collect()),
        };
        Self { workload: workload.clone(), words, added: AtomicU64::new(0), retries: AtomicU64::new(0) }
    }

    /// The user with this number.
    pub fn user(&self, number: u32) -> User {
        User { number, added: 0, retries: 0 }
    }

    fn word(&self, user: u32) -> &AtomicU64 {
        let user = user as usize;
        match &self.words {
            Words::Shared(word) => &word.0,
            Words::Adjacent(lines) => &lines[user / LINE].0[user % LINE],
            Words::Padded(words) => &words[user].0,
        }
    }

    /// A round of this user, written down when its check holds.
    pub fn round(&self, user: &mut User, control: &Ledger, recorder: &mut Recorder) {
        let operations = self.workload.operations_per_round;
        let word = black_box(self.word(user.number));
        if control.takes_corruption(user.number) {
            word.fetch_add(1, Ordering::Relaxed);
        }
        let holds = self.operate(user, word, operations);
        if holds && self.is_plausible(word.load(Ordering::Relaxed), user.added) {
            recorder.round(operations.into(), 0);
        } else {
            recorder.failure(ErrorClass::Mismatch, None);
        }
    }

    /// The rounds that show whether twice the operations take twice as long; nothing is written down.
    pub fn double(&self, user: &mut User, pieces: Pieces<'_>) {
        for times in pieces {
            let word = black_box(self.word(user.number));
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            black_box(self.operate(user, word, self.workload.operations_per_round.saturating_mul(times)));
        }
    }

    #[inline]
    fn operate(&self, user: &mut User, word: &AtomicU64, operations: u32) -> bool {
        user.added += self.workload.mode.additions(operations);
        match self.workload.mode {
            AtomicMode::Load => loads(word, operations),
            AtomicMode::FetchAdd => additions(word, operations),
            AtomicMode::Cas => exchanges(word, operations, &mut user.retries),
            AtomicMode::Mixed => mixed(word, operations, &mut user.retries),
        }
    }

    /// Alone on a word, a user knows its value; others can only have added to it.
    fn is_plausible(&self, value: u64, added: u64) -> bool {
        if matches!(self.words, Words::Shared(_)) { value >= START + added } else { value == START + added }
    }

    /// A user has ended.
    pub fn end(&self, user: &User) {
        self.added.fetch_add(user.added, Ordering::Relaxed);
        self.retries.fetch_add(user.retries, Ordering::Relaxed);
    }

    /// The record with its counters, when the words hold what all users claim.
    ///
    /// # Errors
    /// Class `mismatch`.
    pub fn judged(&self, mut record: TrialRecord) -> Result<TrialRecord, Failure> {
        let values: Vec<u64> = match &self.words {
            Words::Shared(word) => vec![word.0.load(Ordering::Relaxed)],
            Words::Adjacent(lines) => lines.iter().flat_map(|line| &line.0).map(|word| word.load(Ordering::Relaxed)).collect(),
            Words::Padded(words) => words.iter().map(|word| word.0.load(Ordering::Relaxed)).collect(),
        };
        let (found, claimed) = (values.iter().map(|value| value - START).sum::<u64>(), self.added.load(Ordering::Relaxed));
        // A user that the drain left behind has not said what it did; the record counts it.
        if record.work.in_flight_at_end == 0 && record.work.errors.is_empty() && found != claimed {
            return Err(Failure { class: "mismatch".into(), message: format!("the words hold {found} additions, {claimed} are claimed") });
        }
        if matches!(self.workload.mode, AtomicMode::Cas | AtomicMode::Mixed) {
            record.counters.insert("retries_ever".into(), self.retries.load(Ordering::Relaxed));
        }
        Ok(record)
    }
}

#[inline]
fn loads(word: &AtomicU64, operations: u32) -> bool {
    let sum = (0..operations).fold(0_u64, |sum, _| sum.wrapping_add(word.load(Ordering::Relaxed)));
    sum == u64::from(operations) * START
}

#[inline]
fn additions(word: &AtomicU64, operations: u32) -> bool {
    for _ in 0..operations {
        word.fetch_add(1, Ordering::Relaxed);
    }
    true
}

#[inline]
fn exchange(word: &AtomicU64, retries: &mut u64) {
    let mut value = word.load(Ordering::Relaxed);
    while let Err(found) = word.compare_exchange_weak(value, value + 1, Ordering::Relaxed, Ordering::Relaxed) {
        value = found;
        *retries += 1;
    }
}

#[inline]
fn exchanges(word: &AtomicU64, operations: u32, retries: &mut u64) -> bool {
    (0..operations).for_each(|_| exchange(word, retries));
    true
}

#[inline]
fn mixed(word: &AtomicU64, operations: u32, retries: &mut u64) -> bool {
    let (mut last, mut is_forward) = (0, true);
    let mut look = || {
        let value = word.load(Ordering::Relaxed);
        is_forward &= value >= last;
        last = value;
    };
    for _ in 0..operations / MIXED_TURN {
        (0..3).for_each(|_| look());
        word.fetch_add(1, Ordering::Relaxed);
        (0..2).for_each(|_| look());
        word.fetch_add(1, Ordering::Relaxed);
        exchange(word, retries);
    }
    is_forward
}

async fn user<T: Tasks>(shared: Arc<Shared>, control: Arc<Ledger>, number: u32) {
    let mut user = shared.user(number);
    shared.double(&mut user, control.doubling(number));
    control.user_ready();
    control.gate().wait().await;
    while !control.is_draining() {
        recorder::with(&control, |recorder| shared.round(&mut user, &control, recorder));
        T::yield_now().await;
    }
    shared.end(&user);
    control.user_done();
}

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up, or class `mismatch`.
pub fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &AtomicsWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let shared = Arc::new(Shared::new(workload, users::count(trial)));
    let record = users::run(fleet, control, trial, session, |number| user::<T>(Arc::clone(&shared), Arc::clone(control), number))?;
    shared.judged(record)
}
