//! Waiting times: every mode on every runtime, each wait counted once, and the neighbours are there.
#![cfg(target_os = "linux")]

mod support;

use support::{alone, sleep_trial};
use zokio_bench::measure::tally;
use zokio_bench::subject::ceiling::Ceiling;
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::latency::{Beside, LatencyMode, LatencyWorkload, Waker, Workers};
use zokio_report::schema::record::TrialRecord;

const RUNTIMES: [(&str, &dyn Subject); 3] = [("zokio", &Zokio), ("tokio", &Tokio), ("tokio-ct", &TokioCt)];

fn run(name: &str, subject: &dyn Subject, workload: &LatencyWorkload, users: u32) -> TrialRecord {
    let mut trial = sleep_trial(name, 1, users);
    trial.workload = Workload::Latency(workload.clone());
    trial.phases.measure_ms = 80;
    subject.run(&trial, &Session::detached()).unwrap_or_else(|failure| panic!("{name} {workload:?}: {failure:?}"))
}

fn workload(mode: LatencyMode) -> LatencyWorkload {
    LatencyWorkload {
        mode,
        busy_percent: 0,
        workers: Workers::All,
        from: Waker::Inside,
        period_ns: 20_000_000,
        beside: Beside::Poll,
        poll_ns: 1_000_000,
    }
}

fn quantile_ns(record: &TrialRecord, id: &str, quantile: f64) -> u64 {
    let payload = record.histograms.iter().find(|payload| payload.id == id).expect("the mode's own distribution");
    tally::decode(payload).expect("sound").value_at_quantile(quantile)
}

#[test]
fn every_wait_is_timed_once_and_every_user_ends() {
    let _alone = alone();
    for (name, subject) in RUNTIMES {
        for (mode, users) in [(LatencyMode::Wake, 3), (LatencyMode::Spawn, 3), (LatencyMode::Timer, 200), (LatencyMode::Fairness, 4)] {
            let record = run(name, subject, &workload(mode), users);
            let work = &record.work;
            assert!(work.ok > 0 && work.errors.is_empty(), "{name} {mode:?}: {work:?}");
            assert_eq!(work.in_flight_at_end, 0, "{name} {mode:?}");
            let payload = record.histograms.iter().find(|payload| payload.id == mode.time_id()).expect("its distribution");
            assert_eq!(tally::decode(payload).expect("sound").len(), work.ok, "{name} {mode:?}");
        }
    }
}

#[test]
fn timers_come_as_often_as_their_period_says() {
    let _alone = alone();
    for (name, subject) in RUNTIMES {
        let record = run(name, subject, &workload(LatencyMode::Timer), 500);
        let expected = record.elapsed_ns as f64 / 20e6 * 500.0;
        let off = record.work.ok as f64 / expected;
        assert!((0.5..1.5).contains(&off), "{name}: {} timers, {expected} expected", record.work.ok);
    }
}

#[test]
fn a_busy_neighbour_is_waited_for() {
    let _alone = alone();
    // A runtime that does not balance: elsewhere the waiting task may escape.
    let record = run("tokio-ct", &TokioCt, &LatencyWorkload { busy_percent: 90, ..workload(LatencyMode::Spawn) }, 1);
    assert!(quantile_ns(&record, "spawn_latency", 0.999) > 15_000, "the slices of 20 us are not there");
}

#[test]
fn long_polls_are_waited_for_by_those_who_share_their_worker() {
    let _alone = alone();
    // One worker a runtime, so that the woken task cannot be anywhere else.
    let median_ns = |poll_ns, users| {
        let record = run("tokio-ct", &TokioCt, &LatencyWorkload { poll_ns, ..workload(LatencyMode::Fairness) }, users);
        quantile_ns(&record, "wake_latency", 0.5)
    };
    assert!(median_ns(1_000_000, 32) > 100_000, "the polls of 1 ms are not there");
    assert!(median_ns(2_000_000, 4) > 1_000_000, "the polls of 2 ms are not there");
}

#[test]
fn a_thread_outside_wakes_each_task_as_often_as_it_says() {
    let _alone = alone();
    let subjects = RUNTIMES.into_iter().chain([("ceiling", &Ceiling as &dyn Subject)]);
    for (name, subject) in subjects {
        for (mode, busy_percent) in [(LatencyMode::Wake, 0), (LatencyMode::Wake, 50), (LatencyMode::Fairness, 0)] {
            let outside = LatencyWorkload { busy_percent, from: Waker::Outside, beside: Beside::Pair, ..workload(mode) };
            let record = run(name, subject, &outside, 8);
            let (made, taken) = (record.counters["wakes_made"], record.counters["wakes_taken"]);
            assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{name} {mode:?}: {:?}", record.work);
            assert!(made == taken && taken >= record.work.ok, "{name} {mode:?}: {made} wakes, {taken} taken, {} counted", record.work.ok);
            assert_eq!(record.work.in_flight_at_end, 0, "{name} {mode:?}");
        }
    }
}

#[test]
fn a_worker_with_long_polls_looks_outside_between_them() {
    let _alone = alone();
    let mut trial = sleep_trial("zokio", 1, 64);
    trial.workload = Workload::Latency(LatencyWorkload { from: Waker::Outside, ..workload(LatencyMode::Fairness) });
    trial.cpus = vec![zokio_bench::measure::cpu::thread_cpus()[0]];
    trial.phases.measure_ms = 400;
    let record = std::thread::spawn(move || Zokio.run(&trial, &Session::detached()).expect("a record")).join().expect("no panic");
    let median = quantile_ns(&record, "wake_latency", 0.5);
    // An event interval of such polls takes 61 ms, of CPU time.
    assert!(median < 30_000_000, "woken tasks waited for {median} ns");
}
