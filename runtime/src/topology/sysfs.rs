//! The topology by our own reading of `/sys/devices/system/{cpu,node}`, below any root, so that tests feed trees.
//!
//! A missing file is a missing fact, not an error: without `topology/` each CPU is a core, without `cache/` there are no caches,
//! without `node/` there is one node of unknown memory. Only a tree that names no CPU at all is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::{Cache, CacheKind, Core, NumaNode, Package, Topology, parse_cpu_list};

/// Reads the tree below `root`, which is laid out like `/sys`.
///
/// # Errors
/// When the tree names no CPU.
pub(super) fn read(root: &Path) -> io::Result<Topology> {
    let cpu_dir = root.join("devices/system/cpu");
    let cpus = online_cpus(&cpu_dir)?;
    Ok(Topology {
        source: "sysfs".into(),
        fallback_reason: None,
        this_system: false,
        packages: packages(&cpu_dir, &cpus),
        nodes: nodes(&root.join("devices/system/node"), &cpus),
        cores: cores(&cpu_dir, &cpus),
        caches: caches(&cpu_dir, &cpus),
        allowed: cpus.clone(),
        cpus,
    })
}

/// The list of online CPUs; without it, the CPUs that have a folder and are not switched off.
fn online_cpus(cpu_dir: &Path) -> io::Result<Vec<u32>> {
    if let Some(cpus) = list(&cpu_dir.join("online")).filter(|cpus| !cpus.is_empty()) {
        return Ok(cpus);
    }
    let mut cpus = numbered(cpu_dir, "cpu")?;
    cpus.retain(|cpu| text(&cpu_dir.join(format!("cpu{cpu}/online"))).as_deref() != Some("0"));
    if cpus.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no CPU in devices/system/cpu"));
    }
    Ok(cpus)
}

fn package_of(cpu_dir: &Path, cpu: u32) -> Option<u32> {
    // -1 where the firmware does not say: then there is no package to speak of.
    text(&cpu_dir.join(format!("cpu{cpu}/topology/physical_package_id")))?.parse().ok()
}

fn packages(cpu_dir: &Path, cpus: &[u32]) -> Vec<Package> {
    let mut packages: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &cpu in cpus {
        if let Some(id) = package_of(cpu_dir, cpu) {
            packages.entry(id).or_default().push(cpu);
        }
    }
    packages.into_iter().map(|(id, cpus)| Package { id, cpus }).collect()
}

fn cores(cpu_dir: &Path, cpus: &[u32]) -> Vec<Core> {
    let mut cores: Vec<Core> = Vec::new();
    for &cpu in cpus {
        if cores.iter().any(|core| core.cpus.contains(&cpu)) {
            continue;
        }
        let topology = cpu_dir.join(format!("cpu{cpu}/topology"));
        // `core_cpus_list` since Linux 5.3, the other name before.
        let siblings = list(&topology.join("core_cpus_list")).or_else(|| list(&topology.join("thread_siblings_list")));
        cores.push(Core { package: package_of(cpu_dir, cpu), cpus: online_part(siblings, cpu, cpus) });
    }
    cores
}

fn caches(cpu_dir: &Path, cpus: &[u32]) -> Vec<Cache> {
    let mut caches = BTreeSet::new();
    for &cpu in cpus {
        let cache_dir = cpu_dir.join(format!("cpu{cpu}/cache"));
        for index in numbered(&cache_dir, "index").unwrap_or_default() {
            let dir = cache_dir.join(format!("index{index}"));
            let kind = match text(&dir.join("type")).as_deref() {
                Some("Data") => CacheKind::Data,
                Some("Instruction") => CacheKind::Instruction,
                Some("Unified") => CacheKind::Unified,
                _ => continue,
            };
            let Some(level) = text(&dir.join("level")).and_then(|level| level.parse().ok()) else {
                continue;
            };
            let bytes = text(&dir.join("size")).and_then(|size| size_bytes(&size));
            let cpus = online_part(list(&dir.join("shared_cpu_list")), cpu, cpus);
            caches.insert(Cache { level, kind, bytes, cpus });
        }
    }
    caches.into_iter().collect()
}

fn nodes(node_dir: &Path, cpus: &[u32]) -> Vec<NumaNode> {
    let mut nodes = Vec::new();
    for id in numbered(node_dir, "node").unwrap_or_default() {
        let dir = node_dir.join(format!("node{id}"));
        let Some(mut node_cpus) = list(&dir.join("cpulist")) else {
            continue;
        };
        node_cpus.retain(|cpu| cpus.contains(cpu));
        nodes.push(NumaNode { id, cpus: node_cpus, memory_bytes: node_memory_bytes(&dir.join("meminfo")) });
    }
    if nodes.is_empty() {
        nodes.push(NumaNode { id: 0, cpus: cpus.to_vec(), memory_bytes: None });
    }
    nodes
}

/// `Node 0 MemTotal:  11757772 kB`.
fn node_memory_bytes(path: &Path) -> Option<u64> {
    let meminfo = text(path)?;
    let line = meminfo.lines().find(|line| line.contains("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().rev().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

/// The online part of a list that must hold `cpu`; `cpu` alone when it does not.
fn online_part(listed: Option<Vec<u32>>, cpu: u32, online: &[u32]) -> Vec<u32> {
    let mut cpus = listed.unwrap_or_default();
    cpus.retain(|cpu| online.contains(cpu));
    if cpus.contains(&cpu) { cpus } else { vec![cpu] }
}

/// The numbers of the entries `prefix0`, `prefix1`, … of a folder, ascending.
fn numbered(dir: &Path, prefix: &str) -> io::Result<Vec<u32>> {
    let names = fs::read_dir(dir)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut numbers: Vec<u32> = names.filter_map(|name| name.strip_prefix(prefix)?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// `32K`, `1024K`, `8M`, `512`.
fn size_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|&bytes| bytes > 0)
}

fn list(path: &Path) -> Option<Vec<u32>> {
    parse_cpu_list(&text(path)?)
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
#[path = "sysfs_tests.rs"]
mod tests;
