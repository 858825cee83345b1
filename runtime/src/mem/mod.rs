//! Memory of the runtime: cells for tasks from slabs that their workers own, and buffers for I/O from one region.

#[expect(unsafe_code, reason = "buffers are parts of one region; invariants B1 to B3")]
mod buffer_pool;
#[expect(unsafe_code, reason = "maps and unmaps memory")]
mod region;
pub(crate) mod slab;

pub use buffer_pool::{BufferPool, PooledBuf};
