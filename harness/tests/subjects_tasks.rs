//! Scheduling, stealing and polling: every subject does the rounds it claims, and a damaged one is an error and no success.
#![cfg(target_os = "linux")]

mod support;

use std::sync::Arc;

use support::{RunWith, alone, sleep_trial, spoilt};
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling;
use zokio_bench::subject::crossbeam::CrossbeamDeque;
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::polling::{PollingMode, PollingWorkload};
use zokio_bench::workload::scheduling::{HandOver, SchedulingMode, SchedulingWorkload, TaskState};
use zokio_bench::workload::stealing::{Owner, StealingMode, StealingWorkload};
use zokio_report::schema::record::TrialRecord;

const RUNTIMES: [(&str, RunWith); 3] = [("zokio", Zokio::run_with), ("tokio", Tokio::run_with), ("tokio-ct", TokioCt::run_with)];
const CEILING: (&str, RunWith) = ("ceiling", ceiling::run::run);
const CROSSBEAM: (&str, RunWith) = ("crossbeam-deque", CrossbeamDeque::run_with);

fn trial(name: &str, workload: Workload, users: u32) -> Trial {
    let mut trial = sleep_trial(name, 1, users);
    trial.workload = workload;
    trial
}

fn scheduling(mode: SchedulingMode, hand_over: Option<HandOver>) -> Workload {
    Workload::Scheduling(SchedulingWorkload { mode, tasks: 50, repeat: 20, hand_over, fan_in: None, hold: None, timers: None, state: None })
}

/// The workloads of tasks and timers that do not run to their end, and the operations of a round of each.
fn lifecycle() -> Vec<(Workload, u64)> {
    let of = |mode, tasks, repeat, timers, state| {
        Workload::Scheduling(SchedulingWorkload { mode, tasks, repeat, hand_over: None, fan_in: None, hold: None, timers, state })
    };
    let cancel = |state| (of(SchedulingMode::Cancel, 50, 1, None, Some(state)), 50);
    let mut all: Vec<_> = [TaskState::Queued, TaskState::Waiting, TaskState::Running].into_iter().map(cancel).collect();
    all.push((of(SchedulingMode::Timers, 1, 20, Some(300), None), 20));
    all.push((of(SchedulingMode::IdleTasks, 5_000, 20, None, None), 20));
    all
}

fn polling(mode: PollingMode) -> Workload {
    let suspensions = if mode == PollingMode::Ready { 0 } else { 3 };
    Workload::Polling(PollingWorkload { mode, suspensions, futures: 40 })
}

fn stealing(mode: StealingMode, owner: Owner) -> Workload {
    let (thieves, turns) = if mode == StealingMode::Queue { (2, 0) } else { (0, 30) };
    Workload::Stealing(StealingWorkload { mode, items: 100, thieves, owner, turns })
}

