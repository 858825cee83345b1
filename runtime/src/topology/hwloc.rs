//! The topology by libhwloc, the only place that knows its binding.
//!
//! libhwloc can be sent elsewhere by its environment (`HWLOC_XMLFILE`, `HWLOC_SYNTHETIC`), and then binding calls succeed and do
//! nothing. So [`read`] refuses any topology that is not this system, and binding is done by the system call (see `affinity`).

use std::ffi::CStr;

use hwlocality::bitmap::Bitmap;
use hwlocality::cpu::cpuset::CpuSet;
use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::types::{CacheType, ObjectType};
use hwlocality::topology::Topology as Hwloc;
use hwlocality::topology::builder::{BuildFlags, TopologyBuilder, TypeFilter};

use super::{Cache, CacheKind, Core, NumaNode, Package, Topology};

/// The topology of this system, CPUs outside the control group's set included.
///
/// # Errors
/// A sentence on why libhwloc does not serve here.
pub(super) fn read() -> Result<Topology, String> {
    let builder = Hwloc::builder().with_flags(BuildFlags::INCLUDE_DISALLOWED).map_err(|error| format!("hwloc: {error}"))?;
    let hwloc = build(builder)?;
    if !hwloc.is_this_system() {
        return Err("hwloc: its environment points to another system".into());
    }
    convert(&hwloc)
}

/// The topology of a description; never this system.
///
/// # Errors
/// What libhwloc has against the description.
pub(super) fn from_synthetic(description: &str) -> Result<Topology, String> {
    let builder = Hwloc::builder().from_synthetic(description).map_err(|error| format!("hwloc: {error}"))?;
    convert(&build(builder)?)
}

fn build(builder: TopologyBuilder) -> Result<Hwloc, String> {
    let builder = builder.with_cpu_icache_type_filter(TypeFilter::KeepAll).map_err(|error| format!("hwloc: {error}"))?;
    builder.build().map_err(|error| format!("hwloc: {error}"))
}

fn convert(hwloc: &Hwloc) -> Result<Topology, String> {
    let cpus = indices(&hwloc.cpuset());
    if cpus.is_empty() {
        return Err("hwloc: found no CPU".into());
    }
    let mut packages: Vec<Package> = hwloc
        .objects_with_type(ObjectType::Package)
        .filter_map(|object| Some(Package { id: os_index(object)?, cpus: cpus_of(object) }))
        .collect();
    let mut nodes: Vec<NumaNode> = hwloc.objects_with_type(ObjectType::NUMANode).filter_map(node).collect();
    let mut cores: Vec<Core> = hwloc.objects_with_type(ObjectType::Core).map(core).collect();
    // Some machines tell of CPUs but not of cores: then each CPU is one.
    cores.extend(missing(&cpus, &cores).into_iter().map(|cpu| Core { package: None, cpus: vec![cpu] }));
    let mut caches: Vec<Cache> = hwloc.normal_objects().filter_map(cache).collect();
    packages.sort_by_key(|package| package.id);
    nodes.sort_by_key(|node| node.id);
    cores.sort_by(|a, b| a.cpus.cmp(&b.cpus));
    caches.sort();
    Ok(Topology {
        source: format!("hwloc {}", version(hwloc)),
        fallback_reason: None,
        this_system: hwloc.is_this_system(),
        packages,
        nodes,
        cores,
        caches,
        allowed: cpus.clone(),
        cpus,
    })
}

/// The library's version as the library itself tells it; failing that, the version of its interface.
fn version(hwloc: &Hwloc) -> String {
    let told = hwloc.root_object().info("hwlocVersion").map(CStr::to_string_lossy);
    told.map_or_else(
        || {
            let interface = hwlocality::hwloc_api_version();
            format!("{}.{}.{}", interface >> 16, (interface >> 8) & 0xff, interface & 0xff)
        },
        |version| version.into_owned(),
    )
}

fn node(object: &TopologyObject) -> Option<NumaNode> {
    let memory_bytes = match object.attributes() {
        Some(ObjectAttributes::NUMANode(attributes)) => attributes.local_memory().map(|bytes| bytes.get()),
        _ => None,
    };
    Some(NumaNode { id: os_index(object)?, cpus: cpus_of(object), memory_bytes })
}

fn core(object: &TopologyObject) -> Core {
    Core { package: object.first_ancestor_with_type(ObjectType::Package).and_then(os_index), cpus: cpus_of(object) }
}

