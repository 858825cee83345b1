//! Bencher Metric Format: `{"suite/case/metric": {"measure": {"value", "lower_value", "upper_value"}}}`.

use serde_json::{Map, Value, json};

use super::track::{self, Tracked};
use crate::schema::gate::{GateResult, GateRow};

/// The candidate's values as BMF JSON; rows that are no measurement are left out, and no number is ever infinite.
///
/// The measure is `latency` in nanoseconds or `throughput` in operations or bytes per second, as Bencher names them; metrics of other
/// units are measures of their own.
pub fn render(result: &GateResult) -> String {
    let benchmarks: Map<String, Value> = track::values(result).into_iter().map(benchmark).collect();
    format!("{:#}\n", Value::Object(benchmarks))
}

fn benchmark(tracked: Tracked<'_>) -> (String, Value) {
    let mut metric = json!({ "value": tracked.value });
    if let Some(ci) = tracked.ci {
        (metric["lower_value"], metric["upper_value"]) = (json!(ci.lo), json!(ci.hi));
    }
    let measures = Map::from_iter([(measure(tracked.row).to_string(), metric)]);
    (tracked.name, Value::Object(measures))
}

fn measure(row: &GateRow) -> &str {
    match row.unit.as_str() {
        "ns" => "latency",
        "1/s" | "B/s" => "throughput",
        _ => &row.metric,
    }
}
