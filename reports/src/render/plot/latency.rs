//! Latency curves: time against the share of operations that were at least so slow, one more nine at every step of the axis.
//!
//! Drawn by `plotters` at twice the size and scaled by the view box, because its coordinates are integers. Text and lines are given
//! marker colours (`#0100NN`), which the page's style sheet turns into those of the subject, in light and in dark.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::view;
use super::COLORS;
use crate::schema::histogram;
use crate::schema::result::CaseResult;
use crate::units::Nanos;

/// Size of the canvas; shown at half of it.
const SIZE: (u32, u32) = (1_920, 680);
/// Asked for, and drawn smaller by 1.24: `plotters` takes the size of a font box.
const FONT: u32 = 32;
const TEXT: RGBColor = RGBColor(1, 1, 0);
const GRID: RGBColor = RGBColor(1, 1, 1);

/// The distributions of one case, by subject index.
struct Curves {
    lines: Vec<(usize, Vec<(f64, f64)>)>,
    nines: f64,
    low: f64,
    high: f64,
}

/// The plot as SVG text, or nothing where the case has no such distribution or it cannot be drawn.
pub(crate) fn svg(case: &CaseResult, id: &str) -> Option<String> {
    let curves = curves(case, id)?;
    let mut text = String::new();
    draw(&curves, &mut text).ok()?;
    let start = text.find("<svg")?;
    let body = &text[start + text[start..].find('>')? + 1..];
    let (width, height) = SIZE;
    Some(format!(
        "<svg class=\"plot curves\" role=\"img\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\
         <title>{} by percentile, one line per subject, logarithmic in both directions</title>{body}",
        view::time_name(id)
    ))
}

fn curves(case: &CaseResult, id: &str) -> Option<Curves> {
    let mut lines = Vec::new();
    for (index, row) in case.subjects.iter().enumerate() {
        let Some(entry) = row.histograms.iter().find(|entry| entry.id == id) else { continue };
        let Ok(decoded) = histogram::decode(&entry.as_payload()) else { continue };
        let points: Vec<(f64, f64)> =
            histogram::curve(&decoded).into_iter().map(|(q, value)| (-(1.0 - q).log10(), value.max(1.0).log10())).collect();
        if points.len() > 1 {
            lines.push((index, points));
        }
    }
    let all = || lines.iter().flat_map(|(_, points)| points);
    let nines = all().map(|point| point.0).reduce(f64::max)?;
    let low = all().map(|point| point.1).reduce(f64::min)?;
    let high = all().map(|point| point.1).reduce(f64::max)?;
    Some(Curves { nines, low: low - 0.04, high: high + 0.06, lines })
}

fn draw(curves: &Curves, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let backend = SVGBackend::with_string(text, SIZE);
    let root = backend.into_drawing_area();
    let (left, bottom, edge) = (170, 76, 24);
    let mut chart = ChartBuilder::on(&root)
        .set_label_area_size(LabelAreaPosition::Left, left - edge)
        .margin(edge)
        .margin_bottom(bottom)
        .build_cartesian_2d(0.0..curves.nines * 1.01, curves.low..curves.high)?;
    let label = ("sans-serif", FONT).into_font().color(&TEXT);
    let (anchor_left, anchor_below) = (Pos::new(HPos::Right, VPos::Center), Pos::new(HPos::Center, VPos::Top));
    let thin = ShapeStyle::from(&GRID).stroke_width(2);
    for level in time_levels(curves.low, curves.high) {
        let place = level.log10();
        chart.draw_series([PathElement::new([(0.0, place), (curves.nines, place)], thin)])?;
        let at = chart.backend_coord(&(0.0, place));
        root.draw(&Text::new(Nanos(level).to_string(), (at.0 - 14, at.1), label.pos(anchor_left)))?;
    }
    for (nines, name) in percentile_levels(curves.nines) {
        chart.draw_series([PathElement::new([(nines, curves.low), (nines, curves.high)], thin)])?;
        let at = chart.backend_coord(&(nines, curves.low));
        root.draw(&Text::new(name, (at.0, at.1 + 14), label.pos(anchor_below)))?;
    }
    for (index, points) in &curves.lines {
        let color = RGBColor(1, 0, (*index % COLORS) as u8);
        chart.draw_series(LineSeries::new(points.iter().copied(), ShapeStyle::from(&color).stroke_width(5)))?;
    }
    root.present()?;
    Ok(())
}

/// Round times within the decades `low` to `high` (as powers of ten): finer steps where the range is short.
fn time_levels(low: f64, high: f64) -> Vec<f64> {
    let steps: &[f64] = if high - low > 3.0 {
        &[1.0]
    } else if high - low > 0.7 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]
    };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let levels = decades.flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    levels.filter(|level| (low..=high).contains(&level.log10())).collect()
}

fn percentile_levels(nines: f64) -> Vec<(f64, String)> {
    let named =
        [(0.0, "fastest"), (-(0.5f64.log10()), "p50"), (1.0, "p90"), (2.0, "p99"), (3.0, "p99.9"), (4.0, "p99.99"), (5.0, "p99.999")];
    named.into_iter().filter(|(place, _)| *place <= nines).map(|(place, name)| (place, name.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Journal;

    #[test]
    fn every_subject_has_its_line_and_every_label_its_unit() {
        let result = Journal::round_trips().summarize();
        let svg = svg(&result.cases[0], "service_time").unwrap();
        for index in 0..4 {
            assert!(svg.contains(&format!("stroke=\"#01000{index}\"")), "subject {index}");
        }
        assert!(svg.contains("p99.99"));
        assert!(svg.contains("µs"));
        assert!(svg.contains("<title>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(super::svg(&result.cases[0], "response_time").is_none());
    }
}
