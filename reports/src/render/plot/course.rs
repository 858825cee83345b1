//! The course of a watched trial: the rate of every subject over time, at full load, in the overload and after it.

use maud::{Markup, html};

use super::{Scale, color_class};
use crate::schema::open::SeriesRecord;
use crate::schema::result::CaseResult;
use crate::units::{Nanos, PerSecond};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 84.0;
const EDGE: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// The plot, or nothing where no trial of the case was watched.
pub(crate) fn svg(case: &CaseResult) -> Option<Markup> {
    let courses: Vec<(usize, &SeriesRecord)> =
        case.subjects.iter().enumerate().filter_map(|(index, row)| Some((index, row.series.as_ref()?))).collect();
    let highest = courses.iter().flat_map(|(_, course)| rates(course)).map(|(_, rate)| rate).reduce(f64::max)?;
    let end = courses.iter().filter_map(|(_, course)| course.points.last()).map(|point| point.at_ns as f64).reduce(f64::max)?;
    let x = Scale::new((0.0, end), (LEFT, WIDTH - EDGE));
    let y = Scale::new((0.0, highest), (HEIGHT - BOTTOM, EDGE));
    let phases = courses.first().map(|(_, course)| phases(course)).unwrap_or_default();
    Some(html! {
        svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            title { "Operations per second over time, in the trial with the median rate of each subject" }
            @for level in [0.0, highest / 2.0, highest] {
                line class="grid" x1=(LEFT) x2=(WIDTH - EDGE) y1=(y.at(level)) y2=(y.at(level)) {}
                text class="tick" x=(LEFT - 8.0) y=(y.at(level) + 4.0) text-anchor="end" { (PerSecond(level)) }
            }
            @for (begin, name) in &phases {
                line class="one" x1=(x.at(*begin)) x2=(x.at(*begin)) y1=(EDGE) y2=(HEIGHT - BOTTOM) {}
                text class="tick" x=(x.at(*begin) + 4.0) y=(HEIGHT - 8.0) { (name) }
            }
            text class="tick" x=(WIDTH - EDGE) y=(HEIGHT - 8.0) text-anchor="end" { (Nanos(end)) }
            @for (index, course) in &courses {
                polyline class=(format!("curve {}", color_class(*index))) fill="none" points=(path(course, x, y)) {
                    title { (case.subjects[*index].subject) }
                }
            }
        }
    })
}

fn rates(course: &SeriesRecord) -> impl Iterator<Item = (f64, f64)> + '_ {
    let whole = course.points.iter().filter(|point| point.length_ns > 0);
    whole.map(|point| (point.at_ns as f64 - point.length_ns as f64 / 2.0, point.ok as f64 * 1e9 / point.length_ns as f64))
}

/// Where each phase begins, and its name.
fn phases(course: &SeriesRecord) -> Vec<(f64, String)> {
    let mut phases: Vec<(f64, String)> = Vec::new();
    for point in &course.points {
        if phases.last().is_none_or(|(_, name)| *name != point.phase) {
            phases.push((point.at_ns.saturating_sub(point.length_ns) as f64, point.phase.clone()));
        }
    }
    phases
}

fn path(course: &SeriesRecord, x: Scale, y: Scale) -> String {
    rates(course).map(|(at, rate)| format!("{},{}", x.at(at), y.at(rate))).collect::<Vec<String>>().join(" ")
}
