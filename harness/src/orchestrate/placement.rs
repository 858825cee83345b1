//! From a planned trial to its processes: who runs where, and on which addresses.

use crate::plan::{Case, Endpoints};
use crate::subject::protocol::{Network, PROTOCOL, Role, Trial};
use crate::subject::spawn::trial::{Part, Parts};
use crate::workload::Workload;
use crate::workload::tcp::TcpMode;

use super::roster::Entry;

/// The processes of one trial.
///
/// `client` is the ceiling's client, which drives every subject where server and client are apart.
pub fn parts<'a>(case: &Case, trial_id: &str, seed: u64, subject: &'a Entry, client: &'a Entry) -> Parts<'a> {
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
        network: network(&case.workload, role),
        phases: case.phases.clone(),
        seed,
    };
    let part = |entry: &'a Entry, role, cpus: &[u32]| Part { executable: &entry.executable, trial: trial(entry, role, cpus) };
    match &case.endpoints {
        Endpoints::Together { cpus } => Parts::Together(part(subject, Role::Both, cpus)),
        Endpoints::Apart { server_cpus, client_cpus } => {
            Parts::Apart { server: part(subject, Role::Server, server_cpus), client: part(client, Role::Client, client_cpus) }
        }
    }
}

/// Where connections come from. Those that are opened and closed by the thousand leave ports in TIME_WAIT; eight source addresses
/// give them eight times the ports, so that no trial meets what an earlier one left behind.
fn network(workload: &Workload, role: Role) -> Network {
    let is_short_lived = matches!(workload, Workload::Tcp(tcp) if matches!(tcp.mode, TcpMode::Crr | TcpMode::Churn));
    let mut network = Network::default();
    // Only Linux answers on all of 127.0.0.0/8 without setting addresses up.
    if is_short_lived && role != Role::Server && cfg!(target_os = "linux") {
        network.sources = source_addresses();
    }
    network
}

/// 127.0.0.2 to 127.0.0.9.
pub fn source_addresses() -> Vec<String> {
    (2..=9).map(|host| format!("127.0.0.{host}")).collect()
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
