//! `scheduling`: what starting, ending, yielding and waking tasks costs.
//!
//! | mode | one operation | a round of a user |
//! |---|---|---|
//! | `spawn-inside` | a task spawned by a task of the runtime, run and joined | `tasks` of them, joined in order |
//! | `spawn-outside` | the same, spawned and joined by a thread outside the runtime | the same |
//! | `yield` | a yield of a task that is ready to go on | `repeat` of them |
//! | `ping-pong` | a value to another task and its answer back | `repeat` of them |
//! | `chain` | a task that is spawned by the one before it | one chain of `tasks` |
//! | `mpsc-fan-in` | a message of one of many producers, received | `repeat` of them |
//! | `mutex-contended` | a mutex acquired, what it guards counted up, released | `repeat` of each task that shares it |
//! | `timers` | a timer created and another one cancelled, while `timers` are live | `repeat` of them |
//! | `cancel` | a task spawned, aborted in a `state`, and joined as cancelled | `tasks` of them |
//! | `idle-tasks` | one of `tasks` idle tasks woken and heard; what each takes in memory is read before | `repeat` of them |
//!
//! Each task returns a value that follows from its number and the round; a round counts when the sum over its tasks is right. Producers and the
//! tasks of a mutex work on from round to round: [`Audit`] and what the mutex guards tell at the end whether all that was done arrived.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `[scenario.scheduling]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchedulingWorkload {
    /// What one operation is.
    pub mode: SchedulingMode,
    /// Tasks of a round: spawned and joined, or links of a chain; tasks that share a mutex. 1 where the mode has none of these.
    pub tasks: u32,
    /// Yields, round trips, messages or acquires of a round; 1 where the mode has none.
    pub repeat: u32,
    /// How `ping-pong` hands a value over; `None` elsewhere.
    pub hand_over: Option<HandOver>,
    /// The channel of `mpsc-fan-in`; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_in: Option<FanIn>,
    /// What a task of `mutex-contended` does while it holds the mutex, beside counting; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Timers that `timers` keeps live; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timers: Option<u32>,
    /// What the tasks of `cancel` are at when they are aborted; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
}

/// A channel of many producers and one consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanIn {
    /// Tasks that send.
    pub producers: u32,
    /// Messages that may wait to be received.
    pub capacity: u32,
}

/// What a task does while it holds a mutex, beside counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// Lets the other tasks run: whoever comes meanwhile has to wait, as with any guard that is held across an await.
    Yield,
    /// Nothing: tasks meet only where they run at the same time. The task gives way after each round instead.
    Nothing,
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
    /// Many producers, one bounded channel, one consumer.
    MpscFanIn,
    /// Many tasks, one mutex.
    MutexContended,
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
            Self::MpscFanIn => "messages_per_s",
            Self::MutexContended => "acquires_per_s",
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
            Self::MpscFanIn => "each producer's messages arrive in order, without a gap; count and sum are those that the producers sent",
            Self::MutexContended => {
                "the mutex guards plain counts, read before the critical section and written after it: they end as the tasks say"
            }
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
            SchedulingMode::Yield
            | SchedulingMode::PingPong
            | SchedulingMode::MpscFanIn
            | SchedulingMode::MutexContended
            | SchedulingMode::Timers
            | SchedulingMode::IdleTasks => self.repeat,
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

/// Messages of one producer are told apart by so many bits; the producer's number is above them.
const MESSAGE_BITS: u32 = 48;

/// The message with this number, from 0, of this producer.
#[inline]
pub fn message(producer: u32, number: u64) -> u64 {
    (u64::from(producer) << MESSAGE_BITS) | (number % (1 << MESSAGE_BITS))
}

/// What a producer has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages.
    pub count: u64,
    /// Their sum, wrapping.
    pub sum: u64,
}

impl Sent {
    /// One more.
    #[inline]
    pub fn add(&mut self, message: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(message);
    }
}

/// What a consumer has received: by producer, and in all.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The number of the next message of each producer.
    next: Vec<u64>,
    all: Sent,
    /// Messages that were not the next one of any producer.
    misplaced: u64,
}

impl Audit {
    /// Nothing yet, of so many producers.
    pub fn new(producers: u32) -> Self {
        Self { next: vec![0; producers as usize], all: Sent::default(), misplaced: 0 }
    }

    /// Takes a message; whether it is the next one of its producer.
    #[inline]
    pub fn take(&mut self, message: u64) -> bool {
        self.all.add(message);
        let number = message % (1 << MESSAGE_BITS);
        if let Some(next) = self.next.get_mut((message >> MESSAGE_BITS) as usize) {
            // What comes out of order stays missing at its place, and each one after it tells.
            if number == *next {
                *next += 1;
                return true;
            }
        }
        self.misplaced += 1;
        false
    }

    /// Messages of each producer so far, in order and without a gap.
    pub fn of_each(&self) -> &[u64] {
        &self.next
    }

    /// Why this is not what the producers have sent; `None`: it is.
    pub fn difference(&self, sent: &[Sent]) -> Option<String> {
        let all = sent.iter().fold(Sent::default(), |all, one| Sent { count: all.count + one.count, sum: all.sum.wrapping_add(one.sum) });
        let in_order = sent.iter().map(|one| one.count).eq(self.next.iter().copied());
        (all != self.all || self.misplaced > 0 || !in_order).then(|| {
            let (sent, received, misplaced) = (all.count, self.all.count, self.misplaced);
            let sums = if all.sum == self.all.sum { "equal" } else { "different" };
            format!("{sent} messages were sent and {received} received, {misplaced} of them out of order; their sums are {sums}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two producers, three messages each, in turn.
    fn messages() -> Vec<u64> {
        (0..3).flat_map(|number| [message(0, number), message(1, number)]).collect()
    }

    fn audit(messages: &[u64]) -> (bool, Option<String>) {
        let mut sent = [Sent::default(); 2];
        (0..2).for_each(|producer| (0..3).for_each(|number| sent[producer].add(message(producer as u32, number))));
        let mut audit = Audit::new(2);
        let misplaced = messages.iter().filter(|message| !audit.take(**message)).count();
        (misplaced == 0, audit.difference(&sent))
    }

    #[test]
    fn an_audit_sees_what_is_lost_invented_or_out_of_order() {
        assert_eq!(audit(&messages()), (true, None));
        let change = |change: fn(&mut Vec<u64>)| {
            let mut messages = messages();
            change(&mut messages);
            audit(&messages)
        };
        let lost = change(|messages| {
            messages.remove(2);
        });
        assert!(!lost.0 && lost.1.is_some(), "{lost:?}");
        let lost_last = change(|messages| messages.truncate(5));
        assert!(lost_last.0 && lost_last.1.is_some(), "only the end tells: {lost_last:?}");
        let twice = change(|messages| messages.insert(2, messages[1]));
        assert!(!twice.0 && twice.1.is_some(), "{twice:?}");
        let invented = change(|messages| messages.push(message(0, 3)));
        assert!(invented.0 && invented.1.is_some(), "only the end tells: {invented:?}");
        let nobodys = change(|messages| messages.push(message(2, 0)));
        assert!(!nobodys.0 && nobodys.1.is_some(), "{nobodys:?}");
        let overtaken = change(|messages| messages.swap(0, 2));
        assert!(!overtaken.0 && overtaken.1.is_some(), "{overtaken:?}");
    }

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
