//! `records.jsonl`: the raw run, one line appended at once after each trial, from which everything else is recomputed.
//!
//! ```text
//! {"header": RunHeader}     first line
//! {"trial": JournalTrial}   one per trial, in the order they ran
//! {"end": RunEnd}           last line; absent when the run was killed
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::host::HostProfile;
use super::open::OfferedLoad;
use super::record::TrialRecord;
use super::result::{BuildInfo, Severity, SuiteInfo, ToolInfo};

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JournalLine {
    /// What was planned, and where.
    Header(Box<RunHeader>),
    /// One trial.
    Trial(Box<JournalTrial>),
    /// The run came to its end, or was interrupted in an orderly way.
    End(RunEnd),
}

/// Everything known before the first trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunHeader {
    /// Identity of the run.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// The seed of the plan.
    pub seed: u64,
    /// The command line, paths relative to the working folder.
    pub command: Vec<String>,
    /// `--quick`: shown, never reportable.
    pub quick: bool,
    /// The tool.
    pub tool: ToolInfo,
    /// The suite.
    pub suite: SuiteInfo,
    /// The host.
    pub host: HostProfile,
    /// Bounds measured on this host at start, in nanoseconds (`syscall`, `loopback_round_trip`, `empty_loop`, `timer_resolution`, `timer_cost`, `memcpy_per_kib`, …).
    pub calibration: BTreeMap<String, Option<f64>>,
    /// The cases, in order.
    pub cases: Vec<CaseHeader>,
    /// What each subject said of itself.
    pub subjects: Vec<SubjectHeader>,
}

/// One subject, as it described itself before the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectHeader {
    /// `zokio`, `tokio`, …
    pub subject: String,
    /// Its version.
    pub version: String,
    /// How it was built.
    pub build: BuildInfo,
}

/// One case, as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseHeader {
    /// `tcp-rr/load.closed.users=64`.
    pub id: String,
    /// `tcp-rr`.
    pub scenario: String,
    /// Measured, or a control beside the real rows.
    pub role: CaseRole,
    /// The workload table's name.
    pub workload: String,
    /// Bumped when the meaning of the workload changes.
    pub workload_version: u32,
    /// sha256 of the workload and load tables, the part that must agree for a comparison.
    pub workload_sha256: String,
    /// The matrix point.
    pub params: Map<String, Value>,
    /// How we know that the work happened.
    pub witness: String,
    /// The metric that is compared.
    pub primary_metric: String,
    /// `warm`, `cold`, `direct`, or `null` where no file is involved.
    pub page_cache: Option<String>,
    /// Subjects of this case, the first is compared with each other.
    pub subjects: Vec<String>,
    /// Trials planned per subject.
    pub trials: u32,
    /// One outstanding operation per user in a closed loop; `null` otherwise.
    pub users: Option<u64>,
    /// The schedule of an open loop; `null` otherwise.
    #[serde(default)]
    pub open: Option<OfferedLoad>,
    /// `together` or `apart`.
    pub endpoints: String,
    /// CPUs by role (`all`, or `server` and `client`).
    pub cpus: BTreeMap<String, Vec<u32>>,
    /// Operations per connection, where the workload makes connections (crr: 1, churn: n).
    pub operations_per_connection: Option<u64>,
    /// Bytes one successful operation must move, both directions; `null` where sizes vary.
    pub bytes_per_operation: Option<u64>,
    /// Thresholds that apply.
    pub thresholds: Vec<ThresholdSpec>,
    /// Targets that apply.
    pub targets: Vec<TargetSpec>,
    /// The whole effective case as it was planned.
    pub effective: Value,
}

/// Whether a case is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseRole {
    /// A real row.
    Measured,
    /// A control: shows what a floor looks like here.
    Control,
}

/// A limit on a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdSpec {
    /// Metric id.
    pub metric: String,
    /// `==`, `!=`, `<`, `<=`, `>` or `>=`.
    pub op: String,
    /// The limit, in the metric's unit.
    pub value: f64,
    /// What a miss does.
    pub severity: Severity,
    /// So many trials may miss it; `None`: the interval's unfavourable end has to keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
}

