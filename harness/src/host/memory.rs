//! Memory: how much, how it is spread over nodes, and huge pages.

use zokio::topology::Topology;
use zokio_report::schema::host::MemoryProfile;

use super::files::HostFiles;

/// Reads memory: of this system through sysinfo, of another root through its `/proc/meminfo`.
pub(super) fn read(files: &mut HostFiles, topology: Option<&Topology>) -> MemoryProfile {
    let mut profile = amounts(files);
    let nodes = topology.map(Topology::nodes).unwrap_or_default();
    profile.node_bytes = nodes.iter().filter_map(|node| node.memory_bytes).collect();
    let claimed: u64 = profile.node_bytes.iter().sum();
    if let Some(total) = profile.total_bytes
        && claimed > 0
        && claimed.abs_diff(total) > total / 10
    {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        files.note(format!(
            "memory: the NUMA nodes claim {:.1} GiB, the system {:.1} GiB: do not add the nodes up",
            gib(claimed),
            gib(total)
        ));
    }
    profile.thp = files.text("thp", "/sys/kernel/mm/transparent_hugepage/enabled").map(|text| chosen(&text));
    profile
}

fn amounts(files: &mut HostFiles) -> MemoryProfile {
    if files.is_system() {
        match sysinfo::System::new() {
            Ok(mut system) => {
                system.refresh_memory();
                if system.total_memory() > 0 {
                    return MemoryProfile {
                        total_bytes: Some(system.total_memory()),
                        available_bytes: Some(system.available_memory()),
                        swap_bytes: Some(system.total_swap()),
                        ..MemoryProfile::default()
                    };
                }
                files.note("memory: sysinfo tells of none");
            }
            Err(error) => files.note(format!("memory: sysinfo: {error}")),
        }
    }
    let Some(meminfo) = files.text("memory", "/proc/meminfo") else {
        return MemoryProfile::default();
    };
    let mut bytes = |name: &str| {
        let bytes = meminfo_bytes(&meminfo, name);
        if bytes.is_none() {
            files.note(format!("memory: /proc/meminfo: no {name}"));
        }
        bytes
    };
    MemoryProfile {
        total_bytes: bytes("MemTotal"),
        available_bytes: bytes("MemAvailable"),
        swap_bytes: bytes("SwapTotal"),
        ..MemoryProfile::default()
    }
}

fn meminfo_bytes(meminfo: &str, name: &str) -> Option<u64> {
    let mut fields = meminfo.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find_map(|(key, value)| (key == name).then_some(value))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The bracketed one of `always [madvise] never`; the whole text when none is.
fn chosen(text: &str) -> String {
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(inside, _)| inside);
    inside.unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    #[test]
    fn amounts_come_in_bytes() {
        let tree = TestTree::new(&[
            ("proc/meminfo", "MemTotal:       2000 kB\nMemFree:  1 kB\nMemAvailable:   1500 kB\nSwapTotal: 0 kB"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"),
        ]);
        let mut files = tree.files();
        let memory = read(&mut files, None);
        assert_eq!((memory.total_bytes, memory.available_bytes, memory.swap_bytes), (Some(2_048_000), Some(1_536_000), Some(0)));
        assert_eq!(memory.thp.as_deref(), Some("madvise"));
        assert_eq!(files.notes(), [""; 0]);
    }

    #[test]
    fn nodes_that_disagree_with_the_total_are_shown_and_explained() {
        let tree = TestTree::new(&[
            ("proc/meminfo", "MemTotal: 25000000 kB\nMemAvailable: 1 kB\nSwapTotal: 0 kB"),
            ("sys/devices/system/cpu/online", "0"),
            ("sys/devices/system/node/node0/cpulist", "0"),
            ("sys/devices/system/node/node0/meminfo", "Node 0 MemTotal: 11000000 kB"),
        ]);
        let topology = Topology::from_sysfs(&tree.root().join("sys")).unwrap();
        let mut files = tree.files();
        let memory = read(&mut files, Some(&topology));
        assert_eq!(memory.node_bytes, [11_000_000 * 1_024]);
        assert!(files.notes()[0].starts_with("memory: the NUMA nodes claim 10.5 GiB"), "{:?}", files.notes());
    }

    #[test]
    fn damage_and_absence_are_null_with_a_note() {
        let tree = TestTree::new(&[("proc/meminfo", "MemTotal: many kB\nSwapTotal: 99999999999999999999 kB")]);
        let mut files = tree.files();
        assert_eq!(read(&mut files, None), MemoryProfile::default());
        assert_eq!(files.notes().len(), 4, "{:?}", files.notes());
        let tree = TestTree::new(&[]);
        let mut files = tree.files();
        assert_eq!(read(&mut files, None), MemoryProfile::default());
        assert_eq!(files.notes()[0], "memory: /proc/meminfo: not found");
    }

    #[test]
    fn this_system_has_memory() {
        let mut files = HostFiles::system();
        let memory = read(&mut files, None);
        assert!(memory.total_bytes.is_some_and(|total| total > 1 << 24) && memory.available_bytes.is_some(), "{memory:?}");
    }
}
