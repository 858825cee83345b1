//! What a checked scenario file means: plain values, no text left to judge.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use zokio_report::schema::journal::{CaseRole, TargetSpec, ThresholdSpec};
use zokio_report::schema::result::SuiteInfo;

use crate::load::Load;
use crate::workload::Workload;

use super::gate::GateSpec;
use super::shape::DOUBLING;

/// A checked scenario file.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// Names the result folder.
    pub name: String,
    /// The question it answers.
    pub question: String,
    /// More for the reader.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Free pairs, repeated in the result.
    pub labels: BTreeMap<String, String>,
    /// The seed of the file, if it names one.
    pub seed: Option<u64>,
    /// File name without its folder, or `built-in`.
    pub file: String,
    /// sha256 of the effective suite (hex): after defaults, `--set` and matrix, whatever the file's comments and order.
    pub sha256: String,
    /// Enabled scenarios at each point of their matrix, in file order.
    pub cases: Vec<CaseSpec>,
}

impl Suite {
    /// What the result says of it.
    pub fn info(&self) -> SuiteInfo {
        let (name, question) = (self.name.clone(), self.question.clone());
        SuiteInfo { name, question, file: self.file.clone(), sha256: self.sha256.clone() }
    }
}

/// A scenario at one point of its matrix, before placement on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseSpec {
    /// `tcp-rr/load.closed.users=64`.
    pub id: String,
    /// `tcp-rr`.
    pub scenario: String,
    /// Measured or control.
    pub role: CaseRole,
    /// The matrix point.
    pub params: Map<String, Json>,
    /// What is measured.
    pub subjects: Vec<String>,
    /// How we know that the work happened.
    pub witness: String,
    /// The metric that is compared.
    pub primary_metric: String,
    /// Fresh processes per subject.
    pub trials: u32,
    /// Work that is not counted.
    pub warmup: Warmup,
    /// The measured window.
    pub measure: Duration,
    /// Distance of the points of the trial's course; `None`: nobody watches it.
    pub interval: Option<Duration>,
    /// Length of an overload; zero without one.
    pub overload: Duration,
    /// Length of the time after it.
    pub recovery: Duration,
    /// How long operations under way may take to end.
    pub drain_max: Duration,
    /// Who runs where.
    pub placement: Placement,
    /// When operations start.
    pub load: Load,
    /// Settings passed to the runtime.
    pub runtime: Map<String, Json>,
    /// What an operation is.
    pub workload: Workload,
    /// Limits.
    pub thresholds: Vec<ThresholdSpec>,
    /// Figures to reach.
    pub targets: Vec<TargetSpec>,
    /// How a gate measures it; no part of what a run measures, so not of its hash.
    pub gate: GateSpec,
}

/// Work that is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// None.
    None,
    /// A fixed time.
    Time(Duration),
    /// Until two windows agree.
    Steady {
        /// Length of a window.
        window: Duration,
        /// The end at the latest.
        max: Duration,
    },
}

/// Who runs where, as the scenario says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// One process is both ends.
    Together {
        /// Its CPUs.
        cpus: Cpus,
        /// How many of them; all where nothing is said.
        workers: Option<Workers>,
    },
    /// The subject serves, one client drives.
    Apart {
        /// CPUs of the subject.
        server: Cpus,
        /// CPUs of the client.
        client: Cpus,
    },
}

/// Which CPUs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cpus {
    /// What the plan thinks best: together all that are allowed, apart one each.
    Auto,
    /// No pinning.
    Free,
    /// These.
    List(Vec<u32>),
}

/// How many workers, one CPU each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// So many.
    Count(u32),
    /// A case for 1, 2, 4, … workers up to the CPUs of the host, and one for all of these; the plan makes them.
    Doubling,
}

impl Workers {
    /// As in the file.
    pub fn to_json(self) -> Json {
        match self {
            Self::Count(count) => Json::from(count),
            Self::Doubling => Json::from(DOUBLING),
        }
    }
}

impl Cpus {
    /// As in the file.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Auto => Json::from("auto"),
            Self::Free => Json::from("free"),
            Self::List(cpus) => Json::from(cpus.clone()),
        }
    }
}

impl Placement {
    /// `together` or `apart`.
    pub fn endpoints(&self) -> &'static str {
        match self {
            Self::Together { .. } => "together",
            Self::Apart { .. } => "apart",
        }
    }

    /// As in the file.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Together { cpus, workers: None } => serde_json::json!({ "endpoints": "together", "cpus": cpus.to_json() }),
            Self::Together { cpus, workers: Some(workers) } => {
                serde_json::json!({ "endpoints": "together", "cpus": cpus.to_json(), "workers": workers.to_json() })
            }
            Self::Apart { server, client } => {
                serde_json::json!({ "endpoints": "apart", "server_cpus": server.to_json(), "client_cpus": client.to_json() })
            }
        }
    }
}
