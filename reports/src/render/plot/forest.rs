//! The forest plot: ratios with their intervals on one logarithmic axis around 1; of a run, its primary comparisons.

use maud::{Markup, html};

use super::Scale;
use crate::judge::compare::SAME_MARGIN;
use crate::render::view;
use crate::schema::result::{CaseResult, Comparison, Interval, RunResult};
use crate::units::Ratio;

const WIDTH: f64 = 960.0;
const LABELS: f64 = 400.0;
const RIGHT: f64 = 190.0;
const ROW: f64 = 22.0;
const TOP: f64 = 34.0;
/// Round ratios that become grid lines where they are in range.
const TICKS: [f64; 15] = [0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];

/// One ratio with its interval.
pub(crate) struct Entry {
    /// What stands at the left.
    pub(crate) label: String,
    /// What the reader sees who points at it.
    pub(crate) title: String,
    /// The verdict: its word and its colour.
    pub(crate) word: &'static str,
    /// The ratio.
    pub(crate) ratio: f64,
    /// Its interval; both ends above 0.
    pub(crate) ci: Interval,
}

/// What the whole plot shows.
pub(crate) struct Frame<'a> {
    /// For those who cannot see it.
    pub(crate) title: &'a str,
    /// A shaded band, from and to.
    pub(crate) band: (f64, f64),
    /// A line at a ratio that must not be passed, with its name.
    pub(crate) limit: Option<(f64, String)>,
}

/// The plot of a run, or nothing where no comparison has an interval.
pub(crate) fn svg(result: &RunResult) -> Option<Markup> {
    let comparisons = result.cases.iter().flat_map(|case| case.comparisons.iter().map(move |comparison| (case, comparison)));
    let entries: Vec<Entry> = comparisons
        .filter(|(case, comparison)| comparison.metric == case.primary_metric)
        .filter_map(|(case, of)| entry(case, of))
        .collect();
    let title = "Ratios of the first subject to each other, with 95 % intervals; right of 1 the first subject is ahead in rate";
    plot(&entries, &Frame { title, band: (1.0 / (1.0 + SAME_MARGIN), 1.0 + SAME_MARGIN), limit: None })
}

fn entry(case: &CaseResult, comparison: &Comparison) -> Option<Entry> {
    let word = view::verdict(comparison.verdict);
    Some(Entry {
        label: format!("{}  vs {}", case.id, comparison.against),
        title: format!("{}: {word}", view::comparison_line(case, comparison)),
        word,
        ratio: comparison.ratio?,
        ci: comparison.ci?,
    })
}

/// The plot, or nothing where there is no entry.
pub(crate) fn plot(entries: &[Entry], frame: &Frame<'_>) -> Option<Markup> {
    let ends = entries.iter().flat_map(|entry| [entry.ci.lo, entry.ci.hi]).chain([frame.band.0, frame.band.1]);
    let (low, high) = ends.fold((0.94f64, 1.06f64), |(low, high), end| (low.min(end), high.max(end)));
    let scale = Scale::new((low.ln() - 0.03, high.ln() + 0.03), (LABELS, WIDTH - RIGHT));
    let bottom = if frame.limit.is_some() { 26.0 } else { 10.0 };
    let height = TOP + entries.len() as f64 * ROW + bottom;
    let inner = (TOP - 8.0, height - bottom + 2.0);
    (!entries.is_empty()).then(|| {
        html! {
            svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {height}")) {
                title { (frame.title) }
                rect class="band" x=(scale.at(frame.band.0.ln())) y=(inner.0)
                    width=(scale.at(frame.band.1.ln()) - scale.at(frame.band.0.ln())) height=(inner.1 - inner.0) {}
                @for tick in ticks(&scale) {
                    line class=(if tick == 1.0 { "one" } else { "grid" }) x1=(scale.at(tick.ln())) x2=(scale.at(tick.ln())) y1=(inner.0) y2=(inner.1) {}
                    text class="tick" x=(scale.at(tick.ln())) y="16" text-anchor="middle" { (tick) "×" }
                }
                @if let Some((limit, name)) = &frame.limit {
                    line class="limit" x1=(scale.at(limit.ln())) x2=(scale.at(limit.ln())) y1=(inner.0) y2=(inner.1) {}
                    text class="tick" x=(scale.at(limit.ln())) y=(height - 8.0) text-anchor="middle" { (name) }
                }
                @for (index, entry) in entries.iter().enumerate() {
                    (line(entry, &scale, TOP + (index as f64 + 0.5) * ROW))
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

fn line(entry: &Entry, scale: &Scale, y: f64) -> Markup {
    html! {
        g class=(entry.word) {
            title { (entry.title) }
            text class="label" x=(LABELS - 12.0) y=(y + 4.0) text-anchor="end" { (entry.label) }
            line class="whisker" x1=(scale.at(entry.ci.lo.ln())) x2=(scale.at(entry.ci.hi.ln())) y1=(y) y2=(y) {}
            @for end in [entry.ci.lo, entry.ci.hi] {
                line class="whisker" x1=(scale.at(end.ln())) x2=(scale.at(end.ln())) y1=(y - 5.0) y2=(y + 5.0) {}
            }
            circle cx=(scale.at(entry.ratio.ln())) cy=(y) r="3" {}
            text class="word" x=(WIDTH - RIGHT + 12.0) y=(y + 4.0) { (Ratio(entry.ratio)) " " (entry.word) }
        }
    }
}
