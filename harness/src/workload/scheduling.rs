//! `scheduling`: what starting, ending, yielding and waking tasks costs.
//!
//! | mode | one operation | a round of a user |
//! |---|---|---|
//! | `spawn-inside` | a task spawned by a task of the runtime, run and joined | `tasks` of them, joined in order |
//! | `spawn-outside` | the same, spawned and joined by a thread outside the runtime | the same |
//! | `yield` | a yield of a task that is ready to go on | `repeat` of them |
//! | `ping-pong` | a value to another task and its answer back | `repeat` of them |
//! | `chain` | a task that is spawned by the one before it | one chain of `tasks` |
//! | `timers` | a timer created and another one cancelled, while `timers` are live | `repeat` of them |
//! | `cancel` | a task spawned, aborted in a `state`, and joined as cancelled | `tasks` of them |
//! | `idle-tasks` | one of `tasks` idle tasks woken and heard; what each takes in memory is read before | `repeat` of them |
//!
//! Each task returns a value that follows from its number and the round; a round counts when the sum over its tasks is right.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[scenario.scheduling]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulingWorkload {
    /// What one operation is.
    pub mode: SchedulingMode,
    /// Tasks of a round: spawned and joined, or links of a chain. 1 where the mode spawns none.
    pub tasks: u32,
    /// Yields or round trips of a round; 1 where the mode has none.
    pub repeat: u32,
    /// How `ping-pong` hands a value over; `None` elsewhere.
    pub hand_over: Option<HandOver>,
    /// Timers that `timers` keeps live; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers: Option<u32>,
    /// What the tasks of `cancel` are at when they are aborted; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchedulingMode {
    /// Spawn from a task and join.
    SpawnInside,
    /// Spawn from a thread outside the runtime and join.
    SpawnOutside,
    /// Give way to the other tasks.
    Yield,
    /// A value there and back between two tasks.
    PingPong,
    /// Each task spawns the next.
    Chain,
    /// Timers created and cancelled beside many live ones.
    Timers,
    /// Tasks aborted and joined.
    Cancel,
    /// The memory of tasks that wait.
    IdleTasks,
}

/// What a task is at when it is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Spawned a moment ago: it has not been polled, but where a thief was quicker.
    Queued,
    /// Polled once, and asleep with its waker kept.
    Waiting,
    /// In a loop of yields.
    Running,
}

/// How two tasks hand a value over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandOver {
    /// Two channels of one slot, the runtime's own, between two tasks that stay.
    Channel,
    /// A task and its partner, both new for each round trip, and two oneshots, the runtime's own; all round trips of a round at once.
    Oneshot,
    /// A slot and a waker behind a lock, the same code on all subjects: shows waking without the channel.
    Cell,
}

impl SchedulingMode {
    /// The metric that is compared.
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::Yield => "yields_per_s",
            Self::PingPong => "round_trips_per_s",
            Self::SpawnInside | Self::SpawnOutside | Self::Chain | Self::Cancel => "tasks_per_s",
            Self::Timers => "timers_per_s",
            Self::IdleTasks => "bytes_per_task",
        }
    }

    /// How we know that the work happened.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Yield => "polls counted inside each task through black_box: one more than its yields, every round",
            Self::PingPong => "each answer follows from the question; the answers are summed and compared every round",
            Self::SpawnInside | Self::SpawnOutside => {
                "every task is joined; results that follow from the task's number are summed and compared every round"
            }
            Self::Chain => "each link adds a value of its own number; the sum at the end is compared every round",
            Self::Timers => {
                "each poll is pending; every round the runtime holds one waker for each live timer and has used none; a short timer beside them \
                 fires on time at the end"
            }
            Self::Cancel => {
                "each handle says cancelled; what the futures add up to when they are dropped follows from their numbers: each once; none is \
                 polled again after its abort"
            }
            Self::IdleTasks => {
                "all tasks were polled before the memory is read; those woken answer from their own state, summed every round; at the end all \
                 of them answer"
            }
        }
    }
}

impl SchedulingWorkload {
    /// Operations of one round of one user.
    pub fn operations_per_round(&self) -> u64 {
        u64::from(match self.mode {
            SchedulingMode::Yield | SchedulingMode::PingPong | SchedulingMode::Timers | SchedulingMode::IdleTasks => self.repeat,
            SchedulingMode::SpawnInside | SchedulingMode::SpawnOutside | SchedulingMode::Chain | SchedulingMode::Cancel => self.tasks,
        })
    }
}

