//! What makes a number believable: one entry per guard that applied, passed ones too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a row can be trusted, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidityState {
    /// Every guard that applies passed.
    Valid,
    /// Shown struck through, with the reason; never reportable.
    Suspect,
    /// Never ranked and never gated.
    Invalid,
    /// The subject could not run here; not a failure of the measurement.
    Skipped,
}

/// The outcome of one guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The guard applied and found nothing.
    Pass,
    /// The guard could not be applied; `detail` says why.
    Skipped,
    /// Doubtful.
    Suspect,
    /// The number is not a measurement of what it claims.
    Invalid,
}

/// One guard, applied to one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// The guard, by its fixed id (`work-done`, `littles-law`, …).
    pub id: String,
    /// What it found.
    pub state: CheckState,
    /// A sentence for the reader.
    pub detail: String,
    /// What was seen, in the unit that `detail` names.
    pub observed: Option<f64>,
    /// What was allowed, in the same unit.
    pub limit: Option<f64>,
}

/// All guards of one row and what follows from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// The worst of all checks.
    pub state: ValidityState,
    /// Why the row is not valid; `null` when it is.
    pub reason: Option<String>,
    /// Every guard that applies, in the order of the design.
    pub checks: Vec<Check>,
}
