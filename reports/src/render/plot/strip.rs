//! The strip of trials: every trial of a case at the moment it ran, against the median of its own subject, so that drift, slow
//! spells and moved CPUs can be seen whatever the subjects' speeds.

use maud::{Markup, html};

use super::{Scale, color_class};
use crate::judge::compare::find;
use crate::schema::result::CaseResult;
use crate::stats::quantile;
use crate::units::{Nanos, with_unit};

/// The axis always shows at least so much above and below the median.
const RANGE_MIN: f64 = 0.03;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 84.0;
const EDGE: f64 = 14.0;

struct Dot {
    subject: usize,
    at_ns: f64,
    value: f64,
    label: String,
}

/// The plot, or nothing where the case has no values.
pub(crate) fn svg(case: &CaseResult) -> Option<Markup> {
    let dots = dots(case);
    let values: Vec<f64> = dots.iter().map(|dot| dot.value).collect();
    let times: Vec<f64> = dots.iter().map(|dot| dot.at_ns).collect();
    let range = |values: &[f64]| Some((quantile::quantile(values, 0.0)?, quantile::quantile(values, 1.0)?));
    let (time, (low, high)) = (range(&times)?, range(&values)?);
    let x = Scale::new(time, (LEFT + EDGE, WIDTH - EDGE));
    let (low, high) = (low.min(1.0 - RANGE_MIN), high.max(1.0 + RANGE_MIN));
    let y = Scale::new((low, high), (HEIGHT - 34.0, EDGE));
    Some(html! {
        svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            title { (case.primary_metric) " of every trial against its subject's median, in the order they ran" }
            @for level in [low, 1.0, high] {
                line class=(if level == 1.0 { "one" } else { "grid" }) x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(level)) y2=(y.at(level)) {}
                text class="tick" x=(LEFT - 8.0) y=(y.at(level) + 4.0) text-anchor="end" { @if level == 1.0 { "median" } @else { (format!("{:+.1} %", (level - 1.0) * 100.0)) } }
            }
            text class="tick" x=(LEFT + EDGE) y=(HEIGHT - 8.0) { "first trial" }
            text class="tick" x=(WIDTH - EDGE) y=(HEIGHT - 8.0) text-anchor="end" { "last, " (Nanos(time.1 - time.0)) " later" }
            @for dot in &dots {
                circle class=(format!("dot {}", color_class(dot.subject))) cx=(x.at(dot.at_ns)) cy=(y.at(dot.value)) r="4.5" {
                    title { (dot.label) }
                }
            }
        }
    })
}

fn dots(case: &CaseResult) -> Vec<Dot> {
    let mut dots = Vec::new();
    for (subject, row) in case.subjects.iter().enumerate() {
        let Some(metric) = find(row, &case.primary_metric) else { continue };
        let Some(median) = metric.value.filter(|median| *median > 0.0) else { continue };
        for (number, (point, value)) in row.trials.iter().zip(&metric.trials).enumerate() {
            let Some(value) = *value else { continue };
            let core_state = point.core_state_ns.map_or_else(String::new, |ns| format!(", core state {}", Nanos(ns)));
            let label = format!("{}, trial {}: {}{core_state}", row.subject, number + 1, with_unit(value, &metric.unit));
            dots.push(Dot { subject, at_ns: point.at_ns as f64, value: value / median, label });
        }
    }
    dots
}
