//! Memory of the runtime: cells for tasks from slabs that their workers own, buffers for I/O from one region, and heaps for what a thread
//! allocates and others may free.
//!
//! ```text
//!  Heap ─▶ class ─▶ block                heap.rs      allocate and free; what a strategy changes is behind its cold path
//!   ├─ adaptive.rs   which chunks stand empty, and when they go
//!   ├─ numa.rs       which node a chunk is bound to
//!   ├─ home.rs       how blocks come back that others freed
//!   └─ chunk.rs      a MiB of blocks of one class, from region.rs
//! ```

#[expect(unsafe_code, reason = "chunks are cut into raw blocks; invariants H1 to H5")]
mod adaptive;
#[expect(unsafe_code, reason = "blocks are memory by address; invariant H1")]
mod block;
#[expect(unsafe_code, reason = "buffers are parts of one region; invariants B1 to B3")]
mod buffer_pool;
#[expect(unsafe_code, reason = "headers are found by address; invariants H1 to H5")]
mod chunk;
mod class;
mod heap;
mod home;
#[cfg_attr(target_os = "linux", expect(unsafe_code, reason = "mbind takes an address"))]
mod numa;
#[expect(unsafe_code, reason = "maps and unmaps memory")]
mod region;
mod report;
pub(crate) mod slab;

pub use block::{BLOCK_ALIGN, HeapBlock, Origin};
pub use buffer_pool::{BufferPool, PooledBuf};
pub use heap::Heap;
pub use report::{HeapReport, Placement};
