//! `result.json`: what a run found. The field names are the public contract; see the JSON Schema (`zokio-bench schema result`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use super::comparison::{Comparison, RunVerdict, Severity, TargetResult, ThresholdResult, Verdict};
use super::host::HostProfile;
use super::journal::CaseRole;
use super::open::{OfferedLoad, OverloadResult, SeriesRecord};
use super::record::{HistogramPayload, Work, WorkerRecord};
pub use super::scaling::{Coefficient, Scaling, ScalingCurve, ScalingModel, ScalingPoint};
use super::validity::Validity;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// [`super::SCHEMA`].
    pub schema: String,
    /// [`super::SCHEMA_VERSION`].
    pub schema_version: String,
    /// Identity of the run.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Wall time in seconds; `null` when the run was killed.
    pub duration_s: Option<f64>,
    /// The seed of the plan.
    pub seed: u64,
    /// Every planned trial was run.
    pub complete: bool,
    /// May be quoted: complete, not `--quick`, release build, clean tree, no suspect row.
    pub reportable: bool,
    /// Why not.
    pub not_reportable_because: Vec<String>,
    /// The command line.
    pub command: Vec<String>,
    /// The tool.
    pub tool: ToolInfo,
    /// The suite.
    pub suite: SuiteInfo,
    /// The host.
    pub host: HostProfile,
    /// Bounds measured on this host at start.
    pub calibration: BTreeMap<String, Option<f64>>,
    /// How quiet the host was.
    pub noise: NoiseInfo,
    /// The rows.
    pub cases: Vec<CaseResult>,
    /// What more workers brought; `null` where no scenario varies them.
    #[serde(default)]
    pub scaling: Option<Scaling>,
    /// What follows.
    pub verdict: RunVerdict,
}

/// The tool that measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolInfo {
    /// `zokio-bench`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Commit, where the build knew it.
    pub git_sha: Option<String>,
    /// Whether the tree had uncommitted changes, where the build knew it.
    pub dirty: Option<bool>,
    /// `release` or `debug`.
    pub profile: String,
    /// `rustc --version`.
    pub rustc: Option<String>,
}

/// The suite that was run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteInfo {
    /// Its name.
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// File name without its folder, or `built-in`.
    pub file: String,
    /// sha256 of the effective suite (hex).
    pub sha256: String,
}

/// How quiet the host was while measuring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NoiseInfo {
    /// Highest share of the CPUs used by anything else in any trial.
    pub foreign_cpu_share_max: Option<f64>,
    /// Median of that share over the trials.
    pub foreign_cpu_share_median: Option<f64>,
    /// Highest share of stolen time.
    pub steal_share_max: Option<f64>,
    /// Median cache-line round trip, in nanoseconds.
    pub core_state_median_ns: Option<f64>,
    /// Trials repeated because the host disturbed them.
    pub repeated_trials: u32,
}

/// One case: a scenario at one matrix point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    /// `tcp-rr/load.closed.users=64`.
    pub id: String,
    /// `tcp-rr`.
    pub scenario: String,
    /// Measured or control.
    pub role: CaseRole,
    /// The workload table's name.
    pub workload: String,
    /// Version of the workload's meaning.
    pub workload_version: u32,
    /// sha256 of what is compared.
    pub workload_sha256: String,
    /// The matrix point.
    pub params: Map<String, Value>,
    /// How we know that the work happened.
    pub witness: String,
    /// The metric that is compared.
    pub primary_metric: String,
    /// `warm`, `cold`, `direct` or `null`.
    pub page_cache: Option<String>,
    /// `together` or `apart`; rows of one are never ranked with rows of the other.
    pub endpoints: String,
    /// CPUs by role.
    pub cpus: BTreeMap<String, Vec<u32>>,
    /// Operations outstanding at any time in a closed loop; `null` otherwise.
    #[serde(default)]
    pub users: Option<u64>,
    /// The schedule of an open loop; `null` otherwise.
    #[serde(default)]
    pub open: Option<OfferedLoad>,
    /// One row per subject, in the order of the scenario.
    pub subjects: Vec<SubjectResult>,
    /// The first subject against each other, primary and CPU metrics.
    pub comparisons: Vec<Comparison>,
    /// Targets.
    pub targets: Vec<TargetResult>,
    /// Thresholds.
    pub thresholds: Vec<ThresholdResult>,
}

