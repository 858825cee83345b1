//! A synthetic journal for tests: five cases, four subjects, ten trials each, every number following from a few speeds.
//!
//! Everything in it fits together (Little's law, bytes, CPU time, kernel counters), so every guard passes; a test bends one thing
//! and sees exactly one guard object.

pub(crate) mod gate;
mod header;
pub(crate) mod scaling;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, json};

use crate::schema::histogram::{self, Histogram};
use crate::schema::journal::*;
use crate::schema::record::{CpuTime, TrialRecord, WarmupRecord, Work, WorkerRecord};
use crate::schema::result::RunResult;

/// A whole journal.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    pub(crate) header: RunHeader,
    pub(crate) trials: Vec<JournalTrial>,
    pub(crate) end: Option<RunEnd>,
}

/// The result of [`Journal::full`], judged once.
pub(crate) fn full_result() -> &'static RunResult {
    static ONCE: LazyLock<RunResult> = LazyLock::new(|| Journal::full().summarize());
    &ONCE
}

const SUBJECTS: [&str; 4] = ["zokio", "tokio", "tokio-ct", "ceiling"];
const WINDOW_NS: u64 = 300_000_000;
const BATCHES: u64 = 10;

struct Shape {
    id: &'static str,
    workload: &'static str,
    metric: &'static str,
    users: u64,
    bytes_per_operation: Option<u64>,
    apart: bool,
    /// Operations per second of each subject.
    speeds: [f64; 4],
}

const SHAPES: [Shape; 5] = [
    Shape {
        id: "tcp-rr/load.closed.users=64",
        workload: "tcp",
        metric: "round_trips_per_s",
        users: 64,
        bytes_per_operation: Some(128),
        apart: false,
        speeds: [252e3, 121e3, 177e3, 267e3],
    },
    Shape {
        id: "tcp-rr-apart",
        workload: "tcp",
        metric: "round_trips_per_s",
        users: 64,
        bytes_per_operation: Some(128),
        apart: true,
        speeds: [243e3, 180e3, 191e3, 252e3],
    },
    Shape {
        id: "tcp-crr",
        workload: "tcp",
        metric: "connections_per_s",
        users: 64,
        bytes_per_operation: Some(2_048),
        apart: false,
        speeds: [30.1e3, 28e3, 31.6e3, 41.5e3],
    },
    Shape {
        id: "tcp-stream/tcp.connections=2",
        workload: "tcp",
        metric: "bytes_per_s",
        users: 2,
        bytes_per_operation: Some(65_536),
        apart: false,
        speeds: [150e3, 84e3, 92e3, 154e3],
    },
    Shape {
        id: "sleep-floor",
        workload: "sleep",
        metric: "ops_per_s",
        users: 4,
        bytes_per_operation: None,
        apart: false,
        speeds: [38e3, 36e3, 36.5e3, 39e3],
    },
];

impl Journal {
    /// The whole sample.
    pub(crate) fn full() -> Self {
        static ONCE: LazyLock<Journal> = LazyLock::new(|| Journal::of(&SHAPES));
        ONCE.clone()
    }

    /// `tcp-rr` with 64 users, both ends in one process.
    pub(crate) fn round_trips() -> Self {
        static ONCE: LazyLock<Journal> = LazyLock::new(|| Journal::of(&SHAPES[..1]));
        ONCE.clone()
    }

    /// `tcp-rr` with a client process of its own.
    pub(crate) fn apart() -> Self {
        static ONCE: LazyLock<Journal> = LazyLock::new(|| Journal::of(&SHAPES[1..2]));
        ONCE.clone()
    }

    /// The control `sleep-floor`.
    pub(crate) fn sleeps() -> Self {
        static ONCE: LazyLock<Journal> = LazyLock::new(|| Journal::of(&SHAPES[4..]));
        ONCE.clone()
    }

