//! `stealing`, mode `queue`: an owner thread and thieves on real threads over one queue, without any runtime.
//!
//! ```text
//!  owner: push every item of the round ──▶ say so ──▶ (take some itself) ──▶ wait for all to be told ──▶ check ──▶ next round
//!  thief: take, mark in its own bitmap … queue empty and all pushed ──▶ tell the round's ledger
//! ```
//! Before the trial the owner pushes and steals alone, on a queue of its own, to show that twice the work takes twice as long; thieves sleep
//! meanwhile.
//!
//! Takers mark in bitmaps of their own, so that the witness adds no shared write to a steal; the union is checked once a round. An item
//! that is lost, given out twice, or never existed is an error of class `mismatch`.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::body::coordinate;
use super::body::drive;
use super::body::scheduling::record;
use super::body::stack::FleetReport;
use super::protocol::Trial;
use super::serve::Session;
use super::{threads, worker_cpus};
use crate::measure::recorder::Recorder;
use crate::measure::tally::Ledger;
use crate::workload::stealing::{Owner, StealingWorkload};

/// A round that is not whole by now has lost an item.
const ROUND_LIMIT: Duration = Duration::from_secs(2);
/// Looks at an empty queue before the thread gives its CPU away: threads may be more than CPUs.
const LOOKS_BEFORE_YIELD: u32 = 256;

/// A queue with one owner; both ends belong to one thread each.
pub trait OwnerEnd: Send {
    /// The thieves' end.
    type Thief: ThiefEnd;

    /// The two ends of a new queue for rounds of so many items.
    fn new(items: u32) -> (Self, Self::Thief)
    where
        Self: Sized;
    /// Makes an item available.
    fn push(&mut self, item: u32);
    /// Takes one, if there is any.
    fn pop(&mut self) -> Option<u32>;
}

/// The end that thieves share.
pub trait ThiefEnd: Clone + Send + Sync {
    /// Takes one, if there is any; tries again where another thread was in the way.
    fn steal(&self) -> Option<u32>;
}

/// What takers told of the round under way.
struct Round {
    taken: Mutex<Taken>,
    /// Items told so far, for the owner to wait on without the lock.
    told: AtomicU64,
    /// The last round whose items are all pushed.
    pushed: AtomicU64,
    is_over: AtomicBool,
}

/// Which items were taken, and how many times something was.
#[derive(Clone, Debug)]
struct Taken {
    marks: Vec<u64>,
    count: u64,
    strangers: u64,
}

impl Taken {
    fn new(items: u32) -> Self {
        Self { marks: vec![0; items.div_ceil(64) as usize], count: 0, strangers: 0 }
    }

