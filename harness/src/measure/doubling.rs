//! Whether twice the work takes twice as long: a loop that the compiler removed, or worked out beforehand, does not.
//!
//! ```text
//!  1, 2, 4 … rounds ──0.5 ms reached──▶ n, 2 n, n, 2 n, … rounds ──least of each──▶ Doubling ──▶ counters of the record ──▶ guard `doubling`
//! ```
//! A user of a compute workload does it alone before the trial begins. A body whose operation is a turn of a loop does one round of n times the
//! operations, since n rounds of a removed loop would double too; a body whose operation is a call that cannot be removed does n rounds.
//!
//! The times are CPU time of the process, where the system tells it: others on the CPU would double the time of any work. Before a
//! reading the user sleeps for a moment: the other workers run out of work and stop, and the kernel brings their account up to date.
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use zokio_report::judge::doubles;

use super::cpu;

/// The work once takes at least so long: far above the clock's step and the cost of the sleep, and so short that twice the work too falls between two
/// spells of noise.
const ONCE_AT_LEAST: Duration = Duration::from_micros(500);
/// Rounds are not doubled past this: a loop that still takes no time is none.
const ROUNDS_MAX: u64 = 1 << 32;
/// Pairs of once and twice; the least of each is taken, since noise only adds.
const PAIRS: u32 = 4;
/// So many where the least of each do not yet double: on a busy host it takes longer until both met a quiet moment.
const PAIRS_MAX: u32 = 64;
/// No further pair begins so long after the first.
const LIMIT: Duration = Duration::from_millis(120);
/// After this the count of rounds is taken as it is, however short.
const GROWTH_LIMIT: Duration = Duration::from_millis(400);
/// The counters of a record.
const ONCE_KEY: &str = "doubling_once_ns";
const TWICE_KEY: &str = "doubling_twice_ns";
/// Idle workers spin for some microseconds before they sleep.
const SETTLE: Duration = Duration::from_micros(150);
/// The other users are on their way to the gate when the first one begins.
const HEAD_START: Duration = Duration::from_millis(1);

static IS_LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// No user of this process does it: other trials of the same build have.
pub(crate) fn leave_out() {
    // Relaxed: set before the threads that ask are started.
    IS_LEFT_OUT.store(true, Ordering::Relaxed);
}

/// How long a fixed count of rounds took, and twice as many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doubling {
    /// Nanoseconds of the rounds.
    pub once_ns: u64,
    /// Nanoseconds of twice as many.
    pub twice_ns: u64,
}

impl Doubling {
    /// Whether that is work, as the guard of a row judges it.
    pub fn is_work(self) -> bool {
        doubles(self.once_ns, self.twice_ns)
    }

    /// The times in the counters of a record, if it has them.
    pub fn read(counters: &BTreeMap<String, u64>) -> Option<Self> {
        let [once_ns, twice_ns] = [ONCE_KEY, TWICE_KEY].map(|key| counters.get(key).copied());
        Some(Self { once_ns: once_ns?, twice_ns: twice_ns? })
    }

    /// Adds `doubling_once_ns` and `doubling_twice_ns` to the counters of a record.
    pub fn write(self, counters: &mut BTreeMap<String, u64>) {
        counters.insert(ONCE_KEY.into(), self.once_ns);
        counters.insert(TWICE_KEY.into(), self.twice_ns);
    }
}

/// The pieces of work to be timed, as an iterator over their rounds: a piece lasts from one call of `next` to the following one. Where it
/// has ended, the result is in the place it was made for.
#[derive(Debug)]
pub struct Pieces<'a> {
    result: &'a Mutex<Option<Doubling>>,
    state: State,
    rounds: u64,
    begun: Instant,
    paired: Option<Instant>,
    piece: Option<Reading>,
    once: Duration,
    twice: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Looks for a count of rounds that takes long enough.
    Grows,
    /// The piece of this pair that was handed out.
    Once(u32),
    Twice(u32),
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    cpu_ns: Option<u64>,
    at: Instant,
}

impl Reading {
    fn now() -> Self {
        Self { cpu_ns: cpu::process_cpu_ns(), at: Instant::now() }
    }

    fn since(self, start: Self) -> Duration {
        let used = self.cpu_ns.zip(start.cpu_ns).map(|(end, start)| Duration::from_nanos(end.saturating_sub(start)));
        used.unwrap_or(self.at - start.at)
    }
}

impl<'a> Pieces<'a> {
    /// Pieces whose times go to `result`; none at all unless `has_any`.
    pub fn new(result: &'a Mutex<Option<Doubling>>, has_any: bool) -> Self {
        let has_any = has_any && !IS_LEFT_OUT.load(Ordering::Relaxed);
        let state = if has_any { State::Grows } else { State::Ended };
        Self { result, state, rounds: 1, begun: Instant::now(), paired: None, piece: None, once: Duration::MAX, twice: Duration::MAX }
    }

