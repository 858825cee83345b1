//! What a heap says of itself.

use std::fmt;

use crate::config::MemoryStrategy;

/// Counts of one [`Heap`](super::Heap) since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeapReport {
    /// How it was made.
    pub strategy: MemoryStrategy,
    /// Blocks that the global allocator gave, the large ones included.
    pub blocks_from_system: u64,
    /// Bytes of the chunks that were mapped; what of them was touched takes up memory.
    pub bytes_mapped: u64,
    /// Bytes of them that were unmapped again while the heap lived.
    pub bytes_returned: u64,
    /// NUMA nodes of this machine; `None` where it does not tell, and with another strategy than `numa_aware`, which alone asks.
    pub numa_nodes: Option<usize>,
    /// Where the chunks lie.
    pub placement: Placement,
}

/// Where the chunks of a heap lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each page on the node of the thread that touched it first, for this reason.
    FirstTouch(String),
    /// Bound to these NUMA nodes, ascending: one, unless the heap's thread moved.
    Nodes(Vec<u32>),
}

impl fmt::Display for Placement {
    /// `first touch: one NUMA node`, or `nodes 0-1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstTouch(reason) => write!(formatter, "first touch: {reason}"),
            Self::Nodes(nodes) => write!(formatter, "nodes {}", crate::topology::format_cpu_list(nodes)),
        }
    }
}
