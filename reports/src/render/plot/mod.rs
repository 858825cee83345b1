//! Plots as inline SVG: every one has a `<title>`, and the page shows its data in a table beside it.
//!
//! Colours come from the page's style sheet, so they follow light and dark: subjects are numbered, and the number picks `--s0` …
//! `--s7`.

pub(super) mod course;
pub(super) mod forest;
pub(super) mod latency;
pub(super) mod pairs;
pub(super) mod scaling;
pub(super) mod strip;

/// How many subject colours the style sheet has.
pub(super) const COLORS: usize = 8;

/// The class that colours subject `index`.
pub(super) fn color_class(index: usize) -> String {
    format!("s{}", index % COLORS)
}

/// A straight line from a range of values to a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
}

impl Scale {
    /// From `from` to `to`; a range without width is widened so that no position is infinite.
    pub(super) fn new(from: (f64, f64), to: (f64, f64)) -> Self {
        let widen = if from.0 < from.1 { 0.0 } else { from.0.abs().max(1e-9) * 0.05 };
        Self { from: (from.0 - widen, from.1 + widen), to }
    }

    /// Where `value` stands.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.from.0) / (self.from.1 - self.from.0);
        ((self.to.0 + share * (self.to.1 - self.to.0)) * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_without_width_gives_finite_positions() {
        let scale = Scale::new((5.0, 5.0), (0.0, 100.0));
        assert_eq!(scale.at(5.0), 50.0);
        assert_eq!(Scale::new((0.0, 10.0), (100.0, 0.0)).at(2.5), 75.0);
    }
}
