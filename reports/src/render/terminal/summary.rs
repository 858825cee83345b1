//! The closing lines: what was lost first, then what cannot be believed, then what it all means.

use super::super::view;
use super::paint::Paint;
use crate::exit;
use crate::schema::result::{RunResult, Verdict};
use crate::schema::validity::ValidityState;

pub(super) fn lines(result: &RunResult, paint: &Paint) -> Vec<String> {
    let mut lines = Vec::new();
    section(&mut lines, paint, "Lost", comparisons(result, Verdict::Worse));
    section(&mut lines, paint, "Invalid, not ranked", rows(result, ValidityState::Invalid));
    section(&mut lines, paint, "Suspect", rows(result, ValidityState::Suspect));
    section(&mut lines, paint, "Skipped", rows(result, ValidityState::Skipped));
    section(&mut lines, paint, "Not decided", comparisons(result, Verdict::Inconclusive));
    section(&mut lines, paint, "The same", comparisons(result, Verdict::Same));
    section(&mut lines, paint, "Won", comparisons(result, Verdict::Better));
    section(&mut lines, paint, "Not to be quoted", result.not_reportable_because.clone());
    lines.extend(paint.wrapped(&format!("{}.", result.verdict.summary), 0));
    lines.extend(paint.wrapped(&view::meaning(result), 0));
    let notes = "Rates count successes only; values are medians over trials with 95% intervals; a closed loop gives service times, not response \
                 times. Guards with their limits, latency curves and the host are in report.html.";
    lines.extend(paint.wrapped(notes, 0).iter().map(|line| paint.faint(line)));
    let code = result.verdict.exit_code;
    let meaning = exit::MEANINGS.iter().find(|(known, _)| *known == code).map_or("", |(_, meaning)| meaning);
    lines.extend(paint.wrapped(&format!("exit code {code}: {meaning}"), 4).iter().map(|line| paint.strong(line)));
    lines
}

fn comparisons(result: &RunResult, verdict: Verdict) -> Vec<String> {
    view::with_verdict(result, verdict).into_iter().map(|(case, comparison)| view::comparison_line(case, comparison)).collect()
}

fn rows(result: &RunResult, state: ValidityState) -> Vec<String> {
    let reason = |text: &Option<String>| view::printable(text.as_deref().unwrap_or(""));
    let line = |(case, row): (&crate::schema::result::CaseResult, &crate::schema::result::SubjectResult)| {
        format!("{}, {}: {}", case.id, row.subject, reason(&row.validity.reason))
    };
    view::rows_in(result, state).into_iter().map(line).collect()
}

fn section(lines: &mut Vec<String>, paint: &Paint, heading: &str, entries: Vec<String>) {
    lines.extend(paint.section(&format!("{heading} ({})", entries.len()), &entries));
}