/// One subject in one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectResult {
    /// `zokio`, `tokio`, …
    pub subject: String,
    /// Its version.
    pub version: String,
    /// How it was built.
    pub build: BuildInfo,
    /// `io_uring`, `epoll`, `kqueue`, `iocp` or `none`.
    pub driver: String,
    /// Why this driver, when it is not the preferred one.
    pub driver_reason: Option<String>,
    /// Effective configuration.
    pub config: Map<String, Value>,
    /// Guards.
    pub validity: Validity,
    /// Sums over the counted trials.
    pub work: Work,
    /// Metrics.
    pub metrics: Vec<Metric>,
    /// Merged distributions.
    pub histograms: Vec<HistogramResult>,
    /// CPU per operation.
    pub cpu: CpuPerOperation,
    /// Median over trials of the peak resident set, all processes of the subject under test.
    pub rss_peak_bytes: Option<u64>,
    /// What the runtime told of itself.
    pub runtime: RuntimeInfo,
    /// The course of the trial with the median rate; `null` where no trial was watched.
    #[serde(default)]
    pub series: Option<SeriesRecord>,
    /// What followed full load; `null` where nothing did.
    #[serde(default)]
    pub overload: Option<OverloadResult>,
    /// The counted trials in time order; entry k belongs to entry k of every [`Metric::trials`].
    #[serde(default)]
    pub trials: Vec<TrialPoint>,
}

/// When and under what a counted trial ran; what pairs it with the trials of other subjects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialPoint {
    /// Start of the trial, in nanoseconds since the start of the run.
    pub at_ns: u64,
    /// Block of the interleaved order.
    pub block: u32,
    /// Half of the block: trials of two subjects with the same block and half are a pair.
    pub half: u32,
    /// How often the trial was repeated before it counted.
    pub attempt: u32,
    /// Cache-line round trip between the CPUs used, mean of before and after, in nanoseconds.
    pub core_state_ns: Option<f64>,
    /// Why there is no record (`crash: …`); `null` when there is one.
    pub failure: Option<String>,
}

/// How a subject was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BuildInfo {
    /// `rustc --version`.
    pub rustc: Option<String>,
    /// `release` or `debug`.
    pub profile: String,
    /// `RUSTFLAGS`.
    pub flags: Option<String>,
    /// Cargo features.
    #[serde(default)]
    pub features: Vec<String>,
    /// Global allocator.
    pub allocator: Option<String>,
    /// sha256 of the lock file.
    pub lock_sha256: Option<String>,
    /// sha256 of the executable.
    pub binary_sha256: Option<String>,
}

/// One metric of one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Metric id of the design.
    pub id: String,
    /// `1/s`, `ns`, `B`, `B/s`, `KiB/s`, `1`.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// Median over trials.
    pub value: Option<f64>,
    /// Interval of the median.
    pub ci: Option<Interval>,
    /// Trials behind it.
    pub n: u32,
    /// One value per counted trial, in time order.
    pub trials: Vec<Option<f64>>,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Rates.
    Higher,
    /// Times, bytes, errors.
    Lower,
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// 0.95.
    pub level: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

/// A merged distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramResult {
    /// `service_time`, …
    pub id: String,
    /// `ns`.
    pub unit: String,
    /// Samples.
    pub count: u64,
    /// Quantiles; `null` below the samples they need.
    pub percentiles: Percentiles,
    /// Encoding of the payload.
    pub encoding: String,
    /// The merged histogram.
    pub payload: String,
}

impl HistogramResult {
    /// The transport form.
    pub fn as_payload(&self) -> HistogramPayload {
        HistogramPayload { id: self.id.clone(), unit: self.unit.clone(), encoding: self.encoding.clone(), payload: self.payload.clone() }
    }
}

/// Quantiles of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %; needs 10,000 samples.
    pub p999: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
}

/// CPU time per successful operation, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuPerOperation {
    /// Of the client; `null` when one process is both ends.
    pub client_ns_per_op: Option<f64>,
    /// Of the server; `null` when one process is both ends.
    pub server_ns_per_op: Option<f64>,
    /// Of all.
    pub total_ns_per_op: Option<f64>,
}

/// What the runtime told of itself in the last counted trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuntimeInfo {
    /// Workers.
    pub workers: Vec<WorkerRecord>,
    /// Counters, summed over the counted trials.
    pub counters: BTreeMap<String, u64>,
}
