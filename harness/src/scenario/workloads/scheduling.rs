//! `[scenario.scheduling]` and its load: users are the tasks, or threads outside, that make rounds.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::Workload;
use crate::workload::scheduling::{FanIn, HandOver, Hold, SchedulingMode, SchedulingWorkload, TaskState};

use super::{number, refuse, users, word};

const TASKS: u32 = 1_000;
const REPEAT: u32 = 100;
const TIMERS: u32 = 10_000;
const IDLE_TASKS: u32 = 100_000;
const ROUND_MAX: u64 = 1_000_000;
const PRODUCERS: u32 = 8;
const PRODUCERS_MAX: u64 = 4_096;
const CAPACITY: u32 = 128;
const CAPACITY_MAX: u64 = 1 << 20;
/// Tasks of a mutex.
const CONTENDERS: u32 = 8;

const MODES: &[&str] =
    &["spawn-inside", "spawn-outside", "yield", "ping-pong", "chain", "mpsc-fan-in", "mutex-contended", "timers", "cancel", "idle-tasks"];

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(MODES), "What one operation is."),
    Field::optional(
        "tasks",
        Shape::Integer(1, ROUND_MAX),
        "spawn-inside, spawn-outside, cancel: tasks of a round; chain: its length; mutex-contended: tasks that share the mutex, 8 when left out; \
         idle-tasks: how many wait.",
    ),
    Field::optional(
        "repeat",
        Shape::Integer(1, ROUND_MAX),
        "yield, ping-pong, mpsc-fan-in, mutex-contended, timers: yields, round trips, messages, a task's acquires or timers of a round.",
    ),
    Field::optional(
        "hand_over",
        Shape::OneOf(&["channel", "oneshot", "cell"]),
        "ping-pong: how a value goes to the other task; channel when left out.",
    ),
    Field::optional("producers", Shape::Integer(1, PRODUCERS_MAX), "mpsc-fan-in: tasks that send; 8 when left out."),
    Field::optional("capacity", Shape::Integer(1, CAPACITY_MAX), "mpsc-fan-in: messages that the channel holds; 128 when left out."),
    Field::optional(
        "hold",
        Shape::OneOf(&["yield", "nothing"]),
        "mutex-contended: what a task does while it holds the mutex, beside counting; yield when left out.",
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
        Some("mpsc-fan-in") => (SchedulingMode::MpscFanIn, "mpsc-fan-in"),
        Some("mutex-contended") => (SchedulingMode::MutexContended, "mutex-contended"),
        Some("timers") => (SchedulingMode::Timers, "timers"),
        Some("cancel") => (SchedulingMode::Cancel, "cancel"),
        Some("idle-tasks") => (SchedulingMode::IdleTasks, "idle-tasks"),
        _ => (SchedulingMode::SpawnInside, "spawn-inside"),
    };
    let is = |one| mode == one;
    let (is_ping_pong, is_fan_in, is_mutex) =
        (is(SchedulingMode::PingPong), is(SchedulingMode::MpscFanIn), is(SchedulingMode::MutexContended));
    let (is_timers, is_cancel, is_idle) = (is(SchedulingMode::Timers), is(SchedulingMode::Cancel), is(SchedulingMode::IdleTasks));
    let repeats = is(SchedulingMode::Yield) || is_ping_pong || is_fan_in || is_mutex || is_timers;
    let has_tasks = !repeats || is_mutex;
    let uses = [
        ("tasks", has_tasks),
        ("repeat", repeats),
        ("hand_over", is_ping_pong),
        ("producers", is_fan_in),
        ("capacity", is_fan_in),
        ("hold", is_mutex),
        ("timers", is_timers),
        ("state", is_cancel),
    ];
    for (key, _) in uses.iter().filter(|(_, is_used)| !is_used) {
        refuse(scenario, "scheduling", key, name, findings);
    }
    let hand_over = match word(scenario, "scheduling.hand_over") {
        Some("oneshot") => HandOver::Oneshot,
        Some("cell") => HandOver::Cell,
        _ => HandOver::Channel,
    };
    let fan_in = FanIn {
        producers: number(scenario, "scheduling.producers", PRODUCERS),
        capacity: number(scenario, "scheduling.capacity", CAPACITY),
    };
    let hold = if word(scenario, "scheduling.hold") == Some("nothing") { Hold::Nothing } else { Hold::Yield };
    let state = match word(scenario, "scheduling.state") {
        Some("waiting") => TaskState::Waiting,
        Some("running") => TaskState::Running,
        _ => TaskState::Queued,
    };
    let tasks_first = if is_mutex {
        CONTENDERS
    } else if is_idle {
        IDLE_TASKS
    } else {
        TASKS
    };
    let tasks = if has_tasks { number(scenario, "scheduling.tasks", tasks_first) } else { 1 };
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
        hand_over: is_ping_pong.then_some(hand_over),
        fan_in: is_fan_in.then_some(fan_in),
        hold: is_mutex.then_some(hold),
        timers: is_timers.then(|| number(scenario, "scheduling.timers", TIMERS)),
        state: is_cancel.then_some(state),
    };
    let load = users(scenario);
    if let Some(node) = scenario.at("load.closed.users").filter(|_| is_idle && load.users() > 1) {
        let message = "`idle-tasks` has one user: the memory of a process is read once";
        findings.push(Diagnostic::new(&node.span, message).label("more than one").help("say how many tasks wait: `tasks`"));
    }
    (Workload::Scheduling(workload), load)
}
