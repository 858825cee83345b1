//! The rows: all ratios at a glance, then each with its pairs.

use maud::{Markup, html};

use super::super::view;
use crate::render::plot::{self, forest};
use crate::schema::gate::{GateResult, GateRow, GateVerdict};
use crate::units::ABSENT;

/// Longest label of the forest plot, in characters: it must fit beside it.
const LABEL_MAX: usize = 58;

/// The forest plot with its data in a table.
pub(super) fn ratios(result: &GateResult) -> Markup {
    let rows = view::rows(result);
    if rows.is_empty() {
        return html! { section { h2 { "Ratios" } p { "Nothing was measured." } } };
    }
    let entries: Vec<forest::Entry> = rows.iter().filter_map(|row| entry(result, row)).collect();
    let threshold = result.rule.threshold;
    let frame = forest::Frame {
        title: "By how much the candidate is worse, with 99 % intervals; right of 1 it is worse",
        band: (1.0 / (1.0 + threshold), 1.0 + threshold),
        limit: Some((1.0 + threshold, format!("a slow-down of {}", view::percent(threshold)))),
    };
    html! {
        section {
            h2 { "Ratios" }
            p { "Right of 1 the candidate is worse, whichever way the metric goes. The shaded band is the threshold to both sides: an interval inside it
                 counts as the same." }
            @if let Some(svg) = forest::plot(&entries, &frame) { figure { (svg) } }
            div class="wide" { (table(&rows)) }
        }
    }
}

fn entry(result: &GateResult, row: &GateRow) -> Option<forest::Entry> {
    let usable = |ratio: &f64| ratio.is_finite() && *ratio > 0.0;
    let name = view::name(result, row);
    Some(forest::Entry {
        label: view::cut(&name.replacen(&row.case, &view::short_case(&row.case), 1), LABEL_MAX),
        title: format!("{name}: {}", view::line(row)),
        word: view::word(row.verdict),
        ratio: row.ratio.filter(usable)?,
        ci: row.ci.filter(|ci| usable(&ci.lo) && usable(&ci.hi))?,
    })
}

fn table(rows: &[&GateRow]) -> Markup {
    html! {
        table {
            thead { tr {
                th { "Case" } th { "Metric" } th { "Against" } th class="number" { "Base" } th class="number" { "Candidate" } th { "Candidate is" }
                th { "99 %" } th class="number" title="adjusted: shared over looks and rows" { "p" } th class="number" { "Pairs" } th { "Verdict" } th class="number" { "Sees" }
            } }
            tbody { @for row in rows {
                @let (what, ci) = view::change(row);
                @let [base, candidate] = view::values(row);
                tr class=(if row.verdict == GateVerdict::Invalid { "invalid" } else { "" }) {
                    td { (row.case) } td { (row.metric) } td { (row.base) } td class="number" { (base) } td class="number" { (candidate) }
                    td class="main words" { (what) } td class="words" { small { (ci) } }
                    td class="number" { (view::p_adjusted(row).map_or_else(|| ABSENT.into(), |p| p.trim_start_matches("= ").to_string())) }
                    td class="number" { (row.n) }
                    td class=(class(row.verdict)) { (view::word(row.verdict)) @if row.excludes_worse { small { " but not worse by the threshold" } } }
                    td class="number" { (row.sees.map_or_else(|| ABSENT.into(), view::percent)) }
                }
            } }
        }
    }
}

/// Each row with its pairs; what needs a look stands open, the rest is folded.
pub(super) fn each(result: &GateResult) -> Markup {
    let has_pairs = |row: &&GateRow| !row.pairs.is_empty() || row.reason.is_some();
    let (open, folded): (Vec<&GateRow>, Vec<&GateRow>) = view::rows(result)
        .into_iter()
        .filter(has_pairs)
        .partition(|row| matches!(row.verdict, GateVerdict::Worse | GateVerdict::Invalid | GateVerdict::Inconclusive));
    html! {
        @if !open.is_empty() || !folded.is_empty() {
            section {
                h2 { "Pairs" }
                p { "Left: the value of every trial in the order they ran. Right: by how much the candidate was worse in each pair, the median, its interval
                     and, dashed, the threshold; a dot is a pair whose base ran first, a ring one whose candidate did. Pale: pairs taken after the
                     verdict, for another row of the case." }
                p class="legend" { span { span class="chip s0" {} "base" } span { span class="chip s1" {} "candidate" } }
                @for row in open { (one(result, row)) }
                @if !folded.is_empty() {
                    details {
                        summary { "The other rows: " (view::counts(&folded)) }
                        @for row in folded { (one(result, row)) }
                    }
                }
            }
        }
    }
}

fn one(result: &GateResult, row: &GateRow) -> Markup {
    html! {
        h3 { (view::name(result, row)) " " span class=(class(row.verdict)) { (view::word(row.verdict)) } }
        p class="conditions" { (view::line(row)) @if let Some(reason) = view::reason(row) { ". " (reason) } }
        @if !row.pairs.is_empty() {
            div class="pairs" {
                @for svg in [plot::pairs::sides(row), plot::pairs::ratios(row)].into_iter().flatten() { figure { (svg) } }
            }
        }
    }
}

/// The class that colours a verdict.
fn class(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Worse => "worse",
        GateVerdict::Invalid => "INVALID",
        GateVerdict::Inconclusive => "inconclusive",
        GateVerdict::Better => "better",
        GateVerdict::Same | GateVerdict::NotGated | GateVerdict::Identical => "quiet",
    }
}
