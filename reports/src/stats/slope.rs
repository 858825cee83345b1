//! A straight line through points by least squares, with the interval of its slope.
//!
//! Meant for one trial's course, such as memory over time. Its points lean on each other, so the interval is a lower bound of the doubt; where
//! there are several trials, the interval over their slopes is the one to quote.

use super::interval::LEVEL;
use crate::schema::result::Interval;

/// A slope needs so many points: two always lie on a line.
pub const POINTS_MIN: usize = 5;

/// A fitted slope, in the unit of y for one of x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// The slope.
    pub value: f64,
    /// Its interval at [`LEVEL`], from the spread of the points around the line.
    pub ci: Interval,
}

/// The slope of y over x, or `None` below [`POINTS_MIN`] points, where all x are the same, or where a number is not finite.
///
/// ```
/// use zokio_report::stats::slope::slope;
/// let points: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 1.0)).collect();
/// let line = slope(&points).unwrap();
/// assert!((line.value - 3.0).abs() < 1e-9 && (line.ci.hi - line.ci.lo) < 1e-6);
/// ```
pub fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let count = points.len() as f64;
    let (mean_x, mean_y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let sums = points.iter().fold((0.0, 0.0), |sum, &(x, y)| (sum.0 + (x - mean_x).powi(2), sum.1 + (x - mean_x) * (y - mean_y)));
    let value = sums.1 / sums.0;
    let residuals: f64 = points.iter().map(|&(x, y)| (y - mean_y - value * (x - mean_x)).powi(2)).sum();
    let degrees = count - 2.0;
    let half = student_975(degrees) * (residuals / degrees / sums.0).sqrt();
    let ci = Interval { level: LEVEL, lo: value - half, hi: value + half };
    (value.is_finite() && half.is_finite()).then_some(Slope { value, ci })
}

/// The 97.5 % quantile of Student's distribution, to 1 % from 3 degrees of freedom on.
///
/// # Source
/// Abramowitz and Stegun 1964, 26.7.5.
fn student_975(degrees: f64) -> f64 {
    const Z: f64 = 1.959_964;
    let terms = [
        (Z.powi(3) + Z) / 4.0,
        (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / 96.0,
        (3.0 * Z.powi(7) + 19.0 * Z.powi(5) + 17.0 * Z.powi(3) - 15.0 * Z) / 384.0,
    ];
    terms.iter().enumerate().fold(Z, |sum, (power, term)| sum + term / degrees.powi(power as i32 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (degrees, expected) in [(3.0, 3.182), (5.0, 2.571), (10.0, 2.228), (30.0, 2.042), (1_000.0, 1.962)] {
            assert!((student_975(degrees) / expected - 1.0).abs() < 0.012, "{degrees}: {}", student_975(degrees));
        }
    }

    #[test]
    fn the_interval_holds_the_slope_that_noise_hides() {
        // y = 2x with noise of ±5 that alternates: no slope of its own.
        let noisy: Vec<(f64, f64)> = (0..40).map(|x| (f64::from(x), 2.0 * f64::from(x) + if x % 2 == 0 { 5.0 } else { -5.0 })).collect();
        let line = slope(&noisy).expect("enough points");
        assert!(line.ci.lo < 2.0 && 2.0 < line.ci.hi, "{line:?}");
        // Residuals of 5 over 40 points: standard error 5 / √(Σ(x − 19.5)²) = 0.0685, times 2.02.
        assert!((line.ci.hi - line.value - 0.1423).abs() < 0.01, "{line:?}");
    }

    #[test]
    fn too_little_gives_no_slope() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(slope(&[(3.0, 1.0); 9]), None, "one moment");
        assert_eq!(slope(&[(f64::NAN, 1.0); 9]), None);
    }
}
