//! Objects that are used again instead of made anew.
//!
//! ```text
//!  thread 0: magazine ─┐                      ┌ free objects
//!  thread 1: magazine ─┼── gate ── depot (lock)┤ who waits, first come first served
//!  thread 2: magazine ─┘                      └ how many were made
//! ```
//!
//! Taking and returning is a push or pop on the thread's own magazine, without a read-modify-write: plain stores and one look at the gate.
//! When a thread finds nothing anywhere, it shuts the gate: all magazines are emptied into the depot, and everybody works there, under its
//! lock, while somebody waits and for some operations more. Nobody who waits can starve beside a full magazine.
//!
//! The gate is a lock that is cheap for one side: a thread announces itself with a store, and whoever shuts the gate makes all threads
//! pass a barrier ([`membarrier(2)`](https://man7.org/linux/man-pages/man2/membarrier.2.html); elsewhere both sides fence) before it looks
//! whether somebody is inside.

mod core;
mod fence;
mod object;
mod slots;

#[cfg(all(test, zokio_loom))]
mod models;

pub use object::{Acquire, ObjectPool, ObjectPoolBuilder, Pooled};
