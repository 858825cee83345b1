//! Throughput over workers, and the Universal Scalability Law fitted to it; re-exported by [`super::result`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::result::Interval;

/// The matrix axis whose cases make a curve.
pub const WORKERS_AXIS: &str = "placement.workers";

/// What more workers brought, over all scenarios that vary them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scaling {
    /// What holds for every curve: how little few workers prove, and where hardware threads share a core.
    pub notes: Vec<String>,
    /// One per scenario and subject, in the order of the cases.
    pub curves: Vec<ScalingCurve>,
}

/// One subject in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingCurve {
    /// The scenario.
    pub scenario: String,
    /// The other axes of its matrix.
    pub params: Map<String, Value>,
    /// The subject.
    pub subject: String,
    /// Metric id: the primary one.
    pub metric: String,
    /// Its unit, and that of `gamma`.
    pub unit: String,
    /// What was measured, fewest workers first; rows that are not to be believed are left out.
    pub points: Vec<ScalingPoint>,
    /// The law; `null` with fewer than two points.
    pub model: Option<ScalingModel>,
    /// What was fixed and what cannot be told apart; what is extrapolated; what was left out.
    pub notes: Vec<String>,
}

/// One number of workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingPoint {
    /// Workers, one for each of `cpus`.
    pub workers: u32,
    /// The case it comes from.
    pub case: String,
    /// The CPUs used: different cores first, further hardware threads of a core last.
    pub cpus: Vec<u32>,
    /// Median throughput over trials.
    pub value: f64,
    /// Interval of the median.
    pub ci: Option<Interval>,
    /// Trials behind it.
    pub n: u32,
    /// Times the throughput of one worker; `null` where one worker was not measured.
    pub speedup: Option<f64>,
    /// Its bootstrap interval over trials.
    pub speedup_ci: Option<Interval>,
}

/// X(N) = γ N / (1 + α (N−1) + β N (N−1)), fitted to the points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalingModel {
    /// γ: throughput of one worker, in the unit of the metric.
    pub gamma: Coefficient,
    /// α: contention, at least 0; above 1 a second worker makes it slower.
    pub alpha: Coefficient,
    /// β: coherency, at least 0.
    pub beta: Coefficient,
    /// Workers with the highest throughput, sqrt((1 − α) / β); `null` where the curve has no peak.
    pub peak_workers: Option<f64>,
    /// Its interval; `null` where more than 2.5 % of the resampled curves have no peak.
    pub peak_workers_ci: Option<Interval>,
    /// 1 − residual / total sum of squares; `null` where no point is left over after the coefficients.
    pub r_squared: Option<f64>,
    /// Largest |fitted / measured − 1| over the points.
    pub residual_max: f64,
}

/// A coefficient of the law.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coefficient {
    /// Its value.
    pub value: f64,
    /// Bootstrap interval over trials; `null` below six trials at any point, or where it was fixed.
    pub ci: Option<Interval>,
    /// It was set, not fitted: the points do not tell it.
    pub fixed: bool,
}
