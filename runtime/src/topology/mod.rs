//! NUMA nodes, cache groups and pinning: libhwloc or /sys behind one type.
//!
//! ```text
//! detect() ──▶ hwloc  (feature `hwloc`, this very system) ──┐
//!          └─▶ sysfs  (Linux)                             ──┼──▶ Topology ──▶ cache_groups · node_of · steal_order · available_cpus
//!          └─▶ plain  (elsewhere: a row of equal CPUs)    ──┘
//! ```
//!
//! CPUs are always the numbers of the operating system. A topology read from a description or from another root is never
//! [this system](Topology::is_this_system): it orders and groups, and must not be used to pin.

mod affinity;
mod cpu_list;
#[cfg_attr(
    not(all(feature = "hwloc", target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))),
    path = "hwloc_absent.rs"
)]
mod hwloc;
mod order;
mod sysfs;

use std::io;
use std::path::Path;

pub use affinity::{current_affinity, pin_current_thread};
pub use cpu_list::{format_cpu_list, parse_cpu_list};
pub use order::Proximity;

/// The machine: packages, NUMA nodes, cores and caches, and the CPUs this process may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    pub(crate) source: String,
    pub(crate) fallback_reason: Option<String>,
    pub(crate) this_system: bool,
    pub(crate) packages: Vec<Package>,
    pub(crate) nodes: Vec<NumaNode>,
    pub(crate) cores: Vec<Core>,
    pub(crate) caches: Vec<Cache>,
    pub(crate) cpus: Vec<u32>,
    pub(crate) allowed: Vec<u32>,
}

/// A physical package (socket).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The system's number of it.
    pub id: u32,
    /// Its online CPUs, ascending.
    pub cpus: Vec<u32>,
}

/// A NUMA node. A machine without NUMA has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumaNode {
    /// The system's number of it.
    pub id: u32,
    /// Its online CPUs, ascending; empty for a node of memory alone.
    pub cpus: Vec<u32>,
    /// What the node claims to hold, in bytes; on virtual machines this need not add up to the machine's memory.
    pub memory_bytes: Option<u64>,
}

/// A core and the CPUs (hardware threads) that share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The package it belongs to, where the system tells.
    pub package: Option<u32>,
    /// Its online CPUs, ascending; more than one with simultaneous multithreading.
    pub cpus: Vec<u32>,
}

/// One cache and the CPUs that share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cache {
    /// 1, 2, 3, …
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Size in bytes, where the system tells.
    pub bytes: Option<u64>,
    /// The online CPUs that share it, ascending.
    pub cpus: Vec<u32>,
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheKind {
    /// Data alone.
    Data,
    /// Instructions alone.
    Instruction,
    /// Both.
    Unified,
}

impl CacheKind {
    /// `data`, `instruction` or `unified`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Instruction => "instruction",
            Self::Unified => "unified",
        }
    }
}

impl Topology {
    /// The topology of this machine, by the best reader there is; never fails, at worst it is a row of equal CPUs.
    pub fn detect() -> Self {
        let refused = match hwloc::read() {
            Ok(topology) => return topology.with_current_affinity(),
            Err(reason) => reason,
        };
        let mut topology = match sysfs::read(Path::new("/sys")) {
            Ok(topology) => topology,
            Err(error) => Self::plain(&format!("/sys: {error}")),
        };
        topology.this_system = true;
        topology.fallback_reason = Some(match topology.fallback_reason.take() {
            Some(further) => format!("{refused}; {further}"),
            None => refused,
        });
        topology.with_current_affinity()
    }

    /// The topology below a root laid out like `/sys`; all its CPUs are allowed, and it is not this system.
    ///
    /// # Errors
    /// When the tree names no CPU.
    pub fn from_sysfs(root: &Path) -> io::Result<Self> {
        sysfs::read(root)
    }

    /// The topology of a hwloc description, such as `Package:2 [NUMANode(memory=64GB)] L3Cache:2 Core:4 PU:2`.
    ///
    /// # Errors
    /// What libhwloc has against the description, or that this build has no libhwloc.
    pub fn from_synthetic(description: &str) -> Result<Self, String> {
        hwloc::from_synthetic(description)
    }

