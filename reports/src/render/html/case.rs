//! One case: its table, its plots, and everything that was checked about it.

use maud::{Markup, PreEscaped, html};

use crate::judge::time_id;
use crate::render::{plot, stress, view};
use crate::schema::result::{CaseResult, SubjectResult};
use crate::schema::validity::{CheckState, ValidityState};

pub(super) fn section(case: &CaseResult, anchor: &str) -> Markup {
    html! {
        section class="case" id=(anchor) {
            h2 { (case.id) }
            p class="conditions" { (view::conditions(case)) ". Witness: " (case.witness) "." }
            (table(case))
            @for (name, comparison) in view::headlines(case) {
                p class="headline" {
                    (comparison.subject) " / " (name) ": "
                    b { (comparison.ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.3}×"))) } " "
                    (comparison.ci.map_or_else(String::new, view::interval)) " "
                    span class=(view::verdict(comparison.verdict)) { (view::verdict(comparison.verdict)) }
                }
            }
            (legend(case))
            @if let Some(curves) = plot::latency::svg(case, time_id(&case.primary_metric)) {
                figure {
                    (PreEscaped(curves))
                    figcaption { (view::time_name(time_id(&case.primary_metric))) " by percentile, all trials merged, as far as the samples support it." }
                }
            }
            @if let Some(strip) = plot::strip::svg(case) {
                figure { (strip) figcaption { (case.primary_metric) " of every trial against its subject's median, in the order they ran." } }
            }
            @if let Some(course) = plot::course::svg(case) {
                figure { (course) figcaption { "Operations per second over time, in each subject's trial with the median rate." } }
            }
            (under_stress(case))
            (targets(case))
            (thresholds(case))
            (metrics(case))
            (guards(case))
        }
    }
}

fn table(case: &CaseResult) -> Markup {
    let first = case.subjects.first().map_or("", |row| row.subject.as_str());
    html! {
        div class="wide" { table {
            thead { tr {
                th { "Subject" } th { "Driver" } th class="number" { (view::rate_heading(case)) } th class="number" { "95 %" }
                th class="number" { "CPU / op" } th class="number" { "p50" } th class="number" { "p99" }
                @if case.primary_metric != "bytes_per_s" { th class="number" { "bytes" } }
                th class="number" { "errors" } th class="number" { (first) " / it" } th { "Verdict" }
            } }
            tbody { @for (index, row) in view::rows(case).iter().enumerate() {
                tr class=(row_class(row.row)) {
                    th scope="row" { span class=(format!("chip {}", plot::color_class(index))) {} (row.name) " " small { (row.row.version) } }
                    td { (row.driver) @if let Some(reason) = &row.row.driver_reason { " " small { "(" (reason) ")" } } }
                    td class="number main" { (row.rate) } td class="number" { (row.spread) }
                    td class="number" { (row.cpu) } td class="number" { (row.p50) } td class="number" { (row.p99) }
                    @if case.primary_metric != "bytes_per_s" { td class="number" { (row.throughput) } }
                    td class="number" { (row.errors) }
                    td class="number" { (row.ratio) @if row.ratio != "–" { " " small { (row.ratio_ci) } } }
                    td class=(row.verdict) { (row.verdict) }
                }
            } }
        } }
    }
}

fn row_class(row: &SubjectResult) -> &'static str {
    match row.validity.state {
        ValidityState::Valid => "valid",
        ValidityState::Suspect => "suspect",
        ValidityState::Invalid => "invalid",
        ValidityState::Skipped => "skipped",
    }
}

fn legend(case: &CaseResult) -> Markup {
    html! {
        p class="legend" aria-label="Colours of the subjects" {
            @for (index, row) in case.subjects.iter().enumerate() {
                span { span class=(format!("chip {}", plot::color_class(index))) {} (row.subject) }
            }
        }
    }
}

fn under_stress(case: &CaseResult) -> Markup {
    let lines = stress::lines(case);
    html! {
        @if !lines.is_empty() {
            h3 { "Under stress" }
            ul class="plain" { @for line in &lines { li { (line) } } }
        }
    }
}

fn targets(case: &CaseResult) -> Markup {
    html! {
        @if !case.targets.is_empty() {
            h3 { "Targets" }
            table {
                thead { tr { th { "Kind" } th { "Metric" } th { "Target" } th { "Measured on" } th { "Outcome" } } }
                tbody { @for target in &case.targets {
                    tr {
                        td { (target.kind) }
                        td { (target.metric) }
                        td { (target.source) @if !target.comparable { ": " b { (view::target_figure(case, target)) } } }
                        td { @if target.comparable { "this host, same run" } @else if target.kind == "historical" { "as the source says" } @else { (target.host.as_deref().unwrap_or("no host given")) } }
                        td class=(match target.reached { Some(true) => "better", Some(false) => "worse", None => "quiet" }) { (view::target_outcome(target)) }
                    }
                } }
            }
        }
    }
}

fn thresholds(case: &CaseResult) -> Markup {
    html! {
        @if !case.thresholds.is_empty() {
            h3 { "Thresholds" }
            ul class="plain" { @for threshold in &case.thresholds {
                li class=(match threshold.passed { Some(true) => "quiet", Some(false) => "worse", None => "inconclusive" }) { (view::threshold_line(threshold)) }
            } }
        }
    }
}

fn metrics(case: &CaseResult) -> Markup {
    html! {
        details {
            summary { "All metrics, with intervals" }
            @for row in &case.subjects {
                h4 { (row.subject) }
                table { tbody { @for metric in &row.metrics { tr { th scope="row" { (metric.id) } td class="number" { (view::with_interval(metric)) } } } } }
            }
        }
    }
}

fn guards(case: &CaseResult) -> Markup {
    let count = |state: CheckState| -> usize {
        case.subjects.iter().flat_map(|row| &row.validity.checks).filter(|check| check.state == state).count()
    };
    let all = case.subjects.iter().map(|row| row.validity.checks.len()).sum::<usize>();
    html! {
        details {
            summary { "Guards: " (count(CheckState::Pass)) " of " (all) " passed, " (count(CheckState::Suspect)) " suspect, "
                (count(CheckState::Invalid)) " invalid, " (count(CheckState::Skipped)) " could not be applied" }
            @for row in &case.subjects {
                h4 { (row.subject) }
                table {
                    thead { tr { th { "Guard" } th { "State" } th { "What was seen" } } }
                    tbody { @for check in &row.validity.checks {
                        @let (word, class) = match check.state {
                            CheckState::Pass => ("pass", "quiet"),
                            CheckState::Skipped => ("not applied", "inconclusive"),
                            CheckState::Suspect => ("suspect", "worse"),
                            CheckState::Invalid => ("invalid", "INVALID"),
                        };
                        tr { th scope="row" { (check.id) } td class=(class) { (word) } td { (check.detail) } }
                    } }
                }
            }
        }
    }
}
