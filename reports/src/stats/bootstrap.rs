//! The percentile bootstrap over trials: how far a number that is computed from several medians would move with other trials.
//!
//! ```text
//!  group 1   t t t t t t ──draw 6 with replacement──▶ median ─┐
//!  group 2   t t t t t t ──draw 6 with replacement──▶ median ─┴─▶ statistic      … a thousand times; 2.5 % and 97.5 % of them
//! ```
//!
//! Where a median stands alone, [`super::interval`] is better: it promises its level. This one is for what has no such interval, such as the
//! coefficients of a curve.
//!
//! # Source
//! Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile intervals), with groups drawn apart.

use super::interval::LEVEL;
use super::quantile;
use super::random::Random;
use crate::schema::result::Interval;

/// Draws behind an interval: its ends then fall on order statistics, the 25th and the 975th.
pub const REPLICATES: usize = 999;
/// Fewer trials in a group than for any other interval of a run.
pub const TRIALS_MIN: usize = 6;

/// Intervals of the numbers that `statistic` computes from the medians of `groups`; `None` where a group has fewer than [`TRIALS_MIN`] trials.
///
/// `statistic` gives as many numbers every time; one that is not finite (a peak that does not exist) counts as larger than all, and an
/// interval with such an end is `None`. The draws are the same every time: same trials, same intervals.
pub fn intervals(groups: &[&[f64]], mut statistic: impl FnMut(&[f64]) -> Vec<f64>) -> Option<Vec<Option<Interval>>> {
    if groups.is_empty() || groups.iter().any(|group| group.len() < TRIALS_MIN || group.iter().any(|value| !value.is_finite())) {
        return None;
    }
    let mut random = Random(0x5eed);
    let mut replicates: Vec<Vec<f64>> = Vec::new();
    for _ in 0..REPLICATES {
        let medians: Vec<f64> = groups.iter().filter_map(|group| quantile::median(&random.drawn(group))).collect();
        for (index, value) in statistic(&medians).into_iter().enumerate() {
            if replicates.len() == index {
                replicates.push(Vec::with_capacity(REPLICATES));
            }
            replicates[index].push(value);
        }
    }
    Some(replicates.into_iter().map(ends).collect())
}

fn ends(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by_key(|value| !value.is_finite());
    let finite = values.iter().take_while(|value| value.is_finite()).count();
    values[..finite].sort_by(f64::total_cmp);
    let tail = ((1.0 - LEVEL) / 2.0 * (values.len() + 1) as f64).round() as usize;
    let (lo, hi) = (values.get(tail.checked_sub(1)?)?, values.get(values.len().checked_sub(tail)?)?);
    (lo.is_finite() && hi.is_finite()).then_some(Interval { level: LEVEL, lo: *lo, hi: *hi })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_trials_give_no_interval() {
        assert!(intervals(&[], |_| vec![1.0]).is_none());
        assert!(intervals(&[&[1.0; 6], &[1.0; 5]], |medians| medians.to_vec()).is_none());
        assert!(intervals(&[&[1.0, 2.0, 3.0, 4.0, 5.0, f64::NAN]], |medians| medians.to_vec()).is_none());
    }

    #[test]
    fn an_interval_holds_its_number_and_is_the_same_every_time() {
        let groups: [&[f64]; 2] = [&[9.0, 10.0, 11.0, 10.5, 9.5, 10.2, 9.9, 10.1], &[19.0, 20.0, 21.0, 20.5, 19.5, 20.2, 19.9, 20.1]];
        let ratio = |medians: &[f64]| vec![medians[1] / medians[0]];
        let ci = intervals(&groups, ratio).unwrap()[0].unwrap();
        assert!(ci.lo < 2.0 && 2.0 < ci.hi && ci.hi - ci.lo < 0.3, "{ci:?}");
        assert_eq!(intervals(&groups, ratio).unwrap()[0], Some(ci));
        let steady = intervals(&[&[5.0; 6]], |medians| medians.to_vec()).unwrap();
        assert_eq!(steady, [Some(Interval { level: 0.95, lo: 5.0, hi: 5.0 })]);
    }

    #[test]
    fn an_end_that_does_not_exist_leaves_no_interval() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let seldom = intervals(&[&values], |medians| vec![if medians[0] > 5.5 { f64::INFINITY } else { medians[0] }]).unwrap();
        let often = intervals(&[&values], |medians| vec![if medians[0] > 3.0 { f64::INFINITY } else { medians[0] }]).unwrap();
        assert!(seldom[0].is_some() && often[0].is_none(), "{seldom:?} {often:?}");
    }
}
