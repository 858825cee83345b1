//! The Universal Scalability Law: throughput over workers as a curve of three coefficients.
//!
//! ```text
//!               γ N                    γ  throughput of one worker
//!  X(N) = ─────────────────────        α  contention: the share of the work that waits in one queue
//!         1 + α (N−1) + β N (N−1)      β  coherency: what each pair of workers costs to agree
//! ```
//!
//! With α = β = 0 throughput is proportional to the workers; α alone is Amdahl's law and flattens; β > 0 gives a peak, after which more
//! workers give less.
//!
//! # How it is fitted
//! Non-linear least squares with α, β ≥ 0 (projected Levenberg-Marquardt, analytic derivatives, from three starts). A residual is
//! `fitted / measured − 1`: noise of a throughput grows with it, so every point weighs the same. Two points tell two coefficients:
//! β is then fixed at 0 and all loss counts as contention.
//!
//! # Source
//! Gunther 2007, "Guerrilla Capacity Planning", chapters 4 to 6: the law, and its fit by regression on a transformed scale. The fit here is
//! on the throughput itself, with γ as a coefficient of its own rather than the measurement of one worker.

use std::fmt;

/// Fewest distinct numbers of workers for γ and α; one more for β.
pub const POINTS_MIN: usize = 2;
/// A fit that has not settled by then will not.
const STEPS_MAX: usize = 200;
/// Where fits start from: no loss, some of both kinds, much contention.
const STARTS: [(f64, f64); 3] = [(0.0, 0.0), (0.05, 0.001), (0.5, 0.0)];

/// A number of workers and the throughput measured with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Workers, at least 1.
    pub workers: u32,
    /// Operations per second, above zero.
    pub throughput: f64,
}

/// The law with its coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usl {
    /// γ: throughput of one worker.
    pub gamma: f64,
    /// α: contention, at least 0.
    pub alpha: f64,
    /// β: coherency, at least 0.
    pub beta: f64,
    /// β was not fitted but set to 0, because two points tell no more than two coefficients.
    pub is_beta_fixed: bool,
}

/// How well a curve describes its points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goodness {
    /// 1 − residual / total sum of squares of the throughput; `None` where no point is left over after the coefficients.
    pub r_squared: Option<f64>,
    /// Largest `|fitted / measured − 1|`.
    pub residual_max: f64,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UslError {
    /// Fewer than [`POINTS_MIN`] distinct numbers of workers.
    TooFewPoints {
        /// How many there are.
        distinct: usize,
    },
    /// A throughput is not finite and above zero, or a point has no worker.
    NotPositive,
}

impl fmt::Display for UslError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewPoints { distinct } => write!(formatter, "{distinct} different numbers of workers tell no coefficient"),
            Self::NotPositive => formatter.write_str("a point has no worker or no throughput"),
        }
    }
}

impl std::error::Error for UslError {}

impl Usl {
    /// X(N), in the unit of γ.
    pub fn at(&self, workers: f64) -> f64 {
        self.gamma * workers / (1.0 + self.alpha * (workers - 1.0) + self.beta * workers * (workers - 1.0))
    }

    /// N* = √((1 − α) / β), where throughput is highest; `None` where the curve has no peak (β = 0 and α ≤ 1).
    ///
    /// At least 1: a curve that falls from the first worker on has its peak there.
    pub fn peak(&self) -> Option<f64> {
        if self.alpha >= 1.0 {
            return (self.alpha > 1.0 || self.beta > 0.0).then_some(1.0);
        }
        (self.beta > 0.0).then(|| ((1.0 - self.alpha) / self.beta).sqrt().max(1.0)).filter(|peak| peak.is_finite())
    }

    /// How well this curve describes `points`.
    pub fn goodness(&self, points: &[Point]) -> Goodness {
        let coefficients = if self.is_beta_fixed { 2 } else { 3 };
        let mean = points.iter().map(|point| point.throughput).sum::<f64>() / points.len().max(1) as f64;
        let total: f64 = points.iter().map(|point| (point.throughput - mean).powi(2)).sum();
        let left: f64 = points.iter().map(|point| (point.throughput - self.at(point.workers.into())).powi(2)).sum();
        let residuals = points.iter().map(|point| (self.at(point.workers.into()) / point.throughput - 1.0).abs());
        Goodness {
            r_squared: (points.len() > coefficients && total > 0.0).then(|| 1.0 - left / total),
            residual_max: residuals.fold(0.0, f64::max),
        }
    }
}

