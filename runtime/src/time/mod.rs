//! Time: sleeping, and giving up on something that takes too long.
//!
//! Each worker has a timing wheel behind a lock of its own; the deadline that comes next is passed to the worker's wait in its driver, so no
//! timer thread exists. A deadline is never early, and late by one wheel tick (66 µs) plus the wake at most on an idle worker.

mod shard;
mod sleep;
#[cfg(not(feature = "internals"))]
mod wheel;
#[cfg(feature = "internals")]
pub(crate) mod wheel;

pub(crate) use shard::TimerShard;
pub use sleep::{Elapsed, Sleep, sleep, sleep_until, timeout};