/// A figure to reach. Exactly one of the three kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetSpec {
    /// Metric id.
    pub metric: String,
    /// Which kind.
    pub kind: TargetKind,
    /// What a miss does to a gate; a run is never failed by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// The kinds of target; only relative ones travel between hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A figure of the guide, with what it measured; never comparable.
    Historical {
        /// The figure.
        value: f64,
        /// Where it comes from and what was measured.
        source: String,
    },
    /// A published figure.
    Published {
        /// The figure.
        value: f64,
        /// Who published it.
        source: String,
        /// When.
        date: Option<String>,
        /// On what; `None` where the source names no host.
        hardware: Option<String>,
    },
    /// A share of what another subject of the same run reached.
    Relative {
        /// The least ratio.
        at_least: f64,
        /// The other subject.
        of: String,
    },
}

/// One trial: what the subject said, and what the orchestrator saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JournalTrial {
    /// Unique in the run.
    pub trial_id: String,
    /// The case.
    pub case: String,
    /// The subject.
    pub subject: String,
    /// Which block of the interleaved order.
    pub block: u32,
    /// Place inside the block; the first half and the mirrored second half form pairs.
    pub position: u32,
    /// Half of the block (0 or 1): trials of two subjects with the same block and half are a pair.
    pub half: u32,
    /// 0, or how often this trial was repeated because the host disturbed it.
    pub attempt: u32,
    /// True for the attempt that counts.
    pub counted: bool,
    /// What the host did to this attempt, for which it may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disturbed: Option<String>,
    /// The trial's own seed.
    pub seed: u64,
    /// Start of the trial, in nanoseconds since the start of the run.
    pub at_ns: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// The orchestrator's own evidence.
    pub evidence: Evidence,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A record inside the protocol.
    Record(Box<TrialRecord>),
    /// No record, with the cause.
    Failed(Failure),
    /// The subject said beforehand that it cannot run this here.
    Skipped(Failure),
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// `crash`, `timeout`, `junk`, `second-record`, `foreign-record`, `line-too-long`, `io_uring-denied`, `port-in-use`, `unsupported`, …
    pub class: String,
    /// A sentence for the reader.
    pub message: String,
}

/// What the orchestrator saw of a trial, none of it told by the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// From starting the first process to the end of the last.
    pub wall_ns: u64,
    /// From starting the (first) process to its `ready` line.
    pub ready_ns: Option<u64>,
    /// Between the `measure` and the `drain` phase lines, by the orchestrator's clock.
    pub measure_wall_ns: Option<u64>,
    /// One entry per process; `role` is `both`, `server` or `client`.
    pub processes: Vec<ProcessEvidence>,
    /// Cache-line round trip between the CPUs used, in nanoseconds, before the trial.
    pub core_state_before_ns: Option<f64>,
    /// The same after the trial.
    pub core_state_after_ns: Option<f64>,
    /// Share of the CPUs used by anything but the trial's processes, 0 to 1.
    pub foreign_cpu_share: Option<f64>,
    /// Share of CPU time stolen by the hypervisor, 0 to 1.
    pub steal_share: Option<f64>,
    /// TCP connections the kernel opened actively during the trial, in this network namespace.
    pub tcp_active_opens: Option<u64>,
    /// TCP connections the kernel accepted during the trial, in this network namespace.
    pub tcp_passive_opens: Option<u64>,
    /// The namespace held nothing but the trial.
    pub tcp_namespace_is_private: bool,
}

/// One process of a trial, by the kernel's account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessEvidence {
    /// `both`, `server` or `client`.
    pub role: String,
    /// `exit 0`, `signal 9`, …
    pub exit: String,
    /// User and system time of its whole life (`wait4`).
    pub cpu_ns: u64,
    /// CPU time between the `measure` and `drain` phase lines (the process's CPU clock).
    pub cpu_measure_ns: Option<u64>,
    /// Peak resident set (`wait4`).
    pub rss_peak_bytes: u64,
    /// Voluntary context switches (`wait4`).
    pub context_switches_voluntary: u64,
    /// Involuntary context switches (`wait4`).
    pub context_switches_involuntary: u64,
    /// Minor page faults (`wait4`).
    pub page_faults_minor: u64,
    /// Its threads while it measured, from /proc.
    pub threads: Vec<ThreadEvidence>,
}

/// One thread, from /proc while it measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadEvidence {
    /// Kernel thread id.
    pub thread_id: u32,
    /// Thread name.
    pub name: String,
    /// CPUs it may run on.
    pub cpus: Vec<u32>,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnd {
    /// Every planned trial was run.
    pub complete: bool,
    /// Ctrl-C or SIGTERM.
    pub interrupted: bool,
    /// Wall time of the run in seconds.
    pub duration_s: f64,
}
