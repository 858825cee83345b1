//! What one operation of an io_uring costs at least: a NOP, in batches, so that the call into the kernel is shared.
//!
//! Invariants
//!  I1. A NOP refers to no memory, so the kernel borrows nothing of ours, however long it takes.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the queue of a ring is filled by an unsafe call"))]

use std::time::Duration;

/// NOPs in a batch: one call submits them and waits for all.
#[cfg(target_os = "linux")]
const BATCH: u32 = 32;
/// Batches at most; the least of them is the bound.
#[cfg(target_os = "linux")]
const BATCHES: u32 = 512;

/// Nanoseconds per NOP in the cheapest batch, within `limit`; `None` where no ring is to be had.
#[cfg(target_os = "linux")]
pub(super) fn ring_nop_ns(limit: Duration) -> Option<f64> {
    use std::time::Instant;

    let mut ring = io_uring::IoUring::new(BATCH).ok()?;
    let deadline = Instant::now() + limit;
    let mut least: Option<Duration> = None;
    for _ in 0..BATCHES {
        let start = Instant::now();
        for number in 0..BATCH {
            let nop = io_uring::opcode::Nop::new().build().user_data(number.into());
            // SAFETY: by I1 the entry needs nothing that could be gone before it is done.
            unsafe { ring.submission().push(&nop) }.ok()?;
        }
        ring.submit_and_wait(BATCH as usize).ok()?;
        let (reaped, failed) = ring.completion().fold((0, false), |(count, failed), done| (count + 1, failed || done.result() < 0));
        let end = Instant::now();
        if reaped != BATCH || failed {
            return None;
        }
        least = Some(least.map_or(end - start, |least| least.min(end - start)));
        if end > deadline {
            break;
        }
    }
    least.map(|least| least.as_nanos() as f64 / f64::from(BATCH))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ring_nop_ns(_limit: Duration) -> Option<f64> {
    None
}
