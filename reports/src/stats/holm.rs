//! Holm's step-down correction: many comparisons in one table, one error rate for the table.

/// Adjusted p values in the order of `p_values`; an absent p is no test and stays absent.
///
/// Compare each with the level wanted for the whole family: the chance of one false alarm in the table is then at most that level,
/// whatever the dependence between the rows.
///
/// # Source
/// Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".
///
/// ```
/// use zokio_report::stats::holm::adjusted;
/// assert_eq!(adjusted(&[Some(0.25), None, Some(0.125)]), [Some(0.25), None, Some(0.25)]);
/// ```
pub fn adjusted(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(index, p)| p.map(|p| (index, p))).collect();
    order.sort_by(|left, right| left.1.total_cmp(&right.1));
    let family = order.len();
    let mut result = vec![None; p_values.len()];
    let mut running = 0.0f64;
    for (step, (index, p)) in order.into_iter().enumerate() {
        running = running.max(((family - step) as f64 * p).min(1.0));
        result[index] = Some(running);
    }
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let adjusted = adjusted(&[Some(0.01), Some(0.04), Some(0.03), Some(0.005)]);
        for (got, want) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((got.unwrap() - want).abs() < 1e-12);
        }
    }

    #[test]
    fn one_comparison_is_not_corrected() {
        assert_eq!(adjusted(&[Some(0.03)]), [Some(0.03)]);
        assert_eq!(adjusted(&[]), []);
    }

    proptest! {
        #[test]
        fn no_p_gets_smaller_and_none_exceeds_one(p_values in prop::collection::vec(0.0f64..=1.0, 0..30)) {
            let given: Vec<Option<f64>> = p_values.iter().copied().map(Some).collect();
            for (before, after) in p_values.iter().zip(adjusted(&given)) {
                prop_assert!(after.unwrap() >= *before && after.unwrap() <= 1.0);
            }
        }

        #[test]
        fn the_order_of_the_rows_does_not_matter(p_values in prop::collection::vec(0.0f64..=1.0, 1..30)) {
            let given: Vec<Option<f64>> = p_values.iter().copied().map(Some).collect();
            let reversed: Vec<Option<f64>> = given.iter().rev().copied().collect();
            let mut back = adjusted(&reversed);
            back.reverse();
            prop_assert_eq!(adjusted(&given), back);
        }
    }
}
