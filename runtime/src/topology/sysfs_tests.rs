//! Synthetic trees for the sysfs reader: what machines look like, and what damaged ones do.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::topology::Proximity;

/// A tree in a folder of its own, removed at the end.
struct Tree {
    root: std::path::PathBuf,
}

impl Tree {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("zokio-sysfs-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("devices/system/cpu")).unwrap();
        Self { root }
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.root.join("devices/system").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
        self
    }

    fn cpu(&self, cpu: u32, package: &str, siblings: &str) -> &Self {
        self.put(&format!("cpu/cpu{cpu}/topology/physical_package_id"), package);
        self.put(&format!("cpu/cpu{cpu}/topology/core_cpus_list"), siblings)
    }

    fn cache(&self, cpu: u32, index: u32, (level, kind, size, shared): (&str, &str, &str, &str)) -> &Self {
        for (file, text) in [("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)] {
            self.put(&format!("cpu/cpu{cpu}/cache/index{index}/{file}"), text);
        }
        self
    }

    fn node(&self, node: u32, cpus: &str, kib: u64) -> &Self {
        self.put(&format!("node/node{node}/cpulist"), cpus);
        self.put(&format!("node/node{node}/meminfo"), &format!("Node {node} MemTotal:  {kib} kB\nNode {node} MemFree: 1 kB"))
    }

    fn read(&self) -> Topology {
        Topology::from_sysfs(&self.root).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn two_packages_with_smt_and_a_node_each() {
    let tree = Tree::new();
    tree.put("cpu/online", "0-7").node(0, "0-1,4-5", 1024).node(1, "2-3,6-7", 2048);
    for cpu in 0..8u32 {
        let (package, core) = (cpu % 4 / 2, cpu % 4);
        tree.cpu(cpu, &package.to_string(), &format!("{core},{}", core + 4));
        tree.cache(cpu, 0, ("1", "Data", "32K", &format!("{core},{}", core + 4)));
        let node = if package == 0 { "0-1,4-5" } else { "2-3,6-7" };
        tree.cache(cpu, 3, ("3", "Unified", "16M", node));
    }
    let topology = tree.read();
    assert_eq!(topology.source(), "sysfs");
    assert!(topology.has_smt() && !topology.is_this_system());
    assert_eq!(topology.packages().iter().map(|package| package.cpus.clone()).collect::<Vec<_>>(), [vec![0, 1, 4, 5], vec![2, 3, 6, 7]]);
    assert_eq!(topology.cores().len(), 4);
    assert_eq!(topology.cores()[3], Core { package: Some(1), cpus: vec![3, 7] });
    assert_eq!(topology.nodes()[1], NumaNode { id: 1, cpus: vec![2, 3, 6, 7], memory_bytes: Some(2 << 20) });
    assert_eq!(topology.caches().len(), 6);
    assert_eq!(topology.caches()[5].bytes, Some(16 << 20));
    assert_eq!(topology.cache_groups(), [[0, 1, 4, 5], [2, 3, 6, 7]]);
    assert_eq!(topology.proximity(0, 4), Proximity::Core);
    assert_eq!(topology.proximity(0, 3), Proximity::Far);
    assert_eq!(topology.steal_order(0, topology.cpus()), [4, 1, 5, 2, 3, 6, 7]);
}

#[test]
fn a_hybrid_machine_keeps_unlike_cores() {
    let tree = Tree::new();
    tree.put("cpu/online", "0-7");
    for cpu in 0..8u32 {
        let siblings = if cpu < 4 { format!("{}-{}", cpu / 2 * 2, cpu / 2 * 2 + 1) } else { cpu.to_string() };
        tree.cpu(cpu, "0", &siblings);
        tree.cache(cpu, 2, ("2", "Unified", if cpu < 4 { "2048K" } else { "4096K" }, if cpu < 4 { &siblings } else { "4-7" }));
        tree.cache(cpu, 3, ("3", "Unified", "30720K", "0-7"));
    }
    let topology = tree.read();
    assert_eq!(topology.cores().iter().map(|core| core.cpus.len()).collect::<Vec<_>>(), [2, 2, 1, 1, 1, 1]);
    assert_eq!(topology.cache_groups(), [[0, 1, 2, 3, 4, 5, 6, 7]]);
    assert_eq!(topology.proximity(4, 7), Proximity::Cache(2));
    assert_eq!(topology.proximity(3, 4), Proximity::Cache(3));
}

#[test]
fn offline_cpus_are_nowhere() {
    let tree = Tree::new();
    tree.put("cpu/online", "0,2-3").node(0, "0,2-3", 1);
    for cpu in [0, 2, 3] {
        tree.cpu(cpu, "0", &format!("{}-{}", cpu / 2 * 2, cpu / 2 * 2 + 1)).cache(cpu, 0, ("3", "Unified", "1M", "0-3"));
    }
    tree.put("cpu/cpu1/online", "0");
    let topology = tree.read();
    assert_eq!(topology.cpus(), [0, 2, 3]);
    assert_eq!(topology.cores().iter().map(|core| core.cpus.clone()).collect::<Vec<_>>(), [vec![0], vec![2, 3]]);
    assert_eq!(topology.caches()[0].cpus, [0, 2, 3]);
    assert_eq!(topology.packages()[0].cpus, [0, 2, 3]);
}

#[test]
fn without_the_list_the_folders_tell_which_cpus_are_online() {
    let tree = Tree::new();
    tree.put("cpu/cpu0/uevent", "").put("cpu/cpu1/online", "1").put("cpu/cpu2/online", "0").put("cpu/cpufreq/policy0/x", "");
    assert_eq!(tree.read().cpus(), [0, 1]);
}

#[test]
fn missing_files_are_missing_facts() {
    let tree = Tree::new();
    tree.put("cpu/online", "0-3");
    tree.put("cpu/cpu0/topology/physical_package_id", "-1").put("cpu/cpu0/cache/index0/type", "Data");
    tree.cache(1, 0, ("1", "Data", "", "1")).cache(2, 0, ("1", "Strange", "1K", "2")).cache(3, 0, ("one", "Data", "1K", "3"));
    let topology = tree.read();
    assert!(topology.packages().is_empty());
    assert_eq!(topology.cores().len(), 4);
    assert_eq!(topology.caches(), [Cache { level: 1, kind: CacheKind::Data, bytes: None, cpus: vec![1] }]);
    assert_eq!(topology.nodes(), [NumaNode { id: 0, cpus: vec![0, 1, 2, 3], memory_bytes: None }]);
    assert_eq!(topology.cache_groups(), [vec![0, 2, 3], vec![1]]);
}

#[test]
fn a_node_of_memory_alone_has_no_cpu() {
    let tree = Tree::new();
    tree.put("cpu/online", "0").node(0, "0", 4).node(1, "", 8);
    let topology = tree.read();
    assert_eq!(topology.nodes()[1], NumaNode { id: 1, cpus: vec![], memory_bytes: Some(8 << 10) });
    assert_eq!(topology.node_of(0).map(|node| node.id), Some(0));
}

#[test]
fn a_tree_without_cpus_is_refused() {
    let tree = Tree::new();
    assert_eq!(Topology::from_sysfs(&tree.root).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(Topology::from_sysfs(Path::new("/nonexistent")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn sizes_are_read_with_their_unit() {
    let cases = [
        ("32K", Some(32 << 10)),
        ("8M", Some(8 << 20)),
        ("512", Some(512)),
        ("0K", None),
        ("", None),
        ("K", None),
        ("1T", None),
        ("-1K", None),
    ];
    for (text, bytes) in cases {
        assert_eq!(size_bytes(text), bytes, "{text:?}");
    }
}
