//! Processors: what they are called, how they are laid out, and what the kernel does to their speed.

use std::collections::BTreeMap;

use zokio::topology::{CacheKind, Topology};
use zokio_report::schema::host::{CacheProfile, CpuProfile};

use super::files::HostFiles;

const CPU: &str = "/sys/devices/system/cpu";

/// Reads the processors; `topology` is `None` where there is none to read.
pub(super) fn read(files: &mut HostFiles, topology: Option<&Topology>) -> CpuProfile {
    let cpuinfo = files.text("cpu", "/proc/cpuinfo").unwrap_or_default();
    let mut profile = CpuProfile { arch: std::env::consts::ARCH.into(), ..CpuProfile::default() };
    if let Some(topology) = topology {
        lay_out(&mut profile, topology, files);
    }
    profile.model = model(files, &cpuinfo);
    profile.stepping = stepping(&cpuinfo);
    profile.microcode = field(&cpuinfo, "microcode");
    if profile.microcode.is_none() {
        files.nowhere("microcode", "/proc/cpuinfo");
    }
    // One CPU speaks for all, unless they differ: then each value is named once.
    let cpus = if profile.allowed.is_empty() { vec![0] } else { profile.allowed.clone() };
    profile.governor = governor(files, &cpus);
    profile.boost = boost(files);
    profile.mhz = mhz(files, cpus[0], &cpuinfo);
    profile.mitigations = mitigations(files);
    profile
}

fn lay_out(profile: &mut CpuProfile, topology: &Topology, files: &mut HostFiles) {
    let count = |count: usize| u32::try_from(count).ok().filter(|&count| count > 0);
    profile.packages = count(topology.packages().len());
    if profile.packages.is_none() {
        files.note("packages: the system does not tell");
    }
    profile.cores = count(topology.cores().len());
    profile.threads = count(topology.cpus().len());
    profile.smt = Some(topology.has_smt());
    profile.numa_nodes = count(topology.nodes().len());
    profile.allowed = topology.allowed().to_vec();
    profile.caches = caches(topology, files);
}

/// The caches of the first CPU, with how many of the kind the host has.
fn caches(topology: &Topology, files: &mut HostFiles) -> Vec<CacheProfile> {
    let first = topology.cpus().first().copied().unwrap_or(0);
    let mut profiles = Vec::new();
    for cache in topology.caches().iter().filter(|cache| cache.cpus.contains(&first)) {
        let alike = topology.caches().iter().filter(|other| (other.level, other.kind) == (cache.level, cache.kind));
        let Some(bytes) = cache.bytes else {
            files.note(format!("caches: level {} {}: size not told", cache.level, cache.kind.as_str()));
            continue;
        };
        profiles.push(CacheProfile {
            level: cache.level,
            kind: cache.kind.as_str().into(),
            bytes,
            count: alike.count() as u32,
            shared_by: cache.cpus.len() as u32,
        });
    }
    let has_data = topology.caches().iter().any(|cache| cache.kind != CacheKind::Instruction);
    if !has_data {
        files.note("caches: the system tells of none");
    }
    profiles
}

/// The first value of a field of `/proc/cpuinfo`.
fn field(cpuinfo: &str, name: &str) -> Option<String> {
    let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()));
    value.filter(|value| !value.is_empty())
}

/// The model name; on ARM, which has none, the board and the numbers of the core.
fn model(files: &mut HostFiles, cpuinfo: &str) -> Option<String> {
    if let Some(model) = field(cpuinfo, "model name") {
        return Some(model);
    }
    let board = files.look("/proc/device-tree/model").or_else(|| field(cpuinfo, "Model")).or_else(|| field(cpuinfo, "Hardware"));
    let core = field(cpuinfo, "CPU part").map(|part| {
        let implementer = field(cpuinfo, "CPU implementer").unwrap_or_else(|| "?".into());
        format!("implementer {implementer} part {part}")
    });
    let parts: Vec<String> = [board, core].into_iter().flatten().collect();
    if parts.is_empty() {
        let brand = brand(files);
        if brand.is_none() {
            files.nowhere("cpu_model", "/proc/cpuinfo, /proc/device-tree/model");
        }
        return brand;
    }
    Some(parts.join(", "))
}

/// The model as sysinfo finds it, where there is no `/proc`.
fn brand(files: &HostFiles) -> Option<String> {
    if cfg!(target_os = "linux") || !files.is_system() {
        return None;
    }
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty())
}

