//! When operations start: the load model, as it travels from the plan to the subject.
//!
//! ```text
//!  closed     a user starts again when its last operation has ended
//!  open       operations start by a schedule, whatever became of those before (schedule, lane)
//!  overload   closed at first: what the subject can do; then open at more than that; then open at less
//! ```

pub mod closed;
pub mod lane;
pub mod offer;
pub mod schedule;

use serde::{Deserialize, Serialize};

/// The load model, externally tagged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Each user starts its next operation when its last one ended.
    Closed(ClosedLoad),
    /// Operations start by a schedule.
    Open(OpenLoad),
    /// Full load, then more than that, then less.
    Overload(OverloadLoad),
}

/// A closed loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosedLoad {
    /// Operations outstanding at any time.
    pub users: u32,
}

/// An open loop: a schedule offers operations, `users` serve them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenLoad {
    /// Operations offered per second, over all users.
    pub rate_per_s: u64,
    /// How the starts are spread.
    pub arrival: Arrival,
    /// Operations that can be at work at the same time: connections, or tasks that begin others.
    pub users: u32,
    /// Operations that were offered and have not ended; what is offered beyond is an error of class `overload`.
    pub max_in_flight: u32,
}

/// The load of a stress test; the lengths of its parts are phases of the trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverloadLoad {
    /// Users of the closed loop at full load, and operations that can be at work at the same time afterwards.
    pub users: u32,
    /// Rate offered in the overload, as a share of the rate at full load.
    pub offered: f64,
    /// Rate offered after it, as a share of the rate at full load.
    pub after: f64,
    /// How the starts are spread.
    pub arrival: Arrival,
    /// As in [`OpenLoad`].
    pub max_in_flight: u32,
}

/// How the starts of an open loop are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// At equal distances.
    Uniform,
    /// Independent of each other: exponential distances.
    Poisson,
}

/// What the pacing of a trial needs of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// How the starts are spread.
    pub arrival: Arrival,
    /// Operations offered and not ended, at most.
    pub max_in_flight: u32,
}

impl Load {
    /// Operations that can be at work at the same time; at least 1.
    pub fn users(&self) -> u32 {
        match self {
            Self::Closed(ClosedLoad { users }) | Self::Open(OpenLoad { users, .. }) | Self::Overload(OverloadLoad { users, .. }) => {
                (*users).max(1)
            }
        }
    }

    /// Operations outstanding at any time of the measured window; `None`: a schedule decides.
    pub fn users_of_closed_loop(&self) -> Option<u32> {
        match self {
            Self::Closed(_) | Self::Overload(_) => Some(self.users()),
            Self::Open(_) => None,
        }
    }

    /// Whether any part of it follows a schedule, and how.
    pub fn pacing(&self) -> Option<Pacing> {
        match *self {
            Self::Closed(_) => None,
            Self::Open(OpenLoad { arrival, max_in_flight, .. }) | Self::Overload(OverloadLoad { arrival, max_in_flight, .. }) => {
                Some(Pacing { arrival, max_in_flight })
            }
        }
    }

    /// `closed`, `open` or `overload`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Open(_) => "open",
            Self::Overload(_) => "overload",
        }
    }
}
