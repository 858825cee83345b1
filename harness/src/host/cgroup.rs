//! What the control group grants: CPUs and memory, by version 2 or version 1.
//!
//! ```text
//! /proc/self/cgroup      which group this process is in, per hierarchy
//! /proc/self/mountinfo   where that hierarchy is mounted, and which group of it is the mount's root
//! ```
//! A limit on any group above binds too, so the least from the process's group up to the mount counts. The group's own path may name
//! users and containers and never leaves this file.

use super::files::HostFiles;

/// What is granted; `None` means no limit, or not known (then there is a note).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Granted {
    pub(super) cpus: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
}

/// Reads the limits of this process's groups.
pub(super) fn read(files: &mut HostFiles) -> Granted {
    let groups = files.text("cgroup", "/proc/self/cgroup");
    let mounts = files.text("cgroup", "/proc/self/mountinfo");
    let (Some(groups), Some(mounts)) = (groups, mounts) else {
        return Granted::default();
    };
    let cpus = [folders(&groups, &mounts, None), folders(&groups, &mounts, Some("cpu"))];
    let memory = [folders(&groups, &mounts, None), folders(&groups, &mounts, Some("memory"))];
    let granted = Granted {
        cpus: least(files, &cpus, |files, folder| cpus_v2(files, folder).or_else(|| cpus_v1(files, folder))),
        memory_bytes: least(files, &memory, |files, folder| memory_v2(files, folder).or_else(|| memory_v1(files, folder))),
    };
    // Read and found without limit: a fact, unlike a file that could not be read.
    if granted.cpus.is_none() {
        files.known_absent("cgroup_cpus");
    }
    if granted.memory_bytes.is_none() {
        files.known_absent("cgroup_memory_bytes");
    }
    granted
}

/// How many periods of this process's groups were cut short by their quota since they were made; `None` where no group counts them.
pub(crate) fn throttled_periods(files: &HostFiles) -> Option<u64> {
    let (groups, mounts) = (files.look("/proc/self/cgroup")?, files.look("/proc/self/mountinfo")?);
    let folders = [folders(&groups, &mounts, None), folders(&groups, &mounts, Some("cpu"))].concat();
    let counts: Vec<u64> = folders
        .iter()
        .filter_map(|folder| files.look(&format!("{folder}/cpu.stat")))
        .filter_map(|text| text.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok()))
        .collect();
    (!counts.is_empty()).then(|| counts.iter().sum())
}

fn least<T: PartialOrd>(files: &HostFiles, folders: &[Vec<String>], limit: impl Fn(&HostFiles, &str) -> Option<T>) -> Option<T> {
    let limits = folders.iter().flatten().filter_map(|folder| limit(files, folder));
    limits.reduce(|least, limit| if limit < least { limit } else { least })
}

/// The folders from the process's group up to the mount, of version 2 (`None`) or of a controller of version 1.
fn folders(groups: &str, mounts: &str, controller: Option<&str>) -> Vec<String> {
    let Some(group) = group_path(groups, controller) else {
        return Vec::new();
    };
    let Some((mount, root)) = mount_of(mounts, controller) else {
        return Vec::new();
    };
    // Inside a container the mount's root is the container's own group, and the process's path starts below or outside it.
    let below = if root == "/" { group } else { group.strip_prefix(root).unwrap_or("") };
    let mut folders = Vec::new();
    let mut rest = below.trim_matches('/');
    loop {
        folders.push(if rest.is_empty() { mount.to_owned() } else { format!("{mount}/{rest}") });
        if rest.is_empty() {
            return folders;
        }
        rest = rest.rsplit_once('/').map_or("", |(parent, _)| parent);
    }
}

/// `4:memory:/path`, or `0::/path` for version 2.
fn group_path<'a>(groups: &'a str, controller: Option<&str>) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = match controller {
            None => number == "0" && controllers.is_empty(),
            Some(controller) => controllers.split(',').any(|name| name == controller),
        };
        fits.then_some(path)
    })
}

/// Mount point and root of the hierarchy: `ID PARENT MAJ:MIN ROOT MOUNT OPTIONS … - TYPE SOURCE SUPER_OPTIONS`.
fn mount_of<'a>(mounts: &'a str, controller: Option<&str>) -> Option<(&'a str, &'a str)> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (root, mount) = (left.next()?, left.next()?);
        let (kind, _source, options) = (right.next()?, right.next()?, right.next()?);
        let fits = match controller {
            None => kind == "cgroup2",
            Some(controller) => kind == "cgroup" && options.split(',').any(|option| option == controller),
        };
        fits.then_some((mount, root))
    })
}

