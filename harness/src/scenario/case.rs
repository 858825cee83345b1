//! One case: a merged scenario at one matrix point becomes a [`CaseSpec`].
//!
//! What a scenario leaves out: 10 trials, a steady warm-up of two windows of 100 ms within 300 ms, 300 ms of measurement, one
//! second of drain, both ends in one process on all CPUs allowed, and the four subjects built in.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use zokio_report::schema::journal::CaseRole;
use zokio_report::schema::scaling::WORKERS_AXIS;

use crate::load::Load;
use crate::workload::Workload;

use super::diagnostic::{Diagnostic, Findings};
use super::gate;
use super::goals;
use super::matrix::Point;
use super::quantity::DURATION;
use super::shape::DOUBLING;
use super::source::Span;
use super::suite::{CaseSpec, Cpus, Placement, Warmup, Workers};
use super::targets;
use super::tree::{Node, Origin, Table, Value};
use super::validate::integer;
use super::workloads;

/// Subjects of a scenario with I/O that names none.
pub const SUBJECTS: [&str; 4] = ["zokio", "tokio", "tokio-ct", "ceiling"];
/// The metric of an open loop.
const OPEN_METRIC: &str = "response_time_ns_p99";
const TRIALS: u32 = 10;
const WARMUP: Warmup = Warmup::Steady { window: Duration::from_millis(100), max: Duration::from_millis(300) };
const MEASURE: Duration = Duration::from_millis(300);
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The case. Where a value was reported as wrong, its default stands in: the suite is refused anyway.
pub(crate) fn build(scenario: &Table, point: &Point, workload: &str, at: &Span, findings: &mut Findings) -> CaseSpec {
    let text = |path: &str| scenario.at(path).and_then(Node::text);
    let id = text("id").unwrap_or_default();
    let role = if text("role") == Some("control") { CaseRole::Control } else { CaseRole::Measured };
    let names = |node: &Node| node.elements().iter().filter_map(|name| name.text().map(str::to_owned)).collect();
    let subjects: Vec<String> =
        scenario.get("subjects").map_or_else(|| workloads::subjects(workload).iter().map(ToString::to_string).collect(), names);
    let (workload, load) = workloads::build(scenario, workload, findings);
    let placement = placement(scenario, &workload, findings);
    // What an open loop reaches was asked for; what its users wait is what it shows.
    let primary_metric = if matches!(load, Load::Open(_)) { OPEN_METRIC } else { workload.primary_metric() };
    let (overload, recovery) = workloads::paced::overload_times(scenario);
    let thresholds = goals::thresholds(scenario, point, primary_metric, findings);
    let mut targets = goals::targets(scenario, point, primary_metric, &subjects, findings);
    if role == CaseRole::Measured {
        targets.extend(targets::published(workload.name(), primary_metric));
    }
    let runtime: Map<String, Json> = scenario.get("runtime").and_then(Node::table).map(Table::to_json).unwrap_or_default();
    if let Some(node) =
        scenario.get("runtime").and_then(Node::table).and_then(|table| table.entries.iter().find(|e| e.node.to_json().is_null()))
    {
        findings
            .push(Diagnostic::new(&node.node.span, "not a value that a runtime can be told").label("infinite, not a number, or too large"));
    }
    CaseSpec {
        id: point.id(id),
        scenario: id.to_owned(),
        role,
        params: point.params(),
        subjects,
        witness: text("witness").map_or_else(|| workload.witness().to_owned(), str::to_owned),
        primary_metric: primary_metric.to_owned(),
        trials: trials(scenario, point),
        warmup: warmup(scenario, at, findings),
        measure: duration(scenario, "measure.time").unwrap_or(MEASURE),
        interval: duration(scenario, "measure.interval"),
        overload,
        recovery,
        drain_max: duration(scenario, "drain.max").unwrap_or(DRAIN_MAX),
        placement,
        load,
        runtime,
        workload,
        thresholds,
        targets,
        gate: gate::build(scenario, primary_metric, findings),
    }
}

/// Fresh processes per subject at this point: `--set` and an axis win over the file, and in the file the last `run.at` that names the point.
fn trials(scenario: &Table, point: &Point) -> u32 {
    let here = |node: &&Node| node.table().and_then(|at| at.get("when")).and_then(Node::table).is_some_and(|when| point.matches(when));
    let special = scenario.at("run.at").map_or(&[] as &[Node], Node::elements).iter().rev().find(here);
    let count = |table: &Table, path: &str| integer(table, path).and_then(|trials| u32::try_from(trials).ok());
    let is_set = scenario.at("run.trials").is_some_and(|node| matches!(node.origin, Origin::Set | Origin::Matrix));
    let special = special.filter(|_| !is_set).and_then(Node::table).and_then(|at| count(at, "trials"));
    special.or_else(|| count(scenario, "run.trials")).unwrap_or(TRIALS)
}

/// A duration at a path; `None` when absent or reported.
pub(crate) fn duration(table: &Table, path: &str) -> Option<Duration> {
    DURATION.parse(table.at(path)?.text()?).ok().map(Duration::from_nanos)
}

