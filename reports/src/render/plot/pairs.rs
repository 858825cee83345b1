//! The pairs of a gated row: both sides in the order of their trials, and each pair's ratio.

use maud::{Markup, html};

use super::{Scale, color_class};
use crate::schema::gate::{GatePair, GateRow};
use crate::schema::result::Better;
use crate::stats::quantile;
use crate::units::{Nanos, Ratio, with_unit};

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 84.0;
const EDGE: f64 = 14.0;
const BOTTOM: f64 = 34.0;
/// The axis of ratios always shows at least so much above and below 1.
const RANGE_MIN: f64 = 0.03;

/// Both sides of every pair in the order of the trials, or nothing where there is no value; the base has the first colour.
pub(crate) fn sides(row: &GateRow) -> Option<Markup> {
    let mut dots: Vec<(f64, usize, f64, bool)> = Vec::new();
    for (index, pair) in row.pairs.iter().enumerate() {
        for (side, value) in [pair.base, pair.candidate].into_iter().enumerate() {
            let is_second = (side == 0) != pair.base_first;
            let place = index as f64 * 2.0 + f64::from(u8::from(is_second));
            dots.extend(value.filter(|value| value.is_finite()).map(|value| (place, side, value, is_late(row, index))));
        }
    }
    let values: Vec<f64> = dots.iter().map(|dot| dot.2).collect();
    let (low, high) = (quantile::quantile(&values, 0.0)?, quantile::quantile(&values, 1.0)?);
    let x = places(row);
    let y = Scale::new((low, high), (HEIGHT - BOTTOM - 8.0, EDGE));
    let levels = if low < high { vec![low, high] } else { vec![low] };
    Some(html! {
        svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            title { (row.case) " " (row.metric) ": value of every trial in the order they ran" }
            @for level in levels { (grid("grid", y.at(level), &with_unit(level, &row.unit))) }
            (ends(row))
            @for (place, side, value, late) in &dots {
                circle class=(format!("dot {}{}", color_class(*side), if *late { " late" } else { "" })) cx=(x.at(*place)) cy=(y.at(*value)) r="4" {
                    title { (if *side == 0 { "base" } else { "candidate" }) ", trial " (place + 1.0) ": " (with_unit(*value, &row.unit)) }
                }
            }
        }
    })
}

/// The ratio of every pair with the median and the threshold, or nothing where no pair has one; above 1 the candidate is worse.
///
/// A filled dot is a pair whose base ran first, a ring one whose candidate did: were they apart, the order would matter.
pub(crate) fn ratios(row: &GateRow) -> Option<Markup> {
    let ratio = |(index, pair)| Some((index, worse_by(row, pair)?, pair));
    let ratios: Vec<(usize, f64, &GatePair)> = row.pairs.iter().enumerate().filter_map(ratio).collect();
    let logs: Vec<f64> = ratios.iter().map(|(_, ratio, _)| ratio.ln()).collect();
    let limit = row.threshold.ln_1p();
    let low = quantile::quantile(&logs, 0.0)?.min(-RANGE_MIN);
    let high = quantile::quantile(&logs, 1.0)?.max(RANGE_MIN).max(limit);
    let x = places(row);
    let y = Scale::new((low, high), (HEIGHT - BOTTOM - 8.0, EDGE));
    let is_usable = |ratio: &f64| ratio.is_finite() && *ratio > 0.0;
    let ci = row.ci.filter(|ci| is_usable(&ci.lo) && is_usable(&ci.hi));
    Some(html! {
        svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            title { (row.case) " " (row.metric) ": how much worse the candidate was in every pair" }
            @if let Some(ci) = ci {
                rect class="band" x=(LEFT) y=(y.at(ci.hi.ln())) width=(WIDTH - EDGE - LEFT) height=(y.at(ci.lo.ln()) - y.at(ci.hi.ln())) {}
            }
            (grid("one", y.at(0.0), "1"))
            line class="limit" x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(limit)) y2=(y.at(limit)) {}
            text class="tick" x=(WIDTH - EDGE) y=(y.at(limit) - 4.0) text-anchor="end" { (Ratio(1.0 + row.threshold)) }
            @if let Some(median) = row.ratio.filter(is_usable) {
                line class="median" x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(median.ln())) y2=(y.at(median.ln())) { title { "median " (Ratio(median)) } }
            }
            (ends(row))
            @for (index, ratio, pair) in &ratios {
                circle class=(format!("{}{}", if pair.base_first { "dot s1" } else { "ring s1" }, if is_late(row, *index) { " late" } else { "" }))
                    cx=(x.at(*index as f64 * 2.0 + 0.5)) cy=(y.at(ratio.ln())) r="4" {
                    title { "pair " (index + 1) ": " (Ratio(*ratio)) ", " (if pair.base_first { "base" } else { "candidate" }) " first" }
                }
            }
        }
    })
}

/// By how much the candidate was worse in `pair`, whichever way the metric goes; `None` where a value is missing or not positive.
fn worse_by(row: &GateRow, pair: &GatePair) -> Option<f64> {
    let is_positive = |value: &f64| value.is_finite() && *value > 0.0;
    let (base, candidate) = (pair.base.filter(is_positive)?, pair.candidate.filter(is_positive)?);
    let ratio = if row.better == Better::Lower { candidate / base } else { base / candidate };
    Some(ratio).filter(is_positive)
}

/// Taken after the verdict, for the sake of another row.
fn is_late(row: &GateRow, index: usize) -> bool {
    index >= row.n as usize
}

fn places(row: &GateRow) -> Scale {
    Scale::new((0.0, (row.pairs.len() * 2).saturating_sub(1) as f64), (LEFT + EDGE, WIDTH - EDGE * 2.0))
}

fn grid(class: &str, y: f64, label: &str) -> Markup {
    html! {
        line class=(class) x1=(LEFT) x2=(WIDTH - EDGE) y1=(y) y2=(y) {}
        text class="tick" x=(LEFT - 8.0) y=(y + 4.0) text-anchor="end" { (label) }
    }
}

/// What stands below the axis of time.
fn ends(row: &GateRow) -> Markup {
    let at = |pair: Option<&GatePair>| pair.map_or(0, |pair| pair.at_ns);
    let span = at(row.pairs.last()).saturating_sub(at(row.pairs.first()));
    html! {
        text class="tick" x=(LEFT + EDGE) y=(HEIGHT - 8.0) { "first pair" }
        text class="tick" x=(WIDTH - EDGE) y=(HEIGHT - 8.0) text-anchor="end" { "last, " (Nanos(span as f64)) " later" }
    }
}
