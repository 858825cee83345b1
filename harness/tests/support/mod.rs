//! Trials run inside the test process, and a session whose lines can be read.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zokio_bench::load::{ClosedLoad, Load};
use zokio_bench::measure::tally::{self, Ledger};
use zokio_bench::subject::ceiling::{self, Ceiling};
use zokio_bench::subject::protocol::{Network, PROTOCOL, Phases, Reply, Role, Trial};
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::workload::tcp::{SizeDistribution, TcpMode, TcpWorkload};
use zokio_bench::workload::{SleepWorkload, Workload};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

/// How to run a trial with a control of the test's own.
pub(crate) type RunWith = fn(&Trial, &Session, &Arc<Ledger>) -> Result<TrialRecord, Failure>;

/// Every subject, by name.
pub(crate) const SUBJECTS: [(&str, &dyn Subject, RunWith); 3] =
    [("ceiling", &Ceiling, ceiling::run::run), ("tokio", &Tokio, Tokio::run_with), ("tokio-ct", &TokioCt, TokioCt::run_with)];

/// One trial at a time: they count descriptors, threads and CPU time of this process.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn tcp(mode: TcpMode, size: u64) -> TcpWorkload {
    let size = SizeDistribution::Fixed(size);
    let operations_per_connection = if mode == TcpMode::Churn { 3 } else { 1 };
    TcpWorkload { mode, request: size.clone(), response: size, connections: 2, operations_per_connection, nodelay: true }
}

pub(crate) fn trial(subject: &str, role: Role, workload: TcpWorkload, users: u32) -> Trial {
    Trial {
        protocol: PROTOCOL,
        id: format!("{subject}-{users}"),
        subject: subject.into(),
        role,
        connect: Vec::new(),
        workload: Workload::Tcp(workload),
        load: Load::Closed(ClosedLoad { users }),
        runtime: serde_json::Map::new(),
        cpus: Vec::new(),
        network: Network::default(),
        phases: Phases { warmup_ms: 20, warmup_window_ms: None, measure_ms: 50, drain_ms: 5_000, ..Phases::default() },
        seed: 11,
        gate: Default::default(),
    }
}

pub(crate) fn sleep_trial(subject: &str, duration_ns: u64, users: u32) -> Trial {
    let mut trial = trial(subject, Role::Both, tcp(TcpMode::Rr, 64), users);
    trial.workload = Workload::Sleep(SleepWorkload { duration_ns });
    trial
}

/// A trial of any workload that has both ends in one process.
pub(crate) fn trial_of(subject: &str, workload: Workload, users: u32) -> Trial {
    Trial { workload, ..trial(subject, Role::Both, tcp(TcpMode::Rr, 64), users) }
}

/// What holds for every record of work in rounds: counted once, all of it in the window's slices and on the workers.
pub(crate) fn check_rounds(name: &str, record: &TrialRecord, operations_per_round: u64) {
    let work = &record.work;
    assert!(work.ok > 0 && work.ok.is_multiple_of(operations_per_round), "{name}: {} operations", work.ok);
    assert_eq!((work.attempted, work.verified, work.errors.len()), (work.ok, work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!(work.in_flight_at_end, 0, "{name}");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
    assert_eq!(record.workers.iter().filter_map(|worker| worker.operations).sum::<u64>(), work.ok, "{name}");
    assert!(record.histograms.is_empty(), "{name}: nobody timed single operations");
}

/// Mean service time of a record in nanoseconds.
pub(crate) fn mean_service_ns(record: &TrialRecord) -> f64 {
    let payload = record.histograms.iter().find(|payload| payload.id == "service_time").expect("a service time");
    tally::decode(payload).expect("sound").mean()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server in a thread of this process.
pub(crate) struct RunningServer {
    pub(crate) addresses: Vec<SocketAddr>,
    session: Arc<Session>,
    thread: std::thread::JoinHandle<Result<TrialRecord, Failure>>,
}

impl RunningServer {
    pub(crate) fn start(subject: &'static dyn Subject, trial: Trial) -> Self {
        let lines = Lines::default();
        let session = Arc::new(Session::new(Box::new(lines.clone())));
        let for_thread = Arc::clone(&session);
        let thread = std::thread::spawn(move || subject.run(&trial, &for_thread));
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(line) = bytes.split(|&byte| byte == b'\n').next().filter(|line| line.ends_with(b"}")) {
                let Reply::Ready(ready) = serde_json::from_slice(line).expect("a reply") else { panic!("not ready first") };
                let addresses = ready.addresses.iter().map(|address| address.parse().expect("an address")).collect();
                return Self { addresses, session, thread };
            }
            assert!(Instant::now() < deadline && !thread.is_finished(), "the server never was ready");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn end(self) -> TrialRecord {
        self.session.end();
        self.thread.join().expect("no panic").expect("a record")
    }
}

/// Runs a trial in which this user's next work is damaged once, from this slice of the measured window on.
pub(crate) fn spoilt(run: RunWith, trial: &Trial, user: u32, from_slice: usize) -> Result<TrialRecord, Failure> {
    let control = Arc::new(Ledger::default());
    let culprit = Arc::clone(&control);
    let spoiler = std::thread::spawn(move || {
        while culprit.slice().is_none_or(|slice| slice < from_slice) {
            std::thread::sleep(Duration::from_micros(200));
        }
        culprit.corrupt_next_request_of(user);
    });
    let outcome = run(trial, &Session::detached(), &control);
    spoiler.join().expect("no panic");
    outcome
}

pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("linux").count()
}

pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("linux").count()
}

/// Waits a moment for a count to come back to what it was: the kernel frees rings after the last close.
pub(crate) fn settles_at(expected: usize, count: fn() -> usize) -> bool {
    let deadline = Instant::now() + Duration::from_secs(2);
    while count() > expected && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    count() <= expected
}
