//! When operations start: the load model, as it travels from the plan to the subject.

pub mod closed;

use serde::{Deserialize, Serialize};

/// The load model, externally tagged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Each user starts its next operation when its last one ended.
    Closed(ClosedLoad),
}

/// A closed loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosedLoad {
    /// Operations outstanding at any time.
    pub users: u32,
}
