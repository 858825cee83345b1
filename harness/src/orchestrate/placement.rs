//! From a planned trial to its processes: who runs where, and on which addresses.

use zokio::topology::{Core, Topology};

use super::roster::Entry;
use crate::plan::{Case, Endpoints, cores_first, network_for};
use crate::subject::protocol::{GateTrial, PROTOCOL, Role, Trial};
use crate::subject::spawn::kernel;
use crate::subject::spawn::trial::{Part, Parts};

/// The CPUs this process may use, in the order in which workers get them: different cores first, node by node.
pub fn allowed_cpus() -> Vec<u32> {
    let (allowed, _) = kernel::cpus_and_peak_memory(std::process::id()).unwrap_or_else(|| {
        // Without /proc there is no pinning either; the count alone decides how many workers there are.
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        ((0..u32::try_from(count).unwrap_or(1)).collect(), None)
    });
    let topology = Topology::detect();
    if !topology.is_this_system() {
        return allowed;
    }
    let node = |core: &&Core| core.cpus.first().and_then(|cpu| topology.node_of(*cpu)).map(|node| node.id);
    let mut cores: Vec<&Core> = topology.cores().iter().collect();
    // Stable: within a node the cores stay in the order of their first CPUs.
    cores.sort_by_key(node);
    cores_first(&allowed, &cores.iter().map(|core| core.cpus.clone()).collect::<Vec<_>>())
}

/// The processes of one trial.
///
/// `index` is its place in the plan. `client` is the ceiling's client, which drives every subject where server and client are apart.
pub fn parts<'a>(case: &Case, trial_id: &str, index: usize, seed: u64, subject: &'a Entry, client: &'a Entry) -> Parts<'a> {
    let trial = |entry: &Entry, role: Role, cpus: &[u32]| Trial {
        protocol: PROTOCOL,
        id: trial_id.into(),
        subject: entry.description.name.clone(),
        role,
        connect: Vec::new(),
        workload: case.workload.clone(),
        load: case.load.clone(),
        runtime: case.runtime.clone(),
        cpus: cpus.to_vec(),
        network: network_for(&case.workload, index),
        phases: case.phases.clone(),
        seed,
        gate: GateTrial::default(),
    };
    let part = |entry: &'a Entry, role, cpus: &[u32]| Part { executable: &entry.executable, trial: trial(entry, role, cpus) };
    match &case.endpoints {
        Endpoints::Together { cpus } => Parts::Together(part(subject, Role::Both, cpus)),
        Endpoints::Apart { server_cpus, client_cpus } => {
            Parts::Apart { server: part(subject, Role::Server, server_cpus), client: part(client, Role::Client, client_cpus) }
        }
    }
}

/// The two CPUs whose cache-line round trip is the trial's core state; `None` where it runs on one CPU alone, or is free.
pub fn core_pair(endpoints: &Endpoints) -> Option<(u32, u32)> {
    match endpoints {
        Endpoints::Together { cpus } => Some((*cpus.first()?, *cpus.get(1)?)),
        Endpoints::Apart { server_cpus, client_cpus } => Some((*server_cpus.first()?, *client_cpus.first()?)),
    }
    .filter(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_state_is_read_between_the_cpus_that_talk() {
        let together = |cpus: &[u32]| Endpoints::Together { cpus: cpus.to_vec() };
        assert_eq!(core_pair(&together(&[0, 1])), Some((0, 1)));
        assert_eq!(core_pair(&together(&[0])), None);
        assert_eq!(core_pair(&together(&[])), None);
        let apart = |server: u32, client: u32| Endpoints::Apart { server_cpus: vec![server], client_cpus: vec![client] };
        assert_eq!(core_pair(&apart(2, 3)), Some((2, 3)));
        assert_eq!(core_pair(&apart(1, 1)), None);
    }
}
