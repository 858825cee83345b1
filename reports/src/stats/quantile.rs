//! Sample quantiles.

/// The `q`-quantile of `values`, any order; `None` when there is none, when one is not finite or when `q` is outside 0 to 1.
///
/// # Units
/// Whatever goes in comes out.
///
/// # Source
/// Hyndman & Fan 1996, "Sample Quantiles in Statistical Packages", type 7: linear between the order statistics around
/// `(n − 1) q`.
///
/// ```
/// use zokio_report::stats::quantile::quantile;
/// assert_eq!(quantile(&[4.0, 1.0, 3.0, 2.0], 0.5), Some(2.5));
/// assert_eq!(quantile(&[], 0.5), None);
/// ```
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let sorted = sorted(values)?;
    if sorted.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let place = (sorted.len() - 1) as f64 * q;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    Some(below + (above - below) * place.fract())
}

/// The median of `values`; see [`quantile`].
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// A sorted copy, or `None` when a value is not finite.
pub fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers_of_type_7() {
        // R: quantile(c(1, 2, 4, 8, 16), c(0.1, 0.25, 0.5, 0.9), type = 7)
        let values = [16.0, 1.0, 8.0, 2.0, 4.0];
        for (q, answer) in [(0.0, 1.0), (0.1, 1.4), (0.25, 2.0), (0.5, 4.0), (0.9, 12.8), (1.0, 16.0)] {
            assert!((quantile(&values, q).unwrap() - answer).abs() < 1e-12, "q = {q}");
        }
    }

    #[test]
    fn no_number_is_better_than_a_made_up_one() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, f64::NAN]), None);
        assert_eq!(median(&[1.0, f64::INFINITY]), None);
        assert_eq!(quantile(&[1.0], 1.5), None);
    }

    proptest! {
        #[test]
        fn the_median_does_not_depend_on_the_order(mut values in prop::collection::vec(-1e9f64..1e9, 1..40)) {
            let before = median(&values);
            values.reverse();
            prop_assert_eq!(before, median(&values));
        }

        #[test]
        fn the_median_scales_with_its_values(values in prop::collection::vec(-1e6f64..1e6, 1..40)) {
            let scaled: Vec<f64> = values.iter().map(|value| value * 8.0).collect();
            prop_assert_eq!(median(&values).map(|value| value * 8.0), median(&scaled));
        }

        #[test]
        fn the_median_of_mirrored_values_is_the_mirrored_median(values in prop::collection::vec(-1e6f64..1e6, 1..40)) {
            let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
            let (plain, mirrored) = (median(&values).unwrap(), median(&mirrored).unwrap());
            prop_assert!((plain + mirrored).abs() <= 1e-9 * plain.abs().max(1.0));
        }
    }
}
