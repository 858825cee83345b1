//! The one clock reading an operation costs.
//!
//! The end of one operation is the start of the next, so a closed loop reads the clock once per operation.

use std::sync::OnceLock;
use std::time::Instant;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// Nanoseconds of a monotonic clock since the first reading of this process.
#[inline]
pub fn now_ns() -> u64 {
    let nanoseconds = ORIGIN.get_or_init(Instant::now).elapsed().as_nanos();
    u64::try_from(nanoseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::now_ns;

    #[test]
    fn readings_never_go_back() {
        let mut last = now_ns();
        for _ in 0..10_000 {
            let next = now_ns();
            assert!(next >= last);
            last = next;
        }
    }
}