    #[inline]
    fn mark(&mut self, item: u32) {
        self.count += 1;
        match self.marks.get_mut(item as usize / 64) {
            Some(word) => *word |= 1 << (item % 64),
            None => self.strangers += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.marks.iter_mut().zip(&other.marks).for_each(|(into, from)| *into |= from);
        self.count += other.count;
        self.strangers += other.strangers;
    }

    fn clear(&mut self) {
        self.marks.fill(0);
        (self.count, self.strangers) = (0, 0);
    }

    /// Every item once: as many takings as items, and each item among them.
    fn is_each_once(&self, items: u32) -> bool {
        let marked: u64 = self.marks.iter().map(|word| u64::from(word.count_ones())).sum();
        self.strangers == 0 && self.count == u64::from(items) && marked == u64::from(items)
    }
}

/// Runs a trial: the owner on the first CPU, the thieves on the next ones in turn.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<Q: OwnerEnd>(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &StealingWorkload,
    report: FleetReport,
) -> Result<TrialRecord, Failure> {
    let cpus: Vec<u32> = worker_cpus(trial).into_iter().cycle().take(1 + workload.thieves as usize).collect();
    let round = Round {
        taken: Mutex::new(Taken::new(workload.items)),
        told: AtomicU64::new(0),
        pushed: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    let (owner, thief) = Q::new(workload.items);
    let owner = Mutex::new(Some(owner));
    let body = |thread: usize| {
        // One thread alone may have the owner's end.
        match if thread == 0 { lock(&owner).take() } else { None } {
            Some(mut queue) => own(control, &round, workload, &mut queue),
            None => steal(control, &round, workload.items, &thief),
        }
        Ok(())
    };
    let phases = threads::pinned(control, &cpus, "queue", body, || coordinate::lead(control, 1, &[], trial, session))?;
    Ok(drive::assemble(control, &phases, trial, report))
}

/// Rounds of one thread at both ends: what it pushed it steals; with `push-pop` it pops every second item.
fn double<Q: OwnerEnd>(workload: &StealingWorkload, pieces: impl Iterator<Item = u64>) {
    let (mut queue, thief) = Q::new(workload.items);
    let mut taken = Taken::new(workload.items);
    for rounds in pieces {
        for _ in 0..rounds {
            (0..workload.items).for_each(|item| queue.push(item));
            for turn in 0..workload.items {
                let pops = workload.owner == Owner::PushPop && turn % 2 == 1;
                let item = if pops { queue.pop() } else { thief.steal() };
                item.into_iter().for_each(|item| taken.mark(item));
            }
            black_box(taken.is_each_once(workload.items));
            taken.clear();
        }
    }
}

fn own<Q: OwnerEnd>(control: &Arc<Ledger>, round: &Round, workload: &StealingWorkload, queue: &mut Q) {
    let mut recorder = Recorder::new(control);
    let mut popped = Taken::new(workload.items);
    double::<Q>(workload, control.doubling(0));
    control.user_ready();
    control.gate().wait_thread();
    let mut number = 0;
    while !control.is_draining() {
        number += 1;
        let damaged = control.takes_corruption(0);
        for item in 0..workload.items {
            // A test's damage: the last item is given out as a second first one.
            let damage = damaged && item + 1 == workload.items;
            queue.push(if damage { 0 } else { item });
        }
        // Release pairs with the Acquire in `steal`: who sees the round pushed sees its items.
        round.pushed.store(number, Ordering::Release);
        if workload.owner == Owner::PushPop {
            while let Some(item) = queue.pop() {
                popped.mark(item);
            }
        }
        let is_whole = wait_for_all(round, u64::from(workload.items) - popped.count);
        let mut taken = lock(&round.taken);
        let stolen = taken.count;
        taken.add(&popped);
        let is_right = is_whole && taken.is_each_once(workload.items);
        taken.clear();
        // Relaxed: the lock orders it before every later telling.
        round.told.store(0, Ordering::Relaxed);
        drop(taken);
        popped.clear();
        record(&mut recorder, is_right, stolen);
        if !is_whole {
            // Stray items would spoil every later round.
            break;
        }
    }
    round.is_over.store(true, Ordering::Relaxed);
    control.user_done();
    recorder.finish();
}

fn wait_for_all(round: &Round, wanted: u64) -> bool {
    let deadline = Instant::now() + ROUND_LIMIT;
    let mut looks = 0;
    // Acquire pairs with the Release in `steal`; the lock taken next would do as well.
    while round.told.load(Ordering::Acquire) < wanted {
        looks += 1;
        if looks % LOOKS_BEFORE_YIELD == 0 {
            if Instant::now() > deadline {
                return false;
            }
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
    true
}

fn steal<T: ThiefEnd>(control: &Arc<Ledger>, round: &Round, items: u32, queue: &T) {
    let recorder = Recorder::new(control);
    let mut own = Taken::new(items);
    let (mut told_round, mut looks) = (0, 0u32);
    // A thief that spins would take CPU time from the owner's proof.
    control.gate().wait_thread();
    // Relaxed: a word to stop, nothing is published by it.
    while !round.is_over.load(Ordering::Relaxed) {
        // Before the look into the queue: an empty queue after this round's last push has none of its items left.
        let pushed = round.pushed.load(Ordering::Acquire);
        if let Some(item) = queue.steal() {
            own.mark(item);
            looks = 0;
            continue;
        }
        if pushed != told_round {
            told_round = pushed;
            let mut taken = lock(&round.taken);
            taken.add(&own);
            round.told.fetch_add(own.count, Ordering::Release);
            drop(taken);
            own.clear();
        }
        looks += 1;
        if looks % LOOKS_BEFORE_YIELD == 0 {
            thread::yield_now();
        }
        std::hint::spin_loop();
    }
    recorder.finish();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::stealing::StealingMode;

    thread_local! {
        /// Pushes, pops and steals of this thread.
        static CALLS: std::cell::Cell<[u64; 3]> = const { std::cell::Cell::new([0; 3]) };
    }

    fn count(call: usize) {
        let mut calls = CALLS.get();
        calls[call] += 1;
        CALLS.set(calls);
    }

    /// A queue that counts its calls.
    #[derive(Clone, Default)]
    struct Watched(Arc<Mutex<std::collections::VecDeque<u32>>>);

    impl OwnerEnd for Watched {
        type Thief = Self;

        fn new(_items: u32) -> (Self, Self) {
            let both = Self::default();
            (both.clone(), both)
        }

        fn push(&mut self, item: u32) {
            count(0);
            lock(&self.0).push_back(item);
        }

        fn pop(&mut self) -> Option<u32> {
            count(1);
            lock(&self.0).pop_back()
        }
    }

    impl ThiefEnd for Watched {
        fn steal(&self) -> Option<u32> {
            count(2);
            lock(&self.0).pop_front()
        }
    }

    #[test]
    fn twice_the_rounds_of_the_proof_are_twice_the_steals() {
        let cases = [
            // (owner, rounds of each piece, pushes, pops, steals)
            (Owner::Push, &[1][..], [10, 0, 10]),
            (Owner::Push, &[1, 2], [30, 0, 30]),
            (Owner::PushPop, &[2, 4], [60, 30, 30]),
        ];
        for (owner, pieces, expected) in cases {
            let workload = StealingWorkload { mode: StealingMode::Queue, items: 10, thieves: 1, owner, turns: 0 };
            CALLS.set([0; 3]);
            double::<Watched>(&workload, pieces.iter().copied());
            assert_eq!(CALLS.get(), expected, "{owner:?} {pieces:?}");
        }
    }
}
