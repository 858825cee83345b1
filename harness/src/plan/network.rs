//! Addresses and ports: no connection of one trial may meet what an earlier one left in TIME_WAIT.
//!
//! A connection is `(source address, source port, listener address, listener port)`, and after its close the tuple is taken for 60 s.
//! Trials that open connections by the thousand therefore spread them over eight source addresses, and every trial listens on a
//! loopback address of its own, in turn over [`LISTENER_HOSTS`]: whatever ports the kernel chooses, two of that many trials in a row
//! cannot share a tuple. All subjects get their addresses by the same rule.

use crate::subject::protocol::Network;
use crate::workload::{Connections, Workload};

use super::{Case, Endpoints};

/// Listeners take 127.0.0.16 to 127.0.0.239 in turn.
const LISTENER_HOSTS: usize = 224;
const LISTENER_FIRST: usize = 16;
/// Short-lived connections come from 127.0.0.2 to 127.0.0.9.
const SOURCES: std::ops::RangeInclusive<u32> = 2..=9;
/// Connections that one CPU opens and closes in a second, at most: twice the best measured, 21,000 (two CPUs, 42,500).
const CONNECTIONS_PER_CPU_S_MAX: u64 = 42_000;
/// Files a process has open beside its connections: ring, standard streams, listeners, libraries.
const FILES_BESIDE: u64 = 128;

/// Addresses of a trial, by its place in [`super::Plan::trials`].
///
/// `listen` is one loopback address with port 0; a server binds it once per worker and gets a port each time. `sources` is empty
/// where connections are kept. A client should set `IP_BIND_ADDRESS_NO_PORT` before it binds a source: without it the kernel
/// chooses the port without looking at the listener, and eight addresses soon run dry.
pub fn network_for(workload: &Workload, trial_index: usize) -> Network {
    // Only Linux answers on all of 127.0.0.0/8 without setting addresses up.
    if !cfg!(target_os = "linux") {
        return Network::default();
    }
    let host = LISTENER_FIRST + trial_index % LISTENER_HOSTS;
    let sources = if is_short_lived(workload) { SOURCES.map(|host| format!("127.0.0.{host}")).collect() } else { Vec::new() };
    Network { listen: vec![format!("127.0.0.{host}:0")], sources }
}

fn is_short_lived(workload: &Workload) -> bool {
    workload.connections().is_some_and(|connections| connections.exchanges_each.is_some())
}

/// Open files one process of the case needs.
pub(crate) fn nofile(case: &Case) -> u64 {
    let Some(Connections { open, exchanges_each }) = case.workload.connections() else { return FILES_BESIDE };
    let ends = if matches!(case.endpoints, Endpoints::Together { .. }) { 2 } else { 1 };
    // A connection being closed may overlap the next one of its user.
    let overlap = if exchanges_each.is_some() { 2 } else { 1 };
    u64::from(open) * ends * overlap + FILES_BESIDE
}

/// Ports that the connections of one trial may hold towards one listener.
pub(crate) fn ports(case: &Case, cpus_allowed: usize) -> u64 {
    let Some(connections) = case.workload.connections() else { return 0 };
    let open = u64::from(connections.open);
    let Some(exchanges_each) = connections.exchanges_each else { return open };
    let (clients, listeners) = match &case.endpoints {
        Endpoints::Together { cpus } if cpus.is_empty() => (cpus_allowed, cpus_allowed),
        Endpoints::Together { cpus } => (cpus.len(), cpus.len()),
        Endpoints::Apart { server_cpus, client_cpus } => (client_cpus.len().max(1), server_cpus.len().max(1)),
    };
    let ms = case.phases.working_ms();
    let opened = (clients as u64 * CONNECTIONS_PER_CPU_S_MAX).saturating_mul(ms) / 1_000 / u64::from(exchanges_each.max(1));
    (open + opened).div_ceil(listeners.max(1) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::SleepWorkload;

    #[test]
    #[cfg(target_os = "linux")]
    fn trials_in_a_row_listen_on_different_addresses_and_on_loopback_alone() {
        let sleep = Workload::Sleep(SleepWorkload { duration_ns: 1 });
        let seen: std::collections::BTreeSet<String> =
            (500..500 + LISTENER_HOSTS).map(|index| network_for(&sleep, index).listen[0].clone()).collect();
        assert_eq!(seen.len(), LISTENER_HOSTS);
        for address in seen {
            let address: std::net::SocketAddrV4 = address.parse().expect("an address with a port");
            assert!(address.ip().is_loopback() && address.port() == 0);
            assert!((16..=239).contains(&address.ip().octets()[3]));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_for_each_request_comes_from_eight_addresses_and_a_kept_one_from_any() {
        use crate::workload::http::{HttpMethod, HttpWorkload};
        for (requests_per_connection, sources) in [(0, 0), (1, 8), (100, 8)] {
            let http = HttpWorkload {
                method: HttpMethod::Get,
                body: 13,
                request_body: 0,
                requests_per_connection,
                connections: 64,
                nodelay: true,
            };
            assert_eq!(network_for(&Workload::Http(http), 0).sources.len(), sources, "{requests_per_connection} requests");
        }
    }
}
