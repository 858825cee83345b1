//! How near two CPUs are, and the order in which a worker looks for work.
//!
//! ```text
//! same core  <  a shared cache, the smaller the nearer  <  same NUMA node  <  same package  <  far
//! ```
//! Among equally near victims the order is rotated by the thief, so that not all of them start at the same one.

use super::{CacheKind, Core, NumaNode, Topology};

/// How near two CPUs are; the nearer is the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proximity {
    /// The very same CPU.
    Same,
    /// Hardware threads of one core.
    Core,
    /// They share a cache of this level, and none below it.
    Cache(u32),
    /// They share memory, but no cache.
    Node,
    /// They share the package, but not the memory.
    Package,
    /// Nothing closer than the machine.
    Far,
}

impl Topology {
    /// The core a CPU belongs to.
    pub fn core_of(&self, cpu: u32) -> Option<&Core> {
        self.cores.iter().find(|core| core.cpus.contains(&cpu))
    }

    /// The NUMA node a CPU belongs to.
    pub fn node_of(&self, cpu: u32) -> Option<&NumaNode> {
        self.nodes.iter().find(|node| node.cpus.contains(&cpu))
    }

    /// The online CPUs in groups that share a last-level data cache, by first CPU; every CPU is in exactly one group.
    ///
    /// CPUs of which no cache is known are grouped by NUMA node.
    pub fn cache_groups(&self) -> Vec<Vec<u32>> {
        let last_cache = |cpu: u32| {
            let caches = self.caches.iter().filter(|cache| cache.kind != CacheKind::Instruction && cache.cpus.contains(&cpu));
            caches.max_by_key(|cache| cache.level)
        };
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for &cpu in &self.cpus {
            if groups.iter().any(|group| group.contains(&cpu)) {
                continue;
            }
            let mut group = match (last_cache(cpu), self.node_of(cpu)) {
                (Some(cache), _) => cache.cpus.clone(),
                (None, Some(node)) => node.cpus.iter().copied().filter(|&other| last_cache(other).is_none()).collect(),
                (None, None) => vec![cpu],
            };
            group.retain(|other| !groups.iter().any(|group| group.contains(other)));
            groups.push(group);
        }
        groups
    }

    /// How near two CPUs are.
    pub fn proximity(&self, a: u32, b: u32) -> Proximity {
        if a == b {
            return Proximity::Same;
        }
        let both = |cpus: &[u32]| cpus.contains(&a) && cpus.contains(&b);
        if self.cores.iter().any(|core| both(&core.cpus)) {
            return Proximity::Core;
        }
        let shared = self.caches.iter().filter(|cache| cache.kind != CacheKind::Instruction && both(&cache.cpus));
        if let Some(level) = shared.map(|cache| cache.level).min() {
            return Proximity::Cache(level);
        }
        if self.nodes.iter().any(|node| both(&node.cpus)) {
            return Proximity::Node;
        }
        if self.packages.iter().any(|package| both(&package.cpus)) {
            return Proximity::Package;
        }
        Proximity::Far
    }

    /// The others of `cpus` in the order in which a worker on `cpu` should look for work: nearest first.
    ///
    /// Equally near ones are rotated by the place of `cpu`, so that thieves spread over their victims.
    pub fn steal_order(&self, cpu: u32, cpus: &[u32]) -> Vec<u32> {
        let mut workers: Vec<u32> = cpus.iter().copied().chain([cpu]).collect();
        workers.sort_unstable();
        workers.dedup();
        let place = workers.iter().position(|&worker| worker == cpu).unwrap_or(0);
        workers.remove(place);
        workers.sort_by_cached_key(|&victim| (self.proximity(cpu, victim), victim));
        for equals in workers.chunk_by_mut(|&a, &b| self.proximity(cpu, a) == self.proximity(cpu, b)) {
            equals.rotate_left(place % equals.len());
        }
        workers
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cache, Package};
    use super::*;

    /// Two packages, two nodes each, a last-level cache per node; cores of two threads numbered (n, n + 8).
    fn two_packages() -> Topology {
        let node_cpus = |node: u32| vec![2 * node, 2 * node + 1, 2 * node + 8, 2 * node + 9];
        let mut topology = Topology {
            source: "test".into(),
            fallback_reason: None,
            this_system: false,
            packages: (0..2).map(|id| Package { id, cpus: [node_cpus(2 * id), node_cpus(2 * id + 1)].concat() }).collect(),
            nodes: (0..4).map(|id| NumaNode { id, cpus: node_cpus(id), memory_bytes: None }).collect(),
            cores: (0..8).map(|first| Core { package: Some(first / 4), cpus: vec![first, first + 8] }).collect(),
            caches: Vec::new(),
            cpus: (0..16).collect(),
            allowed: (0..16).collect(),
        };
        topology.caches = (0..4).map(|id| Cache { level: 3, kind: CacheKind::Unified, bytes: None, cpus: node_cpus(id) }).collect();
        topology
    }

    #[test]
    fn proximity_follows_the_hierarchy() {
        let topology = two_packages();
        let cases = [
            (0, 0, Proximity::Same),
            (0, 8, Proximity::Core),
            (0, 9, Proximity::Cache(3)),
            (0, 2, Proximity::Package),
            (0, 4, Proximity::Far),
            (0, 99, Proximity::Far),
        ];
        for (a, b, expected) in cases {
            assert_eq!(topology.proximity(a, b), expected, "{a} and {b}");
            assert_eq!(topology.proximity(b, a), expected, "{b} and {a}");
        }
        assert!(
            Proximity::Core < Proximity::Cache(2) && Proximity::Cache(2) < Proximity::Cache(3) && Proximity::Cache(9) < Proximity::Node
        );
    }

    #[test]
    fn a_thief_goes_from_near_to_far() {
        let topology = two_packages();
        assert_eq!(topology.steal_order(0, topology.cpus()), [8, 1, 9, 2, 3, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]);
        assert_eq!(topology.steal_order(0, &[]), [0u32; 0]);
    }

    #[test]
    fn thieves_spread_over_equally_near_victims() {
        let topology = two_packages();
        let firsts: Vec<u32> = (4..8).map(|cpu| topology.steal_order(cpu, &[0, 1, 2, 3, 4, 5, 6, 7])[3..][0]).collect();
        assert_eq!(firsts, [0, 1, 2, 3], "thieves of the other package each start at another victim");
        let firsts: Vec<u32> = (0..4).map(|cpu| topology.steal_order(cpu, &[0, 1, 2, 3])[0]).collect();
        assert_eq!(firsts, [1, 0, 3, 2], "the one next to it shares the cache");
    }

    #[test]
    fn groups_cover_every_cpu_once() {
        let mut topology = two_packages();
        assert_eq!(topology.cache_groups().len(), 4);
        topology.caches.clear();
        assert_eq!(topology.cache_groups().len(), 4, "without caches the nodes are the groups");
        let mut all = topology.cache_groups().concat();
        all.sort_unstable();
        assert_eq!(all, topology.cpus());
    }

    #[test]
    fn a_cpu_nobody_knows_is_its_own_group() {
        let mut topology = two_packages();
        topology.caches.clear();
        topology.nodes.clear();
        assert_eq!(topology.cache_groups().len(), 16);
        assert!(topology.core_of(99).is_none() && topology.node_of(0).is_none());
    }
}