/// The law fitted to `points`, at most one per number of workers.
///
/// # Errors
/// Too few points, or one that is no measurement.
pub fn fit(points: &[Point]) -> Result<Usl, UslError> {
    if points.iter().any(|point| point.workers == 0 || !point.throughput.is_finite() || point.throughput <= 0.0) {
        return Err(UslError::NotPositive);
    }
    let mut distinct: Vec<u32> = points.iter().map(|point| point.workers).collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < POINTS_MIN {
        return Err(UslError::TooFewPoints { distinct: distinct.len() });
    }
    let is_beta_fixed = distinct.len() == POINTS_MIN;
    // Throughput in units of what a worker gives where there are fewest: γ is then near 1, whatever the operation.
    let unit = points.iter().min_by_key(|point| point.workers).map_or(1.0, |point| point.throughput / f64::from(point.workers));
    let scaled: Vec<(f64, f64)> = points.iter().map(|point| (point.workers.into(), point.throughput / unit)).collect();
    let fits = STARTS.map(|(alpha, beta)| descend(&scaled, [1.0, alpha, if is_beta_fixed { 0.0 } else { beta }], is_beta_fixed));
    let (_, [gamma, alpha, beta]) = fits.into_iter().min_by(|left, right| left.0.total_cmp(&right.0)).expect("there are three starts");
    Ok(Usl { gamma: gamma * unit, alpha, beta, is_beta_fixed })
}

/// Sum of squared residuals, their gradient (half of it) and the Gauss-Newton matrix at `[γ, α, β]`.
fn squares(points: &[(f64, f64)], [gamma, alpha, beta]: [f64; 3]) -> (f64, [f64; 3], [[f64; 3]; 3]) {
    let (mut sum, mut gradient, mut matrix) = (0.0, [0.0; 3], [[0.0; 3]; 3]);
    for &(workers, throughput) in points {
        let pairs = workers - 1.0;
        let below = 1.0 + alpha * pairs + beta * workers * pairs;
        let share = workers / (below * throughput);
        let residual = gamma * share - 1.0;
        let row = [share, -gamma * share * pairs / below, -gamma * share * workers * pairs / below];
        sum += residual * residual;
        for (i, one) in row.iter().enumerate() {
            gradient[i] += one * residual;
            for (j, other) in row.iter().enumerate() {
                matrix[i][j] += one * other;
            }
        }
    }
    (sum, gradient, matrix)
}

