//! The candidate's values, once each, for tools that track them over time.

use crate::schema::gate::{GateResult, GateRow, GateVerdict};
use crate::schema::result::Interval;
use crate::stats::interval::median_interval_at;

/// The confidence of the interval of a value, as that of the ratios.
pub(super) const LEVEL: f64 = 0.99;

/// A value of the candidate.
pub(super) struct Tracked<'a> {
    /// `suite/case/metric`.
    pub(super) name: String,
    /// The row it was taken from: the first of its name, whatever it was compared with.
    pub(super) row: &'a GateRow,
    /// Median over the trials, a finite number.
    pub(super) value: f64,
    /// Its interval, both ends finite; `None` with too few trials.
    pub(super) ci: Option<Interval>,
}

/// Every value that was measured and is believed; a case and metric stands once, however many bases it was compared with.
pub(super) fn values(result: &GateResult) -> Vec<Tracked<'_>> {
    let mut values: Vec<Tracked<'_>> = Vec::new();
    for row in result.rows.iter().filter(|row| row.verdict != GateVerdict::Invalid) {
        let name = format!("{}/{}/{}", row.suite, row.case, row.metric);
        let Some(value) = row.candidate_value.filter(|value| value.is_finite()) else { continue };
        if values.iter().all(|known| known.name != name) {
            let trials: Vec<f64> = row.pairs.iter().filter_map(|pair| pair.candidate).collect();
            let ci = median_interval_at(&trials, LEVEL).filter(|ci| ci.lo.is_finite() && ci.hi.is_finite());
            values.push(Tracked { name, row, value, ci });
        }
    }
    values
}
