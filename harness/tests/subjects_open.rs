//! Open loops: a stall is charged to every operation it delayed, what is too much is an error, and a schedule is kept.
#![cfg(target_os = "linux")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use support::{RunWith, SUBJECTS, alone, tcp, trial, trial_of};
use zokio_bench::load::{Arrival, ClosedLoad, Load, OpenLoad, OverloadLoad};
use zokio_bench::measure::tally::{self, Ledger};
use zokio_bench::subject::ceiling;
use zokio_bench::subject::protocol::{Role, Trial};
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::http::{HttpMethod, HttpWorkload};
use zokio_bench::workload::scheduling::{SchedulingMode, SchedulingWorkload};
use zokio_bench::workload::tcp::TcpMode;
use zokio_report::schema::record::TrialRecord;

const MS: u64 = 1_000_000;

/// The runtimes: all that can start operations by a schedule.
fn runtimes() -> Vec<(&'static str, RunWith)> {
    let peers = SUBJECTS.into_iter().filter(|(name, ..)| *name != "ceiling").map(|(name, _, run)| (name, run));
    std::iter::once(("zokio", Zokio::run_with as RunWith)).chain(peers).collect()
}

/// An echo server whose answers all wait while `gate` is held; where it listens.
fn echo_server(gate: &Arc<RwLock<()>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let gate = Arc::clone(gate);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let gate = Arc::clone(&gate);
            std::thread::spawn(move || {
                let mut message = [0; 64];
                stream.set_nodelay(true).expect("option");
                while stream.read_exact(&mut message).is_ok() {
                    drop(gate.read().expect("not poisoned"));
                    if stream.write_all(&message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Runs an open loop against a server that stalls once in the window.
fn run_with_stall(run: RunWith, open: OpenLoad, stall: Duration) -> TrialRecord {
    let gate = Arc::new(RwLock::new(()));
    let mut client = trial("any", Role::Client, tcp(TcpMode::Rr, 64), open.users);
    client.connect = vec![echo_server(&gate)];
    client.load = Load::Open(open);
    client.phases.measure_ms = 400;
    let control = Arc::new(Ledger::default());
    let watched = Arc::clone(&control);
    let staller = std::thread::spawn(move || {
        while watched.slice().is_none_or(|slice| slice < 3) {
            std::thread::sleep(Duration::from_micros(200));
        }
        let _held = gate.write().expect("not poisoned");
        std::thread::sleep(stall);
    });
    let record = run(&client, &Session::detached(), &control).expect("a record");
    staller.join().expect("no panic");
    record
}

/// Samples of a distribution of at least `from_ns`.
fn samples_from(record: &TrialRecord, id: &str, from_ns: u64) -> u64 {
    let payload = record.histograms.iter().find(|payload| payload.id == id).unwrap_or_else(|| panic!("no {id}"));
    let histogram = tally::decode(payload).expect("sound");
    histogram.len() - histogram.count_between(0, from_ns - 1)
}

#[test]
fn a_stall_is_charged_to_every_operation_it_delayed() {
    let _alone = alone();
    for (name, run) in runtimes() {
        let open = OpenLoad { rate_per_s: 2_000, arrival: Arrival::Uniform, users: 4, max_in_flight: 1_000 };
        let record = run_with_stall(run, open, Duration::from_millis(50));
        // An operation due in the first 40 of the 50 ms waits 10 ms or more for its answer: 80 of them, and some more while the rest drains.
        let (waited, served) = (samples_from(&record, "response_time", 10 * MS), samples_from(&record, "service_time", 10 * MS));
        assert!((60..=500).contains(&waited), "{name}: {waited} operations waited 10 ms");
        // At most one of each user; a busy host may stop everything for some milliseconds more.
        assert!(
            served >= 1 && served * 2 <= waited,
            "{name}: {served} operations of 4 users took 10 ms once begun, {waited} waited so long"
        );
        let open = record.open.expect("an open loop");
        assert!(open.late >= 60, "{name}: {open:?}");
        assert!((750..=850).contains(&open.intended), "{name}: 2,000 a second for 400 ms: {open:?}");
        assert_eq!(record.work.errors.len(), 0, "{name}: {:?}", record.work.errors);
        // The last ones may still wait for their turn when the schedule ends.
        assert!(record.work.verified == record.work.ok && record.counters["never_begun"] <= 40, "{name}: {:?}", record.counters);
    }
}

#[test]
fn what_is_offered_beyond_the_limit_is_an_error_of_its_own_class() {
    let _alone = alone();
    for (name, run) in runtimes() {
        let open = OpenLoad { rate_per_s: 4_000, arrival: Arrival::Poisson, users: 4, max_in_flight: 20 };
        let record = run_with_stall(run, open, Duration::from_millis(50));
        // 200 were due in the stall, and 20 could wait.
        let refused = record.work.errors.get("overload").copied().unwrap_or(0);
        assert!(refused >= 100, "{name}: {:?}", record.work.errors);
        let open = record.open.as_ref().expect("an open loop");
        assert!(open.intended.abs_diff(open.sent + refused) <= 20, "{name}: every operation was begun, refused, or waits: {open:?}");
        assert_eq!(record.work.attempted, record.work.ok + refused, "{name}");
        assert_eq!(samples_from(&record, "response_time", 1), record.work.ok, "{name}: those refused have no time");
    }
}

fn spawn() -> Workload {
    Workload::Scheduling(SchedulingWorkload {
        mode: SchedulingMode::SpawnInside,
        tasks: 10,
        repeat: 1,
        hand_over: None,
        fan_in: None,
        hold: None,
        timers: None,
        state: None,
    })
}

fn http() -> Workload {
    let method = HttpMethod::Get;
    Workload::Http(HttpWorkload { method, body: 13, request_body: 0, requests_per_connection: 0, connections: 8, nodelay: true })
}

fn workloads() -> Vec<Workload> {
    vec![Workload::Tcp(tcp(TcpMode::Rr, 64)), Workload::Tcp(tcp(TcpMode::Crr, 64)), http(), spawn()]
}

#[test]
fn every_workload_that_can_keeps_its_schedule_on_every_runtime() {
    let _alone = alone();
    for workload in workloads() {
        for (name, run) in runtimes() {
            let mut trial = trial_of(name, workload.clone(), 8);
            trial.load = Load::Open(OpenLoad { rate_per_s: 1_000, arrival: Arrival::Uniform, users: 8, max_in_flight: 500 });
            trial.phases.measure_ms = 300;
            let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
            let open = record.open.as_ref().expect("an open loop");
            let due = record.elapsed_ns as f64 * 1_000.0 / 1e9;
            assert!((open.intended as f64 - due).abs() <= 60.0, "{name} {workload:?}: {} of {due}", open.intended);
            assert!(
                record.work.ok.abs_diff(open.intended) <= 60 && record.work.errors.is_empty(),
                "{name} {workload:?}: {:?}",
                record.work
            );
            assert_eq!(record.work.in_flight_at_end, 0, "{name} {workload:?}");
        }
    }
}

fn overload(users: u32) -> Load {
    Load::Overload(OverloadLoad { users, offered: 1.5, after: 0.3, arrival: Arrival::Poisson, max_in_flight: 256 })
}

#[test]
fn an_overload_is_relative_to_what_the_same_trial_did_and_is_told_apart_from_it() {
    let _alone = alone();
    for workload in workloads() {
        for (name, run) in runtimes() {
            let mut trial = trial_of(name, workload.clone(), 8);
            trial.load = overload(8);
            trial.phases.measure_ms = 100;
            (trial.phases.overload_ms, trial.phases.recovery_ms, trial.phases.interval_ms) = (100, 100, Some(10));
            let record = run(&trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
            let full_load_per_s = record.work.ok as f64 * 1e9 / record.elapsed_ns as f64;
            let after = record.overload.as_ref().expect("an overload");
            let offered = after.overload.open.offered_rate_per_s / full_load_per_s;
            assert!((1.2..=1.8).contains(&offered), "{name} {workload:?}: {offered} of full load");
            assert_eq!(record.work.errors.len(), 0, "{name} {workload:?}: full load has no errors: {:?}", record.work.errors);
            assert!(after.overload.work.ok > 0 && after.recovery.work.ok > 0, "{name} {workload:?}: {after:?}");
            assert!(after.overload.open.intended >= after.overload.open.sent, "{name} {workload:?}");
            assert_eq!(record.open, None, "the measured window was a closed loop");
            let series = record.series.as_ref().expect("it was asked for");
            for phase in ["measure", "overload", "recovery"] {
                let points = series.points.iter().filter(|point| point.phase == phase);
                let (count, ok) = points.fold((0, 0), |(count, ok), point| (count + 1, ok + point.ok));
                assert!((3..=11).contains(&count) && ok > 0, "{name} {workload:?}: {count} points in {phase}");
            }
            assert!(series.rss_after_bytes.is_some() && series.longest_gap_ns > 0, "{name}");
        }
    }
}

#[test]
fn who_cannot_start_by_a_schedule_says_so() {
    let _alone = alone();
    let refused = |run: RunWith, trial: &Trial| {
        let failure = run(trial, &Session::detached(), &Arc::new(Ledger::default())).expect_err("no schedule");
        assert_eq!(failure.class, "unsupported", "{failure:?}");
        failure.message
    };
    let mut on_ceiling = trial_of("ceiling", spawn(), 2);
    for load in [overload(2), Load::Open(OpenLoad { rate_per_s: 9, arrival: Arrival::Uniform, users: 2, max_in_flight: 9 })] {
        on_ceiling.load = load;
        assert!(refused(ceiling::run::run, &on_ceiling).contains("closed loop alone"));
        on_ceiling.workload = Workload::Tcp(tcp(TcpMode::Rr, 64));
        assert!(refused(ceiling::run::run, &on_ceiling).contains("closed loop alone"));
    }
    let mut stream = trial_of("zokio", Workload::Tcp(tcp(TcpMode::Stream, 64 << 10)), 2);
    stream.load = overload(2);
    assert!(refused(Zokio::run_with, &stream).contains("a stream"));
    stream.load = Load::Closed(ClosedLoad { users: 2 });
    assert!(Zokio::run_with(&stream, &Session::detached(), &Arc::new(Ledger::default())).is_ok());
}

#[test]
fn memory_that_a_subject_never_gives_back_is_the_slope_of_its_course() {
    let _alone = alone();
    let mut trial = trial_of("zokio", Workload::Tcp(tcp(TcpMode::Rr, 64)), 4);
    trial.phases.measure_ms = 400;
    trial.phases.interval_ms = Some(10);
    let control = Arc::new(Ledger::default());
    let watched = Arc::clone(&control);
    let leaker = std::thread::spawn(move || {
        let mut leaked: Vec<Vec<u8>> = Vec::new();
        while !watched.is_draining() {
            if watched.slice().is_some() {
                leaked.push(vec![1; 256 << 10]);
            }
            std::thread::sleep(Duration::from_millis(4));
        }
        leaked
    });
    let record = Zokio::run_with(&trial, &Session::detached(), &control).expect("a record");
    let leaked_kib = leaker.join().expect("no panic").len() as f64 * 256.0;
    let points = &record.series.as_ref().expect("it was asked for").points;
    let memory: Vec<(f64, f64)> =
        points.iter().filter_map(|point| Some((point.at_ns as f64 / 1e9, point.rss_bytes? as f64 / 1024.0))).collect();
    let slope = zokio_report::stats::slope::slope(&memory).expect("enough points");
    let expected = leaked_kib * 1e9 / record.elapsed_ns as f64;
    assert!(slope.ci.lo > 0.0 && (0.6..=1.6).contains(&(slope.value / expected)), "{slope:?}, {expected} KiB/s were kept");
}
