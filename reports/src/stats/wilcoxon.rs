//! The exact signed-rank test, with ties and zeros, at every n.
//!
//! Equal sizes share the mean of their ranks; ranks are doubled (a group at the places a…b gets a + b) so that all stay integers.
//! Zeros are ranked and then leave the statistic (Pratt). Under the null each other difference is + or − with probability 1/2,
//! independently, so the distribution of the sum of positive ranks is counted, not approximated.

/// Above this many differences the counts leave `u128` and probabilities are summed in `f64` instead.
const COUNTED_MAX: usize = 127;

/// How many sign patterns give a sum at least, or at most, as large as the one seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tails {
    /// Patterns with a sum of positive ranks at least as large.
    pub up: u128,
    /// Patterns with a sum of positive ranks at most as large.
    pub down: u128,
    /// Differences that are not zero; there are `2^nonzero` patterns.
    pub nonzero: u32,
}

impl Tails {
    /// Whether the tail is at most `1 / (inverse_alpha × divisor)`, compared in integers.
    ///
    /// `divisor` is what a family of tests divides α by: rows, looks, or both.
    pub fn is_significant(tail: u128, nonzero: u32, inverse_alpha: u128, divisor: u128) -> bool {
        let patterns = 1u128.checked_shl(nonzero).unwrap_or(u128::MAX);
        tail.checked_mul(inverse_alpha).and_then(|product| product.checked_mul(divisor)).is_some_and(|product| product <= patterns)
    }
}

/// The test of one set of paired differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignedRank {
    /// Probability, under the null, of a sum at least as large.
    pub p_up: f64,
    /// Probability, under the null, of a sum at most as large.
    pub p_down: f64,
    /// Two-sided, for one look: twice the smaller tail, at most 1.
    pub p: f64,
}

/// The signed-rank test of `differences`; `None` when there is none or one is not finite.
///
/// ```
/// use zokio_report::stats::wilcoxon::signed_rank;
/// let all_up = signed_rank(&[0.1, 0.2, 0.3, 0.4, 0.5]).unwrap();
/// assert_eq!(all_up.p_up, 1.0 / 32.0);
/// assert_eq!(all_up.p, 2.0 / 32.0);
/// ```
pub fn signed_rank(differences: &[f64]) -> Option<SignedRank> {
    let ranks = DoubledRanks::of(differences)?;
    let (p_up, p_down) = if differences.len() <= COUNTED_MAX {
        let tails = ranks.tails();
        let patterns = (tails.nonzero as f64).exp2();
        (tails.up as f64 / patterns, tails.down as f64 / patterns)
    } else {
        ranks.probabilities()
    };
    Some(SignedRank { p_up, p_down, p: (2.0 * p_up.min(p_down)).min(1.0) })
}

/// Both tails as counts of sign patterns; `None` when there is no difference, one is not finite, or there are more than 127.
///
/// ```
/// use zokio_report::stats::wilcoxon::{tails, Tails};
/// assert_eq!(tails(&[1.0, 1.0, -1.0, 0.0, 2.0]), Some(Tails { up: 4, down: 15, nonzero: 4 }));
/// ```
pub fn tails(differences: &[f64]) -> Option<Tails> {
    if differences.len() > COUNTED_MAX {
        return None;
    }
    Some(DoubledRanks::of(differences)?.tails())
}

/// The least sum of positive ranks, not doubled, of `n` differences without ties or zeros that is significant upwards as in
/// [`Tails::is_significant`]; `None` when even n positive ones are not, or n is above 127.
///
/// ```
/// use zokio_report::stats::wilcoxon::critical_sum;
/// assert_eq!(critical_sum(5, 20, 1), Some(15));
/// assert_eq!(critical_sum(4, 20, 1), None);
/// ```
pub fn critical_sum(n: usize, inverse_alpha: u128, divisor: u128) -> Option<usize> {
    if n > COUNTED_MAX {
        return None;
    }
    let differences: Vec<f64> = (1..=n).map(|rank| rank as f64).collect();
    let patterns = DoubledRanks::of(&differences)?.patterns();
    let (mut tail, mut critical) = (0u128, None);
    for sum in (0..=n * (n + 1) / 2).rev() {
        tail += patterns[2 * sum];
        if !Tails::is_significant(tail, n as u32, inverse_alpha, divisor) {
            break;
        }
        critical = Some(sum);
    }
    critical
}

