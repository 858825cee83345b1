//! The host: what it is, what it allows, how quiet it is.
//!
//! ```text
//! zokio::topology ─┐
//! /proc /sys /etc ─┼─ HostFiles ─▶ cpu · memory · kernel · virt · limits · clock · build ─▶ HostProfile ─▶ fingerprint
//! a real ring     ─┘      └─ notes: what could not be read, and why
//! ```
//!
//! A fact that cannot be read is `null`, with a note; never a default. Readers take a root, so tests feed whole trees. [`noise`] is
//! the part that is measured during a run.

pub mod build;
#[cfg(test)]
mod build_facts;
pub(crate) mod cgroup;
mod clock;
mod cpu;
mod cpu_shares;
pub mod files;
pub mod fingerprint;
mod io_uring;
mod kernel;
mod limits;
mod memory;
pub mod noise;
mod virt;

use std::path::Path;

use zokio::topology::Topology;
use zokio_report::schema::host::HostProfile;

use files::HostFiles;

/// The profile of this host, in well under 100 ms (the hash of the executable is the longest part, and is kept).
pub fn profile() -> HostProfile {
    let topology = Topology::detect();
    let mut files = HostFiles::system();
    if let Some(reason) = topology.fallback_reason() {
        files.note(format!("topology: {reason}"));
    }
    assemble(files, Some(&topology))
}

/// The profile of a tree laid out like `/`: what its files tell, with nothing measured or probed.
pub fn profile_below(root: &Path) -> HostProfile {
    let mut files = HostFiles::below(root);
    let topology = Topology::from_sysfs(&root.join("sys"));
    if let Err(error) = &topology {
        files.note(format!("topology: /sys: {error}"));
    }
    assemble(files, topology.ok().as_ref())
}

fn assemble(mut files: HostFiles, topology: Option<&Topology>) -> HostProfile {
    let mut profile = HostProfile {
        source: topology.map_or("none", Topology::source).to_owned(),
        cpu: cpu::read(&mut files, topology),
        memory: memory::read(&mut files, topology),
        kernel: kernel::read(&mut files),
        virt: virt::read(&mut files),
        limits: limits::read(&mut files),
        clock: clock::read(&mut files),
        build: build::build_profile(),
        ..HostProfile::default()
    };
    profile.fingerprint = fingerprint::of(&profile, files.absent());
    profile.notes = files.notes().to_vec();
    profile
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use zokio_report::judge::hosts::{self, HostSide};

    use super::files::TestTree;
    use super::*;

    #[test]
    fn this_host_has_a_complete_class() {
        let profile = profile();
        assert!(profile.source.starts_with("hwloc ") || profile.source == "sysfs", "{}", profile.source);
        assert!(!profile.cpu.allowed.is_empty());
        let missing: Vec<_> = hosts::CLASS_FIELDS.iter().filter(|name| profile.fingerprint.fields[**name].is_none()).collect();
        assert!(missing.is_empty(), "{missing:?} {:?}", profile.notes);
        let json = serde_json::to_string(&profile).unwrap();
        assert_eq!(serde_json::from_str::<HostProfile>(&json).unwrap(), profile);
    }

    #[test]
    fn two_readings_of_one_host_are_alike_but_for_what_nobody_can_read() {
        let (first, second) = (profile(), profile());
        assert_eq!(first.fingerprint, second.fingerprint);
        let no_probes = BTreeMap::new();
        let side = |fingerprint| HostSide { fingerprint, calibration: &no_probes };
        for difference in hosts::unlike(side(&first.fingerprint), side(&second.fingerprint)) {
            assert_eq!(difference.base, None, "{difference:?}");
        }
    }

    #[test]
    fn no_name_of_host_or_user_and_no_folder_of_either_is_in_it() {
        let text = serde_json::to_string(&profile()).unwrap();
        let host = sysinfo::System::host_name().unwrap_or_default();
        // A host name as short as a common word would be found by accident.
        assert!(host.len() < 6 || !text.contains(&host), "{text}");
        for variable in ["HOME", "PWD", "CARGO_MANIFEST_DIR"] {
            let folder = std::env::var(variable).unwrap_or_default();
            assert!(folder.len() < 4 || !text.contains(&folder), "{variable}: {text}");
        }
    }

    #[test]
    fn an_empty_tree_is_all_notes_and_no_number() {
        let tree = TestTree::new(&[]);
        let profile = profile_below(tree.root());
        assert_eq!(profile.source, "none");
        assert_eq!((profile.cpu.cores, profile.memory.total_bytes, profile.virt), (None, None, None));
        assert!(!profile.kernel.io_uring.available);
        for fact in ["topology", "cpu", "memory", "thp", "kernel_release", "virt", "nofile", "cgroup", "clocksource"] {
            assert!(profile.notes.iter().any(|note| note.starts_with(&format!("{fact}: "))), "{fact} in {:#?}", profile.notes);
        }
        assert!(profile.notes.iter().all(|note| !note.contains(tree.root().to_str().unwrap())), "{:#?}", profile.notes);
    }

    #[test]
    fn a_container_on_a_board_is_told_as_such() {
        let tree = TestTree::new(&[
            ("proc/cpuinfo", "processor: 0\nCPU implementer: 0x41\nCPU part: 0xd0b"),
            ("proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0"),
            ("proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\nSwapTotal: 0 kB"),
            ("proc/self/cgroup", "0::/"),
            ("proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup rw"),
            ("sys/fs/cgroup/cpu.max", "200000 100000"),
            ("sys/devices/system/cpu/online", "0-3"),
            (".dockerenv", ""),
        ]);
        let profile = profile_below(tree.root());
        assert_eq!((profile.source.as_str(), profile.cpu.threads), ("sysfs", Some(4)));
        assert_eq!(profile.virt.as_deref(), Some("container docker"));
        assert_eq!(profile.limits.cgroup_cpus, Some(2.0));
        assert_eq!(profile.fingerprint.fields["memory_gib"].as_deref(), Some("8"));
        assert_eq!(profile.fingerprint.fields["governor"].as_deref(), Some("absent"));
    }
}
