//! The cases of a gate: the same work as in a run, in trials of some 40 ms, each with the metrics that are judged.

use std::time::Duration;

use zokio_report::schema::journal::CaseRole;

use crate::load::Load;
use crate::scenario::{CaseSpec, GateSpec, Suite};
use crate::subject::protocol::Phases;

use super::make::header;
use super::network::{nofile, ports};
use super::place::place;
use super::workers::on_host;
use super::{Case, Plan, PlanError, PlanOptions};

/// A case as a gate measures it.
#[derive(Clone, Debug, PartialEq)]
pub struct GateCase {
    /// The case, with the phases of a gate; its header names the sides as subjects.
    pub case: Case,
    /// How the scenario wants it gated.
    pub spec: GateSpec,
    /// The subject that the scenario names first: the one gated, unless somebody says otherwise.
    pub subject: String,
}

/// What the host has to offer for these cases, as for a run.
pub fn needs(cases: &[GateCase], cpus_allowed: usize, seed: u64) -> Plan {
    let cases: Vec<Case> = cases.iter().map(|case| case.case.clone()).collect();
    Plan {
        seed,
        trials: Vec::new(),
        estimate: Duration::ZERO,
        nofile_needed: cases.iter().map(|case| (case.header.id.clone(), nofile(case))).collect(),
        ports_needed: cases.iter().map(|case| ports(case, cpus_allowed)).max().unwrap_or(0),
        notes: Vec::new(),
        cases,
    }
}

/// The cases of a suite that are gated, and a note for each scenario that is not.
///
/// # Errors
/// A CPU that is not allowed.
pub fn gate_cases(suite: &Suite, allowed_cpus: &[u32], sides: &[String], notes: &mut Vec<String>) -> Result<Vec<GateCase>, PlanError> {
    let options = PlanOptions { subjects: Some(sides.to_vec()), ..PlanOptions::default() };
    let mut cases = Vec::new();
    for spec in on_host(&suite.cases, allowed_cpus.len()).iter() {
        if let Some(why) = why_not(spec) {
            if spec.role == CaseRole::Measured {
                notes.push(format!("`{}` is not gated: {why}", spec.id));
            }
            continue;
        }
        let endpoints = place(spec, allowed_cpus, notes)?;
        let phases = phases(spec);
        let header = header(spec, &endpoints, &phases, &options);
        let case =
            Case { header, workload: spec.workload.clone(), load: spec.load.clone(), phases, endpoints, runtime: spec.runtime.clone() };
        let subject = spec.subjects.first().cloned().unwrap_or_default();
        cases.push(GateCase { case, spec: spec.gate.clone(), subject });
    }
    Ok(cases)
}

/// Why a case takes no part; controls are no subjects of a change.
fn why_not(spec: &CaseSpec) -> Option<&'static str> {
    if spec.role == CaseRole::Control {
        return Some("it is a control");
    }
    if !spec.gate.enabled {
        return Some("its `gate.enabled` is false");
    }
    matches!(spec.load, Load::Overload(_)).then_some("an overload takes seconds a trial")
}

fn phases(spec: &CaseSpec) -> Phases {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Phases { warmup_ms: ms(spec.gate.warmup), measure_ms: ms(spec.gate.measure), drain_ms: ms(spec.drain_max), ..Phases::default() }
}
