//! `gate.json`: what a gate measured, row by row, and what it decided.
//!
//! ```text
//! GateResult ─┬─ candidate, bases[]     what was compared with what, and where each comes from
//!             ├─ rule                   fixed before the first trial
//!             ├─ rows[]                 one metric of one case against one base, with all its pairs
//!             ├─ thresholds[], targets[] limits that need no base
//!             └─ outcome                word, exit code, last line
//! ```

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::{TargetResult, ThresholdResult};
use super::host::HostProfile;
use super::result::{Better, BuildInfo, Interval, SuiteInfo, ToolInfo};

/// The `schema` field of every gate.
pub const GATE_SCHEMA: &str = "zokio-bench/gate";

/// A gate, complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// `zokio-bench/gate`.
    pub schema: String,
    /// `1.0`; additive changes only.
    pub schema_version: String,
    /// Identity of this gate.
    pub gate_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Wall time from the first probe to the last trial, in seconds; `null` where it was killed.
    pub duration_s: Option<f64>,
    /// Every row came to a verdict or to its last look.
    pub complete: bool,
    /// The seed of the order of trials.
    pub seed: u64,
    /// The command line, paths relative to the working folder.
    pub command: Vec<String>,
    /// The tool.
    pub tool: ToolInfo,
    /// The suites gated.
    pub suites: Vec<SuiteInfo>,
    /// The host.
    pub host: HostProfile,
    /// Bounds measured on this host at start, in nanoseconds.
    pub calibration: BTreeMap<String, Option<f64>>,
    /// What is judged.
    pub candidate: GateSide,
    /// What it is compared with.
    pub bases: Vec<GateBase>,
    /// The rule, fixed before the first trial.
    pub rule: GateRule,
    /// One entry per base, case and metric.
    pub rows: Vec<GateRow>,
    /// Thresholds of the scenarios, on the candidate.
    pub thresholds: Vec<GateThreshold>,
    /// What the reader must know before believing the rest: noise, foreign load, what was not measured.
    pub notes: Vec<String>,
    /// What follows.
    pub outcome: GateOutcome,
}

/// One build of the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateSide {
    /// How the user named it: a revision, a file name without its folders, `working tree`.
    pub source: String,
    /// Full commit, where it was built from one.
    pub revision: Option<String>,
    /// RFC 3339 date of that commit.
    pub committed_at: Option<String>,
    /// The tree differs from the commit.
    pub dirty: Option<bool>,
    /// The subject's name inside the executable.
    pub subject: String,
    /// Its version.
    pub version: String,
    /// sha256 of the executable.
    pub binary_sha256: Option<String>,
    /// How it was built.
    pub build: BuildInfo,
}

/// What the candidate is compared with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateBase {
    /// Its name in the rows; unique in the gate.
    pub name: String,
    /// Where it comes from.
    pub kind: GateBaseKind,
    /// The build.
    pub side: GateSide,
    /// Its executable is byte for byte the candidate's, so nothing was measured.
    pub identical: bool,
    /// Builds of the base that differ in code layout alone, measured against it; `null`: the effect of layout is not known.
    pub layouts: Option<u32>,
    /// Fields in which the host of a stored baseline is unlike this one.
    #[serde(default)]
    pub unlike: Vec<UnlikeField>,
}

/// Where a base comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateBaseKind {
    /// An executable the user gave.
    Binary,
    /// Built from a revision.
    Revision,
    /// A stored result: informs and warns, never fails.
    Stored,
}

/// A field in which two hosts differ, or that one of them does not tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnlikeField {
    /// Field of the fingerprint, or `probe.NAME` of the speed probe.
    pub field: String,
    /// What the base has.
    pub base: Option<String>,
    /// What this host has.
    pub here: Option<String>,
    /// Such hosts are not compared at all; otherwise it is a warning.
    pub refused: bool,
}

/// The constants of the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRule {
    /// The slow-down that must be caught, as a share; rows may have their own.
    pub threshold: f64,
    /// Family-wise error over the table and all looks, for each direction.
    pub alpha: f64,
    /// Numbers of pairs after which a decision may be taken.
    pub looks: Vec<u32>,
    /// Rows that share `alpha`.
    pub rows: u32,
    /// Time allowed for measuring, in seconds; `null`: no limit.
    pub max_time_s: Option<f64>,
    /// Share of inconclusive rows above which the gate does not pass; `null`: any.
    pub max_inconclusive: Option<f64>,
    /// Inconclusive fails.
    pub strict: bool,
}

