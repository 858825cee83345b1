//! `[scenario.latency]` and its load.

use crate::load::Load;
use crate::scenario::case::duration;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::MS;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Origin, Table};
use crate::workload::Workload;
use crate::workload::latency::{Beside, LatencyMode, LatencyWorkload, Waker, Workers};

use super::{number, refuse, users, word};

const PERIOD_NS: u64 = 1_000 * MS;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["wake", "spawn", "timer", "fairness"]), "What is timed."),
    Field::optional(
        "busy",
        Shape::Integer(0, 95),
        "wake, spawn: per cent of each worker's time that other tasks take (from outside: the woken ones); 0 when left out.",
    ),
    Field::optional(
        "workers",
        Shape::OneOf(&["all", "one"]),
        "wake, spawn: a worker on every CPU, or on the first one alone; all when left out.",
    ),
    Field::optional(
        "from",
        Shape::OneOf(&["inside", "outside"]),
        "wake, fairness: a task wakes, or a thread outside the runtime; inside when left out.",
    ),
    Field::optional("period", Shape::Duration(MS, 60_000 * MS, 1), "timer: from one deadline of a user to its next; 1 s when left out."),
    Field::optional("beside", Shape::OneOf(&["poll", "pair"]), "fairness: a task of long polls, or two that wake each other."),
    Field::optional("poll", Shape::Duration(1_000, 100 * MS, 1), "fairness beside a poll: CPU time of each; 1 ms when left out."),
];

/// The modes that a key belongs to.
const OWNERS: &[(&str, &[&str])] = &[
    ("busy", &["wake", "spawn"]),
    ("workers", &["wake", "spawn"]),
    ("from", &["wake", "fairness"]),
    ("period", &["timer"]),
    ("beside", &["fairness"]),
    ("poll", &["fairness"]),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "latency.mode") {
        Some("spawn") => (LatencyMode::Spawn, "spawn"),
        Some("timer") => (LatencyMode::Timer, "timer"),
        Some("fairness") => (LatencyMode::Fairness, "fairness"),
        _ => (LatencyMode::Wake, "wake"),
    };
    for (key, modes) in OWNERS {
        if !modes.contains(&name) {
            refuse(scenario, "latency", key, name, findings);
        }
    }
    let beside_is_pair = scenario.at("latency.beside").is_some_and(|node| node.origin != Origin::Matrix && node.text() == Some("pair"));
    if let Some(node) = scenario.at("latency.poll").filter(|node| node.origin != Origin::Defaults && beside_is_pair) {
        findings.push(Diagnostic::new(&node.span, "`poll` has no effect beside a pair").label("unused").help("leave the key out"));
    }
    let workload = LatencyWorkload {
        mode,
        busy_percent: number(scenario, "latency.busy", 0),
        workers: if word(scenario, "latency.workers") == Some("one") { Workers::One } else { Workers::All },
        from: if word(scenario, "latency.from") == Some("outside") { Waker::Outside } else { Waker::Inside },
        period_ns: duration(scenario, "latency.period").map_or(PERIOD_NS, |period| period.as_nanos() as u64),
        poll_ns: duration(scenario, "latency.poll").map_or(MS, |poll| poll.as_nanos() as u64),
        beside: if word(scenario, "latency.beside") == Some("pair") { Beside::Pair } else { Beside::Poll },
    };
    (Workload::Latency(workload), users(scenario))
}