    /// The rounds of the next piece, after one that took `time`; `is_late`: past the limit of the state.
    fn after(&mut self, time: Duration, is_late: bool) -> Option<u64> {
        match self.state {
            State::Grows if time < ONCE_AT_LEAST && self.rounds < ROUNDS_MAX && !is_late => {
                // What is far too short grows faster, so that a round of nanoseconds needs few steps.
                self.rounds *= if time < ONCE_AT_LEAST / 32 { 8 } else { 2 };
                return Some(self.rounds);
            }
            State::Grows => self.state = State::Once(1),
            // What took long was somebody else's start.
            State::Once(_) if time < ONCE_AT_LEAST / 2 && self.rounds < ROUNDS_MAX && !is_late => {
                self.state = State::Grows;
                self.rounds *= 2;
                (self.once, self.twice) = (Duration::MAX, Duration::MAX);
            }
            State::Once(pair) => {
                self.once = self.once.min(time);
                self.state = State::Twice(pair);
                return Some(self.rounds * 2);
            }
            State::Twice(pair) => {
                self.twice = self.twice.min(time);
                let is_enough = pair == PAIRS_MAX || (pair >= PAIRS && self.found().is_work());
                self.state = if is_enough || is_late { State::Ended } else { State::Once(pair + 1) };
            }
            State::Ended => return None,
        }
        if self.state != State::Ended {
            return Some(self.rounds);
        }
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.found());
        None
    }

    fn found(&self) -> Doubling {
        Doubling { once_ns: self.once.as_nanos() as u64, twice_ns: self.twice.as_nanos() as u64 }
    }
}

impl Iterator for Pieces<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.state == State::Ended {
            return None;
        }
        let rounds = match self.piece {
            None => {
                std::thread::sleep(HEAD_START);
                self.rounds
            }
            Some(start) => {
                // Where wall time is all there is, a sleep would count.
                if start.cpu_ns.is_some() {
                    std::thread::sleep(SETTLE);
                }
                let now = Reading::now();
                let paired = self.paired.filter(|_| matches!(self.state, State::Twice(_)));
                let is_late = paired.map_or(now.at - self.begun > GROWTH_LIMIT, |paired| now.at - paired > LIMIT);
                let rounds = self.after(now.since(start), is_late)?;
                if self.state == State::Once(1) {
                    self.paired = Some(now.at);
                }
                rounds
            }
        };
        self.piece = Some(Reading::now());
        Some(std::hint::black_box(rounds))
    }
}

/// Finds a count of rounds that takes 0.5 ms or more, and times it and twice as many, in turn. Takes 10 to 20 ms, and
/// up to 120 ms longer on a busy host.
///
/// # Shape
/// `run(n)` does the work of `n` rounds; what is set up once must not be in it.
pub fn measure(run: impl FnMut(u64)) -> Doubling {
    let result = Mutex::new(None);
    Pieces::new(&result, true).for_each(run);
    result.into_inner().unwrap_or_else(PoisonError::into_inner).expect("the pieces have come to their end")
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

    /// Rounds of all pieces where a round takes so many nanoseconds, and what came of it; `late_after`: pieces until the limits.
    fn told(round_ns: u64, late_after: usize) -> (Vec<u64>, Option<Doubling>) {
        let result = Mutex::new(None);
        let mut pieces = Pieces::new(&result, true);
        let mut all = vec![pieces.rounds];
        while let Some(rounds) = pieces.after(Duration::from_nanos(round_ns * all[all.len() - 1]), all.len() >= late_after) {
            all.push(rounds);
        }
        (all, result.into_inner().expect("no panic"))
    }

    #[test]
    fn rounds_grow_until_they_can_be_timed_and_then_come_in_pairs() {
        let (rounds, doubling) = told(10_000, usize::MAX);
        // 10 µs are far too short, 80 µs and more are not; 640 µs are enough.
        assert_eq!(rounds, [1, 8, 16, 32, 64, 64, 128, 64, 128, 64, 128, 64, 128]);
        assert_eq!(doubling, Some(Doubling { once_ns: 640_000, twice_ns: 1_280_000 }));
    }

    #[test]
    fn a_count_that_was_found_too_early_is_given_up() {
        let result = Mutex::new(None);
        let mut pieces = Pieces::new(&result, true);
        let (long, short) = (Duration::from_millis(3), Duration::from_micros(15));
        // The first round met the start of others; in a pair it takes a hundredth of that.
        assert_eq!((pieces.after(long, false), pieces.after(short, false)), (Some(1), Some(2)));
        assert_eq!((pieces.state, pieces.after(short, false)), (State::Grows, Some(16)));
    }

    #[test]
    fn pairs_that_noise_has_spoilt_are_followed_by_others_up_to_a_limit() {
        // A quiet moment comes for twice the work in one pair only.
        let pairs_until = |quiet: u32| {
            let result = Mutex::new(None);
            let mut pieces = Pieces::new(&result, true);
            assert_eq!(pieces.after(ONCE_AT_LEAST, false), Some(1));
            let mut pair = 0;
            loop {
                pair += 1;
                assert_eq!(pieces.after(ONCE_AT_LEAST, false), Some(2));
                let twice = ONCE_AT_LEAST * if pair == quiet { 2 } else { 5 };
                if pieces.after(twice, false).is_none() {
                    return (pair, result.into_inner().expect("no panic").expect("an end").is_work());
                }
            }
        };
        assert_eq!(pairs_until(2), (PAIRS, true));
        assert_eq!(pairs_until(7), (7, true));
        assert_eq!(pairs_until(99), (PAIRS_MAX, false));
    }

    #[test]
    fn long_rounds_make_one_pair_and_no_time_makes_an_end() {
        let (rounds, doubling) = told(40_000_000, 2);
        assert_eq!(rounds, [1, 1, 2]);
        assert_eq!(doubling, Some(Doubling { once_ns: 40_000_000, twice_ns: 80_000_000 }));
        let (rounds, doubling) = told(0, usize::MAX);
        assert!(rounds.iter().all(|rounds| *rounds <= ROUNDS_MAX * 16), "{rounds:?}");
        assert_eq!(doubling, Some(Doubling { once_ns: 0, twice_ns: 0 }));
    }

    #[test]
    fn whoever_has_no_pieces_tells_nothing() {
        let result = Mutex::new(None);
        assert_eq!(Pieces::new(&result, false).count(), 0);
        assert_eq!(result.into_inner().expect("no panic"), None);
    }
}