fn stepping(cpuinfo: &str) -> Option<String> {
    let x86 = [("family", "cpu family"), ("model", "model"), ("stepping", "stepping")];
    let arm = [("architecture", "CPU architecture"), ("variant", "CPU variant"), ("revision", "CPU revision")];
    let named = |names: [(&str, &str); 3]| {
        let parts: Vec<String> = names.iter().filter_map(|(name, key)| Some(format!("{name} {}", field(cpuinfo, key)?))).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    named(x86).or_else(|| named(arm))
}

fn governor(files: &mut HostFiles, cpus: &[u32]) -> Option<String> {
    let path = |cpu: u32| format!("{CPU}/cpu{cpu}/cpufreq/scaling_governor");
    let first = files.text("governor", &path(cpus[0]))?;
    let mut governors: Vec<String> = cpus.iter().filter_map(|&cpu| files.look(&path(cpu))).chain([first]).collect();
    governors.sort();
    governors.dedup();
    Some(governors.join(", "))
}

fn boost(files: &mut HostFiles) -> Option<bool> {
    if let Some(no_turbo) = files.look(&format!("{CPU}/intel_pstate/no_turbo")) {
        return Some(no_turbo == "0");
    }
    if let Some(boost) = files.look(&format!("{CPU}/cpufreq/boost")) {
        return Some(boost == "1");
    }
    files.text("boost", &format!("{CPU}/cpufreq/boost")).map(|boost| boost == "1")
}

fn mhz(files: &mut HostFiles, cpu: u32, cpuinfo: &str) -> Option<u32> {
    for name in ["base_frequency", "cpuinfo_max_freq"] {
        if let Some(khz) = files.look(&format!("{CPU}/cpu{cpu}/cpufreq/{name}")).and_then(|khz| khz.parse::<u32>().ok()) {
            return Some(khz / 1_000);
        }
    }
    let now = field(cpuinfo, "cpu MHz").and_then(|mhz| mhz.parse::<f64>().ok()).filter(|mhz| mhz.is_finite() && *mhz > 0.0);
    match now {
        Some(_) => files.note(format!("mhz: no cpufreq in {CPU}: the figure is /proc/cpuinfo's, at the moment of reading")),
        None => files.nowhere("mhz", &format!("{CPU}/cpu{cpu}/cpufreq, /proc/cpuinfo")),
    }
    now.map(|mhz| mhz.round() as u32)
}

fn mitigations(files: &mut HostFiles) -> BTreeMap<String, String> {
    let dir = format!("{CPU}/vulnerabilities");
    let names = files.names(&dir);
    if names.is_empty() {
        files.nowhere("mitigations", &dir);
    }
    names.into_iter().filter_map(|name| Some((name.clone(), files.look(&format!("{dir}/{name}"))?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::TestTree;
    use super::*;

    const CPUINFO: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n\
        microcode\t: 0x1000065\ncpu MHz\t\t: 2596.138\n\nprocessor\t: 1\nmodel name\t: other";
    const PI: &str = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\n\
        CPU revision\t: 3\n\nRevision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4";

    #[test]
    fn a_server_tells_everything() {
        let tree = TestTree::new(&[
            ("proc/cpuinfo", CPUINFO),
            ("sys/devices/system/cpu/online", "0-1"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3700000"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1"),
            ("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected"),
            ("sys/devices/system/cpu/cpu0/cache/index0/level", "1"),
            ("sys/devices/system/cpu/cpu0/cache/index0/type", "Data"),
            ("sys/devices/system/cpu/cpu0/cache/index0/size", "32K"),
            ("sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list", "0"),
            ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0"),
        ]);
        let topology = Topology::from_sysfs(&tree.root().join("sys")).unwrap();
        let mut files = tree.files();
        let cpu = read(&mut files, Some(&topology));
        assert_eq!(cpu.model.as_deref(), Some("AMD EPYC"));
        assert_eq!(cpu.stepping.as_deref(), Some("family 25 model 17 stepping 1"));
        assert_eq!(cpu.microcode.as_deref(), Some("0x1000065"));
        assert_eq!((cpu.packages, cpu.cores, cpu.threads, cpu.smt, cpu.numa_nodes), (Some(1), Some(2), Some(2), Some(false), Some(1)));
        assert_eq!(cpu.governor.as_deref(), Some("performance, powersave"));
        assert_eq!((cpu.boost, cpu.mhz), (Some(false), Some(3_700)));
        assert_eq!(cpu.mitigations["meltdown"], "Not affected");
        assert_eq!(cpu.caches, [CacheProfile { level: 1, kind: "data".into(), bytes: 32 << 10, count: 1, shared_by: 1 }]);
        assert_eq!(files.notes(), [""; 0]);
    }

    #[test]
    fn a_virtual_machine_lacks_what_it_lacks_with_a_reason() {
        let tree = TestTree::new(&[("proc/cpuinfo", CPUINFO), ("sys/devices/system/cpu/online", "0-1")]);
        let topology = Topology::from_sysfs(&tree.root().join("sys")).unwrap();
        let mut files = tree.files();
        let cpu = read(&mut files, Some(&topology));
        assert_eq!((cpu.governor, cpu.boost, cpu.packages), (None, None, None));
        assert_eq!(cpu.mhz, Some(2_596), "with a note that it is the present one");
        let notes = files.notes().join("\n");
        for note in [
            "governor: /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor: not found",
            "boost: ",
            "mhz: no cpufreq",
            "caches: ",
            "mitigations: ",
        ] {
            assert!(notes.contains(note), "{note} in {notes}");
        }
        assert!(files.absent().contains("governor"), "known not to be there");
    }

    #[test]
    fn a_raspberry_pi_is_named_by_its_board_and_core() {
        let tree = TestTree::new(&[("proc/cpuinfo", PI), ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4")]);
        let mut files = tree.files();
        let cpu = read(&mut files, None);
        assert_eq!(cpu.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4, implementer 0x41 part 0xd08"));
        assert_eq!(cpu.stepping.as_deref(), Some("architecture 8 variant 0x0 revision 3"));
        assert!(files.absent().contains("microcode"));
    }

    #[test]
    fn without_proc_and_sys_everything_is_missing_and_nothing_invented() {
        let tree = TestTree::new(&[]);
        let mut files = tree.files();
        let cpu = read(&mut files, None);
        assert_eq!(cpu, CpuProfile { arch: std::env::consts::ARCH.into(), ..CpuProfile::default() });
        assert!(files.notes().iter().any(|note| note == "cpu: /proc/cpuinfo: not found"), "{:?}", files.notes());
        assert!(!files.absent().contains("governor"), "without /sys nothing is known of it");
    }
}
