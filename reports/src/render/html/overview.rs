//! The top of the page: what came out, what was lost, and all ratios at a glance.

use maud::{Markup, html};

use crate::exit;
use crate::render::{plot, view};
use crate::schema::result::{CaseResult, RunResult, SubjectResult, Verdict};
use crate::schema::validity::ValidityState;
use crate::units::Share;

pub(super) fn banner(result: &RunResult, index: usize) -> Markup {
    let code = result.verdict.exit_code;
    let meaning = exit::MEANINGS.iter().find(|(known, _)| *known == code).map_or("", |(_, meaning)| meaning);
    html! {
        header id=(format!("run{index}")) {
            p class="kicker" { "zokio-bench · " (result.suite.file) }
            h1 { (result.suite.name) }
            p class="question" { (result.suite.question) }
            p class="badges" {
                span class=(if code == exit::PASSED { "badge good" } else { "badge bad" }) { "exit " (code) ": " (meaning) }
                @if result.reportable {
                    span class="badge good" { "may be quoted" }
                } @else {
                    span class="badge warn" { "not to be quoted" }
                }
                @if !result.complete { span class="badge bad" { "partial" } }
            }
            p class="summary" { (result.verdict.summary) ". " (view::meaning(result)) }
            @if !result.reportable {
                ul class="reasons" { @for reason in &result.not_reportable_because { li { (reason) } } }
            }
            (provenance(result))
        }
    }
}

fn provenance(result: &RunResult) -> Markup {
    let unknown = || "unknown".to_string();
    let dirty = if result.tool.dirty == Some(true) { " with uncommitted changes" } else { "" };
    let facts = [
        ("Run", result.run_id.clone()),
        ("Started", result.started_at.clone()),
        ("Took", result.duration_s.map_or_else(unknown, |seconds| format!("{seconds:.0} s"))),
        ("Tool", format!("{} {}, {} build", result.tool.name, result.tool.version, result.tool.profile)),
        ("Commit", format!("{}{dirty}", result.tool.git_sha.clone().unwrap_or_else(unknown))),
        ("Seed", result.seed.to_string()),
        ("Suite", result.suite.sha256.chars().take(12).collect()),
        ("CPU", result.host.cpu.model.clone().unwrap_or_else(unknown)),
        ("Kernel", result.host.kernel.release.clone().unwrap_or_else(unknown)),
        (
            "Others on the CPUs",
            result.noise.foreign_cpu_share_median.map_or_else(unknown, |share| format!("{} in the median trial", Share(share))),
        ),
        ("Repeated trials", result.noise.repeated_trials.to_string()),
        ("Command", result.command.join(" ")),
    ];
    html! {
        dl class="facts" { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}

/// What a reader must see before any number: lost comparisons, and rows that are not to be believed.
pub(super) fn lost_first(result: &RunResult) -> Markup {
    let lost = view::with_verdict(result, Verdict::Worse);
    let state = |state| view::rows_in(result, state);
    html! {
        section class="lost" {
            h2 { "Lost" }
            @if lost.is_empty() {
                p { "No comparison on a primary metric was lost." }
            } @else {
                ul { @for (case, comparison) in lost { li class="worse" { (view::comparison_line(case, comparison)) } } }
            }
            (doubtful("Invalid, not ranked", &state(ValidityState::Invalid)))
            (doubtful("Suspect", &state(ValidityState::Suspect)))
            (doubtful("Skipped", &state(ValidityState::Skipped)))
        }
    }
}

fn doubtful(heading: &str, rows: &[(&CaseResult, &SubjectResult)]) -> Markup {
    html! {
        @if !rows.is_empty() {
            h3 { (heading) }
            ul { @for (case, row) in rows { li { b { (case.id) ", " (row.subject) } ": " (view::printable(row.validity.reason.as_deref().unwrap_or(""))) } } }
        }
    }
}

/// The forest plot with its data beside it.
pub(super) fn ratios(result: &RunResult) -> Markup {
    let Some(plot) = plot::forest::svg(result) else { return html! {} };
    html! {
        section {
            h2 { "Ratios" }
            p { "First subject / other, of the primary metric: median of the paired ratios with its 95 % interval. Right of 1 is faster where the
                 metric is a rate. The shaded band is ±5 %: an interval inside it counts as the same." }
            figure { (plot) }
            details {
                summary { "The same as a table" }
                table {
                    thead { tr { th { "Case" } th { "Metric" } th { "Ratio" } th { "95 % interval" } th { "p (Holm)" } th { "Pairs" } th { "Left out" } th { "Verdict" } } }
                    tbody { @for case in &result.cases { @for comparison in &case.comparisons {
                        tr {
                            td { (case.id) ": " (comparison.subject) " / " (comparison.against) }
                            td { (comparison.metric) }
                            td class="number" { (comparison.ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.3}"))) }
                            td class="number" { (comparison.ci.map_or_else(|| "–".into(), view::interval)) }
                            td class="number" { (comparison.p.map_or_else(|| "–".into(), |p| format!("{p:.4}"))) }
                            td class="number" { (comparison.n) }
                            td class="number" { (comparison.pairs_left_out) }
                            td class=(view::verdict(comparison.verdict)) { (view::verdict(comparison.verdict)) }
                        }
                    } } }
                }
            }
        }
    }
}
