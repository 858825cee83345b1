//! Every subject does the work it claims: real bytes on loopback, verified at both ends, counted once, nothing left behind.
#![cfg(target_os = "linux")]

mod support;

use support::{RunningServer, SUBJECTS, alone, mean_service_ns, sleep_trial, tcp, trial};
use zokio_bench::subject::ceiling::Ceiling;
use zokio_bench::subject::protocol::{Role, Trial};
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::workload::tcp::{SizeDistribution, TcpMode};
use zokio_report::schema::record::TrialRecord;

const MODES: [TcpMode; 4] = [TcpMode::Rr, TcpMode::Crr, TcpMode::Churn, TcpMode::Stream];

fn run(subject: &dyn Subject, trial: &Trial) -> TrialRecord {
    let record = subject.run(trial, &Session::detached());
    record.unwrap_or_else(|failure| panic!("{} {:?}: {failure:?}", trial.id, trial.workload))
}

/// What holds for every record of a measuring end.
fn check(name: &str, record: &TrialRecord, bytes_per_operation: u64) {
    let work = &record.work;
    assert!(work.ok > 0, "{name}: nothing was done");
    assert_eq!(work.ok, work.verified, "{name}");
    assert_eq!((work.attempted, work.errors.len()), (work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!(work.bytes, work.ok * bytes_per_operation, "{name}");
    assert_eq!(work.in_flight_at_end, 0, "{name}");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
    assert_eq!(record.batches.iter().map(|batch| batch.1).sum::<u64>(), record.elapsed_ns, "{name}");
    assert_eq!(record.workers.iter().filter_map(|worker| worker.operations).sum::<u64>(), work.ok, "{name}");
}

#[test]
fn every_mode_moves_real_bytes_together() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for mode in MODES {
            let size = if mode == TcpMode::Stream { 64 << 10 } else { 200 };
            let users: u32 = if mode == TcpMode::Stream { 2 } else { 6 };
            let workload = tcp(mode, size);
            let per_operation = if mode == TcpMode::Stream { size } else { 2 * size * u64::from(workload.operations_per_connection) };
            let record = run(subject, &trial(name, Role::Both, workload, 6));
            check(&format!("{name} {mode:?}"), &record, per_operation);
            assert_eq!(record.counters["connections_opened"], record.counters["connections_accepted"], "{name} {mode:?}");
            assert_eq!(record.counters["connections_wanted"], u64::from(users));
            assert!(record.cpu_ns.total.is_some_and(|cpu| cpu > 0) && record.cpu_ns.client.is_none());
        }
    }
}

#[test]
fn rate_times_mean_time_is_the_number_of_users() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for (mode, users) in [(TcpMode::Rr, 1), (TcpMode::Rr, 100), (TcpMode::Crr, 16), (TcpMode::Stream, 2)] {
            let size = if mode == TcpMode::Stream { 64 << 10 } else { 64 };
            let mut trial = trial(name, Role::Both, tcp(mode, size), users);
            trial.phases.measure_ms = 250;
            // A thread that the host holds up at an edge of the window is charged for time outside it; a wrong clock is wrong always.
            let in_flight: Vec<f64> = (0..4)
                .map(|_| {
                    let record = run(subject, &trial);
                    record.work.ok as f64 * mean_service_ns(&record) / record.elapsed_ns as f64 / f64::from(users)
                })
                .collect();
            assert!(in_flight.iter().any(|share| (share - 1.0).abs() < 0.1), "{name} {mode:?} {users}: {in_flight:?} of the users");
        }
    }
}

#[test]
fn every_server_serves_the_ceilings_client() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for mode in [TcpMode::Rr, TcpMode::Crr, TcpMode::Churn] {
            let workload = tcp(mode, 300);
            let per_operation = 600 * u64::from(workload.operations_per_connection);
            let server = RunningServer::start(subject, trial(name, Role::Server, workload.clone(), 8));
            let mut client = trial("ceiling", Role::Client, workload, 8);
            client.connect = server.addresses.iter().map(ToString::to_string).collect();
            let record = run(&Ceiling, &client);
            check(&format!("{name} {mode:?} apart"), &record, per_operation);
            assert!(record.cpu_ns.client.is_some() && record.cpu_ns.total.is_none());
            let served = server.end();
            assert_eq!(served.counters["connections_accepted"], record.counters["connections_opened"], "{name} {mode:?}");
            let client_bytes = record.counters["operations_ever"] * per_operation;
            assert_eq!(served.work.bytes, client_bytes, "{name} {mode:?}: what was served is what was received");
            assert!(served.work.errors.is_empty() && served.cpu_ns.server.is_some(), "{name}: {:?}", served.work.errors);
        }
    }
}

#[test]
fn sizes_that_vary_are_known_to_both_ends() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        for mode in [TcpMode::Rr, TcpMode::Churn] {
            let mut workload = tcp(mode, 0);
            workload.request = SizeDistribution::Range(1, 3_000);
            workload.response = SizeDistribution::Split(vec![(1, 3), (40_000, 1)]);
            let record = run(subject, &trial(name, Role::Both, workload, 4));
            assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{name} {mode:?}: {:?}", record.work);
        }
    }
}

#[test]
fn two_thousand_connections_exhaust_no_port() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        let mut trial = trial(name, Role::Both, tcp(TcpMode::Crr, 64), 16);
        trial.network.sources = (2..10).map(|last| format!("127.0.0.{last}")).collect();
        trial.phases.measure_ms = 300;
        let mut opened = 0;
        while opened < 2_000 {
            let record = run(subject, &trial);
            assert!(record.work.errors.is_empty(), "{name}: {:?}", record.work.errors);
            assert!(record.histograms.iter().any(|histogram| histogram.id == "connect_time"), "{name}");
            opened += record.counters["connections_opened"];
        }
    }
}

#[test]
fn there_is_a_worker_for_each_cpu_and_it_runs_where_it_says() {
    let _alone = alone();
    let cpus = zokio_bench::measure::cpu::thread_cpus();
    for (name, subject, _) in SUBJECTS {
        let record = run(subject, &trial(name, Role::Both, tcp(TcpMode::Rr, 64), 8));
        assert_eq!(record.workers.len(), cpus.len(), "{name}: {:?}", record.workers);
        for worker in &record.workers {
            let expected = if name == "tokio" { cpus.len() } else { 1 };
            assert_eq!(worker.cpus.len(), expected, "{name}: {worker:?}");
            assert!(worker.thread_id > 0);
        }
    }
}

#[test]
fn a_sleep_is_never_shorter_than_asked() {
    let _alone = alone();
    for (name, subject, _) in SUBJECTS {
        let record = run(subject, &sleep_trial(name, 2_000_000, 3));
        assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{name}: {:?}", record.work);
        assert!(mean_service_ns(&record) >= 2_000_000.0, "{name}");
    }
}
