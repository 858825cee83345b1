//! `[scenario.gate]`: how a gate measures the scenario, in trials far shorter than those of a run.

use std::time::Duration;

use zokio_report::judge::gate::has_value;

use super::case::duration;
use super::diagnostic::{Diagnostic, Findings, list};
use super::metric::{self, is_measurable};
use super::tree::{Node, Table};
use super::validate::boolean;
use super::walk::{check_metric, number};

/// One batch, to have code and data in the caches and the threads awake.
const WARMUP: Duration = Duration::from_millis(5);
/// Five batches of 5 ms, and what late wake-ups take from them.
const MEASURE: Duration = Duration::from_millis(28);
/// A quantile wants a thousand samples, and tasks that wait give few.
const MEASURE_OF_WAITS: Duration = Duration::from_millis(100);
/// A tolerance of this much or more would call half the speed the same.
const TOLERANCE_MAX: f64 = 1.0;
/// Gated in every scenario beside its rate: it survives a noisy host.
const CPU: &str = "cpu_ns_per_op";

/// How a gate measures a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct GateSpec {
    /// It takes part.
    pub enabled: bool,
    /// Work before the measured window.
    pub warmup: Duration,
    /// The measured window.
    pub measure: Duration,
    /// What is gated.
    pub metrics: Vec<String>,
    /// The slow-down that must be caught, as a share; `None`: the gate's own.
    pub tolerance: Option<f64>,
}

/// The table of a scenario at one point of its matrix, or what holds without one.
pub(crate) fn build(scenario: &Table, primary: &str, findings: &mut Findings) -> GateSpec {
    let waits = !primary.ends_with("_per_s");
    let metrics = scenario.at("gate.metrics");
    let mut named = Vec::new();
    for node in metrics.map_or(&[] as &[Node], Node::elements) {
        let Some(id) = node.text() else { continue };
        if metric::find(id).is_some() && !is_measurable(id, primary) {
            let message = format!("this scenario never has the metric `{id}`");
            findings.push(Diagnostic::new(&node.span, message).label("another workload's").help(format!("its own is `{primary}`")));
        }
        if metric::find(id).is_some() && !has_value(id) {
            let message = format!("no trial of a gate has the metric `{id}`");
            findings
                .push(Diagnostic::new(&node.span, message).label("not in trials this short").help("rates, costs and quantiles are gated"));
        }
        named.push(id.to_owned());
    }
    let tolerance = scenario.at("gate.tolerance").and_then(|node| number(node).map(|share| (share, &node.span)));
    if let Some((_, span)) = tolerance.filter(|(share, _)| *share >= TOLERANCE_MAX) {
        findings
            .push(Diagnostic::new(span, "`gate.tolerance` is a share below 1").label("too large").help("0.05 catches a slow-down of 5 %"));
    }
    GateSpec {
        enabled: boolean(scenario, "gate.enabled").unwrap_or(true),
        warmup: duration(scenario, "gate.warmup").unwrap_or(WARMUP),
        measure: duration(scenario, "gate.measure").unwrap_or(if waits { MEASURE_OF_WAITS } else { MEASURE }),
        metrics: if named.is_empty() { own(primary) } else { named },
        tolerance: tolerance.map(|(share, _)| share),
    }
}

fn own(primary: &str) -> Vec<String> {
    let mut metrics = vec![primary.to_owned()];
    if primary != CPU {
        metrics.push(CPU.to_owned());
    }
    metrics
}

/// Judges the list of `gate.metrics` as it is written.
pub(crate) fn check_metrics(elements: &[Node], path: &str, span: &super::source::Span, findings: &mut Findings) {
    if elements.is_empty() {
        findings
            .push(Diagnostic::new(span, format!("`{path}` is empty")).label("at least one is needed").help(format!("as {}", list([CPU]))));
    }
    for (index, element) in elements.iter().enumerate() {
        match element.text() {
            Some(id) if elements[..index].iter().any(|other| other.text() == Some(id)) => {
                findings.push(Diagnostic::new(&element.span, format!("`{path}` names `{id}` twice")).label("again"));
            }
            Some(id) => check_metric(id, &element.span, findings),
            None => findings.push(Diagnostic::new(&element.span, format!("`{path}` holds metric ids")).label(element.kind())),
        }
    }
}
