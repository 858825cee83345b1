//! How long a woken or a spawned task waits for its poll, and how late a timer is.
//!
//! | mode | one operation | time |
//! |---|---|---|
//! | `wake` | a task wakes another of its runtime | from the call of the waker to the poll |
//! | `spawn` | a task spawns another | from the call of spawn to the first poll |
//! | `timer` | a sleep to a deadline | from the deadline to the poll |
//! | `fairness` | as `wake`, beside a task that takes all it gets | as `wake` |
//!
//! `wake` and `fairness` also come from outside: a thread that is none of the runtime's wakes tasks on a schedule of its own.

use serde::{Deserialize, Serialize};

/// The table `[scenario.latency]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyWorkload {
    /// What is timed.
    pub mode: LatencyMode,
    /// Share of each worker's time that is taken, in per cent, by other tasks (`wake` and `spawn`) or by the woken ones (from outside).
    pub busy_percent: u32,
    /// `wake` and `spawn` from inside: how many CPUs the runtime has.
    #[serde(default)]
    pub workers: Workers,
    /// `wake` and `fairness`: who wakes.
    #[serde(default)]
    pub from: Waker,
    /// `timer`: each user's deadlines are so far apart, and those of all users spread evenly over it, in nanoseconds.
    pub period_ns: u64,
    /// `fairness`: what takes all it gets.
    pub beside: Beside,
    /// `fairness` beside a poll: the CPU time of each, in nanoseconds.
    pub poll_ns: u64,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyMode {
    /// Wake to poll.
    Wake,
    /// Spawn to first poll.
    Spawn,
    /// Deadline to poll.
    Timer,
    /// Wake to poll, beside a task that takes all it gets.
    Fairness,
}

/// How many CPUs the runtime has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workers {
    /// Every CPU of the trial, a worker each.
    #[default]
    All,
    /// The first CPU of the trial, and one worker: whoever waits there waits for its neighbours, on every runtime alike.
    One,
}

/// Who wakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waker {
    /// Another task of the runtime.
    #[default]
    Inside,
    /// A thread that is none of the runtime's. With CPUs of its own the trial gives the first one to the runtime, which has one worker, and
    /// the last one to the thread, which then spins from wake to wake; with free placement the thread sleeps, and the kernel chooses.
    Outside,
}

/// A neighbour that never waits; each worker gets one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beside {
    /// A task whose every poll takes long, woken again at once.
    Poll,
    /// Two tasks that wake each other.
    Pair,
}

impl LatencyWorkload {
    /// Whether neighbours take [`busy_percent`](Self::busy_percent) of each worker; from outside the woken tasks do.
    pub fn has_load_beside(&self) -> bool {
        self.busy_percent > 0 && self.from == Waker::Inside && matches!(self.mode, LatencyMode::Wake | LatencyMode::Spawn)
    }
}

impl LatencyMode {
    /// The distribution's name in a record.
    pub fn time_id(self) -> &'static str {
        match self {
            Self::Wake | Self::Fairness => "wake_latency",
            Self::Spawn => "spawn_latency",
            Self::Timer => "timer_lateness",
        }
    }

    /// The metric that is compared.
    pub fn primary_metric(self) -> &'static str {
        match self {
            Self::Wake | Self::Fairness => "wake_latency_ns_p99",
            Self::Spawn => "spawn_latency_ns_p99",
            Self::Timer => "timer_lateness_ns_p99",
        }
    }

    /// How we know that the work happened.
    pub fn witness(self) -> &'static str {
        match self {
            Self::Wake | Self::Fairness => "the woken task takes the stamp that its waker left, each stamp once, and answers",
            Self::Spawn => "the spawned task takes the stamp of its spawn in its first poll, and answers",
            Self::Timer => "the clock is read after each sleep: none returns before its deadline",
        }
    }
}
