//! Objects of a pool: every pool runs every case, and one that lends an object twice is caught.
#![cfg(target_os = "linux")]

mod support;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use support::{RunWith, alone, check_rounds, trial_of};
use zokio_bench::measure::cpu::process_cpu_ns;
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling;
use zokio_bench::subject::pools::lender::{Lender, Queue};
use zokio_bench::subject::pools::object::Object;
use zokio_bench::subject::pools::{self, ArrayQueue};
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::pool::{Empty, Hold, PoolWorkload};
use zokio_report::schema::record::TrialRecord;

const SUBJECTS: [(&str, RunWith); 4] =
    [("array-queue", ArrayQueue::run_with), ("mutex", pools::Mutex::run_with), ("zokio", Zokio::run_with), ("ceiling", ceiling::run::run)];
const ROUND: u32 = 512;

fn workload(capacity: u32, hold: Hold, held: u32, empty: Empty) -> PoolWorkload {
    PoolWorkload { capacity, hold, held, empty, operations_per_round: ROUND }
}

fn run(name: &str, run: RunWith, workload: PoolWorkload, users: u32) -> TrialRecord {
    let mut trial = trial_of(name, Workload::Pool(workload), users);
    // Who waits makes little way where the host is busy.
    trial.phases.measure_ms = 200;
    let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default()));
    record.unwrap_or_else(|failure| panic!("{name} {trial:?}: {failure:?}"))
}

#[test]
fn every_pool_lends_every_object_to_one_user_at_a_time() {
    let _alone = alone();
    for (name, run_with) in SUBJECTS {
        for hold in [Hold::None, Hold::Work] {
            for (users, held) in [(1, 1), (2, 1), (5, 4)] {
                let record = run(name, run_with, workload(64, hold, held, Empty::Create), users);
                check_rounds(&format!("{name} {hold:?} {users} {held}"), &record, ROUND.into());
                assert_eq!((record.counters["created_ever"], record.counters["waits_ever"]), (0, 0), "{name}: the pool never runs empty");
            }
        }
    }
}

#[test]
fn an_empty_pool_makes_more_or_keeps_its_users_waiting() {
    let _alone = alone();
    for (name, run_with) in SUBJECTS.into_iter().filter(|(name, _)| *name != "zokio") {
        let record = run(name, run_with, workload(4, Hold::None, 8, Empty::Create), 1);
        check_rounds(name, &record, ROUND.into());
        // Every handful of eight takes the four that wait, and four that have to be made.
        assert_eq!(record.counters["created_ever"], record.counters["operations_ever"] / 2, "{name}");
    }
    for (name, run_with) in &SUBJECTS[..3] {
        let record = run(name, *run_with, PoolWorkload { operations_per_round: 16, ..workload(1, Hold::Work, 1, Empty::Wait) }, 2);
        // A user that the end of the trial found waiting has an unfinished round.
        assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{name}: {:?}", record.work);
        assert_eq!(record.counters["created_ever"], 0, "{name}");
        assert!(record.counters["doubling_twice_ns"] > record.counters["doubling_once_ns"], "{name}: {:?}", record.counters);
    }
}

#[test]
fn a_capacity_that_is_a_bound_is_told() {
    let _alone = alone();
    let trial: Trial = trial_of("zokio", Workload::Pool(workload(4, Hold::None, 8, Empty::Create)), 1);
    let failure = Zokio::run_with(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect_err("eight of four");
    assert_eq!(failure.class, "unsupported");
}

#[test]
fn one_object_cannot_be_two_lists() {
    let _alone = alone();
    let trial: Trial = trial_of("ceiling", Workload::Pool(workload(1, Hold::None, 1, Empty::Wait)), 2);
    let failure = ceiling::run::run(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect_err("nothing to share");
    assert_eq!(failure.class, "unsupported");
}

/// A pool with a fault: each of its objects is in it twice.
struct Twice(Mutex<Vec<Arc<Object>>>);

impl Twice {
    fn new(objects: usize) -> Self {
        let objects = (0..objects).map(|_| Arc::<Object>::default());
        Self(Mutex::new(objects.flat_map(|object| [Arc::clone(&object), object]).collect()))
    }
}

impl Lender for &Twice {
    type Held = Arc<Object>;

    fn acquire(&mut self) -> Option<Arc<Object>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn create(&mut self) -> Option<Arc<Object>> {
        None
    }

    fn release(&mut self, object: Arc<Object>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(object);
    }
}

fn run_faulty(workload: &PoolWorkload, users: u32, objects: usize) -> TrialRecord {
    let pool = Twice::new(objects);
    let trial = trial_of("faulty", Workload::Pool(workload.clone()), users);
    pools::run(&trial, &Session::detached(), &Arc::new(Ledger::default()), "faulty", workload, || &pool).expect("a record with errors")
}

#[test]
fn an_object_lent_twice_is_a_mismatch() {
    let _alone = alone();
    // One user is handed the same object for both hands.
    let record = run_faulty(&workload(4, Hold::None, 2, Empty::Create), 1, 4);
    let mismatches = record.work.errors.get("mismatch").copied().unwrap_or(0);
    assert_eq!((record.work.ok, mismatches), (0, record.work.attempted), "{:?}", record.work);
    assert!(mismatches > 0);
    // Two users on two threads hold the one object at the same time, again and again.
    if zokio_bench::measure::cpu::thread_cpus().len() >= 2 {
        let record = run_faulty(&workload(1, Hold::Work, 1, Empty::Wait), 2, 1);
        assert!(record.work.errors.get("mismatch").is_some_and(|&count| count > 0), "{:?}", record.work);
    }
}

/// A pool whose time does not follow from the work: milliseconds of CPU time for the first object after a rest, nothing for the others.
struct Constant {
    queue: Queue,
    last: Instant,
}

impl Lender for Constant {
    type Held = Box<Object>;

    fn acquire(&mut self) -> Option<Box<Object>> {
        let has_rested = self.last.elapsed() > Duration::from_micros(100);
        let used_ns = || process_cpu_ns().expect("Linux tells");
        let until = used_ns() + 3_000_000;
        while has_rested && used_ns() < until {
            std::hint::spin_loop();
        }
        let object = Lender::acquire(&mut &self.queue);
        self.last = Instant::now();
        object
    }

    fn create(&mut self) -> Option<Box<Object>> {
        None
    }

    fn release(&mut self, object: Box<Object>) {
        Lender::release(&mut &self.queue, object);
    }
}

#[test]
fn a_pool_whose_time_does_not_follow_from_the_work_is_told_apart() {
    let _alone = alone();
    let workload = PoolWorkload { operations_per_round: 1, ..workload(1, Hold::None, 1, Empty::Wait) };
    let trial = trial_of("constant", Workload::Pool(workload.clone()), 1);
    // An interruption looks like a rest; a spell of them may cover all pairs of an attempt.
    let is_told_apart = |_| {
        let lender = || Constant { queue: Queue::new(1), last: Instant::now() };
        let ledger = Arc::new(Ledger::default());
        let record = pools::run(&trial, &Session::detached(), &ledger, "constant", &workload, lender).expect("a record");
        record.counters["doubling_twice_ns"] * 10 < record.counters["doubling_once_ns"] * 16
    };
    assert!((0..5).any(is_told_apart), "constant time passed for work");
}

#[test]
fn a_pool_that_has_nothing_and_makes_nothing_is_exhausted() {
    let _alone = alone();
    let record = run_faulty(&workload(1, Hold::None, 4, Empty::Create), 1, 1);
    assert!(record.work.errors.get("exhausted").is_some_and(|&count| count > 0), "{:?}", record.work);
}
