//! How small a slow-down a row would have found: what "no regression" is worth.
//!
//! ```text
//!  log ratios, less their median ──draw with replacement as many as the last look has──▶ one gate without a change
//!       │                                                                                   │ the least shift that makes it `worse`
//!       └─ a few hundred times ──▶ least shifts, sorted ──▶ nine in ten are at most … ◀─────┘
//! ```
//!
//! No search is needed for a draw's least shift. The sum of positive ranks of n differences is the number of their averages (xᵢ + xⱼ) / 2,
//! i ≤ j, that lie above 0. A shift moves all averages alike; so the sum reaches the critical value W as soon as the W-th largest average
//! is above 0. The result is exact for the draw and grows with the scatter. Values drawn twice count as a hair apart.
//!
//! The draws are taken for independent, and the rule for its last look alone with an even share of α: neither its earlier looks nor what Holm
//! gives to other rows. Spells of noise longer than a pair cancel in the ratio and are not part of the scatter; bursts that hit single trials and
//! come in clusters make gates more unlike than the draws are, so that a little less than nine in ten find it.

use std::fmt;

use super::rule::{RowSpec, Rule};
use crate::stats::quantile;
use crate::stats::random::Random;

/// In how many of its gates a row finds what it sees.
pub const PROBABILITY: f64 = 0.9;
/// Fewer pairs tell nothing of a scatter.
pub const PAIRS_MIN: usize = 6;

/// Draws of a row, unless its looks are so late that they would take milliseconds.
const DRAWS_MAX: usize = 300;
/// Draws at the least.
const DRAWS_MIN: usize = 60;
/// Averages over all draws, some 3 ns each.
const AVERAGES_MAX: usize = 300_000;

/// The least slow-down that is found nine times in ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// As a share: 0.042 is a candidate 4.2 % worse.
    pub share: f64,
    /// Pairs whose scatter was seen.
    pub pairs: u32,
    /// Pairs at the last look.
    pub at: u32,
}

impl Sight {
    /// Fewer pairs were seen than the last look has: whether the rest scatters alike is not known.
    pub fn is_prediction(&self) -> bool {
        self.pairs < self.at
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.share * 100.0)?;
        if self.is_prediction() { write!(f, " (a prediction for {} pairs from {})", self.at, self.pairs) } else { Ok(()) }
    }
}

/// The least slow-down that the rule finds at its last look with probability [`PROBABILITY`], from the scatter of `log_ratios` around their
/// median; `None` below [`PAIRS_MIN`] of them, or where one is not finite.
///
/// The ratios may be those of a gate or those of a few pairs of a build against itself. `base_value` is the median of the base, in the unit of
/// the row's absolute floor. Deterministic: the same ratios see the same.
///
/// ```
/// use zokio_report::judge::gate::{RowSpec, Rule, least_found};
/// use zokio_report::schema::result::Better;
/// let rule = Rule::new(0.01, &[14, 24, 34, 44], 1)?;
/// let spec = RowSpec { better: Better::Lower, threshold: 0.05, floor_absolute: 0.0, floor_layout: None };
/// let sight = least_found(&[0.0; 10], &rule, &spec, 1_000.0).expect("ten pairs");
/// assert_eq!(sight.to_string(), "2.5 % (a prediction for 44 pairs from 10)");
/// # Ok::<(), zokio_report::judge::gate::RuleError>(())
/// ```
pub fn least_found(log_ratios: &[f64], rule: &Rule, spec: &RowSpec, base_value: f64) -> Option<Sight> {
    if log_ratios.len() < PAIRS_MIN {
        return None;
    }
    let median = quantile::median(log_ratios)?;
    let centred: Vec<f64> = log_ratios.iter().map(|log| log - median).collect();
    let (at, critical) = (rule.last_look() as usize, rule.critical_sum()?);
    // A floor of A moves the median of positive values v by more than A when their ratio is above 1 + A / v.
    let floor = if spec.floor_absolute > 0.0 { (spec.floor_absolute / base_value).ln_1p() } else { 0.0 };
    let effect = spec.effect_log().max(floor);
    let draws = (AVERAGES_MAX / (at * (at + 1) / 2)).clamp(DRAWS_MIN, DRAWS_MAX);
    let mut random = Random(0x9a7e);
    let mut shifts: Vec<f64> = (0..draws)
        .map(|_| {
            let drawn = random.drawn_times(&centred, at);
            least_shift(&drawn, critical).max(effect - quantile::median(&drawn).unwrap_or(0.0))
        })
        .collect();
    shifts.sort_by(f64::total_cmp);
    let place = (PROBABILITY * draws as f64).ceil() as usize;
    let share = shifts[place.clamp(1, draws) - 1].exp_m1();
    share.is_finite().then_some(Sight { share, pairs: log_ratios.len() as u32, at: at as u32 })
}

