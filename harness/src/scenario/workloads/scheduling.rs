//! `[scenario.scheduling]` and its load: users are the tasks, or threads outside, that make rounds.

use crate::load::Load;
use crate::scenario::diagnostic::Findings;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::Workload;
use crate::workload::scheduling::{HandOver, SchedulingMode, SchedulingWorkload};

use super::{number, refuse, users, word};

const TASKS: u32 = 1_000;
const REPEAT: u32 = 100;
const ROUND_MAX: u64 = 1_000_000;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["spawn-inside", "spawn-outside", "yield", "ping-pong", "chain"]), "What one operation is."),
    Field::optional("tasks", Shape::Integer(1, ROUND_MAX), "spawn-inside, spawn-outside: tasks of a round; chain: its length."),
    Field::optional("repeat", Shape::Integer(1, ROUND_MAX), "yield, ping-pong: yields or round trips of a round."),
    Field::optional(
        "hand_over",
        Shape::OneOf(&["channel", "oneshot", "cell"]),
        "ping-pong: how a value goes to the other task; channel when left out.",
    ),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "scheduling.mode") {
        Some("spawn-outside") => (SchedulingMode::SpawnOutside, "spawn-outside"),
        Some("yield") => (SchedulingMode::Yield, "yield"),
        Some("ping-pong") => (SchedulingMode::PingPong, "ping-pong"),
        Some("chain") => (SchedulingMode::Chain, "chain"),
        _ => (SchedulingMode::SpawnInside, "spawn-inside"),
    };
    let repeats = matches!(mode, SchedulingMode::Yield | SchedulingMode::PingPong);
    refuse(scenario, "scheduling", if repeats { "tasks" } else { "repeat" }, name, findings);
    if mode != SchedulingMode::PingPong {
        refuse(scenario, "scheduling", "hand_over", name, findings);
    }
    let hand_over = match word(scenario, "scheduling.hand_over") {
        Some("oneshot") => HandOver::Oneshot,
        Some("cell") => HandOver::Cell,
        _ => HandOver::Channel,
    };
    let workload = SchedulingWorkload {
        mode,
        tasks: if repeats { 1 } else { number(scenario, "scheduling.tasks", TASKS) },
        repeat: if repeats { number(scenario, "scheduling.repeat", REPEAT) } else { 1 },
        hand_over: (mode == SchedulingMode::PingPong).then_some(hand_over),
    };
    (Workload::Scheduling(workload), users(scenario))
}
