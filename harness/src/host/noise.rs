//! How quiet the host is: the core state, and who used the CPUs.
//!
//! Hosts move virtual CPUs, so that a cache line takes 50 ns between two of them now and 400 ns a minute later. It changes the CPU
//! time per operation by a quarter and more, and no other probe shows it: [`core_state`] measures the line itself.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use zokio::topology::pin_current_thread;

pub use super::cpu_shares::{CpuSample, CpuShares, process_cpu_ns};

/// Medians taken; the least of them is the state.
const MEDIANS: usize = 8;
/// Batches behind a median.
const BATCHES: usize = 9;
/// Round trips in a batch: enough that the clock's cost does not show.
const TRIPS: u32 = 16;
/// The whole measurement takes 1 to 2 ms; on a busy CPU it is given up after this long.
pub(crate) const CORE_STATE_LIMIT: Duration = Duration::from_millis(50);

/// Two words on lines of their own (128 bytes: processors fetch lines in pairs).
#[derive(Default)]
struct Table {
    ball: Ball,
    ended: Ended,
}

#[repr(align(128))]
#[derive(Default)]
struct Ball(AtomicU32);

#[repr(align(128))]
#[derive(Default)]
struct Ended(AtomicBool);

impl Table {
    fn end(&self) {
        // Relaxed: a flag that carries no data; it is seen soon enough.
        self.ended.0.store(true, Ordering::Relaxed);
    }

    fn has_ended(&self) -> bool {
        self.ended.0.load(Ordering::Relaxed)
    }

    /// Waits for the ball to become `wanted`; false when the game is over.
    ///
    /// It spins without a pause instruction: that would add its own length to each trip, and hypervisors trap it.
    fn wait_for(&self, wanted: u32, deadline: Instant) -> bool {
        const SPINS_PER_LOOK: u32 = 4_096;
        loop {
            for _ in 0..SPINS_PER_LOOK {
                // Relaxed: the ball is all there is to see, nothing else is published by it.
                if self.ball.0.load(Ordering::Relaxed) == wanted {
                    return true;
                }
            }
            if self.has_ended() || Instant::now() >= deadline {
                return false;
            }
        }
    }

    fn play(&self, ball: u32) {
        self.ball.0.store(ball, Ordering::Relaxed);
    }
}

/// Round trip of a cache line between two CPUs, in nanoseconds: the least of several medians. Takes 1 to 2 ms.
///
/// `None` for one and the same CPU, where a thread cannot be pinned to them, or when a CPU is too busy to answer in time. The calling
/// thread's affinity is untouched: two threads of its own play, and both have ended when it returns.
pub fn core_state(cpu_a: u32, cpu_b: u32) -> Option<f64> {
    if cpu_a == cpu_b {
        return None;
    }
    let table = Table::default();
    let deadline = Instant::now() + CORE_STATE_LIMIT;
    std::thread::scope(|scope| {
        let spawn = |name: &str| std::thread::Builder::new().name(name.into());
        spawn("core-state-b").spawn_scoped(scope, || answer(&table, cpu_b, deadline)).ok()?;
        let asker = spawn("core-state-a").spawn_scoped(scope, || ask(&table, cpu_a, deadline));
        let state = asker.ok().and_then(|asker| asker.join().ok().flatten());
        table.end();
        state
    })
}

/// Returns each odd ball as the next even one.
fn answer(table: &Table, cpu: u32, deadline: Instant) {
    if pin_current_thread(&[cpu]).is_err() {
        return table.end();
    }
    let mut ball = 1;
    while table.wait_for(ball, deadline) {
        table.play(ball + 1);
        ball += 2;
    }
}

/// Plays odd balls and times their return.
fn ask(table: &Table, cpu: u32, deadline: Instant) -> Option<f64> {
    if pin_current_thread(&[cpu]).is_err() {
        table.end();
        return None;
    }
    let mut ball = 1;
    let mut trip = || {
        table.play(ball);
        ball += 2;
        table.wait_for(ball - 1, deadline)
    };
    // The first return says that the other thread has started.
    if !trip() {
        return None;
    }
    let mut least: Option<Duration> = None;
    for _ in 0..MEDIANS {
        let mut batches = [Duration::ZERO; BATCHES];
        for batch in &mut batches {
            let start = Instant::now();
            for _ in 0..TRIPS {
                if !trip() {
                    return least.map(per_trip);
                }
            }
            *batch = start.elapsed();
        }
        batches.sort_unstable();
        let median = batches[BATCHES / 2];
        least = Some(least.map_or(median, |least| least.min(median)));
    }
    least.map(per_trip)
}

fn per_trip(batch: Duration) -> f64 {
    batch.as_nanos() as f64 / f64::from(TRIPS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use zokio::topology::current_affinity;

    #[test]
    fn a_line_between_two_cpus_takes_a_plausible_time_and_leaves_the_affinity() {
        let cpus = current_affinity().unwrap();
        let [first, second, ..] = cpus[..] else {
            return assert_eq!(core_state(cpus[0], cpus[0]), None);
        };
        let states: Vec<f64> = (0..20).filter_map(|_| core_state(first, second)).collect();
        assert!(!states.is_empty(), "a CPU was busy twenty times");
        // A line cannot cross between cores in less than some cycles, and 100 µs is a busy CPU, not a line.
        assert!(states.iter().all(|&state| state > 5.0 && state < 100_000.0), "{states:?}");
        assert_eq!(current_affinity().unwrap(), cpus);
    }

    #[test]
    fn one_cpu_or_a_missing_one_has_no_state() {
        let cpu = current_affinity().unwrap()[0];
        assert_eq!(core_state(cpu, cpu), None);
        assert_eq!(core_state(cpu, 60_000), None);
        assert_eq!(core_state(60_000, cpu), None);
    }

    #[test]
    fn it_is_bounded_however_busy_the_cpus_are() {
        let cpus = current_affinity().unwrap();
        let [first, second, ..] = cpus[..] else { return };
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for cpu in [first, first, second, second] {
                let stop = &stop;
                scope.spawn(move || {
                    pin_current_thread(&[cpu]).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let start = Instant::now();
            let _ = core_state(first, second);
            let elapsed = start.elapsed();
            stop.store(true, Ordering::Relaxed);
            assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
        });
    }
}
