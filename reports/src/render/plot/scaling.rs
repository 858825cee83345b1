//! Throughput over workers: the points with their intervals, the fitted law, and the line it would be without any loss.

use maud::{Markup, html};

use super::{Scale, color_class};
use crate::schema::scaling::{ScalingCurve, ScalingModel};
use crate::stats::usl::Usl;
use crate::units::with_unit;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 46.0;
/// Straight pieces of a curve.
const PIECES: u32 = 120;
/// Labels of the workers' axis keep so far apart.
const LABEL_GAP: f64 = 26.0;
/// Lines across, about.
const LEVELS: f64 = 5.0;

struct Axes {
    x: Scale,
    y: Scale,
    most: f64,
    top: f64,
}

/// The plot, or nothing where nothing was measured.
pub(crate) fn svg(group: &[ScalingCurve]) -> Option<Markup> {
    let points = || group.iter().flat_map(|curve| &curve.points);
    let most = f64::from(points().map(|point| point.workers).max()?);
    let highest = points().map(|point| point.ci.map_or(point.value, |ci| ci.hi.max(point.value))).fold(0.0, f64::max);
    let fitted = group.iter().filter_map(law).map(|law| law.at(law.peak().map_or(most, |peak| peak.min(most)))).fold(0.0, f64::max);
    let top = highest.max(fitted) * 1.06;
    let axes =
        Axes { x: Scale::new((0.0, most * 1.02), (LEFT, WIDTH - RIGHT)), y: Scale::new((0.0, top), (HEIGHT - BOTTOM, TOP)), most, top };
    let unit = group.first().map_or("1/s", |curve| curve.unit.as_str());
    Some(html! {
        svg class="plot" role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            title { "Throughput over workers of " (group.first().map_or("", |curve| curve.scenario.as_str())) ", with the fitted law and its ideal" }
            @for level in levels(top) {
                line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(axes.y.at(level)) y2=(axes.y.at(level)) {}
                text class="tick" x=(LEFT - 8.0) y=(axes.y.at(level) + 4.0) text-anchor="end" { (with_unit(level, unit)) }
            }
            @for workers in ticks(group, &axes.x) {
                line class="grid" x1=(axes.x.at(workers)) x2=(axes.x.at(workers)) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                text class="tick" x=(axes.x.at(workers)) y=(HEIGHT - BOTTOM + 17.0) text-anchor="middle" { (workers) }
            }
            text class="tick" x=((LEFT + WIDTH - RIGHT) / 2.0) y=(HEIGHT - 8.0) text-anchor="middle" { "workers" }
            @for (index, curve) in group.iter().enumerate() { g class=(color_class(index)) { (one(curve, &axes)) } }
        }
    })
}

fn one(curve: &ScalingCurve, axes: &Axes) -> Markup {
    let law = law(curve);
    html! {
        @if let Some(law) = law {
            @let end = axes.most.min(axes.top / law.gamma);
            line class="ideal" x1=(axes.x.at(0.0)) y1=(axes.y.at(0.0)) x2=(axes.x.at(end)) y2=(axes.y.at(law.gamma * end)) {}
            polyline class="line" points=(path(&law, axes)) {}
        }
        @for point in &curve.points {
            @let x = axes.x.at(point.workers.into());
            @if let Some(ci) = point.ci {
                line class="whisker" x1=(x) x2=(x) y1=(axes.y.at(ci.lo)) y2=(axes.y.at(ci.hi)) {}
            }
            circle class="dot" cx=(x) cy=(axes.y.at(point.value)) r="4.5" {
                title { (curve.subject) ", " (point.workers) " workers: " (with_unit(point.value, &curve.unit)) }
            }
        }
    }
}

fn law(curve: &ScalingCurve) -> Option<Usl> {
    let ScalingModel { gamma, alpha, beta, .. } = curve.model.as_ref()?;
    Some(Usl { gamma: gamma.value, alpha: alpha.value, beta: beta.value, is_beta_fixed: beta.fixed })
}

/// The curve from one worker to the most that were measured.
fn path(law: &Usl, axes: &Axes) -> String {
    let at = |piece: u32| {
        let workers = 1.0 + (axes.most - 1.0) * f64::from(piece) / f64::from(PIECES);
        format!("{},{}", axes.x.at(workers), axes.y.at(law.at(workers)))
    };
    (0..=PIECES).map(at).collect::<Vec<_>>().join(" ")
}

/// Round levels up to `top`: steps of 1, 2 or 5.
fn levels(top: f64) -> Vec<f64> {
    let rough = top / LEVELS;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let count = if step > 0.0 && step.is_finite() { (top / step).floor().min(20.0) as u32 } else { 0 };
    (0..=count).map(|index| f64::from(index) * step).collect()
}

/// The numbers of workers that were measured, the largest first to get its label.
fn ticks(group: &[ScalingCurve], x: &Scale) -> Vec<f64> {
    let mut workers: Vec<u32> = group.iter().flat_map(|curve| curve.points.iter().map(|point| point.workers)).collect();
    workers.sort_unstable();
    workers.dedup();
    let mut kept: Vec<f64> = Vec::new();
    for workers in workers.into_iter().rev().map(f64::from) {
        if kept.last().is_none_or(|last| x.at(*last) - x.at(workers) >= LABEL_GAP) {
            kept.push(workers);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::scaling::{result, results_of};

    #[test]
    fn levels_are_round_and_cover_the_height() {
        assert_eq!(levels(9.4), [0.0, 2.0, 4.0, 6.0, 8.0]);
        assert_eq!(levels(1.0e6).len(), 6);
        assert_eq!(levels(0.0).len(), 1);
    }

    #[test]
    fn every_subject_has_its_points_its_curve_and_its_ideal() {
        let scaling = result().scaling.expect("a section");
        let svg = svg(&scaling.curves).expect("a plot").into_string();
        assert_eq!(svg.matches("<circle").count(), 4 * 8);
        assert_eq!((svg.matches("<polyline").count(), svg.matches("class=\"ideal\"").count()), (4, 4));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(
            svg.contains(">64</text>") && svg.contains(">48</text>") && !svg.contains(">2</text>"),
            "labels that would touch are left out"
        );
    }

    #[test]
    fn one_point_is_a_plot_without_a_curve_and_none_is_no_plot() {
        let mut scaling = results_of(&[1]).scaling.expect("a section");
        let plot = svg(&scaling.curves).expect("a plot").into_string();
        assert!(plot.contains("<circle") && !plot.contains("<polyline"));
        scaling.curves.iter_mut().for_each(|curve| curve.points.clear());
        assert!(svg(&scaling.curves).is_none());
    }
}