    /// One package, one node, and as many cores as the standard library sees.
    fn plain(reason: &str) -> Self {
        let count = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let cpus: Vec<u32> = (0..count).collect();
        Self {
            source: "std".into(),
            fallback_reason: Some(reason.into()),
            this_system: false,
            packages: Vec::new(),
            nodes: vec![NumaNode { id: 0, cpus: cpus.clone(), memory_bytes: None }],
            cores: cpus.iter().map(|&cpu| Core { package: None, cpus: vec![cpu] }).collect(),
            caches: Vec::new(),
            allowed: cpus.clone(),
            cpus,
        }
    }

    /// Restricts `allowed` to what the calling thread may use, where the system tells.
    fn with_current_affinity(mut self) -> Self {
        if let Ok(affinity) = current_affinity() {
            self.allowed = affinity;
        }
        self
    }

    /// What read it: `hwloc 2.9.0`, `sysfs`, or `std` where there is neither.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Why a better source was not used; `None` with libhwloc.
    pub fn fallback_reason(&self) -> Option<&str> {
        self.fallback_reason.as_deref()
    }

    /// Whether it describes the machine this process runs on; only then may its CPUs be pinned to.
    pub fn is_this_system(&self) -> bool {
        self.this_system
    }

    /// The packages, by number; empty where the system does not tell.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The NUMA nodes, by number; at least one.
    pub fn nodes(&self) -> &[NumaNode] {
        &self.nodes
    }

    /// The cores, by their first CPU.
    pub fn cores(&self) -> &[Core] {
        &self.cores
    }

    /// The caches, by level, kind and first CPU.
    pub fn caches(&self) -> &[Cache] {
        &self.caches
    }

    /// All online CPUs, ascending.
    pub fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// The CPUs the process could use when the topology was read (affinity and cpuset), ascending.
    pub fn allowed(&self) -> &[u32] {
        &self.allowed
    }

    /// Whether any core has more than one CPU.
    pub fn has_smt(&self) -> bool {
        self.cores.iter().any(|core| core.cpus.len() > 1)
    }

    /// The allowed CPUs, no more than the standard library's `available_parallelism`, which knows the control group's quota.
    ///
    /// Where the quota is smaller than the affinity, CPUs of different cores come first, so that two workers do not share one.
    pub fn available_cpus(&self) -> Vec<u32> {
        let count = if self.this_system { std::thread::available_parallelism().map_or(1, |count| count.get()) } else { self.allowed.len() };
        self.spread(count)
    }

    /// `count` of the allowed CPUs, ascending, of different cores while there are any.
    fn spread(&self, count: usize) -> Vec<u32> {
        let thread_in_core = |cpu: u32| {
            let core = self.cores.iter().find(|core| core.cpus.contains(&cpu));
            core.and_then(|core| core.cpus.iter().filter(|other| self.allowed.contains(other)).position(|&other| other == cpu)).unwrap_or(0)
        };
        let mut cpus = self.allowed.clone();
        cpus.sort_by_key(|&cpu| (thread_in_core(cpu), cpu));
        cpus.truncate(count);
        cpus.sort_unstable();
        cpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detection_finds_every_cpu_this_thread_may_use() {
        let topology = Topology::detect();
        assert!(topology.is_this_system());
        assert!(!topology.allowed().is_empty());
        assert!(topology.allowed().iter().all(|cpu| topology.cpus().contains(cpu)), "{topology:?}");
        assert!(topology.allowed().iter().all(|&cpu| topology.node_of(cpu).is_some()), "{topology:?}");
        let count = std::thread::available_parallelism().unwrap().get();
        assert_eq!(topology.available_cpus().len(), count.min(topology.allowed().len()));
    }

    #[test]
    fn a_quota_below_the_affinity_takes_different_cores_first() {
        let core = |cpus: [u32; 2]| Core { package: None, cpus: cpus.into() };
        let mut topology = Topology::plain("test");
        topology.cores = vec![core([0, 1]), core([2, 3])];
        topology.allowed = vec![0, 1, 2, 3];
        assert_eq!(topology.spread(2), [0, 2]);
        assert_eq!(topology.spread(3), [0, 1, 2]);
        topology.allowed = vec![1, 3];
        assert_eq!(topology.spread(2), [1, 3]);
    }

    #[test]
    fn what_is_not_this_system_is_not_judged_by_it() {
        let mut topology = Topology::plain("test");
        topology.allowed = (0..640).collect();
        assert_eq!(topology.available_cpus().len(), 640);
    }
}