/// The shift above which the sum of positive ranks of `values` is at least `critical`.
fn least_shift(values: &[f64], critical: usize) -> f64 {
    let mut averages: Vec<f64> = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (place, left) in values.iter().enumerate() {
        averages.extend(values[place..].iter().map(|right| (left + right) / 2.0));
    }
    let place = averages.len() - critical;
    let (_, found, _) = averages.select_nth_unstable_by(place, f64::total_cmp);
    -*found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::SPEC;
    use super::super::{ALPHA, LOOKS};
    use super::*;
    use crate::stats::wilcoxon::tails;

    fn rule(rows: u32) -> Rule {
        Rule::new(ALPHA, &LOOKS, rows).unwrap()
    }

    /// n values spread as the standard normal distribution: each hundredth of as many sorted sums of twelve even ones.
    fn normal(n: usize) -> Vec<f64> {
        let mut random = Random(12);
        let mut values: Vec<f64> = (0..100 * n).map(|_| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0).collect();
        values.sort_by(f64::total_cmp);
        values.chunks(100).map(|chunk| chunk[50]).collect()
    }

    fn sees(logs: &[f64], rows: u32, spec: RowSpec) -> f64 {
        least_found(logs, &rule(rows), &spec, 1_000.0).unwrap().share
    }

    #[test]
    fn known_answers_of_normal_noise() {
        // Asymptotically, for a standard deviation s: (z(α / 4) + z(0.9)) s √(π / 3) / √44 = 0.631 s where the test decides, and
        // ln 1.025 + z(0.9) s √(π / 2) / √44 = 0.0247 + 0.242 s where the floor does. At 44 pairs, by 20,000 draws of NumPy 2, with
        // a = np.sort(((x[:, None] + x) / 2)[np.triu_indices(44)]) of x = rng.normal(0, s, 44):
        //   np.expm1(np.quantile([max(-a[990 - 732], np.log(1.025) - np.median(x)), …], 0.9))
        let cases = [(0.01, 0.0274), (0.03, 0.0323), (0.08, 0.0543), (0.15, 0.1037), (0.30, 0.2184)];
        for (deviation, expected) in cases {
            let logs: Vec<f64> = normal(400).into_iter().map(|value| value * deviation).collect();
            let found = sees(&logs, 1, SPEC);
            assert!((found / expected - 1.0).abs() < 0.05, "s = {deviation}: {found} is not {expected}");
        }
    }

    #[test]
    fn ten_pairs_predict_and_say_so() {
        let logs: Vec<f64> = normal(10).into_iter().map(|value| value * 0.15).collect();
        let predicted = least_found(&logs, &rule(1), &SPEC, 1.0).unwrap();
        assert!((0.07..0.14).contains(&predicted.share), "{predicted:?}");
        assert_eq!((predicted.pairs, predicted.at, predicted.is_prediction()), (10, 44, true));
        assert!(predicted.to_string().ends_with("% (a prediction for 44 pairs from 10)"), "{predicted}");
        let seen = Sight { share: 0.042, pairs: 44, at: 44 };
        assert_eq!((seen.to_string().as_str(), seen.is_prediction()), ("4.2 %", false));
    }

    #[test]
    fn floors_are_seen_through() {
        let still = [0.0; 44];
        assert!((sees(&still, 1, SPEC) - 0.025).abs() < 1e-9);
        assert!((sees(&still, 1, RowSpec { floor_layout: Some(0.06), ..SPEC }) - 0.06).abs() < 1e-9);
        assert!((sees(&still, 1, RowSpec { floor_absolute: 100.0, ..SPEC }) - 0.10).abs() < 1e-9);
        assert_eq!(least_found(&[0.01; 5], &rule(1), &SPEC, 1.0), None);
        assert_eq!(least_found(&[f64::NAN; 20], &rule(1), &SPEC, 1.0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        /// The closed form is what the real test says on both sides of it.
        #[test]
        fn the_least_shift_is_where_the_test_turns(values in prop::collection::vec(-0.2f64..0.2, 44), rows in 1u32..30) {
            let critical = rule(rows).critical_sum().unwrap();
            let least = least_shift(&values, critical);
            let is_significant = |shift: f64| {
                let shifted: Vec<f64> = values.iter().map(|value| value + shift).collect();
                let tails = tails(&shifted).unwrap();
                rule(rows).is_significant_early(tails.up, tails)
            };
            prop_assert!(is_significant(least + 1e-9) && !is_significant(least - 1e-9));
        }

        #[test]
        fn more_scatter_and_more_rows_see_less(values in prop::collection::vec(-0.1f64..0.1, 14), wider in 1.0f64..3.0, rows in 1u32..40) {
            let plain = sees(&values, rows, SPEC);
            let wide: Vec<f64> = values.iter().map(|value| value * wider).collect();
            prop_assert!(sees(&wide, rows, SPEC) >= plain - 1e-9);
            prop_assert!(sees(&values, rows + 20, SPEC) >= plain);
            prop_assert!(plain >= 0.025 - 1e-9);
        }

        #[test]
        fn what_the_row_came_to_does_not_matter(values in prop::collection::vec(-0.1f64..0.1, 24), shift in -0.2f64..0.2) {
            let shifted: Vec<f64> = values.iter().map(|value| value + shift).collect();
            prop_assert!((sees(&values, 3, SPEC) - sees(&shifted, 3, SPEC)).abs() < 1e-9);
        }
    }
}