    fn of(shapes: &[Shape]) -> Self {
        let mut trials = Vec::new();
        for (case_index, shape) in shapes.iter().enumerate() {
            for block in 0..5 {
                for half in 0..2 {
                    for position in 0..4 {
                        let subject = if half == 0 { position } else { 3 - position };
                        trials.push(trial(shape, case_index, subject, block, half, trials.len() as u64));
                    }
                }
            }
        }
        let duration_s = trials.len() as f64 * 0.7;
        Self { header: header::header(shapes), trials, end: Some(RunEnd { complete: true, interrupted: false, duration_s }) }
    }

    /// The result, by the real judge.
    pub(crate) fn summarize(&self) -> RunResult {
        crate::judge::summarize(&self.header, &self.trials, self.end.as_ref())
    }

    /// Changes every trial of `subject`.
    pub(crate) fn each_trial(&mut self, subject: &str, change: impl Fn(&mut JournalTrial)) {
        self.trials.iter_mut().filter(|trial| trial.subject == subject).for_each(change);
    }

    /// Changes every record of `subject`, beside the evidence of its trial.
    pub(crate) fn each(&mut self, subject: &str, change: impl Fn(&mut TrialRecord, &mut Evidence)) {
        self.each_trial(subject, |trial| {
            if let Outcome::Record(record) = &mut trial.outcome {
                change(record, &mut trial.evidence);
            }
        });
    }
}

/// A repeatable deviation between 0 and 1 (splitmix64 of the place in the run).
fn jitter(place: u64) -> f64 {
    let mut bits = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

fn trial(shape: &Shape, case_index: usize, subject: usize, block: u32, half: u32, place: u64) -> JournalTrial {
    let rate = shape.speeds[subject] * (0.985 + 0.02 * jitter(place));
    let record = record(shape, subject, rate, place);
    let evidence = evidence(shape, &record, place);
    JournalTrial {
        trial_id: format!("trial-{place}"),
        case: shape.id.into(),
        subject: SUBJECTS[subject].into(),
        block,
        position: if half == 0 { subject as u32 } else { 7 - subject as u32 },
        half,
        attempt: 0,
        counted: true,
        disturbed: None,
        seed: place,
        at_ns: (case_index as u64 * 40 + u64::from(block) * 8) * 1_000 + place * 700_000_000,
        outcome: Outcome::Record(Box::new(record)),
        evidence,
    }
}

fn record(shape: &Shape, subject: usize, rate: f64, place: u64) -> TrialRecord {
    let elapsed_ns = WINDOW_NS + 40_000 + (jitter(place + 7_000) * 90_000.0) as u64;
    let ok = (rate * elapsed_ns as f64 / 1e9).round() as u64;
    let is_tcp = shape.workload == "tcp";
    let connections = if shape.metric == "connections_per_s" { ok * 2 } else { shape.users };
    let cpu = cpu_ns(shape, elapsed_ns);
    let counters: &[(&str, u64)] = &[
        ("connections_opened", connections),
        ("connections_accepted", connections),
        ("connections_wanted", shape.users),
        ("syscalls_measured", ok / 16),
    ];
    TrialRecord {
        id: Some(format!("trial-{place}")),
        elapsed_ns,
        work: Work {
            attempted: ok,
            ok,
            errors: BTreeMap::new(),
            bytes: ok * shape.bytes_per_operation.unwrap_or(0),
            verified: ok,
            in_flight_at_end: shape.users,
        },
        batches_cpu_ns: Vec::new(),
        batches: (0..BATCHES).map(|_| (ok / BATCHES, elapsed_ns / BATCHES)).collect(),
        histograms: vec![histogram::encode("service_time", "ns", &times(shape.users as f64 / rate * 1e9, ok)).unwrap()],
        cpu_ns: if shape.apart {
            CpuTime { client: Some(cpu), ..CpuTime::default() }
        } else {
            CpuTime { total: Some(cpu), ..CpuTime::default() }
        },
        counters: if is_tcp { counters.iter().map(|(name, count)| (name.to_string(), *count)).collect() } else { BTreeMap::new() },
        workers: workers(shape, place, ok),
        open: None,
        overload: None,
        series: None,
        driver: if subject == 1 || subject == 2 { "epoll".into() } else { "io_uring".into() },
        driver_reason: None,
        config: if subject == 3 { Map::from_iter([("variant".to_string(), json!("ring, linked send and recv"))]) } else { Map::new() },
        warmup: Some(WarmupRecord { elapsed_ns: 200_000_000, steady: Some(true), windows: vec![(1_000, 100_000_000); 2] }),
    }
}

/// `count` times whose mean is `mean_ns`, with a tail to eight times of it.
fn times(mean_ns: f64, count: u64) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    let shares = [(0.70, 0.86), (0.20, 1.02), (0.08, 1.5), (0.0189, 2.6), (0.001, 6.0), (0.0001, 8.0)];
    let mean: f64 = shares.iter().map(|(share, factor)| share * factor).sum();
    for (share, factor) in shares {
        let samples = (count as f64 * share) as u64;
        for step in 0..10 {
            let spread = 1.0 + (f64::from(step) - 4.5) * 0.01;
            histogram.record_n((mean_ns * factor / mean * spread) as u64, samples / 10).unwrap();
        }
    }
    histogram
}

