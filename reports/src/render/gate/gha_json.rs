//! github-action-benchmark: two arrays, since that tool wants values of which smaller is better apart from the others.

use serde_json::{Value, json};

use super::track::{self, Tracked};
use super::view;
use crate::schema::gate::GateResult;
use crate::schema::result::Better;

/// What goes to the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GhaJson {
    /// For `tool: customSmallerIsBetter`.
    pub smaller_is_better: String,
    /// For `tool: customBiggerIsBetter`.
    pub bigger_is_better: String,
}

/// The candidate's values: `name`, `unit`, `value`, `range` (half the 99 % interval) and, in `extra`, how they compare.
pub fn render(result: &GateResult) -> GhaJson {
    let array = |better| {
        let entries = track::values(result).into_iter().filter(|tracked| tracked.row.better == better).map(|tracked| entry(&tracked));
        format!("{:#}\n", Value::Array(entries.collect()))
    };
    GhaJson { smaller_is_better: array(Better::Lower), bigger_is_better: array(Better::Higher) }
}

fn entry(tracked: &Tracked<'_>) -> Value {
    let row = tracked.row;
    let extra = format!("{} against {}: {}", view::word(row.verdict), row.base, view::line(row));
    let mut entry = json!({ "name": tracked.name, "unit": row.unit, "value": tracked.value, "extra": extra });
    if let Some(ci) = tracked.ci {
        entry["range"] = json!(format!("± {}", (ci.hi - ci.lo) / 2.0));
    }
    entry
}
