//! `run --baseline`: an earlier result beside the new one. It informs; only `gate` judges against something.

use std::collections::BTreeMap;
use std::fmt::Write;

use zokio_report::schema::result::{CaseResult, RunResult, SubjectResult};
use zokio_report::schema::validity::ValidityState;

/// What the reader sees: how the hosts differ, or the ratio of each row to its earlier self.
pub fn compare(now: &RunResult, before: &RunResult) -> String {
    let mut text = format!("baseline: run {} of {}\n", before.run_id, before.started_at);
    let unlike = unlike_fields(now, before);
    if !unlike.is_empty() {
        text.push_str("the hosts are unlike, so no ratio is shown; base and new have:\n");
        for line in unlike {
            let _ = writeln!(text, "  {line}");
        }
        return text;
    }
    let rows = rows(now, before);
    if rows.is_empty() {
        text.push_str("no row of it was measured in the same way\n");
        return text;
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for row in &rows {
        let _ =
            writeln!(text, "  {:w0$}  {:w1$}  {:w2$}  {}", row[0], row[1], row[2], row[3], w0 = widths[0], w1 = widths[1], w2 = widths[2]);
    }
    text.push_str("runs of different times differ by more than their intervals say; `gate` decides, this only informs\n");
    text
}

/// The fields that decide speed and differ, or that only one side knows.
fn unlike_fields(now: &RunResult, before: &RunResult) -> Vec<String> {
    let (now, before) = (&now.host.fingerprint, &before.host.fingerprint);
    if !now.class.is_empty() && now.class == before.class {
        return Vec::new();
    }
    let shown = |value: Option<&Option<String>>| value.cloned().flatten().unwrap_or_else(|| "unknown".into());
    let names: BTreeMap<&String, ()> = now.fields.keys().chain(before.fields.keys()).map(|name| (name, ())).collect();
    let mut lines: Vec<String> = names
        .keys()
        .map(|name| (name, shown(before.fields.get(*name)), shown(now.fields.get(*name))))
        .filter(|(_, before, now)| before != now || before == "unknown")
        .map(|(name, before, now)| format!("{name}: {before} | {now}"))
        .collect();
    if lines.is_empty() {
        lines.push("fingerprint: different, though no field is".into());
    }
    lines
}

/// Case, subject, metric, ratio: where both sides measured the same work validly.
fn rows(now: &RunResult, before: &RunResult) -> Vec<[String; 4]> {
    let same_work =
        |case: &CaseResult| before.cases.iter().find(|old| old.id == case.id && old.workload_sha256 == case.workload_sha256).cloned();
    let mut rows = Vec::new();
    for case in &now.cases {
        let Some(old_case) = same_work(case) else { continue };
        for subject in &case.subjects {
            let old = old_case.subjects.iter().find(|old| old.subject == subject.subject);
            let Some((new_value, old_value)) =
                value(subject, &case.primary_metric).zip(old.and_then(|old| value(old, &case.primary_metric)))
            else {
                continue;
            };
            let ratio = format!("{:.3} ×", new_value / old_value);
            rows.push([case.id.clone(), subject.subject.clone(), case.primary_metric.clone(), ratio]);
        }
    }
    rows
}

fn value(subject: &SubjectResult, metric: &str) -> Option<f64> {
    let is_measured = matches!(subject.validity.state, ValidityState::Valid | ValidityState::Suspect);
    let value = subject.metrics.iter().find(|candidate| candidate.id == metric)?.value?;
    (is_measured && value > 0.0).then_some(value)
}
