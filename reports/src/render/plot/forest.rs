//! The forest plot: every primary comparison of a run as a ratio with its interval, on one logarithmic axis around 1.

use maud::{Markup, html};

use super::Scale;
use crate::judge::compare::SAME_MARGIN;
use crate::render::view;
use crate::schema::result::{CaseResult, Comparison, RunResult};
use crate::units::Ratio;

const WIDTH: f64 = 960.0;
const LABELS: f64 = 400.0;
const RIGHT: f64 = 190.0;
const ROW: f64 = 22.0;
const TOP: f64 = 34.0;
/// Round ratios that become grid lines where they are in range.
const TICKS: [f64; 15] = [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];

/// The plot, or nothing where no comparison has an interval.
pub(crate) fn svg(result: &RunResult) -> Option<Markup> {
    let rows: Vec<(&CaseResult, &Comparison)> = result
        .cases
        .iter()
        .flat_map(|case| case.comparisons.iter().map(move |comparison| (case, comparison)))
        .filter(|(case, comparison)| comparison.metric == case.primary_metric && comparison.ci.is_some())
        .collect();
    let ends = rows.iter().filter_map(|(_, comparison)| comparison.ci).flat_map(|ci| [ci.lo, ci.hi]);
    let (low, high) = ends.fold((0.94f64, 1.06f64), |(low, high), end| (low.min(end), high.max(end)));
    let scale = Scale::new((low.ln() - 0.03, high.ln() + 0.03), (LABELS, WIDTH - RIGHT));
    let height = TOP + rows.len() as f64 * ROW + 10.0;
    let inner = (TOP - 8.0, height - 8.0);
    (!rows.is_empty()).then(|| {
        html! {
            svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {height}")) {
                title { "Ratios of the first subject to each other, with 95 % intervals; right of 1 the first subject is ahead in rate" }
                rect class="band" x=(scale.at((1.0 / (1.0 + SAME_MARGIN)).ln())) y=(inner.0)
                    width=(scale.at(SAME_MARGIN.ln_1p()) - scale.at((1.0 / (1.0 + SAME_MARGIN)).ln())) height=(inner.1 - inner.0) {}
                @for tick in ticks(&scale) {
                    line class=(if tick == 1.0 { "one" } else { "grid" }) x1=(scale.at(tick.ln())) x2=(scale.at(tick.ln())) y1=(inner.0) y2=(inner.1) {}
                    text class="tick" x=(scale.at(tick.ln())) y="16" text-anchor="middle" { (tick) "×" }
                }
                @for (index, (case, comparison)) in rows.iter().enumerate() {
                    (line(case, comparison, &scale, TOP + (index as f64 + 0.5) * ROW))
                }
            }
        }
    })
}

/// Ticks in range, thinned so that labels keep apart; 1 always stays.
fn ticks(scale: &Scale) -> Vec<f64> {
    let place = |tick: f64| scale.at(tick.ln());
    let mut kept: Vec<f64> = vec![1.0];
    for tick in TICKS.into_iter().filter(|tick| (LABELS..=WIDTH - RIGHT).contains(&place(*tick))) {
        if kept.iter().all(|other| (place(*other) - place(tick)).abs() > 38.0) {
            kept.push(tick);
        }
    }
    kept
}

fn line(case: &CaseResult, comparison: &Comparison, scale: &Scale, y: f64) -> Markup {
    let (Some(ratio), Some(ci)) = (comparison.ratio, comparison.ci) else { return html! {} };
    let word = view::verdict(comparison.verdict);
    html! {
        g class=(word) {
            title { (view::comparison_line(case, comparison)) ": " (word) }
            text class="label" x=(LABELS - 12.0) y=(y + 4.0) text-anchor="end" { (case.id) "  vs " (comparison.against) }
            line class="whisker" x1=(scale.at(ci.lo.ln())) x2=(scale.at(ci.hi.ln())) y1=(y) y2=(y) {}
            @for end in [ci.lo, ci.hi] {
                line class="whisker" x1=(scale.at(end.ln())) x2=(scale.at(end.ln())) y1=(y - 5.0) y2=(y + 5.0) {}
            }
            circle cx=(scale.at(ratio.ln())) cy=(y) r="3" {}
            text class="word" x=(WIDTH - RIGHT + 12.0) y=(y + 4.0) { (Ratio(ratio)) " " (word) }
        }
    }
}
