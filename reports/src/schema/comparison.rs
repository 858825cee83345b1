//! What is concluded: one subject against another, against targets and against thresholds; re-exported by [`super::result`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::result::Interval;

/// The first subject against another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Metric id.
    pub metric: String,
    /// The first subject.
    pub subject: String,
    /// The other.
    pub against: String,
    /// subject / against, of the raw values.
    pub ratio: Option<f64>,
    /// Interval of the ratio.
    pub ci: Option<Interval>,
    /// Exact Wilcoxon p, after Holm over the primary metrics of the run; `null` for other metrics.
    pub p: Option<f64>,
    /// Pairs behind it.
    pub n: u32,
    /// Pairs left out because the two trials ran in different core states, or one of them gave no number.
    #[serde(default)]
    pub pairs_left_out: u32,
    /// What follows.
    pub verdict: Verdict,
}

/// Outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first subject is better.
    Better,
    /// No difference that matters.
    Same,
    /// The first subject is worse.
    Worse,
    /// Cannot tell: too few pairs, too much noise, or an invalid row.
    Inconclusive,
}

/// A target, and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TargetResult {
    /// The subject judged.
    pub subject: String,
    /// Metric id.
    pub metric: String,
    /// `historical`, `published` or `relative`.
    pub kind: String,
    /// The figure, or the least ratio of a relative target.
    pub value: f64,
    /// Source, or `at least 0.98 of ceiling, same run`.
    pub source: String,
    /// The host of the figure; `null` where the source names none.
    pub host: Option<String>,
    /// Whether it may be compared at all (relative targets only).
    pub comparable: bool,
    /// observed / value for figures; the ratio reached (its unfavourable end in `ratio_unfavourable`) for relative ones.
    pub ratio: Option<f64>,
    /// The unfavourable end of the ratio's interval; relative targets only.
    pub ratio_unfavourable: Option<f64>,
    /// Reached; `null` where not comparable or not measured.
    pub reached: Option<bool>,
    /// What a miss does to a gate; absent where nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A threshold, and what was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdResult {
    /// The subject judged.
    pub subject: String,
    /// Metric id.
    pub metric: String,
    /// `==`, `<`, …
    pub op: String,
    /// The limit.
    pub value: f64,
    /// What was seen: the interval's unfavourable end where there is one.
    pub observed: Option<f64>,
    /// Held; `null` where the row was not measured.
    pub passed: Option<bool>,
    /// What a miss does.
    pub severity: Severity,
    /// Trials that may miss it, where the scenario forgives some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace: Option<u32>,
    /// Trials that missed it, where some are forgiven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub misses: Option<u32>,
}

/// What a missed threshold does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Exit code 1.
    Fail,
    /// A warning.
    Warn,
}

/// What follows from the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunVerdict {
    /// As in [`crate::exit`], without `--strict`.
    pub exit_code: u8,
    /// One line.
    pub summary: String,
}
