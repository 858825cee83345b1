//! From a checked suite to the trials that will run: order, seeds, placement, addresses and time bound; pure.
//!
//! ```text
//! case 1   block 0: B A C │ C A B    block 1: A C B │ B C A    …   then case 2, in file order
//!                 permutation │ its reverse: each pair of subjects meets in both orders, so a drift of the host cancels
//! ```
//!
//! The same suite, options, CPUs and seed give the same plan, byte for byte. Trials of one half of a block share their seed, so
//! all subjects do the same work there.

mod error;
mod estimate;
mod gate;
mod make;
mod network;
mod order;
mod place;
mod workers;

pub use error::PlanError;
pub use estimate::estimate;
pub use gate::{GateCase, gate_cases, needs};
pub(crate) use make::case_word;
pub use make::{PlanOptions, plan};
pub use network::network_for;
pub(crate) use order::SplitMix;
pub use workers::cores_first;

use std::collections::BTreeMap;
use std::time::Duration;

use zokio_report::schema::journal::CaseHeader;

use crate::load::Load;
use crate::subject::protocol::Phases;
use crate::workload::Workload;

/// A case, complete: a scenario at one matrix point.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What the journal and the result say of it.
    pub header: CaseHeader,
    /// What an operation is.
    pub workload: Workload,
    /// When operations start.
    pub load: Load,
    /// Lengths of the phases.
    pub phases: Phases,
    /// One process is both ends, or the subject serves and the ceiling's client drives.
    pub endpoints: Endpoints,
    /// Runtime settings of the scenario, passed through to the subject.
    pub runtime: serde_json::Map<String, serde_json::Value>,
}

/// Who is client and server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoints {
    /// One process is both ends, one worker per CPU.
    Together {
        /// CPUs of the process, one worker each; empty: not pinned.
        cpus: Vec<u32>,
    },
    /// The subject serves; the ceiling's client drives all subjects.
    Apart {
        /// CPUs of the server; empty: not pinned.
        server_cpus: Vec<u32>,
        /// CPUs of the client; empty: not pinned.
        client_cpus: Vec<u32>,
    },
}

/// One planned trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTrial {
    /// Index into [`Plan::cases`].
    pub case_index: usize,
    /// Subject name.
    pub subject: String,
    /// Block of the interleaved order.
    pub block: u32,
    /// 0: the permutation, 1: its reverse.
    pub half: u32,
    /// Place inside the block, from 0 to twice the subjects.
    pub position: u32,
    /// The trial's seed.
    pub seed: u64,
}

/// What will run, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The seed everything is derived from.
    pub seed: u64,
    /// The cases.
    pub cases: Vec<Case>,
    /// The trials, in the order they run.
    pub trials: Vec<PlannedTrial>,
    /// What the run will take, as told before it starts.
    pub estimate: Duration,
    /// Open files one process of the run needs, by case id.
    pub nofile_needed: BTreeMap<String, u64>,
    /// Most ports that the connections of one trial may hold towards one listener, TIME_WAIT included.
    pub ports_needed: u64,
    /// What the user should know before the run.
    pub notes: Vec<String>,
}
