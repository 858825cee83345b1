//! The bounds measured on this host at start that judgement relies on: the keys of `RunHeader::calibration`, all in nanoseconds.
//!
//! Whoever measures writes exactly these keys; an absent or `null` one makes the guards that need it `skipped`, never passed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::schema::journal::RunHeader;

/// The smallest step the monotonic clock shows between two readings.
pub const TIMER_RESOLUTION_NS: &str = "timer_resolution_ns";
/// The cost of one reading of the monotonic clock.
pub const TIMER_COST_NS: &str = "timer_cost_ns";
/// The cheapest system call there is (`getppid`).
pub const SYSCALL_NS: &str = "syscall_ns";
/// One 64-byte write and the read of it on a loopback TCP connection, both ends in one thread: half of a round trip, and no wake-up.
pub const LOOPBACK_WRITE_READ_NS: &str = "loopback_write_read_ns";
/// Copying 1 KiB that lies in the nearest cache.
pub const MEMCPY_NS_PER_KIB: &str = "memcpy_ns_per_kib";
/// One turn of an empty loop that the compiler could not remove.
pub const EMPTY_LOOP_NS: &str = "empty_loop_ns";
/// One relaxed load of a word in the nearest cache, of several that do not wait for each other.
pub const RELAXED_LOAD_NS: &str = "relaxed_load_ns";
/// One uncontended atomic addition.
pub const FETCH_ADD_NS: &str = "fetch_add_ns";
/// A word to a thread on another CPU and back, both spinning: what work that changes its thread and is answered costs at least.
pub const HAND_OVER_NS: &str = "hand_over_ns";
/// One io_uring NOP of a batch of 32, submitted and reaped.
pub const RING_NOP_NS: &str = "ring_nop_ns";

/// Speed probe: one step of a chain of dependent integer operations. The four anchors say how fast the host is, for the comparison with
/// results of other times; no guard uses them.
pub const PROBE_CPU_NS: &str = "probe_cpu_ns";
/// Speed probe: copying a kibibyte between buffers that no second-level cache holds.
pub const PROBE_MEMORY_NS: &str = "probe_memory_ns";
/// Speed probe: one `getppid`.
pub const PROBE_SYSCALL_NS: &str = "probe_syscall_ns";
/// Speed probe: 64 B there and back on a loopback TCP connection, both ends in one thread.
pub const PROBE_LOOPBACK_NS: &str = "probe_loopback_ns";

/// The value of a key, when it was measured and makes sense.
pub(super) fn value(header: &RunHeader, key: &str) -> Option<f64> {
    value_of(&header.calibration, key)
}

fn value_of(calibration: &BTreeMap<String, Option<f64>>, key: &str) -> Option<f64> {
    calibration.get(key).copied().flatten().filter(|value| value.is_finite() && *value > 0.0)
}

/// The tick of the clock; where it was not measured, one nanosecond, the unit of every record.
pub fn clock_tick_of(calibration: &BTreeMap<String, Option<f64>>) -> Duration {
    Duration::from_nanos(value_of(calibration, TIMER_RESOLUTION_NS).map_or(1, |ns| ns.ceil() as u64))
}

/// [`clock_tick_of`] a run.
pub(super) fn clock_tick(header: &RunHeader) -> Duration {
    clock_tick_of(&header.calibration)
}
