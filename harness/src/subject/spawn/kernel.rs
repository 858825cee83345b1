//! What the kernel says of a trial: threads and their CPUs, peak memory, TCP counters. CPU clocks and shares: [`crate::host::noise`].
//!
//! Readings that a platform or a permission denies are `None`, never zero.

use std::fs;
use std::path::Path;

use zokio_report::schema::journal::ThreadEvidence;

/// The threads of a living process, with the CPUs each may run on.
pub fn threads(pid: u32) -> Vec<ThreadEvidence> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut threads: Vec<ThreadEvidence> = entries.flatten().filter_map(|entry| thread(&entry.path())).collect();
    threads.sort_by_key(|thread| thread.thread_id);
    threads
}

fn thread(folder: &Path) -> Option<ThreadEvidence> {
    let thread_id = folder.file_name()?.to_str()?.parse().ok()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let name = field(&status, "Name:")?.to_string();
    let cpus = cpu_list(field(&status, "Cpus_allowed_list:")?)?;
    Some(ThreadEvidence { thread_id, name, cpus })
}

/// CPUs a process may run on, and its peak resident set in bytes since its exec.
///
/// Not `ru_maxrss` for the memory: that one also counts the short life of the child before exec, which is the orchestrator's memory.
pub fn cpus_and_peak_memory(pid: u32) -> Option<(Vec<u32>, Option<u64>)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let cpus = cpu_list(field(&status, "Cpus_allowed_list:")?)?;
    let peak = field(&status, "VmHWM:").and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok()).map(|kib| kib * 1024);
    Some((cpus, peak))
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// `0-2,5` as `[0, 1, 2, 5]`.
pub fn cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            Some((first, last)) => cpus.extend(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?),
            None => cpus.push(part.parse().ok()?),
        }
    }
    Some(cpus)
}

/// TCP connections opened since boot, in this network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpCounters {
    /// Opened by `connect`.
    pub active_opens: u64,
    /// Accepted from the network.
    pub passive_opens: u64,
}

impl TcpCounters {
    /// The counters now.
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/net/snmp").ok()?)
    }

    fn parse(snmp: &str) -> Option<Self> {
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Tcp:"));
        let (names, values) = (lines.next()?, lines.next()?);
        let value = |wanted: &str| {
            names
                .split_whitespace()
                .zip(values.split_whitespace())
                .find(|(name, _)| *name == wanted)
                .and_then(|(_, value)| value.parse().ok())
        };
        Some(Self { active_opens: value("ActiveOpens")?, passive_opens: value("PassiveOpens")? })
    }
}

/// Whether this network namespace is apart from that of process 1; `None` where that may not be asked.
pub fn has_private_network() -> Option<bool> {
    let own = fs::read_link("/proc/self/ns/net").ok()?;
    Some(own != fs::read_link("/proc/1/ns/net").ok()?)
}

/// TCP sockets in use in this network namespace, listeners included.
pub fn tcp_sockets_in_use() -> Option<u64> {
    parse_in_use(&fs::read_to_string("/proc/net/sockstat").ok()?)
}

fn parse_in_use(sockstat: &str) -> Option<u64> {
    sockstat.lines().find_map(|line| line.strip_prefix("TCP: inuse "))?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_list_is_read_with_ranges_and_gaps() {
        assert_eq!(cpu_list("0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cpu_list(""), Some(vec![]));
        assert_eq!(cpu_list("zero"), None);
    }

    #[test]
    fn sockets_in_use_are_those_of_tcp() {
        assert_eq!(parse_in_use("sockets: used 9\nTCP: inuse 3 orphan 0 tw 7 alloc 3 mem 0\nUDP: inuse 1 mem 0\n"), Some(3));
        assert_eq!(parse_in_use("sockets: used 9\n"), None);
    }

    #[test]
    fn tcp_counters_are_found_by_name_not_by_place() {
        let snmp = "Ip: A\nIp: 1\nTcp: RtoMin PassiveOpens ActiveOpens\nTcp: 200 7 9\n";
        assert_eq!(TcpCounters::parse(snmp), Some(TcpCounters { active_opens: 9, passive_opens: 7 }));
        assert_eq!(TcpCounters::parse("Ip: A\nIp: 1\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_threads_and_memory() {
        let pid = std::process::id();
        assert!(!threads(pid).is_empty());
        let (cpus, peak) = cpus_and_peak_memory(pid).expect("own status");
        assert!(!cpus.is_empty() && peak.expect("VmHWM") > 0);
    }
}