fn warmup(scenario: &Table, at: &Span, findings: &mut Findings) -> Warmup {
    if scenario.at("warmup").and_then(Node::text).is_some() {
        return Warmup::None;
    }
    if let Some(time) = duration(scenario, "warmup.time") {
        return Warmup::Time(time);
    }
    let (Some(window), Some(max)) = (duration(scenario, "warmup.steady.window"), duration(scenario, "warmup.steady.max")) else {
        return WARMUP;
    };
    if window * 2 > max {
        let span = scenario.at("warmup.steady.window").map_or(at, |node| &node.span);
        findings.push(Diagnostic::new(span, "`warmup.steady.max` leaves no room for two windows").label("two windows are compared"));
    }
    Warmup::Steady { window, max }
}

fn cpus(scenario: &Table, path: &str) -> Cpus {
    match scenario.at(path).map(|node| &node.value) {
        Some(Value::Text(word)) if word == "free" => Cpus::Free,
        Some(Value::Array(elements)) => {
            let number = |node: &Node| if let Value::Integer(cpu) = node.value { u32::try_from(cpu).ok() } else { None };
            Cpus::List(elements.iter().filter_map(number).collect())
        }
        _ => Cpus::Auto,
    }
}

fn placement(scenario: &Table, workload: &Workload, findings: &mut Findings) -> Placement {
    let endpoints = scenario.at("placement.endpoints");
    let is_apart = endpoints.and_then(Node::text) == Some("apart");
    let is_axis = endpoints.is_some_and(|node| node.origin == Origin::Matrix);
    let unused: &[&str] = if is_apart { &["cpus", "workers"] } else { &["server_cpus", "client_cpus"] };
    for key in unused {
        // Defaults and the other points of a matrix may well need it.
        let given = scenario.at(&format!("placement.{key}")).filter(|node| node.origin != Origin::Defaults && !is_axis);
        if let Some(node) = given {
            let (mode, instead) =
                if is_apart { ("apart", "`server_cpus` and `client_cpus`") } else { ("together", "`cpus` and `workers`") };
            let message = format!("`placement.{key}` has no effect with endpoints {mode}");
            findings.push(Diagnostic::new(&node.span, message).label("unused").help(format!("{mode} uses {instead}")));
        }
    }
    if let (true, false, Some(node)) = (is_apart, workload.has_two_ends(), endpoints) {
        let message = format!("`{}` has no two ends to place apart", workload.name());
        findings.push(Diagnostic::new(&node.span, message).label("together").help("leave the key out"));
    }
    if is_apart {
        Placement::Apart { server: cpus(scenario, "placement.server_cpus"), client: cpus(scenario, "placement.client_cpus") }
    } else {
        let cpus = cpus(scenario, "placement.cpus");
        let workers = workers(scenario, &cpus, findings);
        Placement::Together { cpus, workers }
    }
}

fn workers(scenario: &Table, cpus: &Cpus, findings: &mut Findings) -> Option<Workers> {
    let node = scenario.at("placement.workers")?;
    if *cpus == Cpus::Free {
        let diagnostic = Diagnostic::new(&node.span, "`placement.workers` counts CPUs, and `cpus = \"free\"` pins none").label("unused");
        findings.push(diagnostic.help("leave one of them out"));
    }
    match &node.value {
        Value::Integer(count) => u32::try_from(*count).ok().map(Workers::Count),
        Value::Text(word) if word == DOUBLING && node.origin == Origin::Matrix => Some(Workers::Doubling),
        Value::Text(word) if word == DOUBLING => {
            let help = format!("in [scenario.matrix]: `\"{WORKERS_AXIS}\" = [\"{DOUBLING}\"]`");
            findings.push(Diagnostic::new(&node.span, "`doubling` is for an axis of the matrix").label("gives several cases").help(help));
            None
        }
        _ => None,
    }
}

impl CaseSpec {
    /// The whole case as JSON, as it is hashed and recorded.
    pub fn effective(&self) -> Json {
        let ms = |duration: Duration| duration.as_millis() as u64;
        let warmup = match self.warmup {
            Warmup::None => json!("none"),
            Warmup::Time(time) => json!({ "time_ms": ms(time) }),
            Warmup::Steady { window, max } => json!({ "steady": { "window_ms": ms(window), "max_ms": ms(max) } }),
        };
        json!({
            "id": self.id,
            "scenario": self.scenario,
            "role": self.role,
            "subjects": self.subjects,
            "witness": self.witness,
            "run": { "trials": self.trials },
            "warmup": warmup,
            "measure": { "time_ms": ms(self.measure), "interval_ms": self.interval.map(ms) },
            "overload": { "time_ms": ms(self.overload), "recovery_ms": ms(self.recovery) },
            "drain": { "max_ms": ms(self.drain_max) },
            "placement": self.placement.to_json(),
            "load": self.load,
            "runtime": self.runtime,
            "workload": self.workload.without_dir(),
            "floor": self.workload.floor(),
            "no_doubling": self.workload.no_doubling(),
            "params": self.params,
            "thresholds": self.thresholds,
            "targets": self.targets,
        })
    }
}