/// What the task of this number returns in this round: no two numbers alike, and cheap beside a spawn.
#[inline]
pub fn task_value(number: u64, round: u64) -> u64 {
    mix(number).wrapping_add(round)
}

/// The sum of the values of the tasks `0..tasks`, worked out once and then known for every round.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedSum {
    base: u64,
    tasks: u64,
}

impl ExpectedSum {
    /// Of so many tasks.
    pub fn of(tasks: u32) -> Self {
        let tasks = u64::from(tasks);
        Self { base: (0..tasks).fold(0, |sum, number| sum.wrapping_add(mix(number))), tasks }
    }

    /// In this round.
    #[inline]
    pub fn in_round(self, round: u64) -> u64 {
        self.base.wrapping_add(self.tasks.wrapping_mul(round))
    }

    /// The sum of the answers to the questions of this round.
    #[inline]
    pub fn of_answers(self, round: u64) -> u64 {
        self.in_round(round % (1 << ROUND_BITS))
    }
}

/// The nearest deadline of [`far_ahead`].
const FAR_LEAST_NS: u64 = 1_000_000_000;
/// From there to the furthest.
const FAR_SPAN_NS: u64 = 59_000_000_000;

/// Rounds are told apart by so many bits in a question.
const ROUND_BITS: u32 = 31;

/// A question that is asked in a round trip: its number and round in one word, below 2^63.
#[inline]
pub fn question(number: u32, round: u64) -> u64 {
    (round % (1 << ROUND_BITS)) << 32 | u64::from(number)
}

/// The answer to it. Over the numbers from 0 the answers of a round add up to [`ExpectedSum::of_answers`].
#[inline]
pub fn answer(question: u64) -> u64 {
    task_value(question & u64::from(u32::MAX), question >> 32)
}

/// A length of time for this number, spread evenly over `1 s` to `60 s`: far enough ahead that no timer of it fires while it is measured.
#[inline]
pub fn far_ahead(number: u64) -> Duration {
    // The high half of the product with the span: evenly spread, and no division.
    let spread = (u128::from(mix(number)) * u128::from(FAR_SPAN_NS)) >> 64;
    Duration::from_nanos(FAR_LEAST_NS + spread as u64)
}

/// One to one on 64 bits (the finalizer of SplitMix64, Steele et al. 2014, without its second multiplication).
#[inline]
fn mix(number: u64) -> u64 {
    let word = (number.wrapping_add(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word ^ (word >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_sum_is_the_sum_of_the_values() {
        for (tasks, round) in [(1, 0), (1_000, 7), (37, u64::MAX)] {
            let sum = (0..u64::from(tasks)).fold(0u64, |sum, number| sum.wrapping_add(task_value(number, round)));
            assert_eq!(sum, ExpectedSum::of(tasks).in_round(round));
        }
    }

    #[test]
    fn the_answers_of_a_round_have_a_sum_known_before() {
        for round in [0, 7, (1 << ROUND_BITS) + 3] {
            let sum = (0..40).fold(0u64, |sum, number| sum.wrapping_add(answer(question(number, round))));
            assert_eq!(sum, ExpectedSum::of(40).of_answers(round));
            assert!(question(u32::MAX, round) < 1 << 63);
        }
    }

    #[test]
    fn deadlines_are_spread_over_a_minute_and_none_is_near() {
        let ahead: Vec<Duration> = (0..10_000).map(far_ahead).collect();
        let (least, most) = (ahead.iter().min().expect("some"), ahead.iter().max().expect("some"));
        assert!(*least >= Duration::from_secs(1) && *least < Duration::from_secs(2), "{least:?}");
        assert!(*most < Duration::from_secs(60) && *most > Duration::from_secs(59), "{most:?}");
        let early = ahead.iter().filter(|ahead| **ahead < Duration::from_millis(30_500)).count();
        assert!((4_500..5_500).contains(&early), "{early} of 10,000 in the first half");
    }

    #[test]
    fn numbers_have_values_of_their_own() {
        let values: std::collections::BTreeSet<u64> = (0..10_000).map(|number| task_value(number, 3)).collect();
        assert_eq!(values.len(), 10_000);
    }
}
