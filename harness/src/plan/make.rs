//! Making the plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use zokio_report::schema::journal::CaseHeader;
use zokio_report::schema::open::OfferedLoad;

use crate::load::{Arrival, Load};
use crate::scenario::{CaseSpec, Suite, sha256};
use crate::subject::protocol::Phases;
use crate::workload::Workload;
use crate::workload::tcp::TcpMode;

use super::estimate::{estimate, phases, subjects, trials};
use super::network::{nofile, ports};
use super::order::{SplitMix, order};
use super::place::place;
use super::workers::on_host;
use super::{Case, Endpoints, Plan, PlanError, PlannedTrial};

/// What the command line changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// `--seed`; else the suite's; else one that follows from the suite.
    pub seed: Option<u64>,
    /// `--quick`: 6 trials, shorter phases; never reportable.
    pub quick: bool,
    /// `--trials`, per subject; wins over `--quick`.
    pub trials: Option<u32>,
    /// `--subject`: replaces the subjects of measured cases; the first is compared with each other.
    pub subjects: Option<Vec<String>>,
}

/// The plan of a suite on a host: `allowed_cpus` are those that this process may use, in the order in which they are given out.
///
/// # Errors
/// A CPU that is not allowed, or an option that makes no sense.
pub fn plan(suite: &Suite, allowed_cpus: &[u32], options: &PlanOptions) -> Result<Plan, PlanError> {
    check(options)?;
    let seed = options.seed.or(suite.seed).unwrap_or_else(|| word(&suite.sha256));
    let specs = on_host(&suite.cases, allowed_cpus.len());
    let mut plan = Plan {
        seed,
        cases: Vec::with_capacity(specs.len()),
        trials: Vec::new(),
        estimate: estimate(suite, allowed_cpus.len(), options),
        nofile_needed: BTreeMap::new(),
        ports_needed: 0,
        notes: Vec::new(),
    };
    for spec in &specs {
        let endpoints = place(spec, allowed_cpus, &mut plan.notes)?;
        let phases = phases(spec, options.quick);
        let header = header(spec, &endpoints, &phases, options);
        let case =
            Case { header, workload: spec.workload.clone(), load: spec.load.clone(), phases, endpoints, runtime: spec.runtime.clone() };
        // From the id, not the index: a case keeps its trials whatever stands before it in the file.
        let id = case_word(&spec.id);
        let mut random = SplitMix::mixed([seed, id]);
        for slot in order(case.header.subjects.len(), case.header.trials, &mut random) {
            plan.trials.push(PlannedTrial {
                case_index: plan.cases.len(),
                subject: case.header.subjects[slot.subject].clone(),
                block: slot.block,
                half: slot.half,
                position: slot.position,
                seed: SplitMix::mixed([seed, id, slot.block.into(), slot.half.into()]).next(),
            });
        }
        plan.nofile_needed.insert(spec.id.clone(), nofile(&case));
        plan.ports_needed = plan.ports_needed.max(ports(&case, allowed_cpus.len()));
        plan.cases.push(case);
    }
    Ok(plan)
}

fn check(options: &PlanOptions) -> Result<(), PlanError> {
    let wrong = |message: &str| Err(PlanError::Option { message: message.into() });
    if !(1..=1_000).contains(&options.trials.unwrap_or(1)) {
        return wrong("`--trials` takes 1 to 1000");
    }
    match &options.subjects {
        Some(subjects) if subjects.is_empty() || subjects.iter().any(|subject| subject.is_empty()) => wrong("`--subject` names no subject"),
        Some(subjects) if subjects.iter().collect::<BTreeSet<_>>().len() < subjects.len() => wrong("`--subject` names a subject twice"),
        _ => Ok(()),
    }
}

/// A number from an id, for seeds.
pub(crate) fn case_word(id: &str) -> u64 {
    word(&sha256(id.as_bytes()))
}

/// The first 64 bits of a sha256 in hex.
fn word(sha256: &str) -> u64 {
    sha256.get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0)
}

pub(super) fn header(spec: &CaseSpec, endpoints: &Endpoints, phases: &Phases, options: &PlanOptions) -> CaseHeader {
    let (subjects, trials) = (subjects(spec, options), trials(spec, options));
    let cpus: BTreeMap<String, Vec<u32>> = match endpoints {
        Endpoints::Together { cpus } => [("all".to_owned(), cpus.clone())].into(),
        Endpoints::Apart { server_cpus, client_cpus } => {
            [("server".to_owned(), server_cpus.clone()), ("client".to_owned(), client_cpus.clone())].into()
        }
    };
    CaseHeader {
        id: spec.id.clone(),
        scenario: spec.scenario.clone(),
        role: spec.role,
        workload: spec.workload.name().to_owned(),
        workload_version: spec.workload.version(),
        workload_sha256: sha256(json!({ "workload": spec.workload, "load": spec.load }).to_string().as_bytes()),
        params: spec.params.clone(),
        witness: spec.witness.clone(),
        primary_metric: spec.primary_metric.clone(),
        page_cache: spec.workload.files().map(|files| files.storage.cache.name().to_owned()),
        effective: effective(spec, phases, &subjects, trials),
        subjects,
        trials,
        users: users(spec),
        open: offered(&spec.load),
        endpoints: spec.placement.endpoints().to_owned(),
        cpus,
        operations_per_connection: spec.workload.connections().and_then(|connections| connections.exchanges_each).map(u64::from),
        bytes_per_operation: spec.workload.bytes_per_operation(),
        thresholds: spec.thresholds.clone(),
        targets: spec.targets.clone(),
    }
}

/// The case as it will run: with the options of the command line, and the phases in milliseconds.
fn effective(spec: &CaseSpec, phases: &Phases, subjects: &[String], trials: u32) -> Json {
    let mut effective = spec.effective();
    effective["subjects"] = json!(subjects);
    effective["run"] = json!({ "trials": trials });
    effective["phases"] = json!(phases);
    effective
}

/// Operations outstanding at any time. A stream has as many as its socket buffers take, so no number is right.
fn users(spec: &CaseSpec) -> Option<u64> {
    match (&spec.workload, &spec.load) {
        (Workload::Tcp(tcp), _) if tcp.mode == TcpMode::Stream => None,
        (Workload::Io(io), load) => load.users_of_closed_loop().map(|users| u64::from(users) * u64::from(io.operations_per_user())),
        (_, load) => load.users_of_closed_loop().map(u64::from),
    }
}

/// The schedule of an open loop.
fn offered(load: &Load) -> Option<OfferedLoad> {
    let Load::Open(open) = load else { return None };
    let arrival = match open.arrival {
        Arrival::Uniform => "uniform",
        Arrival::Poisson => "poisson",
    };
    Some(OfferedLoad { rate_per_s: open.rate_per_s as f64, arrival: arrival.into(), max_in_flight: open.max_in_flight.into() })
}
