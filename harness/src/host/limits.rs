//! Limits that shape a measurement: files, locked memory, ports, backlog, and the control group's share (`cgroup`).

use zokio_report::schema::host::LimitsProfile;

use super::cgroup;
use super::files::HostFiles;

/// Reads the limits.
pub(super) fn read(files: &mut HostFiles) -> LimitsProfile {
    let (nofile, memlock) = process_limits(files);
    let group = cgroup::read(files);
    LimitsProfile {
        nofile_soft: nofile.map(|(soft, _)| soft),
        nofile_hard: nofile.map(|(_, hard)| hard),
        memlock_bytes: memlock.map(|(soft, _)| soft).filter(|&soft| soft != UNLIMITED),
        port_range: port_range(files),
        somaxconn: files.parsed("somaxconn", "/proc/sys/net/core/somaxconn"),
        cgroup_cpus: group.cpus,
        cgroup_memory_bytes: group.memory_bytes,
    }
}

/// What the kernel means by "unlimited".
const UNLIMITED: u64 = u64::MAX;

type SoftHard = Option<(u64, u64)>;

/// Soft and hard limits of open files and of locked memory.
fn process_limits(files: &mut HostFiles) -> (SoftHard, SoftHard) {
    let (nofile, memlock) = match files.look("/proc/self/limits") {
        Some(text) => (limit_line(&text, "Max open files"), limit_line(&text, "Max locked memory")),
        None => asked(files),
    };
    for (fact, limit) in [("nofile", nofile), ("memlock", memlock)] {
        match limit {
            None => files.nowhere(fact, "/proc/self/limits"),
            Some((UNLIMITED, _)) => files.note(format!("{fact}: unlimited")),
            Some(_) => {}
        }
    }
    (nofile, memlock)
}

/// `Max open files            1024                 1048576              files`.
fn limit_line(limits: &str, name: &str) -> SoftHard {
    let mut fields = limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace();
    let mut limit = || match fields.next()? {
        "unlimited" => Some(UNLIMITED),
        number => number.parse().ok(),
    };
    Some((limit()?, limit()?))
}

/// The limits by system call, where there is no `/proc`.
#[cfg(unix)]
fn asked(files: &HostFiles) -> (SoftHard, SoftHard) {
    use rustix::process::{Resource, getrlimit};
    if !files.is_system() {
        return (None, None);
    }
    let limit = |resource| {
        let limit = getrlimit(resource);
        Some((limit.current.unwrap_or(UNLIMITED), limit.maximum.unwrap_or(UNLIMITED)))
    };
    (limit(Resource::Nofile), limit(Resource::Memlock))
}

#[cfg(not(unix))]
fn asked(_files: &HostFiles) -> (SoftHard, SoftHard) {
    (None, None)
}

fn port_range(files: &mut HostFiles) -> Option<(u16, u16)> {
    const PATH: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let text = files.text("port_range", PATH)?;
    let mut ports = text.split_whitespace().map(str::parse::<u16>);
    match (ports.next(), ports.next()) {
        (Some(Ok(first)), Some(Ok(last))) if first <= last => Some((first, last)),
        _ => {
            files.note(format!("port_range: {PATH}: not understood"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units\n\
        Max cpu time              unlimited            unlimited            seconds\n\
        Max open files            1024                 1048576              files\n\
        Max locked memory         8388608              unlimited            bytes";

    #[test]
    fn limits_are_read_from_the_process() {
        let tree = TestTree::new(&[
            ("proc/self/limits", LIMITS),
            ("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999"),
            ("proc/sys/net/core/somaxconn", "4096"),
        ]);
        let mut files = tree.files();
        let limits = read(&mut files);
        assert_eq!((limits.nofile_soft, limits.nofile_hard, limits.memlock_bytes), (Some(1_024), Some(1_048_576), Some(8 << 20)));
        assert_eq!((limits.port_range, limits.somaxconn), (Some((32_768, 60_999)), Some(4_096)));
    }

    #[test]
    fn unlimited_is_no_number() {
        let tree = TestTree::new(&[("proc/self/limits", &LIMITS.replace("8388608  ", "unlimited"))]);
        let mut files = tree.files();
        assert_eq!(read(&mut files).memlock_bytes, None);
        assert!(files.notes().contains(&"memlock: unlimited".to_owned()), "{:?}", files.notes());
    }

    #[test]
    fn damage_is_null_with_a_note() {
        let tree = TestTree::new(&[
            ("proc/self/limits", "Max open files  many  few"),
            ("proc/sys/net/ipv4/ip_local_port_range", "60999 32768"),
            ("proc/sys/net/core/somaxconn", "-1"),
        ]);
        let mut files = tree.files();
        let limits = read(&mut files);
        assert_eq!((limits.nofile_soft, limits.memlock_bytes, limits.port_range, limits.somaxconn), (None, None, None, None));
        for note in ["nofile: ", "memlock: ", "port_range: ", "somaxconn: "] {
            assert!(files.notes().iter().any(|line| line.starts_with(note)), "{note} in {:?}", files.notes());
        }
    }

    #[cfg(unix)]
    #[test]
    fn this_process_has_a_limit_of_files() {
        let mut files = HostFiles::system();
        let limits = read(&mut files);
        assert!(limits.nofile_soft.is_some_and(|soft| soft > 0 && soft <= limits.nofile_hard.unwrap()), "{limits:?}");
        assert_eq!(asked(&files).0, limits.nofile_soft.zip(limits.nofile_hard));
    }
}