struct DoubledRanks {
    /// Doubled rank of each difference that is not zero.
    nonzero: Vec<usize>,
    /// Sum of those of positive differences.
    positive_sum: usize,
    /// Largest possible sum, zeros included.
    sum_max: usize,
}

impl DoubledRanks {
    fn of(differences: &[f64]) -> Option<Self> {
        if differences.is_empty() || differences.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let mut by_size: Vec<f64> = differences.to_vec();
        by_size.sort_by(|left, right| left.abs().total_cmp(&right.abs()));
        let (mut nonzero, mut positive_sum, mut start) = (Vec::with_capacity(by_size.len()), 0, 0);
        while start < by_size.len() {
            let size = by_size[start].abs();
            let length = by_size[start..].iter().take_while(|difference| difference.abs() == size).count();
            let doubled_rank = (start + 1) + (start + length);
            for difference in by_size[start..start + length].iter().filter(|difference| **difference != 0.0) {
                nonzero.push(doubled_rank);
                positive_sum += if *difference > 0.0 { doubled_rank } else { 0 };
            }
            start += length;
        }
        Some(Self { nonzero, positive_sum, sum_max: by_size.len() * (by_size.len() + 1) })
    }

    /// How many sign patterns give each sum of positive ranks.
    fn patterns(&self) -> Vec<u128> {
        let mut patterns = vec![0u128; self.sum_max + 1];
        patterns[0] = 1;
        let mut reached = 0;
        for &rank in &self.nonzero {
            reached += rank;
            for sum in (rank..=reached).rev() {
                patterns[sum] += patterns[sum - rank];
            }
        }
        patterns
    }

    fn tails(&self) -> Tails {
        let patterns = self.patterns();
        Tails {
            up: patterns[self.positive_sum..].iter().sum(),
            down: patterns[..=self.positive_sum].iter().sum(),
            nonzero: self.nonzero.len() as u32,
        }
    }

