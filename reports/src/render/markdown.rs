//! Markdown for a pull request or an issue: the verdict, what was lost, a table per case, the rest folded.

use std::fmt::Write as _;

use crate::schema::result::{CaseResult, RunResult, Verdict};
use crate::schema::validity::ValidityState;

use super::{scaling, stress, view};

/// The result as GitHub-flavoured Markdown; the marker on its first line lets a bot find and replace its own comment.
pub fn render(result: &RunResult) -> String {
    let mut text = format!("<!-- zokio-bench:{} -->\n", cell(&result.suite.name));
    let _ = writeln!(text, "## {}: {}\n", cell(&result.suite.name), cell(&result.verdict.summary));
    let _ = writeln!(text, "{}\n", view::meaning(result));
    provenance(&mut text, result);
    list(&mut text, "Lost", &comparisons(result, Verdict::Worse));
    let rows = |state| -> Vec<String> {
        let reason = |text: Option<&String>| cell(text.map_or("", String::as_str));
        view::rows_in(result, state)
            .into_iter()
            .map(|(case, row)| format!("{}, {}: {}", cell(&case.id), cell(&row.subject), reason(row.validity.reason.as_ref())))
            .collect()
    };
    list(&mut text, "Invalid, not ranked", &rows(ValidityState::Invalid));
    list(&mut text, "Suspect", &rows(ValidityState::Suspect));
    list(&mut text, "Skipped", &rows(ValidityState::Skipped));
    for case in &result.cases {
        table(&mut text, case);
    }
    scaling(&mut text, result);
    targets(&mut text, result);
    text.push_str("\nRates count successes only. Values are medians over trials with 95 % intervals; a closed loop gives service times.\n");
    text
}

fn provenance(text: &mut String, result: &RunResult) {
    let cpu = result.host.cpu.model.as_deref().unwrap_or("unknown CPU");
    let commit = result.tool.git_sha.as_deref().unwrap_or("unknown commit");
    let quotable = if result.reportable {
        "may be quoted".to_string()
    } else {
        format!("**not to be quoted**: {}", cell(&result.not_reportable_because.join("; ")))
    };
    let _ = writeln!(
        text,
        "Run `{}` of {} · {} {} ({}) · {}, {} CPUs, kernel {} · {quotable}\n",
        cell(&result.run_id),
        cell(&result.started_at),
        cell(&result.tool.name),
        cell(&result.tool.version),
        cell(commit),
        cell(cpu),
        result.host.cpu.allowed.len(),
        cell(result.host.kernel.release.as_deref().unwrap_or("unknown")),
    );
}

fn comparisons(result: &RunResult, verdict: Verdict) -> Vec<String> {
    view::with_verdict(result, verdict).into_iter().map(|(case, comparison)| cell(&view::comparison_line(case, comparison))).collect()
}

fn list(text: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "**{heading}**\n");
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    text.push('\n');
}

fn table(text: &mut String, case: &CaseResult) {
    let first = case.subjects.first().map_or("", |row| row.subject.as_str());
    let _ = writeln!(text, "### {}\n\n{}\n", cell(&case.id), view::conditions(case));
    let _ = writeln!(
        text,
        "| subject | driver | {} | 95 % | CPU/op | p50 | p99 | bytes | errors | {}/it | 95 % | verdict |",
        view::rate_heading(case),
        cell(first)
    );
    text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n");
    for row in view::rows(case) {
        let strike = if row.row.validity.state == ValidityState::Suspect { "~~" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {strike}{}{strike} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&row.name),
            cell(&row.driver),
            row.rate,
            row.spread,
            row.cpu,
            row.p50,
            row.p99,
            row.throughput,
            row.errors,
            row.ratio,
            row.ratio_ci,
            row.verdict
        );
    }
    text.push('\n');
    list(text, "Under stress", &stress::lines(case).iter().map(|line| cell(line)).collect::<Vec<String>>());
}

fn scaling(text: &mut String, result: &RunResult) {
    let Some(scaling) = &result.scaling else { return };
    let _ = writeln!(text, "### {}\n\n{}\n", scaling::HEADING, scaling::LAW);
    list(text, "Notes", &scaling.notes.iter().map(|note| cell(note)).collect::<Vec<_>>());
    for group in scaling::groups(scaling) {
        let _ = writeln!(text, "**{}**, {}\n", cell(&scaling::title(group)), cell(&group[0].metric));
        text.push_str("| subject | workers: throughput | speed-up | one worker | contention | coherency | peak | fit |\n");
        text.push_str("|---|---|--:|--:|--:|--:|--:|--:|\n");
        for curve in group {
            let words = scaling::words(curve);
            let cells =
                [&words.points, &words.speedup, &words.gamma, &words.alpha, &words.beta, &words.peak, &words.fit].map(|word| cell(word));
            let _ = writeln!(text, "| {} | {} |", cell(&curve.subject), cells.join(" | "));
        }
        text.push('\n');
        list(text, "Notes on the curves", &scaling::curve_notes(group).iter().map(|note| cell(note)).collect::<Vec<_>>());
    }
}

fn targets(text: &mut String, result: &RunResult) {
    let lines: Vec<String> = result
        .cases
        .iter()
        .flat_map(|case| case.targets.iter().map(move |target| (case, target)))
        .map(|(case, target)| {
            format!("| {} | {} | {} | {} |", cell(&case.id), cell(&target.metric), cell(&target.source), view::target_outcome(target))
        })
        .collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "<details><summary>Targets</summary>\n\n| case | metric | target | outcome |\n|---|---|---|---|");
    let _ = writeln!(text, "{}\n\n</details>", lines.join("\n"));
}

/// Text that cannot end a table cell, start markup or a tag.
pub(super) fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in view::printable(text).chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '|' | '`' | '*' | '[' | ']' | '\\' => escaped.extend(['\\', character]),
            character => escaped.push(character),
        }
    }
    escaped
}
