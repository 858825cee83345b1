//! What would spoil the run later is refused before it: open files, ports, space for the files of trials and for the result.
//!
//! A limit that this process may raise is raised; nothing outside it is changed.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::error::CommandError;
use crate::measure::workdir;
use crate::plan::Plan;

/// Why a run is not started, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What the host lacks.
    pub message: String,
    /// What would mend it.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        Self::CouldNotRun { message: refusal.message, help: Some(refusal.help) }
    }
}

/// Room for the header, the result and the page.
const BYTES_BASE: u64 = 512 << 10;
/// Room for one trial's journal line and standard error: a record with histograms measured at 4 to 12 KiB.
const BYTES_PER_TRIAL: u64 = 16 << 10;

/// Checks the host against the plan; raises the limit of open files where that is needed. What it did, as notes for the user.
///
/// # Errors
/// The first thing that would make the run fail.
pub fn check_host(plan: &Plan) -> Result<Vec<String>, Refusal> {
    let mut notes = Vec::new();
    if let Some((case, &needed)) = plan.nofile_needed.iter().max_by_key(|(_, needed)| **needed) {
        notes.extend(raise_nofile(case, needed)?);
    }
    check_ports(plan.ports_needed)?;
    notes.extend(check_files(plan)?);
    Ok(notes)
}

/// Checks that the files of each case have room where they shall be, and removes what killed runs left there.
fn check_files(plan: &Plan) -> Result<BTreeSet<String>, Refusal> {
    let mut notes = BTreeSet::new();
    for case in &plan.cases {
        let Some(files) = case.workload.files() else { continue };
        let folder = workdir::parent(files.storage);
        let swept = workdir::sweep(&folder);
        if swept > 0 {
            notes.insert(format!("note: removed {swept} folders that killed trials had left in {}", folder.display()));
        }
        let place = workdir::check(files)
            .map_err(|found| Refusal { message: format!("`{}`: {}", case.header.id, found.message), help: found.help })?;
        if place.is_memory() {
            let (folder, name) = (folder.display(), place.name);
            notes.insert(format!(
                "warning: {folder} is {name}: its files are memory, and no disk is measured; choose another folder with `dir`"
            ));
        }
    }
    Ok(notes)
}

#[cfg(unix)]
fn raise_nofile(case: &str, needed: u64) -> Result<Option<String>, Refusal> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(None);
    }
    let soft = current.unwrap_or(0);
    if maximum.is_some_and(|maximum| maximum < needed) {
        let hard = maximum.unwrap_or(0);
        return Err(Refusal {
            message: format!("`{case}` needs {needed} open files, but the hard limit of this process is {hard}"),
            help: format!("raise it (as root: `prlimit --nofile={needed}:{needed} --pid $$`), or lower the connections with --set"),
        });
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum }).map_err(|error| Refusal {
        message: format!("cannot raise the limit of open files from {soft} to {needed}: {error}"),
        help: format!("ulimit -n {needed}"),
    })?;
    Ok(Some(format!("note: raised the limit of open files from {soft} to {needed} for `{case}`")))
}

#[cfg(not(unix))]
fn raise_nofile(_case: &str, _needed: u64) -> Result<Option<String>, Refusal> {
    Ok(None)
}

fn check_ports(needed: u64) -> Result<(), Refusal> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let waiting = fs::read_to_string("/proc/net/sockstat").ok().and_then(|text| time_wait(&text)).unwrap_or(0);
    let Some(range) = range.as_deref().and_then(port_range) else { return Ok(()) };
    // Connections that come by the thousand come from eight addresses (see `plan::network_for`); kept ones are too few to matter.
    ports_suffice(needed, range, 8, waiting)
}

fn ports_suffice(needed: u64, (first, last): (u64, u64), sources: u64, waiting: u64) -> Result<(), Refusal> {
    let available = ((last + 1).saturating_sub(first) * sources).saturating_sub(waiting);
    if needed <= available {
        return Ok(());
    }
    Err(Refusal {
        message: format!(
            "the run needs {needed} ports, {available} are free ({first} to {last} on {sources} addresses, {waiting} in TIME_WAIT)"
        ),
        help: "wait a minute for TIME_WAIT to end, or widen the range: sysctl -w net.ipv4.ip_local_port_range='10000 65000'".into(),
    })
}

fn port_range(text: &str) -> Option<(u64, u64)> {
    let mut words = text.split_whitespace().map(str::parse);
    Some((words.next()?.ok()?, words.next()?.ok()?))
}

pub(crate) fn time_wait(sockstat: &str) -> Option<u64> {
    let words: Vec<&str> = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?.split_whitespace().collect();
    words.chunks(2).find(|pair| pair[0] == "tw")?.get(1)?.parse().ok()
}

/// Checks that the result folder has room for the plan's result.
///
/// # Errors
/// It has not.
#[cfg(unix)]
pub fn check_space(output: &Path, plan: &Plan) -> Result<(), Refusal> {
    let Ok(system) = rustix::fs::statvfs(output) else { return Ok(()) };
    let (free, needed) = (system.f_bavail.saturating_mul(system.f_frsize), BYTES_BASE + plan.trials.len() as u64 * BYTES_PER_TRIAL);
    if free >= needed {
        return Ok(());
    }
    Err(Refusal {
        message: format!("the result needs about {} KiB, but {} has {} KiB free", needed >> 10, output.display(), free >> 10),
        help: "make room there, or choose another folder with --out".into(),
    })
}

/// Not known on this platform.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn check_space(_output: &Path, _plan: &Plan) -> Result<(), Refusal> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_budget_counts_addresses_and_what_still_waits() {
        let range = port_range("32768\t60999\n").expect("a range");
        assert_eq!(range, (32768, 60999));
        assert_eq!(time_wait("sockets: used 99\nTCP: inuse 5 orphan 0 tw 3000 alloc 9 mem 1\nUDP: inuse 1 mem 0\n"), Some(3000));
        assert!(ports_suffice(28_232 * 8, range, 8, 0).is_ok());
        let refusal = ports_suffice(28_232 * 8, range, 8, 1).expect_err("one too many");
        assert!(refusal.message.contains("225855 are free"), "{refusal}");
        assert!(refusal.help.contains("ip_local_port_range"));
    }

    #[cfg(unix)]
    #[test]
    fn more_open_files_than_the_hard_limit_are_refused() {
        let refused = raise_nofile("tcp-rr", u64::MAX - 1);
        let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        assert_eq!(refused.is_err(), hard.is_some(), "{refused:?}");
        assert_eq!(raise_nofile("tcp-rr", 1), Ok(None));
    }
}
