//! Whether twice the work takes twice as long: a loop that the compiler removed, or worked out beforehand, does not.
//!
//! The times are CPU time of the process, where the system tells it: others on the CPU would double the time of any work.
//!
//! A subject of a compute workload does it before its trial begins, and the guard `doubling` judges the two times:
//!
//! ```
//! # use std::collections::BTreeMap;
//! # let mut counters = BTreeMap::new();
//! # let round = || { std::hint::black_box((0..1_000_u64).map(std::hint::black_box).sum::<u64>()); };
//! let doubling = zokio_bench::measure::doubling::measure(|rounds| for _ in 0..rounds { round() });
//! doubling.write(&mut counters); // later, into `TrialRecord::counters`
//! # assert!(counters["doubling_twice_ns"] > counters["doubling_once_ns"]);
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::cpu;

/// The work once takes at least so long: far above the clock's step, and short enough to fall between two interruptions.
const ONCE_AT_LEAST: Duration = Duration::from_millis(2);
/// Rounds are not doubled past this: a loop that still takes no time is none.
const ROUNDS_MAX: u64 = 1 << 32;
/// Pairs of once and twice; the least of each is taken, since noise only adds.
const PAIRS: u32 = 5;
/// No further pair begins after this.
const LIMIT: Duration = Duration::from_millis(100);

/// How long a fixed count of rounds took, and twice as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubling {
    /// Nanoseconds of the rounds.
    pub once_ns: u64,
    /// Nanoseconds of twice as many.
    pub twice_ns: u64,
}

impl Doubling {
    /// Adds `doubling_once_ns` and `doubling_twice_ns` to the counters of a record.
    pub fn write(self, counters: &mut BTreeMap<String, u64>) {
        counters.insert("doubling_once_ns".into(), self.once_ns);
        counters.insert("doubling_twice_ns".into(), self.twice_ns);
    }
}

/// Finds a count of rounds that takes 2 ms or more, and times it and twice as many, in turn. Takes some 40 ms.
///
/// # Shape
/// `run(n)` does the work of `n` rounds; what is set up once must not be in it.
pub fn measure(mut run: impl FnMut(u64)) -> Doubling {
    let mut time = |rounds: u64| {
        let (start, cpu_start) = (Instant::now(), cpu::process_cpu_ns());
        run(std::hint::black_box(rounds));
        let used = cpu::process_cpu_ns().zip(cpu_start).map(|(end, start)| Duration::from_nanos(end.saturating_sub(start)));
        used.unwrap_or_else(|| start.elapsed())
    };
    let start = Instant::now();
    let mut rounds = 1;
    while time(rounds) < ONCE_AT_LEAST && rounds < ROUNDS_MAX && start.elapsed() < LIMIT {
        rounds *= 2;
    }
    let (mut once, mut twice) = (time(rounds), time(rounds * 2));
    for _ in 1..PAIRS {
        if start.elapsed() > LIMIT {
            break;
        }
        (once, twice) = (once.min(time(rounds)), twice.min(time(rounds * 2)));
    }
    Doubling { once_ns: once.as_nanos() as u64, twice_ns: twice.as_nanos() as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn ratio(doubling: Doubling) -> f64 {
        doubling.twice_ns as f64 / doubling.once_ns as f64
    }

    #[test]
    fn work_doubles_and_a_dead_loop_does_not() {
        let work = |rounds: u64| {
            for turn in 0..rounds * 100 {
                black_box(turn);
            }
        };
        // On a busy host a spell of noise may cover all pairs of an attempt.
        let honest = (0..5).map(|_| ratio(measure(work)));
        assert!(honest.into_iter().any(|ratio| (1.6..=2.4).contains(&ratio)), "honest work did not double");
        let dead = measure(|rounds| {
            black_box(rounds);
        });
        assert!(dead.once_ns < 1_000_000 && dead.twice_ns < 1_000_000, "nothing was done: {dead:?}");
        let constant = ratio(measure(|_| work(1 << 14)));
        assert!(constant < 1.6, "a constant time is no work: {constant}");
    }
}