/// Levenberg-Marquardt from `start`; a coefficient at its bound stays there while the gradient points outside.
fn descend(points: &[(f64, f64)], start: [f64; 3], is_beta_fixed: bool) -> (f64, [f64; 3]) {
    let mut at = start;
    let (mut sum, mut gradient, mut matrix) = squares(points, at);
    let mut damping = 1e-3;
    for _ in 0..STEPS_MAX {
        let is_free = [true, at[1] > 0.0 || gradient[1] < 0.0, !is_beta_fixed && (at[2] > 0.0 || gradient[2] < 0.0)];
        let step = solve(matrix, gradient, is_free, damping);
        let next = [(at[0] - step[0]).max(f64::MIN_POSITIVE), (at[1] - step[1]).max(0.0), (at[2] - step[2]).max(0.0)];
        let found = squares(points, next);
        if found.0 < sum {
            let gained = (sum - found.0) / sum;
            at = next;
            (sum, gradient, matrix) = found;
            damping = (damping / 10.0).max(1e-12);
            if gained < 1e-13 {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e9 {
                break;
            }
        }
    }
    (sum, at)
}

/// The damped step over the free coefficients; 0 for the others. Gaussian elimination: the matrix is positive definite where damped.
fn solve(matrix: [[f64; 3]; 3], gradient: [f64; 3], is_free: [bool; 3], damping: f64) -> [f64; 3] {
    let mut rows = [[0.0; 4]; 3];
    for i in 0..3 {
        for j in 0..3 {
            rows[i][j] = if is_free[i] && is_free[j] { matrix[i][j] } else { 0.0 };
        }
        rows[i][i] = if is_free[i] { matrix[i][i] * (1.0 + damping) + f64::MIN_POSITIVE } else { 1.0 };
        rows[i][3] = if is_free[i] { gradient[i] } else { 0.0 };
    }
    for i in 0..3 {
        let pivot = rows[i];
        for row in rows.iter_mut().skip(i + 1) {
            let factor = row[i] / pivot[i];
            for (cell, above) in row.iter_mut().zip(pivot).skip(i) {
                *cell -= factor * above;
            }
        }
    }
    let mut step = [0.0; 3];
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| rows[i][j] * step[j]).sum();
        let value = (rows[i][3] - known) / rows[i][i];
        step[i] = if value.is_finite() { value } else { 0.0 };
    }
    step
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn curve(gamma: f64, alpha: f64, beta: f64) -> Usl {
        Usl { gamma, alpha, beta, is_beta_fixed: false }
    }

    fn measured(law: Usl, workers: &[u32], noise: impl Fn(usize) -> f64) -> Vec<Point> {
        let point = |(index, &workers): (usize, &u32)| Point { workers, throughput: law.at(workers.into()) * (1.0 + noise(index)) };
        workers.iter().enumerate().map(point).collect()
    }

    #[test]
    fn known_answers_of_the_law() {
        // Amdahl with 5 % serial work: 1 / (0.05 + 0.95 / 16).
        assert!((curve(1.0, 0.05, 0.0).at(16.0) - 9.142_857).abs() < 1e-6);
        assert_eq!(curve(3.0, 0.0, 0.0).at(8.0), 24.0);
        assert_eq!(curve(1.0, 0.0, 0.0).peak(), None, "proportional for ever");
        assert_eq!(curve(1.0, 0.5, 0.0).peak(), None, "flattens and never falls");
        assert!((curve(1.0, 0.04, 0.0006).peak().unwrap() - 40.0).abs() < 1e-9);
        assert_eq!(curve(1.0, 1.4, 0.0).peak(), Some(1.0), "falls from the first worker on");
        assert_eq!(curve(1.0, 0.1, 5.0).peak(), Some(1.0));
    }

    #[test]
    fn points_of_one_number_of_workers_tell_nothing_and_two_numbers_no_coherency() {
        let point = |workers, throughput| Point { workers, throughput };
        assert_eq!(fit(&[]), Err(UslError::TooFewPoints { distinct: 0 }));
        assert_eq!(fit(&[point(2, 9.0), point(2, 10.0)]), Err(UslError::TooFewPoints { distinct: 1 }));
        assert_eq!(fit(&[point(1, 9.0), point(2, 0.0)]), Err(UslError::NotPositive));
        assert_eq!(fit(&[point(0, 9.0), point(2, 9.0)]), Err(UslError::NotPositive));
        assert_eq!(fit(&[point(1, 9.0), point(2, f64::INFINITY)]), Err(UslError::NotPositive));
        // Twice the workers, 1.6 times the work: 2 / (1 + α) = 1.6.
        let two = [point(1, 1e6), point(2, 1.6e6)];
        let law = fit(&two).unwrap();
        assert!(law.is_beta_fixed && law.beta == 0.0);
        assert!((law.alpha - 0.25).abs() < 1e-6 && (law.gamma - 1e6).abs() < 1.0, "{law:?}");
        assert_eq!(law.goodness(&two).r_squared, None, "a curve through all its points proves nothing");
    }

    #[test]
    fn a_slow_down_is_contention_above_one_and_a_super_linear_gain_stops_at_the_bound() {
        let point = |workers, throughput| Point { workers, throughput };
        let slower = fit(&[point(1, 100.0), point(2, 80.0)]).unwrap();
        assert!((slower.alpha - 1.5).abs() < 1e-6 && slower.peak() == Some(1.0), "{slower:?}");
        let faster = [point(1, 100.0), point(2, 230.0), point(4, 500.0), point(8, 1_100.0)];
        let law = fit(&faster).unwrap();
        assert_eq!((law.alpha, law.beta), (0.0, 0.0));
        assert!(law.goodness(&faster).residual_max > 0.05, "and the residuals tell that the law does not fit");
    }

    #[test]
    fn coefficients_are_found_again_under_noise() {
        let law = curve(2.5e6, 0.04, 0.0006);
        let workers = [1, 2, 4, 8, 16, 32, 64, 128];
        // Deviations of up to 1 % that cancel.
        let points = measured(law, &workers, |index| [0.01, -0.008, 0.006, -0.01, 0.009, -0.007, 0.004, -0.004][index]);
        let found = fit(&points).unwrap();
        assert!((found.gamma / law.gamma - 1.0).abs() < 0.03, "{found:?}");
        assert!((found.alpha / law.alpha - 1.0).abs() < 0.15 && (found.beta / law.beta - 1.0).abs() < 0.10, "{found:?}");
        assert!((found.peak().unwrap() / 40.0 - 1.0).abs() < 0.05);
        let goodness = found.goodness(&points);
        assert!(goodness.r_squared.unwrap() > 0.995 && goodness.residual_max < 0.02, "{goodness:?}");
    }

    proptest! {
        #[test]
        fn coefficients_are_found_again_without_noise(
            gamma in 1e3f64..1e9, alpha in 0.0f64..0.9, beta in 0.0f64..0.02, count in 3usize..9,
        ) {
            let law = curve(gamma, alpha, beta);
            let workers: Vec<u32> = (0..count as u32).map(|power| 1 << power).collect();
            let found = fit(&measured(law, &workers, |_| 0.0)).unwrap();
            prop_assert!((found.gamma / gamma - 1.0).abs() < 1e-4, "{found:?}");
            prop_assert!((found.alpha - alpha).abs() < 1e-3 && (found.beta - beta).abs() < 1e-4, "{found:?}");
        }

        #[test]
        fn another_unit_changes_gamma_alone(scale in 1e-3f64..1e6, alpha in 0.0f64..0.5, beta in 0.0f64..0.01) {
            let points = measured(curve(1.0, alpha, beta), &[1, 2, 3, 4, 6, 8], |index| if index % 2 == 0 { 0.02 } else { -0.02 });
            let scaled: Vec<Point> = points.iter().map(|point| Point { throughput: point.throughput * scale, ..*point }).collect();
            let (one, other) = (fit(&points).unwrap(), fit(&scaled).unwrap());
            prop_assert!((other.gamma / (one.gamma * scale) - 1.0).abs() < 1e-4);
            prop_assert!((one.alpha - other.alpha).abs() < 1e-4 && (one.beta - other.beta).abs() < 1e-5);
        }

        #[test]
        fn more_of_any_loss_is_less_throughput_and_an_earlier_peak(alpha in 0.0f64..0.8, beta in 0.0001f64..0.01, workers in 2.0f64..200.0) {
            let law = curve(1.0, alpha, beta);
            prop_assert!(curve(1.0, alpha + 0.01, beta).at(workers) < law.at(workers));
            prop_assert!(curve(1.0, alpha, beta * 1.1).at(workers) < law.at(workers));
            prop_assert!(law.at(workers) <= workers);
            prop_assert!(curve(1.0, alpha, beta * 1.1).peak() <= law.peak());
            let peak = law.peak().unwrap();
            prop_assert!(law.at(peak) >= law.at(peak * 1.05) && law.at(peak) >= law.at((peak * 0.95).max(1.0)));
        }

        #[test]
        fn a_slower_last_point_is_never_less_contention(speed_up in 1.05f64..2.0) {
            let at = |speed_up: f64| fit(&[Point { workers: 1, throughput: 1.0 }, Point { workers: 2, throughput: speed_up }]).unwrap().alpha;
            prop_assert!(at(speed_up * 0.95) > at(speed_up) - 1e-9);
        }
    }
}
