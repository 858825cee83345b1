//! From the placement of a scenario to CPU numbers of this host.

use crate::scenario::{CaseSpec, Cpus, Placement, Workers};

use super::{Endpoints, PlanError};

/// Where the case runs. A note is added where the host is too small for what was meant.
pub(crate) fn place(case: &CaseSpec, allowed: &[u32], notes: &mut Vec<String>) -> Result<Endpoints, PlanError> {
    let first = *allowed.first().ok_or(PlanError::NoCpu)?;
    match &case.placement {
        Placement::Together { cpus, workers } => {
            let mut chosen = choose(case, cpus, allowed, allowed)?;
            if let Some(Workers::Count(count)) = *workers {
                // A count in front of `Cpus::Free` was refused with the file.
                if count as usize > chosen.len() {
                    return Err(PlanError::TooFewCpus { case: case.id.clone(), workers: count, available: chosen.len() });
                }
                chosen.truncate(count as usize);
            }
            // The order says which CPUs are used, not who gets which; an explicit list is kept as it was written.
            if !matches!(cpus, Cpus::List(_)) {
                chosen.sort_unstable();
            }
            Ok(Endpoints::Together { cpus: chosen })
        }
        Placement::Apart { server, client } => {
            // One core each; an explicit choice of one end keeps the other off it.
            let taken = |cpus: &Cpus| if let Cpus::List(list) = cpus { list.clone() } else { Vec::new() };
            let (server_taken, client_taken) = (taken(server), taken(client));
            let free_of = |taken: &[u32]| allowed.iter().copied().find(|cpu| !taken.contains(cpu)).unwrap_or(first);
            let server_cpus = choose(case, server, &[free_of(&client_taken)], allowed)?;
            let occupied = if server_taken.is_empty() { &server_cpus } else { &server_taken };
            let client_cpus = choose(case, client, &[free_of(occupied)], allowed)?;
            if server_cpus.iter().any(|cpu| client_cpus.contains(cpu)) {
                let shared = if allowed.len() == 1 { "only one CPU is allowed" } else { "the scenario says so" };
                notes.push(format!("`{}`: server and client share a CPU: {shared}", case.id));
            }
            Ok(Endpoints::Apart { server_cpus, client_cpus })
        }
    }
}

fn choose(case: &CaseSpec, cpus: &Cpus, auto: &[u32], allowed: &[u32]) -> Result<Vec<u32>, PlanError> {
    match cpus {
        Cpus::Auto => Ok(auto.to_vec()),
        Cpus::Free => Ok(Vec::new()),
        Cpus::List(list) => match list.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(&cpu) => Err(PlanError::CpuNotAllowed { case: case.id.clone(), cpu, allowed: allowed.to_vec() }),
            None => Ok(list.clone()),
        },
    }
}
