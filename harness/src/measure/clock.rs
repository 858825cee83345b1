//! The one clock of the harness: monotonic nanoseconds, cheap enough for a stamp per operation.
//!
//! ```text
//! processor's counter (TSC, CNTVCT), when it is invariant and the kernel trusts it  ──▶ about 10 ns a reading
//! otherwise the system's monotonic clock                                            ──▶ about 20 ns, or a system call
//! ```
//!
//! The counter is scaled to nanoseconds by a calibration of under a millisecond (on a busy host longer, at most 200 ms), which is good to
//! a few parts in 100,000: right for the time of an operation, whatever its length. [`Clock::start`] does it ahead of time.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A reading of the [`Clock`]: nanoseconds since the process first asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Nanoseconds since `earlier`; 0 when it is later (readings on two processors may disagree by some nanoseconds).
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The reading `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// The process's clock.
#[derive(Debug)]
pub struct Clock {
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Counter { clock: quanta::Clock, origin: u64 },
    System { origin: Instant },
}

impl Clock {
    /// Now.
    #[inline]
    pub fn now() -> Nanos {
        match &Self::global().reader {
            Reader::Counter { clock, origin } => Nanos(clock.delta_as_nanos(*origin, clock.raw())),
            Reader::System { origin } => Nanos(origin.elapsed().as_nanos() as u64),
        }
    }

    /// Calibrates now, so that the first reading of a measurement does not pay for it.
    pub fn start() {
        Self::global();
    }

    /// What is read: `counter` or `system`.
    pub fn kind() -> &'static str {
        match Self::global().reader {
            Reader::Counter { .. } => "counter",
            Reader::System { .. } => "system",
        }
    }

    /// Cost of one reading in nanoseconds: the least mean of several runs, the loop included. `None` when the clock stands still.
    ///
    /// Takes under a millisecond.
    pub fn cost_ns() -> Option<f64> {
        const RUNS: usize = 32;
        const READINGS: u32 = 256;
        let runs = (0..RUNS).map(|_| {
            let start = Instant::now();
            for _ in 0..READINGS {
                black_box(Self::now());
            }
            start.elapsed()
        });
        let best = runs.min().filter(|best| !best.is_zero())?;
        Some(best.as_nanos() as f64 / f64::from(READINGS))
    }

    /// The smallest step seen between two readings that differ, in nanoseconds. `None` when the clock stands still.
    ///
    /// Takes some microseconds, and at most `limit`, or a million readings of a clock that stands still.
    pub fn resolution_ns(limit: Duration) -> Option<f64> {
        const STEPS: usize = 1_000;
        const READINGS_MAX: usize = 1_000_000;
        let end = Self::now().after(limit);
        let mut least: Option<u64> = None;
        let mut steps = 0;
        let mut last = Self::now();
        for _ in 0..READINGS_MAX {
            let now = Self::now();
            if now > last {
                let step = now.since(last);
                least = Some(least.map_or(step, |least| least.min(step)));
                steps += 1;
                if steps == STEPS || now > end {
                    break;
                }
            }
            last = now;
        }
        least.map(|step| step as f64)
    }

    #[inline]
    fn global() -> &'static Self {
        static CLOCK: OnceLock<Clock> = OnceLock::new();
        CLOCK.get_or_init(Self::new)
    }

    fn new() -> Self {
        let reader = if counter_is_invariant() && kernel_trusts_counter(kernel_clock_source().as_deref()) {
            let clock = quanta::Clock::new();
            let origin = clock.raw();
            Reader::Counter { clock, origin }
        } else {
            Reader::System { origin: Instant::now() }
        };
        Self { reader }
    }
}

/// Whether the processor's counter ticks at one rate whatever the core does.
#[cfg(target_arch = "x86_64")]
fn counter_is_invariant() -> bool {
    use std::arch::x86_64::__cpuid;
    // AMD APM and Intel SDM: leaf 0x8000_0007, EDX bit 8 is the invariant TSC.
    __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
}

/// Whether the processor's counter ticks at one rate whatever the core does: by the architecture on AArch64, unknown elsewhere.
#[cfg(not(target_arch = "x86_64"))]
fn counter_is_invariant() -> bool {
    cfg!(target_arch = "aarch64")
}

fn kernel_clock_source() -> Option<String> {
    let text = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource").ok()?;
    Some(text.trim().to_owned())
}

/// The kernel watches the counter and leaves it for a slow timer when the processors disagree; then we do so too.
fn kernel_trusts_counter(clock_source: Option<&str>) -> bool {
    !matches!(clock_source, Some("hpet" | "acpi_pm" | "pit" | "jiffies" | "refined-jiffies"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back_on_one_thread() {
        let mut last = Clock::now();
        for _ in 0..100_000 {
            let now = Clock::now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn it_agrees_with_the_system_clock() {
        Clock::start();
        let (system, ours) = (Instant::now(), Clock::now());
        std::thread::sleep(Duration::from_millis(50));
        // Ours is read inside the system's interval, so it can only be shorter, but for the calibration's error.
        let ours = Clock::now().since(ours) as f64;
        let system = system.elapsed().as_nanos() as f64;
        assert!(ours >= 50e6 * 0.999, "{ours} ns");
        assert!(ours <= system * 1.001, "{ours} ns against {system} ns");
    }

    #[test]
    fn cost_and_resolution_are_those_of_a_clock() {
        let (cost, resolution) = (Clock::cost_ns().unwrap(), Clock::resolution_ns(Duration::from_secs(1)).unwrap());
        assert!(cost > 0.5 && cost < 1e5, "{cost} ns");
        assert!((1.0..1e7).contains(&resolution), "{resolution} ns");
    }

    #[test]
    fn a_clock_source_the_kernel_fell_back_to_is_not_second_guessed() {
        for (source, trusted) in
            [(Some("tsc"), true), (Some("kvm-clock"), true), (None, true), (Some("hpet"), false), (Some("acpi_pm"), false)]
        {
            assert_eq!(kernel_trusts_counter(source), trusted, "{source:?}");
        }
    }

    #[test]
    fn readings_subtract_without_wrapping() {
        assert_eq!(Nanos(7).since(Nanos(5)), 2);
        assert_eq!(Nanos(5).since(Nanos(7)), 0);
        assert_eq!(Nanos(5).after(Duration::from_micros(1)), Nanos(1_005));
        assert_eq!(Nanos(5).after(Duration::MAX), Nanos(u64::MAX));
    }
}
