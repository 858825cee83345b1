//! The words of the section on workers, for all renderers.

use super::view;
use crate::schema::result::Interval;
use crate::schema::scaling::{Coefficient, Scaling, ScalingCurve};
use crate::units::{ABSENT, Ratio, Share, maybe_with_unit, with_unit};

/// What the section is called.
pub(super) const HEADING: &str = "Scaling";
/// What was fitted.
pub(super) const LAW: &str = "Throughput over workers, with the Universal Scalability Law fitted: X(N) = γ N / (1 + α (N−1) + β N (N−1)). \
     γ is the throughput of one worker, α the contention, β the coherency, the peak √((1−α)/β). 95 % intervals by bootstrap over trials.";

/// One curve, every cell as it is shown.
pub(super) struct Words {
    /// `1: 9.00 M/s, 2: 17.6 M/s`.
    pub(super) points: String,
    /// At the most workers: `1.960× [1.95, 1.97]`.
    pub(super) speedup: String,
    pub(super) gamma: String,
    pub(super) alpha: String,
    pub(super) beta: String,
    pub(super) peak: String,
    pub(super) fit: String,
}

/// Curves of one scenario at one point of its other axes.
pub(super) fn groups(scaling: &Scaling) -> impl Iterator<Item = &[ScalingCurve]> {
    scaling.curves.chunk_by(|one, other| (&one.scenario, &one.params) == (&other.scenario, &other.params))
}

/// `spawn`, or `spawn/load.closed.users=64`.
pub(super) fn title(group: &[ScalingCurve]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let params: Vec<String> = first.params.iter().map(|(axis, value)| format!("{axis}={}", text(value))).collect();
    if params.is_empty() { first.scenario.clone() } else { format!("{}/{}", first.scenario, params.join(",")) }
}

pub(super) fn words(curve: &ScalingCurve) -> Words {
    let model = curve.model.as_ref();
    let coefficient = |pick: fn(&crate::schema::scaling::ScalingModel) -> Coefficient, unit: &str| {
        model.map_or_else(|| ABSENT.into(), |model| coefficient(pick(model), unit))
    };
    let points = curve.points.iter().map(|point| format!("{}: {}", point.workers, with_unit(point.value, &curve.unit)));
    let last = curve.points.last().and_then(|point| Some((point.speedup?, point.speedup_ci)));
    Words {
        points: points.collect::<Vec<_>>().join(", "),
        speedup: last.map_or_else(|| ABSENT.into(), |(ratio, ci)| format!("{}{}", Ratio(ratio), ci.map_or_else(String::new, spaced))),
        gamma: coefficient(|model| model.gamma, &curve.unit),
        alpha: coefficient(|model| model.alpha, "1"),
        beta: coefficient(|model| model.beta, "1"),
        peak: match model.map(|model| (model.peak_workers, model.peak_workers_ci)) {
            None => ABSENT.into(),
            Some((None, _)) => "none".into(),
            Some((Some(peak), ci)) => format!("{peak:.1}{}", ci.map_or_else(String::new, |ci| format!(" [{:.1}, {:.1}]", ci.lo, ci.hi))),
        },
        fit: match model.map(|model| (model.r_squared, model.residual_max)) {
            None => ABSENT.into(),
            Some((None, _)) => "not judged, no point is left over".into(),
            Some((Some(r_squared), residual)) => format!("R² {r_squared:.4}, off by {} at most", Share(residual)),
        },
    }
}

fn spaced(ci: Interval) -> String {
    format!(" {}", view::interval(ci))
}

fn coefficient(coefficient: Coefficient, unit: &str) -> String {
    let value = with_unit(coefficient.value, unit);
    let end = |end: f64| maybe_with_unit(Some(end), unit);
    match (coefficient.fixed, coefficient.ci) {
        (true, _) => format!("{value} (fixed)"),
        (false, Some(ci)) => format!("{value} [{}, {}]", end(ci.lo), end(ci.hi)),
        (false, None) => value,
    }
}

/// What curves do not tell, once for all subjects it holds for: `zokio, tokio: …`.
pub(super) fn curve_notes(group: &[ScalingCurve]) -> Vec<String> {
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for (curve, note) in group.iter().flat_map(|curve| curve.notes.iter().map(move |note| (curve, note.as_str()))) {
        match notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, subjects)) => subjects.push(&curve.subject),
            None => notes.push((note, vec![&curve.subject])),
        }
    }
    notes.into_iter().map(|(note, subjects)| view::printable(&format!("{}: {note}", subjects.join(", ")))).collect()
}
