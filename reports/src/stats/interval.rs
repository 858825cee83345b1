//! The interval of a median from order statistics: no shape of the noise is assumed.
//!
//! ```text
//!  x1  x2 │ x3  x4  x5  x6  x7  x8 │ x9 x10        n = 10, k = 2 … the interval is [x2, x9]
//! ```
//!
//! The number of values below the true median is binomial with p = 1/2, so `[x_k, x_(n+1−k)]` misses it with probability
//! `2 Σ_{i<k} C(n,i) / 2^n`, whatever the distribution.

use super::quantile;
use crate::schema::result::Interval;

/// The confidence of every interval of a run.
pub const LEVEL: f64 = 0.95;

/// The interval of the median of `values` at [`LEVEL`], or `None` below 6 values, where no order statistics reach it.
///
/// ```
/// use zokio_report::stats::interval::median_interval;
/// let interval = median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
/// assert_eq!((interval.lo, interval.hi), (1.0, 6.0));
/// assert!(median_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).is_none());
/// ```
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    median_interval_at(values, LEVEL)
}

/// The interval of the median of `values` at `level`.
pub fn median_interval_at(values: &[f64], level: f64) -> Option<Interval> {
    let sorted = quantile::sorted(values)?;
    let k = order_index(sorted.len(), level)?;
    Some(Interval { level, lo: sorted[k - 1], hi: sorted[sorted.len() - k] })
}

/// The largest k, from 1, with `Σ_{i<k} C(n,i) / 2^n ≤ (1 − level) / 2`; `None` when even k = 1 is too narrow.
pub fn order_index(n: usize, level: f64) -> Option<usize> {
    let tail_max = (1.0 - level) / 2.0;
    // Logarithms, because 2^−n is below the smallest f64 past n = 1,074.
    let mut log_term = -(n as f64) * std::f64::consts::LN_2;
    let (mut tail, mut k) = (0.0, 0);
    while k < n / 2 {
        tail += log_term.exp();
        if tail > tail_max {
            break;
        }
        k += 1;
        log_term += ((n + 1 - k) as f64 / k as f64).ln();
    }
    (k > 0).then_some(k)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers_at_95_percent() {
        // Tables of the sign interval, e.g. Conover 1999, table A3 with p = 0.5.
        let cases = [(5, None), (6, Some(1)), (8, Some(1)), (9, Some(2)), (10, Some(2)), (12, Some(3)), (20, Some(6)), (30, Some(10))];
        for (n, k) in cases {
            assert_eq!(order_index(n, 0.95), k, "n = {n}");
        }
    }

    #[test]
    fn known_answers_at_99_percent() {
        for (n, k) in [(7, None), (8, Some(1)), (14, Some(2)), (24, Some(6)), (34, Some(10)), (44, Some(14))] {
            assert_eq!(order_index(n, 0.99), k, "n = {n}");
        }
    }

    #[test]
    fn many_trials_do_not_underflow() {
        // k ≈ n/2 − 1.96 √n / 2
        let k = order_index(4_000, 0.95).unwrap();
        assert!((1_935..=1_940).contains(&k), "{k}");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_median(values in prop::collection::vec(-1e6f64..1e6, 6..60)) {
            let interval = median_interval(&values).unwrap();
            let median = quantile::median(&values).unwrap();
            prop_assert!(interval.lo <= median && median <= interval.hi);
        }

        #[test]
        fn mirrored_values_give_the_mirrored_interval(values in prop::collection::vec(-1e6f64..1e6, 6..60)) {
            let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
            let (plain, mirrored) = (median_interval(&values).unwrap(), median_interval(&mirrored).unwrap());
            prop_assert_eq!((plain.lo, plain.hi), (-mirrored.hi, -mirrored.lo));
        }
    }
}
