//! Simulated runs: the interval covers and the test errs as often as they promise, on noise with one-sided bursts.

use super::interval::{median_interval, order_index};
use super::random::Random;
use super::wilcoxon::signed_rank;

impl Random {
    /// A rate around 1 that loses up to half in one trial of ten, and whose median is exactly 1.
    fn disturbed_rate(&mut self) -> f64 {
        let place = self.unit();
        match place {
            burst if burst < 0.1 => 0.5 + 4.0 * burst,
            slow if slow < 0.5 => 0.9 + 0.25 * (slow - 0.1),
            fast => 1.0 + 0.02 * (fast - 0.5),
        }
    }
}

#[test]
fn the_interval_covers_the_median_as_often_as_promised() {
    let mut random = Random(7);
    for n in [6usize, 10, 20] {
        let k = order_index(n, 0.95).unwrap();
        let runs = 4_000;
        let covered = (0..runs)
            .filter(|_| {
                let values: Vec<f64> = (0..n).map(|_| random.disturbed_rate()).collect();
                let interval = median_interval(&values).unwrap();
                interval.lo <= 1.0 && 1.0 <= interval.hi
            })
            .count() as f64
            / f64::from(runs);
        assert!(covered >= 0.95 - 0.01, "n = {n}, k = {k}: covered {covered}");
        assert!(covered <= 0.995, "n = {n}, k = {k}: covered {covered}, wider than it needs to be");
    }
}

#[test]
fn equal_subjects_are_called_different_in_at_most_five_percent_of_runs() {
    let mut random = Random(11);
    let runs = 4_000;
    let alarms = (0..runs)
        .filter(|_| {
            let differences: Vec<f64> = (0..10).map(|_| (random.disturbed_rate() / random.disturbed_rate()).ln()).collect();
            signed_rank(&differences).unwrap().p <= 0.05
        })
        .count();
    let share = alarms as f64 / f64::from(runs);
    assert!(share <= 0.06, "{share}");
    assert!(share >= 0.02, "{share}: the test would be without power");
}

#[test]
fn a_planted_slow_down_is_found() {
    let mut random = Random(13);
    let runs = 1_000;
    let found = (0..runs)
        .filter(|_| {
            let differences: Vec<f64> =
                (0..20).map(|_| ((1.0 + 0.02 * random.unit()) * 0.95 / (1.0 + 0.02 * random.unit())).ln()).collect();
            signed_rank(&differences).unwrap().p <= 0.01
        })
        .count();
    assert!(found > 990, "{found} of {runs}");
}
