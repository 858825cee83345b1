//! When the operations of an open loop are meant to start: a sequence of instants that nothing can delay.
//!
//! ```text
//!  uniform   start + (k + 1) × gap              every instant from its number: no error adds up
//!  poisson   the one before − gap × ln(u)       the sum is kept in full, and rounded only when it is told
//! ```
//! A schedule is split over lanes: each gets its share of the rate. The lanes of a uniform one are offset against each other, so that together
//! they are uniform again; Poisson processes add up to one by themselves.

use super::Arrival;

const NS_PER_S: f64 = 1e9;

/// The intended starts of one lane, in nanoseconds of the trial's clock.
#[derive(Clone, Debug)]
pub struct Schedule {
    start_ns: u64,
    gap_ns: f64,
    arrival: Arrival,
    /// Starts told so far (uniform), with the offset of the lane.
    count: f64,
    /// Time since the start (Poisson).
    elapsed_ns: f64,
    random: u64,
}

/// Which of so many lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub lane: usize,
    /// How many there are.
    pub of: usize,
}

impl Schedule {
    /// The share of a lane in `rate_per_s` operations per second, from `start_ns` on.
    pub fn new(arrival: Arrival, rate_per_s: f64, start_ns: u64, share: Share, seed: u64) -> Self {
        let lanes = share.of.max(1) as f64;
        Self {
            start_ns,
            gap_ns: NS_PER_S * lanes / rate_per_s.max(f64::MIN_POSITIVE),
            arrival,
            count: (share.lane as f64 + 1.0) / lanes - 1.0,
            elapsed_ns: 0.0,
            random: mix(seed ^ mix(share.lane as u64 + 1)),
        }
    }

    /// The next intended start.
    #[inline]
    pub fn next_ns(&mut self) -> u64 {
        let since_start = match self.arrival {
            Arrival::Uniform => {
                self.count += 1.0;
                self.count * self.gap_ns
            }
            Arrival::Poisson => {
                self.elapsed_ns -= self.gap_ns * self.unit().ln();
                self.elapsed_ns
            }
        };
        // Saturates: a rate of next to nothing has its next start beyond all time.
        self.start_ns.saturating_add(since_start as u64)
    }

    /// A number above 0, up to 1.
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((mix(self.random) >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

/// SplitMix64's output function (Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators").
fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Share = Share { lane: 0, of: 1 };

    #[test]
    fn a_uniform_schedule_does_not_drift() {
        // 3 a second is no whole number of nanoseconds: after a million starts the sum of rounded gaps would be off by a third of a millisecond.
        let mut schedule = Schedule::new(Arrival::Uniform, 3.0, 7, ALONE, 1);
        let last = (0..3_000_000).map(|_| schedule.next_ns()).last().expect("some");
        assert!(last.abs_diff(7 + 1_000_000 * 1_000_000_000) <= 1, "{last}");
    }

    #[test]
    fn the_lanes_of_a_uniform_schedule_are_uniform_together() {
        let mut starts: Vec<u64> = (0..3)
            .flat_map(|lane| {
                let mut schedule = Schedule::new(Arrival::Uniform, 1_000_000.0, 0, Share { lane, of: 3 }, 9);
                (0..100).map(move |_| schedule.next_ns()).collect::<Vec<_>>()
            })
            .collect();
        starts.sort_unstable();
        assert!(starts.windows(2).all(|pair| pair[1].abs_diff(pair[0]).abs_diff(1_000) <= 1), "{starts:?}");
        assert_eq!(starts.len(), 300);
    }

    #[test]
    fn the_gaps_of_a_poisson_schedule_have_its_mean_and_variance_and_no_drift() {
        let (lanes, rate) = (2, 20_000.0);
        let gap_ns = 1e9 / rate * lanes as f64;
        for lane in 0..lanes {
            let mut schedule = Schedule::new(Arrival::Poisson, rate, 0, Share { lane, of: lanes }, 42);
            let starts: Vec<u64> = (0..200_000).map(|_| schedule.next_ns()).collect();
            let gaps: Vec<f64> =
                std::iter::once(starts[0]).chain(starts.windows(2).map(|pair| pair[1] - pair[0])).map(|gap| gap as f64).collect();
            let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
            let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
            // The mean of n exponential gaps has a standard error of 1/√n: 0.22 % here, 1 % is beyond four of them.
            assert!((mean / gap_ns - 1.0).abs() < 0.01, "mean {mean}");
            assert!((variance / gap_ns.powi(2) - 1.0).abs() < 0.03, "variance {variance}");
        }
    }

    #[test]
    fn lanes_and_seeds_have_starts_of_their_own() {
        let first = |lane, seed| Schedule::new(Arrival::Poisson, 10.0, 0, Share { lane, of: 2 }, seed).next_ns();
        assert_ne!(first(0, 1), first(1, 1));
        assert_ne!(first(0, 1), first(0, 2));
        assert_eq!(first(0, 1), first(0, 1));
    }

    #[test]
    fn next_to_no_rate_never_starts() {
        assert!(Schedule::new(Arrival::Uniform, 0.0, 0, ALONE, 1).next_ns() > u64::MAX / 2);
    }
}
