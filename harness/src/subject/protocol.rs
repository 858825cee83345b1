//! The subject protocol, version 1: one JSON object a line, externally tagged, UTF-8, unknown fields ignored.
//!
//! ```text
//! EXE zokio-subject --describe   ──▶ one line: Description
//! EXE zokio-subject              ◀── {"trial": Trial}
//!                                ──▶ {"ready": …} {"phase": …}* {"progress": …}* then {"record": …} or {"failed": …}
//! end of standard input          means: drain, write the record, exit
//! ```
//! Exit code 0 after a record, 3 after `failed`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;
use zokio_report::schema::result::BuildInfo;

use crate::load::Load;
use crate::measure::planted::Planted;
use crate::workload::Workload;

/// The protocol's version.
pub const PROTOCOL: u32 = 1;
/// First argument that turns the executable into a subject.
pub const SUBJECT_ARGUMENT: &str = "zokio-subject";
/// A longer line is outside the protocol.
pub const LINE_BYTES_MAX: usize = 16 << 20;
/// Exit code of a subject that wrote `failed`.
pub const EXIT_FAILED: u8 = 3;

/// What `--describe` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The executable.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The subjects in it.
    pub subjects: Vec<SubjectDescription>,
}

/// One subject of an executable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectDescription {
    /// `zokio`, `tokio`, …
    pub name: String,
    /// Version of the runtime.
    pub version: String,
    /// How it was built.
    #[serde(default)]
    pub build: BuildInfo,
    /// Workload tables it can run.
    pub workloads: Vec<String>,
}

/// A line from the orchestrator to the subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Run this trial.
    Trial(Box<Trial>),
}

/// A trial, complete: a subject needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Identity; the record repeats it.
    pub id: String,
    /// Which subject of the executable.
    pub subject: String,
    /// Which end, or both.
    pub role: Role,
    /// Addresses of the server, for a client.
    #[serde(default)]
    pub connect: Vec<String>,
    /// What an operation is.
    pub workload: Workload,
    /// When operations start.
    pub load: Load,
    /// Runtime settings of the scenario (`[scenario.runtime]`), passed through.
    #[serde(default)]
    pub runtime: Map<String, Value>,
    /// CPUs this process was pinned to before it read this line; one worker per CPU.
    pub cpus: Vec<u32>,
    /// Where a server listens and a client connects from: loopback addresses and a port (0: any free one).
    #[serde(default)]
    pub network: Network,
    /// Lengths of the phases.
    pub phases: Phases,
    /// The trial's seed.
    pub seed: u64,
    /// What is different in the trial of a gate.
    #[serde(default, skip_serializing_if = "GateTrial::is_default")]
    pub gate: GateTrial,
}

/// What is different in the trial of a gate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateTrial {
    /// Other trials of the same build have shown that twice the work takes twice as long.
    #[serde(default)]
    pub no_doubling: bool,
    /// More work than the subject has, for a gate that proves itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<Planted>,
}

impl GateTrial {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Addresses of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// A server's listeners bind here, in turn.
    pub listen: Vec<String>,
    /// A client's connections bind here before they connect, in turn; empty: the kernel chooses.
    pub sources: Vec<String>,
}

impl Default for Network {
    fn default() -> Self {
        Self { listen: vec!["127.0.0.1:0".into()], sources: Vec::new() }
    }
}

/// Which end of the workload a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Client and server in one process.
    Both,
    /// Answers until the end of standard input.
    Server,
    /// Drives and measures.
    Client,
}

/// Lengths of the phases of a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Longest warm-up.
    pub warmup_ms: u64,
    /// With a window, the warm-up ends as soon as two windows agree.
    #[serde(default)]
    pub warmup_window_ms: Option<u64>,
    /// The measured window.
    pub measure_ms: u64,
    /// How long more is offered than the subject can do, after the window.
    #[serde(default)]
    pub overload_ms: u64,
    /// How long less is offered after that.
    #[serde(default)]
    pub recovery_ms: u64,
    /// Distance of the points of the trial's course; left out: nobody watches it.
    #[serde(default)]
    pub interval_ms: Option<u64>,
    /// How long operations under way may take to end.
    pub drain_ms: u64,
}

impl Phases {
    /// How long operations run, every phase at its longest.
    pub fn working_ms(&self) -> u64 {
        self.warmup_ms + self.measure_ms + self.overload_ms + self.recovery_ms
    }
}

/// A line from the subject to the orchestrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Set up; a server tells where it listens.
    Ready(Ready),
    /// A phase begins.
    Phase(Phase),
    /// Still alive.
    Progress(Progress),
    /// The trial's record; nothing may follow.
    Record(Box<TrialRecord>),
    /// No record, with the cause; nothing may follow.
    Failed(Failure),
}

/// The subject is set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Where a server listens.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The process that answers.
    pub pid: u32,
}

/// A phase begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Which.
    pub name: PhaseName,
}

/// The phases, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    /// Work that is not counted.
    Warmup,
    /// The measured window.
    Measure,
    /// More is offered than the subject can do, and then less again; only where the load says so.
    Overload,
    /// Operations under way end.
    Drain,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Successful operations so far.
    pub ok: u64,
}
