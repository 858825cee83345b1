//! Memory of the runtime: cells for tasks from slabs that their workers own.

pub(crate) mod slab;