    fn probabilities(&self) -> (f64, f64) {
        let mut chance = vec![0.0f64; self.sum_max + 1];
        chance[0] = 1.0;
        for &rank in &self.nonzero {
            for sum in (0..=self.sum_max).rev() {
                let with_it = if sum >= rank { chance[sum - rank] } else { 0.0 };
                chance[sum] = 0.5 * (chance[sum] + with_it);
            }
        }
        (chance[self.positive_sum..].iter().sum::<f64>().min(1.0), chance[..=self.positive_sum].iter().sum::<f64>().min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Differences 1…n with signs chosen so that the positive ranks add up to `statistic`.
    fn with_statistic(n: usize, mut statistic: usize) -> Vec<f64> {
        let mut differences: Vec<f64> = (1..=n).map(|rank| -(rank as f64)).collect();
        for rank in (1..=n).rev() {
            if rank <= statistic {
                statistic -= rank;
                differences[rank - 1] = rank as f64;
            }
        }
        assert_eq!(statistic, 0);
        differences
    }

    #[test]
    fn known_counts_at_five() {
        for (statistic, up) in [(15, 1), (14, 2), (13, 3), (12, 5), (11, 7), (10, 10)] {
            assert_eq!(tails(&with_statistic(5, statistic)).unwrap().up, up, "W = {statistic}");
        }
    }

    #[test]
    fn known_probabilities_of_larger_samples() {
        let cases = [
            (14, 105, 6.1035e-5),
            (14, 104, 1.2207e-4),
            (14, 103, 1.8311e-4),
            (14, 100, 6.1035e-4),
            (14, 95, 0.002_624_5),
            (14, 90, 0.008_300_8),
            (14, 80, 0.045_288),
            (24, 300, 5.9605e-8),
            (24, 270, 1.1963e-4),
            (24, 260, 4.8131e-4),
            (24, 250, 0.001_571_5),
            (24, 240, 0.004_357_4),
            (44, 990, 5.6843e-14),
            (44, 800, 1.1100e-4),
            (44, 750, 0.001_198_5),
            (44, 700, 0.007_976_5),
        ];
        for (n, statistic, p) in cases {
            let got = signed_rank(&with_statistic(n, statistic)).unwrap().p_up;
            assert!((got / p - 1.0).abs() < 5e-5, "n = {n}, W = {statistic}: {got} is not {p}");
        }
    }

    #[test]
    fn the_smallest_significant_statistic_per_family_size() {
        // α = 1/100 over four looks and m rows; 0 stands for "cannot be significant".
        let rows = [1, 2, 3, 5, 10, 20, 40, 100];
        let cases = [
            (14, [96, 98, 100, 101, 103, 104, 105, 0]),
            (24, [246, 253, 256, 260, 265, 270, 275, 280]),
            (34, [459, 470, 477, 484, 494, 502, 511, 521]),
            (44, [732, 750, 759, 770, 785, 798, 811, 827]),
        ];
        for (n, statistics) in cases {
            for (rows, statistic) in rows.into_iter().zip(statistics) {
                assert_eq!(critical_sum(n, 100, 4 * rows).unwrap_or(0), statistic, "n = {n}, m = {rows}");
                let significant = |statistic| {
                    let tails = tails(&with_statistic(n, statistic)).unwrap();
                    Tails::is_significant(tails.up, tails.nonzero, 100, 4 * rows)
                };
                if statistic > 0 {
                    assert!(significant(statistic) && !significant(statistic - 1), "n = {n}, m = {rows}, W = {statistic}");
                }
            }
        }
        assert_eq!((critical_sum(128, 100, 1), critical_sum(0, 100, 1)), (None, None));
    }

    #[test]
    fn zeros_are_ranked_and_then_left_out() {
        assert_eq!(tails(&[1.0, 1.0, -1.0, 0.0, 2.0]), Some(Tails { up: 4, down: 15, nonzero: 4 }));
        let nothing = signed_rank(&[0.0, 0.0]).unwrap();
        assert_eq!((nothing.p_up, nothing.p_down, nothing.p), (1.0, 1.0, 1.0));
    }

    #[test]
    fn no_test_without_numbers() {
        assert_eq!(signed_rank(&[]), None);
        assert_eq!(signed_rank(&[f64::NAN]), None);
        assert_eq!(tails(&[1.0; 128]), None);
    }

    #[test]
    fn counting_and_summing_agree() {
        for statistic in [3_500, 4_000, 2_500] {
            let ranks = DoubledRanks::of(&with_statistic(100, statistic)).unwrap();
            let tails = ranks.tails();
            let (up, down) = ranks.probabilities();
            assert!((tails.up as f64 / 100f64.exp2() / up - 1.0).abs() < 1e-9);
            assert!((tails.down as f64 / 100f64.exp2() / down - 1.0).abs() < 1e-9);
        }
        assert!(signed_rank(&with_statistic(200, 15_000)).unwrap().p < 1e-4);
    }

    proptest! {
        #[test]
        fn swapping_the_sides_swaps_the_tails(differences in prop::collection::vec(-20i32..20, 1..40)) {
            let plain: Vec<f64> = differences.iter().map(|difference| f64::from(*difference)).collect();
            let swapped: Vec<f64> = plain.iter().map(|difference| -difference).collect();
            let (plain, swapped) = (tails(&plain).unwrap(), tails(&swapped).unwrap());
            prop_assert_eq!((plain.up, plain.down), (swapped.down, swapped.up));
        }

        #[test]
        fn the_scale_does_not_matter(differences in prop::collection::vec(-20i32..20, 1..40)) {
            let plain: Vec<f64> = differences.iter().map(|difference| f64::from(*difference)).collect();
            let scaled: Vec<f64> = plain.iter().map(|difference| difference * 0.125).collect();
            prop_assert_eq!(tails(&plain), tails(&scaled));
        }

        #[test]
        fn both_tails_hold_what_was_seen(differences in prop::collection::vec(-20i32..20, 1..40)) {
            let plain: Vec<f64> = differences.iter().map(|difference| f64::from(*difference)).collect();
            let tails = tails(&plain).unwrap();
            prop_assert!(tails.up >= 1 && tails.down >= 1);
            prop_assert!(tails.up + tails.down > 1u128 << tails.nonzero);
        }
    }
}
