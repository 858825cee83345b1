//! What more workers bring: a plot and the coefficients per scenario.

use maud::{Markup, html};

use crate::render::{plot, scaling, view};
use crate::schema::result::RunResult;
use crate::schema::scaling::ScalingCurve;
use crate::units::{ABSENT, Ratio, maybe_with_unit, with_unit};

/// Nothing where no scenario varies its workers.
pub(super) fn section(result: &RunResult) -> Markup {
    let Some(section) = &result.scaling else { return html! {} };
    html! {
        section class="scaling" {
            h2 { (scaling::HEADING) }
            p { (scaling::LAW) }
            @for note in &section.notes { p class="reasons" { (note) } }
            @for group in scaling::groups(section) { (curves(group)) }
        }
    }
}

fn curves(group: &[ScalingCurve]) -> Markup {
    html! {
        h3 { (scaling::title(group)) ": " (group.first().map_or("", |curve| curve.metric.as_str())) }
        @if let Some(svg) = plot::scaling::svg(group) {
            p class="legend" aria-label="Colours of the subjects" {
                @for (index, curve) in group.iter().enumerate() {
                    span { span class=(format!("chip {}", plot::color_class(index))) {} (curve.subject) }
                }
            }
            figure {
                (svg)
                figcaption { "Median throughput with its interval, the fitted curve, and, dashed, its ideal: as many times γ as there are workers." }
            }
        }
        div class="wide" { table {
            thead { tr {
                th { "Subject" } th class="number" { "Speed-up, most workers" } th class="number" { "γ" } th class="number" { "α" }
                th class="number" { "β" } th class="number" { "Peak at" } th class="number" { "Fit" }
            } }
            tbody { @for curve in group {
                @let words = scaling::words(curve);
                tr {
                    th scope="row" { (curve.subject) } td class="number main" { (with_small_interval(&words.speedup)) }
                    @for word in [&words.gamma, &words.alpha, &words.beta, &words.peak] { td class="number" { (with_small_interval(word)) } }
                    td class="number" { small { (words.fit) } }
                }
            } }
        } }
        @for note in scaling::curve_notes(group) { p class="conditions" { (note) } }
        (points(group))
    }
}

/// `0.019 [0.018, 0.021]` with its interval small.
fn with_small_interval(word: &str) -> Markup {
    let (value, interval) = word.split_at(word.find('[').unwrap_or(word.len()));
    html! { (value) small { (interval) } }
}

fn points(group: &[ScalingCurve]) -> Markup {
    html! {
        details {
            summary { "The points" }
            div class="wide" { table {
                thead { tr {
                    th { "Subject" } th class="number" { "Workers" } th class="number" { "Throughput" } th class="number" { "95 %" }
                    th class="number" { "Trials" } th class="number" { "Speed-up" } th class="number" { "95 %" } th { "CPUs" }
                } }
                tbody { @for curve in group { @for point in &curve.points {
                    tr {
                        th scope="row" { (curve.subject) } td class="number" { (point.workers) }
                        td class="number" { (with_unit(point.value, &curve.unit)) }
                        td class="number" {
                            @if let Some(ci) = point.ci { (maybe_with_unit(Some(ci.lo), &curve.unit)) " – " (maybe_with_unit(Some(ci.hi), &curve.unit)) }
                        }
                        td class="number" { (point.n) }
                        td class="number" { (point.speedup.map_or_else(|| ABSENT.into(), |ratio| Ratio(ratio).to_string())) }
                        td class="number" { (point.speedup_ci.map_or_else(String::new, view::interval)) }
                        td { (point.cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")) }
                    }
                } } }
            } }
        }
    }
}