/// CPU time of one process in its window: nearly all of its CPUs, or next to nothing for sleepers.
fn cpu_ns(shape: &Shape, elapsed_ns: u64) -> u64 {
    match (shape.workload, shape.apart) {
        ("sleep", _) => elapsed_ns / 5,
        (_, true) => elapsed_ns / 100 * 90,
        _ => elapsed_ns / 100 * 196,
    }
}

fn workers(shape: &Shape, place: u64, ok: u64) -> Vec<WorkerRecord> {
    let cpus: &[u32] = if shape.apart { &[1] } else { &[0, 1] };
    let share = ok / cpus.len() as u64;
    let worker = |cpu: &u32| WorkerRecord {
        thread_id: 1_000 + place as u32 * 4 + cpu,
        cpus: vec![*cpu],
        polls: Some(share),
        operations: Some(share),
    };
    cpus.iter().map(worker).collect()
}

fn evidence(shape: &Shape, record: &TrialRecord, place: u64) -> Evidence {
    let threads = |workers: &[WorkerRecord]| -> Vec<ThreadEvidence> {
        workers
            .iter()
            .map(|worker| ThreadEvidence { thread_id: worker.thread_id, name: "worker".into(), cpus: worker.cpus.clone() })
            .collect()
    };
    let window = cpu_ns(shape, record.elapsed_ns);
    let process = |role: &str, threads: Vec<ThreadEvidence>| ProcessEvidence {
        role: role.into(),
        exit: "exit 0".into(),
        cpu_ns: window * 2,
        cpu_measure_ns: Some(window + 300_000),
        rss_peak_bytes: (6 << 20) + (place % 5) * 4_096,
        context_switches_voluntary: 12,
        context_switches_involuntary: 3,
        page_faults_minor: 900,
        threads,
    };
    let server_thread = ThreadEvidence { thread_id: 900, name: "server".into(), cpus: vec![0] };
    Evidence {
        wall_ns: 640_000_000,
        ready_ns: Some(4_000_000),
        measure_wall_ns: Some(record.elapsed_ns + 150_000),
        processes: if shape.apart {
            vec![process("server", vec![server_thread]), process("client", threads(&record.workers))]
        } else {
            vec![process("both", threads(&record.workers))]
        },
        core_state_before_ns: Some(52.0 + jitter(place)),
        core_state_after_ns: Some(52.0 + jitter(place + 1)),
        foreign_cpu_share: Some(0.01 * jitter(place)),
        steal_share: Some(0.0),
        tcp_active_opens: record.counters.get("connections_opened").copied(),
        tcp_passive_opens: record.counters.get("connections_accepted").copied(),
        tcp_namespace_is_private: true,
    }
}