/// `cpu.max`: `QUOTA PERIOD`, or `max PERIOD`.
fn cpus_v2(files: &HostFiles, folder: &str) -> Option<f64> {
    let text = files.look(&format!("{folder}/cpu.max"))?;
    let (quota, period) = text.split_once(' ')?;
    quotient(quota.parse().ok()?, period.parse().ok()?)
}

/// The quota is -1 where there is no limit.
fn cpus_v1(files: &HostFiles, folder: &str) -> Option<f64> {
    let number = |name: &str| files.look(&format!("{folder}/{name}"))?.parse::<i64>().ok();
    quotient(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

fn quotient(quota: i64, period: i64) -> Option<f64> {
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

fn memory_v2(files: &HostFiles, folder: &str) -> Option<u64> {
    files.look(&format!("{folder}/memory.max"))?.parse().ok()
}

/// Version 1 writes "no limit" as the largest number of whole pages.
fn memory_v1(files: &HostFiles, folder: &str) -> Option<u64> {
    const NO_LIMIT: u64 = 1 << 62;
    files.look(&format!("{folder}/memory.limit_in_bytes"))?.parse().ok().filter(|&bytes| bytes < NO_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    const V2_MOUNT: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";

    #[test]
    fn version_2_takes_the_least_on_the_way_up() {
        let tree = TestTree::new(&[
            ("proc/self/cgroup", "0::/user.slice/anna.scope"),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/user.slice/anna.scope/cpu.max", "max 100000"),
            ("sys/fs/cgroup/user.slice/cpu.max", "150000 100000"),
            ("sys/fs/cgroup/user.slice/anna.scope/memory.max", "1073741824"),
            ("sys/fs/cgroup/user.slice/memory.max", "max"),
        ]);
        let mut files = tree.files();
        assert_eq!(read(&mut files), Granted { cpus: Some(1.5), memory_bytes: Some(1 << 30) });
        assert_eq!(files.notes(), [""; 0]);
        assert!(files.absent().is_empty());
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount() {
        let mounts = "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw";
        let tree = TestTree::new(&[
            ("proc/self/cgroup", "0::/docker/abc"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/cpu.max", "50000 100000"),
            ("sys/fs/cgroup/memory.max", "max"),
        ]);
        let mut files = tree.files();
        assert_eq!(read(&mut files), Granted { cpus: Some(0.5), memory_bytes: None });
        assert_eq!(files.absent().iter().map(String::as_str).collect::<Vec<_>>(), ["cgroup_memory_bytes"]);
    }

    #[test]
    fn version_1_has_a_hierarchy_per_controller() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
            35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let tree = TestTree::new(&[
            ("proc/self/cgroup", "4:memory:/a\n1:cpu,cpuacct:/a/b\n0::/"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1"),
            ("sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "200000"),
            ("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000"),
            ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648"),
        ]);
        assert_eq!(read(&mut tree.files()), Granted { cpus: Some(2.0), memory_bytes: Some(2 << 30) });
    }

    #[test]
    fn throttled_periods_of_all_groups_on_the_way_up_are_summed() {
        let tree = TestTree::new(&[
            ("proc/self/cgroup", "0::/a"),
            ("proc/self/mountinfo", V2_MOUNT),
            ("sys/fs/cgroup/a/cpu.stat", "usage_usec 9\nnr_periods 7\nnr_throttled 5\nthrottled_usec 8"),
            ("sys/fs/cgroup/cpu.stat", "usage_usec 9"),
        ]);
        assert_eq!(throttled_periods(&tree.files()), Some(5));
        assert_eq!(throttled_periods(&TestTree::new(&[]).files()), None);
    }

    #[test]
    fn without_proc_nothing_is_known() {
        let tree = TestTree::new(&[]);
        let mut files = tree.files();
        assert_eq!(read(&mut files), Granted::default());
        assert_eq!(files.notes().len(), 2);
        assert!(files.absent().is_empty(), "unknown is not the same as unlimited");
    }

    #[test]
    fn damage_is_no_limit_and_no_panic() {
        let tree = TestTree::new(&[
            ("proc/self/cgroup", "0::/x\nnonsense\n1:cpu"),
            ("proc/self/mountinfo", "nonsense\n31 - \n31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"),
            ("sys/fs/cgroup/x/cpu.max", "0 0"),
            ("sys/fs/cgroup/x/memory.max", "lots"),
        ]);
        assert_eq!(read(&mut tree.files()), Granted::default());
    }
}
