//! `[scenario.scheduling]` and its load: users are the tasks, or threads outside, that make rounds.

use crate::load::Load;
use crate::scenario::diagnostic::Findings;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::Workload;
use crate::workload::scheduling::{FanIn, HandOver, Hold, SchedulingMode, SchedulingWorkload};

use super::{number, refuse, users, word};

const TASKS: u32 = 1_000;
const REPEAT: u32 = 100;
const ROUND_MAX: u64 = 1_000_000;
const PRODUCERS: u32 = 8;
const PRODUCERS_MAX: u64 = 4_096;
const CAPACITY: u32 = 128;
const CAPACITY_MAX: u64 = 1 << 20;
/// Tasks of a mutex.
const CONTENDERS: u32 = 8;

const MODES: &[&str] = &["spawn-inside", "spawn-outside", "yield", "ping-pong", "chain", "mpsc-fan-in", "mutex-contended"];

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(MODES), "What one operation is."),
    Field::optional(
        "tasks",
        Shape::Integer(1, ROUND_MAX),
        "spawn-inside, spawn-outside: tasks of a round; chain: its length; mutex-contended: tasks that share the mutex, 8 when left out.",
    ),
    Field::optional(
        "repeat",
        Shape::Integer(1, ROUND_MAX),
        "yield, ping-pong, mpsc-fan-in, mutex-contended: yields, round trips, messages or a task's acquires of a round.",
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
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "scheduling.mode") {
        Some("spawn-outside") => (SchedulingMode::SpawnOutside, "spawn-outside"),
        Some("yield") => (SchedulingMode::Yield, "yield"),
        Some("ping-pong") => (SchedulingMode::PingPong, "ping-pong"),
        Some("chain") => (SchedulingMode::Chain, "chain"),
        Some("mpsc-fan-in") => (SchedulingMode::MpscFanIn, "mpsc-fan-in"),
        Some("mutex-contended") => (SchedulingMode::MutexContended, "mutex-contended"),
        _ => (SchedulingMode::SpawnInside, "spawn-inside"),
    };
    let (is_ping_pong, is_fan_in) = (mode == SchedulingMode::PingPong, mode == SchedulingMode::MpscFanIn);
    let is_mutex = mode == SchedulingMode::MutexContended;
    let repeats = mode == SchedulingMode::Yield || is_ping_pong || is_fan_in || is_mutex;
    let has_tasks = !repeats || is_mutex;
    let uses = [
        ("tasks", has_tasks),
        ("repeat", repeats),
        ("hand_over", is_ping_pong),
        ("producers", is_fan_in),
        ("capacity", is_fan_in),
        ("hold", is_mutex),
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
    let workload = SchedulingWorkload {
        mode,
        tasks: if has_tasks { number(scenario, "scheduling.tasks", if is_mutex { CONTENDERS } else { TASKS }) } else { 1 },
        repeat: if repeats { number(scenario, "scheduling.repeat", REPEAT) } else { 1 },
        hand_over: is_ping_pong.then_some(hand_over),
        fan_in: is_fan_in.then_some(fan_in),
        hold: is_mutex.then_some(hold),
    };
    (Workload::Scheduling(workload), users(scenario))
}
