//! `polling`: what one poll of a future costs, by the way the future was made.
//!
//! | mode | the future | one poll |
//! |---|---|---|
//! | `ready` | a hand-written one that is ready at once | made, polled, done |
//! | `async-fn` | an `async fn` that suspends `suspensions` times: the compiler's state machine | polled in place |
//! | `state-machine` | the same steps written by hand | polled in place |
//! | `boxed` | the same behind `Pin<Box<dyn Future>>`, allocated anew each time | through a virtual call |
//! | `wake` | the same, waking itself each time it suspends | by the runtime: wake, queue, poll |
//!
//! `ready` to `boxed` never return to the runtime: they show what its futures may cost at most, and are nearly the same on all subjects.

use serde::{Deserialize, Serialize};

/// `[scenario.polling]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollingWorkload {
    /// Which future, polled by whom.
    pub mode: PollingMode,
    /// Times a future is pending before it is ready; 0 for `ready`.
    pub suspensions: u32,
    /// Futures of a round.
    pub futures: u32,
}

/// Which future, polled by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollingMode {
    /// Ready at once.
    Ready,
    /// The compiler's state machine.
    AsyncFn,
    /// A state machine by hand.
    StateMachine,
    /// Boxed, with a virtual call.
    Boxed,
    /// Wake, then polled again by the runtime.
    Wake,
}

impl PollingWorkload {
    /// Polls of one round: each future is polled once more than it is pending.
    pub fn polls_per_round(&self) -> u64 {
        u64::from(self.futures) * (u64::from(self.suspensions) + 1)
    }
}