fn cache(object: &TopologyObject) -> Option<Cache> {
    let Some(ObjectAttributes::Cache(attributes)) = object.attributes() else {
        return None;
    };
    let kind = match attributes.cache_type() {
        CacheType::Unified => CacheKind::Unified,
        CacheType::Data => CacheKind::Data,
        CacheType::Instruction => CacheKind::Instruction,
        CacheType::Unknown(_) => return None,
    };
    // Memory-side caches (level 0 here) belong to a node, not to CPUs.
    let level = u32::try_from(attributes.depth()).ok().filter(|&level| level > 0)?;
    Some(Cache { level, kind, bytes: attributes.size().map(|bytes| bytes.get()), cpus: cpus_of(object) })
}

fn os_index(object: &TopologyObject) -> Option<u32> {
    object.os_index().and_then(|index| u32::try_from(index).ok())
}

fn cpus_of(object: &TopologyObject) -> Vec<u32> {
    object.cpuset().map(|set| indices(&set)).unwrap_or_default()
}

fn indices(set: &CpuSet) -> Vec<u32> {
    let bits: &Bitmap = set.as_ref();
    // An infinite set would never end; it stands for "unknown" and means no CPU we could name.
    if bits.weight().is_none() {
        return Vec::new();
    }
    bits.iter_set().filter_map(|index| u32::try_from(usize::from(index)).ok()).collect()
}

fn missing(cpus: &[u32], cores: &[Core]) -> Vec<u32> {
    cpus.iter().copied().filter(|cpu| !cores.iter().any(|core| core.cpus.contains(cpu))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Proximity;
    use super::*;
    use std::path::Path;

    #[test]
    fn a_described_machine_has_what_was_described() {
        let topology = from_synthetic("Package:2 [NUMANode(memory=64GB)] L3Cache:2 L2Cache:4 Core:1 PU:2").unwrap();
        assert_eq!((topology.packages().len(), topology.nodes().len(), topology.cores().len(), topology.cpus().len()), (2, 2, 16, 32));
        assert!(topology.nodes().iter().all(|node| node.memory_bytes == Some(64_000_000_000)), "{:?}", topology.nodes());
        assert_eq!(topology.caches().iter().filter(|cache| cache.level == 3).count(), 4);
        assert!(topology.has_smt());
        assert_eq!(topology.cache_groups().len(), 4);
        assert_eq!(topology.cores()[9].package, Some(1));
        assert_eq!(topology.proximity(0, 1), Proximity::Core);
        assert_eq!(topology.proximity(0, 2), Proximity::Cache(3));
        assert_eq!(topology.proximity(0, 8), Proximity::Node);
        assert_eq!(topology.proximity(0, 16), Proximity::Far);
        assert_eq!(topology.node_of(16).map(|node| node.id), Some(1));
        assert_eq!(topology.allowed(), topology.cpus());
    }

    #[test]
    fn a_description_is_never_this_system() {
        assert!(!from_synthetic("Core:4 PU:1").unwrap().is_this_system());
    }

    #[test]
    fn a_bad_description_is_refused_with_a_reason() {
        let error = from_synthetic("Parcel:2").unwrap_err();
        assert!(error.starts_with("hwloc: "), "{error}");
    }

    #[test]
    fn both_readers_agree_on_this_machine() {
        let by_hwloc = read().unwrap();
        let mut by_sysfs = Topology::from_sysfs(Path::new("/sys")).unwrap();
        assert!(by_hwloc.source().starts_with("hwloc 2."), "{}", by_hwloc.source());
        assert_eq!(by_hwloc.cpus(), by_sysfs.cpus());
        assert_eq!(by_hwloc.packages(), by_sysfs.packages());
        assert_eq!(by_hwloc.cores(), by_sysfs.cores());
        assert_eq!(by_hwloc.caches(), by_sysfs.caches());
        // A node's memory may grow while a virtual machine hands it out, so only its presence is compared.
        for (node, other) in by_sysfs.nodes.iter_mut().zip(by_hwloc.nodes()) {
            assert_eq!(node.memory_bytes.is_some(), other.memory_bytes.is_some());
            node.memory_bytes = other.memory_bytes;
        }
        assert_eq!(by_hwloc.nodes(), by_sysfs.nodes());
    }
}
