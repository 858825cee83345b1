//! The NUMA node of a chunk: that of the CPU its heap is used on when it is mapped.
//!
//! ```text
//!  grow ─▶ CPU of this thread ─▶ its node ─▶ mbind(chunk, preferred, {node}) ─▶ first touch, by whichever thread
//! ```
//! The policy is `MPOL_PREFERRED`: where the node is full the kernel takes another one, while `MPOL_BIND` would end the process for want of
//! memory. Without `MPOL_F_STATIC_NODES`, so that memory moves along when the process is given other nodes. Nothing is bound on a
//! machine with one node, and after a refusal: then pages lie where they are first touched, and the report tells the reason.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::region::Region;
use super::report::Placement;
use crate::topology::Topology;

/// A word of the kernel's sets.
type Word = std::ffi::c_ulong;

/// The two things asked of the system.
pub(super) trait Binder: Send {
    /// The CPU of this thread.
    fn cpu(&mut self) -> io::Result<u32>;

    /// Lets the pages of `region` come from the nodes of `mask` (node n is bit n), of which the kernel is to read `bits - 1`.
    fn bind(&mut self, region: &Region, mask: &[Word], bits: Word) -> io::Result<()>;
}

/// Binds chunks to nodes.
pub(super) struct Numa {
    topology: Option<Arc<Topology>>,
    binder: Box<dyn Binder>,
    bound: BTreeSet<u32>,
    /// Why nothing is bound (any more).
    refused: Option<String>,
}

impl Numa {
    /// On this machine.
    pub(super) fn here() -> Self {
        // Read once: nodes do not come and go, and a reading takes milliseconds.
        static TOPOLOGY: OnceLock<Result<Arc<Topology>, String>> = OnceLock::new();
        let read = || Topology::from_sysfs(Path::new("/sys")).map(Arc::new).map_err(|error| format!("/sys: {error}"));
        match TOPOLOGY.get_or_init(read) {
            Ok(topology) => Self::new(Arc::clone(topology), Box::new(Kernel)),
            Err(reason) => Self { topology: None, binder: Box::new(Kernel), bound: BTreeSet::new(), refused: Some(reason.clone()) },
        }
    }

    pub(super) fn new(topology: Arc<Topology>, binder: Box<dyn Binder>) -> Self {
        let refused = (topology.nodes().len() < 2).then(|| "one NUMA node".to_owned());
        Self { topology: Some(topology), binder, bound: BTreeSet::new(), refused }
    }

    /// Binds fresh memory to the node of this thread's CPU, unless there is a reason not to.
    pub(super) fn place(&mut self, region: &Region) {
        if self.refused.is_some() {
            return;
        }
        match self.bind(region) {
            Ok(node) => drop(self.bound.insert(node)),
            Err(reason) => self.refused = Some(reason),
        }
    }

    fn bind(&mut self, region: &Region) -> Result<u32, String> {
        let cpu = self.binder.cpu().map_err(|error| format!("getcpu: {error}"))?;
        let node = self.topology.as_ref().and_then(|topology| topology.node_of(cpu));
        let node = node.ok_or_else(|| format!("CPU {cpu} belongs to no NUMA node"))?.id;
        let (mask, bits) = mask_of(node);
        self.binder.bind(region, &mask, bits).map_err(|error| format!("mbind to node {node}: {error}"))?;
        Ok(node)
    }

    /// NUMA nodes of the machine, where it tells.
    pub(super) fn nodes(&self) -> Option<usize> {
        self.topology.as_ref().map(|topology| topology.nodes().len())
    }

    /// Where the chunks lie.
    pub(super) fn placement(&self) -> Placement {
        match &self.refused {
            Some(reason) => Placement::FirstTouch(reason.clone()),
            None if self.bound.is_empty() => Placement::FirstTouch("nothing was mapped yet".into()),
            None => Placement::Nodes(self.bound.iter().copied().collect()),
        }
    }
}

impl fmt::Debug for Numa {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Numa").field("placement", &self.placement()).finish_non_exhaustive()
    }
}

/// The set that holds `node` alone, and the `maxnode` that lets the kernel read all of it: it takes one bit less than it is told.
fn mask_of(node: u32) -> (Vec<Word>, Word) {
    let (word, bit) = (node / Word::BITS, node % Word::BITS);
    let mut mask = vec![0; word as usize + 1];
    mask[word as usize] = 1 << bit;
    (mask, Word::from(word + 1) * Word::from(Word::BITS) + 1)
}

/// The system calls.
struct Kernel;

#[cfg(target_os = "linux")]
impl Binder for Kernel {
    fn cpu(&mut self) -> io::Result<u32> {
        // SAFETY: takes nothing.
        u32::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())
    }

    fn bind(&mut self, region: &Region, mask: &[Word], bits: Word) -> io::Result<()> {
        let (address, bytes) = (region.at(0).as_ptr(), region.bytes());
        // SAFETY: sets a policy of pages that are this process's own; the set is as long as `bits` says.
        let result = unsafe { libc::syscall(libc::SYS_mbind, address, bytes, libc::MPOL_PREFERRED, mask.as_ptr(), bits, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(not(target_os = "linux"))]
impl Binder for Kernel {
    fn cpu(&mut self) -> io::Result<u32> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn bind(&mut self, _region: &Region, _mask: &[Word], _bits: Word) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux", not(zokio_loom)))]
#[path = "numa_tests.rs"]
mod tests;
