//! Memory of the runtime: cells for tasks from slabs that their workers own, buffers for I/O from one region, and heaps for what a thread
//! allocates and others may free.

#[expect(unsafe_code, reason = "buffers are parts of one region; invariants B1 to B3")]
mod buffer_pool;
mod class;
mod heap;
mod home;
#[expect(unsafe_code, reason = "maps and unmaps memory")]
mod region;
pub(crate) mod slab;

pub use buffer_pool::{BufferPool, PooledBuf};
pub use heap::{BLOCK_ALIGN, Heap, HeapBlock};