/// Each subject with a workload that it runs, and the operations that every count is a multiple of.
fn everything() -> Vec<((&'static str, RunWith), Workload, u64)> {
    use SchedulingMode::{Chain, PingPong, SpawnInside, SpawnOutside, Yield};
    let mut all = Vec::new();
    for subject in RUNTIMES.into_iter().chain([CEILING]) {
        for (mode, operations) in [(SpawnInside, 50), (SpawnOutside, 50), (Yield, 20), (Chain, 50)] {
            if mode != SpawnOutside || subject.0 != "ceiling" {
                all.push((subject, scheduling(mode, None), operations));
            }
        }
        for hand_over in [HandOver::Channel, HandOver::Oneshot, HandOver::Cell] {
            all.push((subject, scheduling(PingPong, Some(hand_over)), 20));
        }
        for mode in [PollingMode::Ready, PollingMode::AsyncFn, PollingMode::StateMachine, PollingMode::Boxed, PollingMode::Wake] {
            all.push((subject, polling(mode), if mode == PollingMode::Ready { 40 } else { 160 }));
        }
        if subject.0 != "ceiling" {
            all.extend(lifecycle().into_iter().map(|(workload, operations)| (subject, workload, operations)));
        }
        all.push((subject, stealing(StealingMode::Skew, Owner::Push), if subject.0 == "ceiling" { 1 } else { 100 }));
    }
    for subject in [CEILING, CROSSBEAM] {
        all.push((subject, stealing(StealingMode::Queue, Owner::Push), 100));
        all.push((subject, stealing(StealingMode::Queue, Owner::PushPop), 1));
    }
    all
}

fn users(workload: &Workload) -> u32 {
    // A user of `polling` never waits: more of them than workers would not all come to run.
    let reads_memory = matches!(workload, Workload::Scheduling(scheduling) if scheduling.mode == SchedulingMode::IdleTasks);
    if reads_memory || matches!(workload, Workload::Stealing(_) | Workload::Polling(_)) { 1 } else { 3 }
}

fn check(name: &str, record: &TrialRecord, workload: &Workload, operations_per_round: u64) {
    let work = &record.work;
    assert!(work.ok > 0, "{name}: nothing was done");
    assert_eq!((work.attempted, work.verified, work.errors.len()), (work.ok, work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!((work.ok % operations_per_round, work.bytes, work.in_flight_at_end), (0, 0, 0), "{name}: whole rounds alone count");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
    assert!(record.histograms.is_empty(), "{name}: a round has no service time to show");
    let counter = |name: &str| record.counters.get(name).copied();
    // Whether it took twice as long is for the guard to say, over many trials.
    let looked = counter("doubling_once_ns").zip(counter("doubling_twice_ns")).map(|(once, twice)| once > 10_000 && twice > 10_000);
    assert_eq!(looked, workload.no_doubling().is_none().then_some(true), "{name}: {:?}", record.counters);
    assert_eq!(counter("operations_per_round"), workload.operations_per_round(), "{name}: {:?}", record.counters);
    assert!(record.cpu_ns.total.is_some_and(|cpu| cpu > 0), "{name}");
}

#[test]
fn every_mode_does_whole_rounds_on_every_subject() {
    let _alone = alone();
    for ((name, run), workload, operations) in everything() {
        let trial = trial(name, workload.clone(), users(&workload));
        let label = format!("{name} {workload:?}");
        let record =
            run(&trial, &Session::detached(), &Arc::new(Ledger::default())).unwrap_or_else(|failure| panic!("{label}: {failure:?}"));
        check(&label, &record, &workload, operations);
        if matches!(workload, Workload::Polling(_)) {
            assert!((4..=64).contains(&record.counters["future_bytes"]), "{label}: {:?}", record.counters);
        }
        if let Some(bytes) = record.counters.get("idle_bytes") {
            // The least is what the future keeps; other tests of this process may have left free memory behind, which is not new.
            let per_task = *bytes as f64 / record.counters["idle_tasks"] as f64;
            assert!(per_task < 1_000.0, "{label}: {per_task}");
        }
    }
}

#[test]
fn one_wrong_result_is_a_mismatch() {
    let _alone = alone();
    for ((name, run), workload, operations) in everything() {
        let mut trial = trial(name, workload.clone(), users(&workload));
        trial.phases.measure_ms = 100;
        let label = format!("{name} {workload:?}");
        // A host that holds the damaging thread up lets the window pass; a witness that sees nothing sees nothing each time.
        let seen = (0..5).map(|_| spoilt(run, &trial, 0, 0).expect("a record")).find(|record| !record.work.errors.is_empty());
        let work = seen.unwrap_or_else(|| panic!("{label}: the damage was not seen")).work;
        assert_eq!((work.errors.get("mismatch"), work.attempted), (Some(&1), work.ok + 1), "{label}: {work:?}");
        assert!(work.ok > 0 && work.ok.is_multiple_of(operations), "{label}: {work:?}");
    }
}

#[test]
fn a_queue_needs_no_runtime_and_a_runtime_no_queue() {
    let _alone = alone();
    let queue = stealing(StealingMode::Queue, Owner::Push);
    let mut refusals: Vec<_> = RUNTIMES.into_iter().map(|subject| (subject, queue.clone())).collect();
    refusals.push((CEILING, scheduling(SchedulingMode::SpawnOutside, None)));
    refusals.extend(lifecycle().into_iter().map(|(workload, _)| (CEILING, workload)));
    refusals.push((CROSSBEAM, stealing(StealingMode::Skew, Owner::Push)));
    refusals.push((CROSSBEAM, polling(PollingMode::Ready)));
    for ((name, run), workload) in refusals {
        let failure = run(&trial(name, workload.clone(), 1), &Session::detached(), &Arc::new(Ledger::default())).expect_err("not its work");
        assert_eq!(failure.class, "unsupported", "{name} {workload:?}: {failure:?}");
    }
}

#[test]
fn a_thousand_users_all_come_to_their_end() {
    let _alone = alone();
    for (name, run) in RUNTIMES.into_iter().chain([CEILING]) {
        let mut trial = trial(name, scheduling(SchedulingMode::Yield, None), 1_000);
        trial.phases.measure_ms = 100;
        let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
        check(name, &record, &trial.workload, 20);
    }
}
