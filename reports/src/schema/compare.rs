//! What `compare` prints as JSON: two results, or two subjects of one, side by side.
//!
//! ```text
//! CompareResult ─┬─ a, b        what stands on each side
//!                ├─ paired      trials of both were interleaved in one run: only then there are verdicts
//!                ├─ unlike[]    fields in which the hosts differ
//!                └─ rows[]      one metric of one case: both values, a / b, what can be said
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gate::UnlikeField;
use super::result::{Better, Interval};

/// The `schema` field of every comparison.
pub const COMPARE_SCHEMA: &str = "zokio-bench/compare";

/// Two sides, row by row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareResult {
    /// [`COMPARE_SCHEMA`].
    pub schema: String,
    /// `1.0`; additive changes only.
    pub schema_version: String,
    /// The first side; ratios are a / b.
    pub a: CompareSide,
    /// The other.
    pub b: CompareSide,
    /// Two subjects of one run, whose trials were interleaved.
    pub paired: bool,
    /// Fields in which the hosts are unlike; `base` is b, `here` is a.
    pub unlike: Vec<UnlikeField>,
    /// One entry per case, subject and metric of either side.
    pub rows: Vec<CompareRow>,
    /// What the reader must know before believing the rest.
    pub notes: Vec<String>,
}

/// One side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareSide {
    /// Identity of the run.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Name of the suite.
    pub suite: String,
    /// Commit of the tool, where the build knew it.
    pub git_sha: Option<String>,
    /// The one subject asked for; `null`: all.
    pub subject: Option<String>,
}

/// One metric of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareRow {
    /// Case id.
    pub case: String,
    /// The subject of a.
    pub subject: String,
    /// The subject of b; another one only where it was asked for.
    pub against: String,
    /// Metric id.
    pub metric: String,
    /// The metric's unit.
    pub unit: String,
    /// Which way is better.
    pub better: Better,
    /// Median over the trials of a.
    pub a: Option<f64>,
    /// Median over the trials of b.
    pub b: Option<f64>,
    /// a / b of the raw values. Paired: e^(median of the pairs' log ratios); else the ratio of the medians.
    pub ratio: Option<f64>,
    /// Its interval. Paired: order statistics of the pairs; else of both sides, so it holds what the trials of each run scattered, and
    /// nothing of what lies between the runs.
    pub ci: Option<Interval>,
    /// Trials of a, or pairs.
    pub n_a: u32,
    /// Trials of b, or pairs.
    pub n_b: u32,
    /// Exact Wilcoxon p after Holm; primary metrics of pairs alone.
    pub p: Option<f64>,
    /// What can be said.
    pub verdict: CompareVerdict,
    /// Why there is no better or worse, in a sentence.
    pub reason: Option<String>,
}

/// What can be said of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompareVerdict {
    /// Paired: a is better.
    Better,
    /// Paired: no difference that matters.
    Same,
    /// Paired: a is worse.
    Worse,
    /// Paired: cannot tell.
    Inconclusive,
    /// Runs of two times: a ratio, and no verdict.
    NotInterleaved,
    /// No ratio; `reason` says why.
    NotComparable,
}
