//! `[scenario.scheduling]` and its load: users are the tasks, or threads outside, that make rounds.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::Workload;
use crate::workload::scheduling::{HandOver, SchedulingMode, SchedulingWorkload, TaskState};

use super::{number, refuse, users, word};

const TASKS: u32 = 1_000;
const REPEAT: u32 = 100;
const TIMERS: u32 = 10_000;
const IDLE_TASKS: u32 = 100_000;
const ROUND_MAX: u64 = 1_000_000;

const MODES: &[&str] = &["spawn-inside", "spawn-outside", "yield", "ping-pong", "chain", "timers", "cancel", "idle-tasks"];

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(MODES), "What one operation is."),
    Field::optional(
        "tasks",
        Shape::Integer(1, ROUND_MAX),
        "spawn-inside, spawn-outside, cancel: tasks of a round; chain: its length; idle-tasks: how many wait.",
    ),
    Field::optional("repeat", Shape::Integer(1, ROUND_MAX), "yield, ping-pong, timers: yields, round trips or timers of a round."),
    Field::optional(
        "hand_over",
        Shape::OneOf(&["channel", "oneshot", "cell"]),
        "ping-pong: how a value goes to the other task; channel when left out.",
    ),
    Field::optional(
        "timers",
        Shape::Integer(1, ROUND_MAX),
        "timers: how many are live beside those that come and go; 10,000 when left out.",
    ),
    Field::optional(
        "state",
        Shape::OneOf(&["queued", "waiting", "running"]),
        "cancel: what a task is at when it is aborted; queued when left out.",
    ),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "scheduling.mode") {
        Some("spawn-outside") => (SchedulingMode::SpawnOutside, "spawn-outside"),
        Some("yield") => (SchedulingMode::Yield, "yield"),
        Some("ping-pong") => (SchedulingMode::PingPong, "ping-pong"),
        Some("chain") => (SchedulingMode::Chain, "chain"),
        Some("timers") => (SchedulingMode::Timers, "timers"),
        Some("cancel") => (SchedulingMode::Cancel, "cancel"),
        Some("idle-tasks") => (SchedulingMode::IdleTasks, "idle-tasks"),
        _ => (SchedulingMode::SpawnInside, "spawn-inside"),
    };
    let repeats = matches!(mode, SchedulingMode::Yield | SchedulingMode::PingPong | SchedulingMode::Timers);
    refuse(scenario, "scheduling", if repeats { "tasks" } else { "repeat" }, name, findings);
    for (key, owner) in [("hand_over", SchedulingMode::PingPong), ("timers", SchedulingMode::Timers), ("state", SchedulingMode::Cancel)] {
        if mode != owner {
            refuse(scenario, "scheduling", key, name, findings);
        }
    }
    let hand_over = match word(scenario, "scheduling.hand_over") {
        Some("oneshot") => HandOver::Oneshot,
        Some("cell") => HandOver::Cell,
        _ => HandOver::Channel,
    };
    let state = match word(scenario, "scheduling.state") {
        Some("waiting") => TaskState::Waiting,
        Some("running") => TaskState::Running,
        _ => TaskState::Queued,
    };
    let is_idle = mode == SchedulingMode::IdleTasks;
    let tasks = if repeats { 1 } else { number(scenario, "scheduling.tasks", if is_idle { IDLE_TASKS } else { TASKS }) };
    let workload = SchedulingWorkload {
        mode,
        tasks,
        repeat: if is_idle {
            REPEAT.min(tasks)
        } else if repeats {
            number(scenario, "scheduling.repeat", REPEAT)
        } else {
            1
        },
        hand_over: (mode == SchedulingMode::PingPong).then_some(hand_over),
        timers: (mode == SchedulingMode::Timers).then(|| number(scenario, "scheduling.timers", TIMERS)),
        state: (mode == SchedulingMode::Cancel).then_some(state),
    };
    let load = users(scenario);
    if let Some(node) = scenario.at("load.closed.users").filter(|_| is_idle && load.users() > 1) {
        let message = "`idle-tasks` has one user: the memory of a process is read once";
        findings.push(Diagnostic::new(&node.span, message).label("more than one").help("say how many tasks wait: `tasks`"));
    }
    (Workload::Scheduling(workload), load)
}
