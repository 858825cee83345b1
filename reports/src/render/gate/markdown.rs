//! Markdown for a comment on a change: verdict, what was compared, the rows worst first, notes.
//!
//! The first line is a marker, `<!-- zokio-bench:gate:SUITES -->`: who comments finds the comment of an earlier gate by it and replaces
//! that, so that a change has one comment and not one for each push.

use super::view::{self, word};
use super::words;
use crate::render::markdown::cell;
use crate::render::terminal::host_line;
use crate::schema::gate::{GateResult, GateRow, GateVerdict};

/// Longest comment, in bytes: the sites that show one refuse a body of more than 65,536 characters.
pub const COMMENT_MAX: usize = 65_000;

/// Notes and limits of one kind that are shown.
const LIST_MAX: usize = 20;
const HEADINGS: &str = "| case | metric | against | base | candidate | candidate is | 99 % | pairs | verdict | sees |\n\
                        |---|---|---|--:|--:|---|---|--:|---|--:|\n";

/// The gate as GitHub-flavoured Markdown of at most [`COMMENT_MAX`] bytes; what does not fit is counted.
pub fn render(result: &GateResult) -> String {
    render_within(result, COMMENT_MAX)
}

/// [`render`] in at most `bytes`: rows that do not fit are left out from the end, where the least interesting ones stand, and counted.
pub fn render_within(result: &GateResult, bytes: usize) -> String {
    let (head, tail) = (head(result), tail(result));
    let (open, folded): (Vec<&GateRow>, Vec<&GateRow>) = view::rows(result).into_iter().partition(|row| is_open(row.verdict));
    // What a table needs beside its rows: headings, the fold, and the count of what was left out.
    let frame = 3 * HEADINGS.len() + 400;
    let mut room = bytes.saturating_sub(head.len() + tail.len() + frame);
    let mut text = head;
    let left_out = [table(&open, &mut room), table(&folded, &mut room)];
    for ((table, rest), rows) in left_out.into_iter().zip([&open, &folded]) {
        let is_folded = std::ptr::eq(rows, &folded);
        if rows.is_empty() {
            continue;
        }
        if is_folded {
            text.push_str(&format!("<details><summary>The rest: {}</summary>\n\n", view::counts(rows)));
        }
        text.push_str(&table);
        if !rest.is_empty() {
            text.push_str(&format!("\n… and {} more that do not fit here: {}\n", rest.len(), view::counts(&rest)));
        }
        text.push_str(if is_folded { "\n</details>\n\n" } else { "\n" });
    }
    text.push_str(&tail);
    cut(text, bytes)
}

/// What nobody should have to unfold.
fn is_open(verdict: GateVerdict) -> bool {
    matches!(verdict, GateVerdict::Worse | GateVerdict::Invalid | GateVerdict::Inconclusive | GateVerdict::Better)
}

fn head(result: &GateResult) -> String {
    let suites = cell(&view::suites(result));
    let mut text = format!("<!-- zokio-bench:gate:{suites} -->\n## Gate {suites}: {}\n\n", result.outcome.word.name());
    text.push_str(&format!("**{}** ({})\n\n", cell(&words::verdict(result)), words::exit_code(result)));
    text.push_str(&format!("- candidate: {}\n", cell(&words::side(&result.candidate))));
    text.push_str(&list(result.bases.iter().map(|base| format!("base {}: {}", base.name, words::base(base))).collect()));
    let tool = &result.tool;
    text.push_str(&format!("- host: {}\n", cell(&host_line(&result.host))));
    text.push_str(&format!(
        "- gate {} of {}, {} {}, {}\n\n",
        cell(&result.gate_id),
        cell(&result.started_at),
        cell(&tool.name),
        cell(&tool.version),
        cell(tool.rustc.as_deref().unwrap_or("unknown rustc"))
    ));
    text
}

/// Headings and as many rows as there is room for; the rows that were left out.
fn table<'a>(rows: &[&'a GateRow], room: &mut usize) -> (String, Vec<&'a GateRow>) {
    let mut text = HEADINGS.to_string();
    for (index, row) in rows.iter().enumerate() {
        let line = line(row);
        if line.len() > *room {
            *room = 0;
            return (text, rows[index..].to_vec());
        }
        *room -= line.len();
        text.push_str(&line);
    }
    (text, Vec::new())
}

fn line(row: &GateRow) -> String {
    let (what, ci) = view::change(row);
    let [base, candidate] = view::values(row);
    let strong = if row.verdict == GateVerdict::Worse { "**" } else { "" };
    let reason = view::reason(row).map_or_else(String::new, |reason| format!(": {}", cell(&reason)));
    let cells = [
        cell(&row.case),
        cell(&row.metric),
        cell(&row.base),
        base,
        candidate,
        format!("{strong}{what}{strong}"),
        cell(&ci),
        row.n.to_string(),
        format!("{strong}{}{strong}{reason}", word(row.verdict)),
        row.sees.map_or_else(|| crate::units::ABSENT.into(), view::percent),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn tail(result: &GateResult) -> String {
    let mut text = String::new();
    let (failing, other): (Vec<_>, Vec<_>) = result.thresholds.iter().partition(|threshold| threshold.fails);
    section(&mut text, "**Thresholds that fail**", failing.into_iter().map(words::threshold).collect());
    section(&mut text, "**Next**", words::next_steps(result));
    section(&mut text, "**Notes**", words::notes(result));
    section(&mut text, "<details><summary>Other thresholds</summary>", other.iter().map(|threshold| words::threshold(threshold)).collect());
    if !other.is_empty() {
        text.push_str("</details>\n\n");
    }
    text.push_str(&format!(
        "Rule: {}. *worse by 1.05×*: it takes 1.05 times as long, or does 1/1.05 of the work; a ratio alone: above 1 is worse. *sees*: the \
         least slow-down that the row would have found nine times in ten.\n",
        cell(&words::rule(result))
    ));
    text
}

fn section(text: &mut String, heading: &str, entries: Vec<String>) {
    if !entries.is_empty() {
        text.push_str(&format!("{heading}\n\n{}\n", list(entries)));
    }
}

fn list(mut entries: Vec<String>) -> String {
    if entries.len() > LIST_MAX {
        let more = entries.len() - LIST_MAX;
        entries.truncate(LIST_MAX);
        entries.push(format!("… and {more} more"));
    }
    entries.iter().map(|entry| format!("- {}\n", cell(entry))).collect()
}

/// The last resort: a text cut at a line's end, where even one row was too much.
fn cut(mut text: String, bytes: usize) -> String {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(text[..end].rfind('\n').map_or(0, |end| end + 1));
    }
    text
}
