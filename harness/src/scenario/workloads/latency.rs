//! `[scenario.latency]` and its load.

use crate::load::Load;
use crate::scenario::case::duration;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::MS;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Node, Origin, Table};
use crate::scenario::validate::integer;
use crate::workload::Workload;
use crate::workload::latency::{Beside, LatencyMode, LatencyWorkload};

use super::users;

const PERIOD_NS: u64 = 1_000 * MS;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["wake", "spawn", "timer", "fairness"]), "What is timed."),
    Field::optional("busy", Shape::Integer(0, 95), "wake, spawn: per cent of each worker's time that other tasks take; 0 when left out."),
    Field::optional("period", Shape::Duration(MS, 60_000 * MS, 1), "timer: from one deadline of a user to its next; 1 s when left out."),
    Field::optional("beside", Shape::OneOf(&["poll", "pair"]), "fairness: a task of 1 ms polls, or two that wake each other."),
];

/// The modes that a key belongs to.
const OWNERS: &[(&str, &[&str])] = &[("busy", &["wake", "spawn"]), ("period", &["timer"]), ("beside", &["fairness"])];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let word = scenario.at("latency.mode").and_then(Node::text).unwrap_or("wake");
    let mode_varies = scenario.at("latency.mode").is_some_and(|node| node.origin == Origin::Matrix);
    for (key, modes) in OWNERS {
        let given = scenario.at(&format!("latency.{key}")).filter(|node| node.origin != Origin::Defaults && !mode_varies);
        if let (Some(node), false) = (given, modes.contains(&word)) {
            let message = format!("`{key}` has no effect with mode {word}");
            let help = format!("it belongs to {}", modes.join(" and "));
            findings.push(Diagnostic::new(&node.span, message).label("unused").help(help));
        }
    }
    let mode = match word {
        "spawn" => LatencyMode::Spawn,
        "timer" => LatencyMode::Timer,
        "fairness" => LatencyMode::Fairness,
        _ => LatencyMode::Wake,
    };
    let workload = LatencyWorkload {
        mode,
        busy_percent: integer(scenario, "latency.busy").unwrap_or(0) as u32,
        period_ns: duration(scenario, "latency.period").map_or(PERIOD_NS, |period| period.as_nanos() as u64),
        beside: if scenario.at("latency.beside").and_then(Node::text) == Some("pair") { Beside::Pair } else { Beside::Poll },
    };
    (Workload::Latency(workload), users(scenario))
}