/// One metric of one case against one base.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRow {
    /// [`GateBase::name`].
    pub base: String,
    /// Name of the suite.
    pub suite: String,
    /// Scenario id.
    pub scenario: String,
    /// Case id.
    pub case: String,
    /// Metric id.
    pub metric: String,
    /// The metric's unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// The slow-down of this row that must be caught, as a share.
    pub threshold: f64,
    /// A difference of medians below this says nothing, in the metric's unit.
    pub floor_absolute: f64,
    /// The largest effect that code layout alone had on this row, as a share; `null`: not measured.
    pub floor_layout: Option<f64>,
    /// What was found.
    pub verdict: GateVerdict,
    /// At the last look the interval excludes a slow-down of `threshold`.
    pub excludes_worse: bool,
    /// Pairs behind the verdict.
    pub n: u32,
    /// Looks taken until the verdict, in pairs.
    pub looks: Vec<u32>,
    /// e^(median of the pairs' log ratios): above 1, the candidate is worse by this factor, whichever way the metric goes.
    pub ratio: Option<f64>,
    /// Its 99 % interval by order statistics.
    pub ci: Option<Interval>,
    /// Exact one-sided p of the direction the median points to, at the look that decided.
    pub p: Option<f64>,
    /// The same, shared over looks and rows.
    pub p_adjusted: Option<f64>,
    /// The least slow-down that this row would have found nine times in ten, as a share, from the scatter of its own pairs.
    pub sees: Option<f64>,
    /// Median of the base's values.
    pub base_value: Option<f64>,
    /// Median of the candidate's values.
    pub candidate_value: Option<f64>,
    /// All pairs in time order, also those taken after the verdict.
    pub pairs: Vec<GatePair>,
    /// Why there is no verdict, in a sentence.
    pub reason: Option<String>,
}

/// What was found of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// The candidate is worse, by more than layout and floor explain.
    Worse,
    /// A guard or verification failed: the row is not a measurement.
    Invalid,
    /// Too noisy for the pairs allowed.
    Inconclusive,
    /// Not judged; `reason` says why (foreign load, a stored baseline).
    NotGated,
    /// The candidate is better.
    Better,
    /// Neither is worse by the threshold.
    Same,
    /// The executables are the same file.
    Identical,
}

/// One trial of each side, next to each other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatePair {
    /// The base's value, in the metric's unit.
    pub base: Option<f64>,
    /// The candidate's value.
    pub candidate: Option<f64>,
    /// The base ran first.
    pub base_first: bool,
    /// Start of the pair, in nanoseconds since the start of the gate.
    pub at_ns: u64,
}

/// A threshold or relative target of a scenario, applied to the candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateThreshold {
    /// Case id.
    pub case: String,
    /// A limit on a metric; `null` where it is a target.
    pub threshold: Option<ThresholdResult>,
    /// A share of what another subject reached; `null` where it is a threshold.
    pub target: Option<TargetResult>,
    /// Misses that are forgiven before one fails the gate, and how many there were.
    pub grace: Option<(u32, u32)>,
    /// It fails the gate.
    pub fails: bool,
}

/// The gate's answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum GateWord {
    /// Nothing that is gated got worse.
    Passed,
    /// A row is worse, or a threshold does not hold.
    Regressed,
    /// Too much could not be decided.
    Inconclusive,
    /// A row is no measurement.
    Invalid,
    /// It could not be run.
    Error,
}

impl GateWord {
    /// As it stands in the last line: `REGRESSED`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "PASSED",
            Self::Regressed => "REGRESSED",
            Self::Inconclusive => "INCONCLUSIVE",
            Self::Invalid => "INVALID",
            Self::Error => "ERROR",
        }
    }
}

/// What follows from the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateOutcome {
    /// In one word.
    pub word: GateWord,
    /// The exit code.
    pub exit_code: u8,
    /// Rows that made it so: worse ones, undecided ones, or those that passed.
    pub rows: u32,
    /// Rows in all.
    pub of: u32,
    /// The least slow-down that every gated row would have found nine times in ten, as a share.
    pub sees: Option<f64>,
    /// The last line of standard output, without a line end.
    pub line: String,
}
