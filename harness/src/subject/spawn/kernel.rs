//! What the kernel says of a trial: CPU clocks, threads and their CPUs, TCP counters, shares of the processors.
//!
//! Readings that a platform or a permission denies are `None`, never zero.
#![expect(unsafe_code, reason = "the CPU clock of another process has no safe wrapper")]

use std::fs;
use std::path::Path;

use zokio_report::schema::journal::ThreadEvidence;

/// CPU time of a living process so far, all its threads, in nanoseconds.
#[cfg(target_os = "linux")]
pub fn cpu_clock_ns(pid: u32) -> Option<u64> {
    let mut clock: libc::clockid_t = 0;
    // SAFETY: `clock` is a valid place for the answer and lives through the call.
    let error = unsafe { libc::clock_getcpuclockid(libc::pid_t::try_from(pid).ok()?, &raw mut clock) };
    if error != 0 {
        return None;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer and lives through the call; a clock that died meanwhile is an error, not a fault.
    let error = unsafe { libc::clock_gettime(clock, &raw mut time) };
    if error != 0 {
        return None;
    }
    u64::try_from(time.tv_sec).ok()?.checked_mul(1_000_000_000)?.checked_add(u64::try_from(time.tv_nsec).ok()?)
}

/// Other platforms keep no such clock for a foreign process.
#[cfg(not(target_os = "linux"))]
pub fn cpu_clock_ns(_pid: u32) -> Option<u64> {
    None
}

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

/// Whether this process has a network namespace of its own, apart from that of process 1.
pub fn has_private_network() -> bool {
    match (fs::read_link("/proc/self/ns/net"), fs::read_link("/proc/1/ns/net")) {
        (Ok(own), Ok(first)) => own != first,
        _ => false,
    }
}

/// Time of some CPUs since boot, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuShares {
    /// Neither idle nor waiting for I/O nor stolen.
    pub busy_ns: u64,
    /// Taken by the hypervisor.
    pub stolen_ns: u64,
}

impl CpuShares {
    /// The sums over `cpus` now; an empty list means all CPUs.
    pub fn read(cpus: &[u32]) -> Option<Self> {
        let tick_ns = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Self::parse(&fs::read_to_string("/proc/stat").ok()?, cpus, tick_ns)
    }

    fn parse(stat: &str, cpus: &[u32], tick_ns: u64) -> Option<Self> {
        let mut sum = Self::default();
        let mut found = 0;
        for line in stat.lines() {
            let mut words = line.split_whitespace();
            let Some(cpu) = words.next().and_then(|word| word.strip_prefix("cpu")).and_then(|index| index.parse::<u32>().ok()) else {
                continue;
            };
            if !cpus.is_empty() && !cpus.contains(&cpu) {
                continue;
            }
            // user nice system idle iowait irq softirq steal; guest time is part of user time.
            let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
            let [user, nice, system, _, _, irq, softirq, steal, ..] = ticks[..] else { return None };
            sum.busy_ns += (user + nice + system + irq + softirq) * tick_ns;
            sum.stolen_ns += steal * tick_ns;
            found += 1;
        }
        (found > 0 && (cpus.is_empty() || found == cpus.len())).then_some(sum)
    }
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
    fn tcp_counters_are_found_by_name_not_by_place() {
        let snmp = "Ip: A\nIp: 1\nTcp: RtoMin PassiveOpens ActiveOpens\nTcp: 200 7 9\n";
        assert_eq!(TcpCounters::parse(snmp), Some(TcpCounters { active_opens: 9, passive_opens: 7 }));
        assert_eq!(TcpCounters::parse("Ip: A\nIp: 1\n"), None);
    }

    #[test]
    fn shares_are_summed_over_the_cpus_asked_for_alone() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 2 3 100 5 6 7 8 0 0\ncpu1 10 0 0 100 0 0 0 1 0 0\n";
        assert_eq!(CpuShares::parse(stat, &[0], 10), Some(CpuShares { busy_ns: 190, stolen_ns: 80 }));
        assert_eq!(CpuShares::parse(stat, &[], 10), Some(CpuShares { busy_ns: 290, stolen_ns: 90 }));
        assert_eq!(CpuShares::parse(stat, &[7], 10), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_threads_memory_and_a_cpu_clock() {
        let pid = std::process::id();
        assert!(!threads(pid).is_empty());
        let (cpus, peak) = cpus_and_peak_memory(pid).expect("own status");
        assert!(!cpus.is_empty() && peak.expect("VmHWM") > 0);
        let before = cpu_clock_ns(pid).expect("own CPU clock");
        std::hint::black_box((0..1_000_000u64).fold(0, |sum: u64, value| sum.wrapping_mul(31).wrapping_add(value)));
        assert!(cpu_clock_ns(pid).expect("own CPU clock") > before);
    }
}
