//! The io_uring driver: one ring a worker, made and used by that worker alone (I7).
//!
//! A turn is one `io_uring_enter`: it submits what was queued, runs what the kernel deferred, waits if wanted, and leaves the
//! completions in shared memory. `ladder` chooses the flags, `ring` holds the queues, `driver` maps cells to entries.

mod driver;
mod ladder;
mod ring;

pub(super) use driver::UringCore;

use super::DriverConfig;
use super::supported::Supported;
use ladder::SetupError;

/// A ring for the calling thread, the flags that the kernel accepted, and the operations that it knows.
pub(super) fn open(config: &DriverConfig) -> Result<(UringCore, String, Supported), SetupError> {
    let (ring, flags, supported) = ladder::climb(config.first_rung, config.queue_depth)?;
    Ok((UringCore::new(ring), flags, supported.without(config.hidden)))
}
