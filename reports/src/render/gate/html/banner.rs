//! The top of the page: the verdict, and what was compared with what.

use maud::{Markup, html};

use super::super::{view, words};
use crate::exit;
use crate::schema::gate::{GateBase, GateBaseKind, GateResult, GateSide, GateWord};

pub(super) fn header(result: &GateResult) -> Markup {
    let is_good = result.outcome.exit_code == exit::PASSED;
    let class = match result.outcome.word {
        GateWord::Passed => "badge good",
        GateWord::Inconclusive => "badge warn",
        GateWord::Regressed | GateWord::Invalid | GateWord::Error => "badge bad",
    };
    html! {
        header {
            p class="kicker" { "zokio-bench gate · " (result.suites.iter().map(|suite| suite.file.as_str()).collect::<Vec<_>>().join(", ")) }
            h1 { (view::suites(result)) }
            p class="question" { "Is the candidate slower than what it is compared with?" }
            p class="badges" {
                span class=(class) { (result.outcome.word.name()) }
                span class=(if is_good { "badge good" } else { "badge bad" }) { (words::exit_code(result)) }
                @if let Some(sees) = result.outcome.sees.filter(|sees| sees.is_finite()) { span class="badge quiet" { "sees " (view::percent(sees)) " or more" } }
                @if !result.complete { span class="badge bad" { "ended early" } }
            }
            p class="summary" { (words::verdict(result)) " " (view::counts(&view::rows(result))) }
            ul class="reasons" { @for step in words::next_steps(result) { li { (step) } } }
            (sides(result))
            (facts(result))
        }
    }
}

fn sides(result: &GateResult) -> Markup {
    html! {
        div class="wide" { table {
            thead { tr {
                th { "" } th { "Source" } th { "Commit" } th { "Of" } th { "Build" } th { "sha256" } th { "Code layout" }
            } }
            tbody {
                tr { th scope="row" { "candidate" } (side(&result.candidate)) td { "" } }
                @for base in &result.bases { tr { th scope="row" { (base.name) } (side(&base.side)) td { (layout(base)) } } }
            }
        } }
    }
}

fn side(side: &GateSide) -> Markup {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".into());
    html! {
        td { (view::clipped(&side.source)) }
        td { (side.revision.as_deref().map_or_else(|| "not known".into(), words::short)) @if side.dirty == Some(true) { " and uncommitted changes" } }
        td { (known(&side.committed_at)) }
        td { (side.subject) " " (side.version) ", " (side.build.profile) ", " (known(&side.build.rustc)) }
        td { code { (side.binary_sha256.as_deref().map_or_else(|| "not known".into(), words::short)) } }
    }
}

fn layout(base: &GateBase) -> String {
    match (base.identical, base.kind, base.layouts) {
        (true, ..) => "the candidate's own file: nothing was measured".into(),
        (_, GateBaseKind::Stored, _) => "stored result: informs, never fails".into(),
        (_, _, Some(layouts)) => format!("{layouts} others measured"),
        (_, _, None) => "effect not measured".into(),
    }
}

fn facts(result: &GateResult) -> Markup {
    let facts = [
        ("Gate", result.gate_id.clone()),
        ("Started", result.started_at.clone()),
        (
            "Took",
            result.duration_s.filter(|seconds| seconds.is_finite()).map_or_else(|| "not known".into(), |seconds| format!("{seconds:.0} s")),
        ),
        ("Tool", format!("{} {}", result.tool.name, result.tool.version)),
        ("CPU", result.host.cpu.model.clone().unwrap_or_else(|| "not known".into())),
        ("Kernel", result.host.kernel.release.clone().unwrap_or_else(|| "not known".into())),
        ("Rule", words::rule(result)),
        ("Command", result.command.join(" ")),
    ];
    html! {
        dl class="facts" { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } }
    }
}
