//! Two sides of a comparison at a terminal: a table per case, the reasons below it, the unlike fields above all.

use super::super::compare::{Words, cases, side_line, summary, title, words};
use super::super::view;
use super::paint::Paint;
use crate::judge::hosts;
use crate::schema::compare::{CompareResult, CompareRow, CompareVerdict};

const GAP: &str = "  ";

pub(super) fn lines(compared: &CompareResult, paint: &Paint) -> Vec<String> {
    let mut lines: Vec<String> = paint.wrapped(&view::printable(&title(compared)), 0).iter().map(|line| paint.strong(line)).collect();
    for (name, side) in [("a", &compared.a), ("b", &compared.b)] {
        lines.extend(paint.wrapped(&format!("{name}: {}", view::printable(&side_line(side))), 3));
    }
    if !compared.unlike.is_empty() {
        lines.push(String::new());
        lines.push("fields in which the hosts differ; base: b, here: a".into());
        lines.extend(hosts::table(&compared.unlike).iter().map(|line| format!("  {line}")));
    }
    for rows in cases(compared) {
        lines.push(String::new());
        lines.push(paint.strong(&rows[0].case));
        lines.extend(table(rows, paint));
        lines.extend(reasons(rows, paint));
    }
    lines.push(String::new());
    for note in &compared.notes {
        lines.extend(paint.wrapped(&format!("note: {}", view::printable(note)), 6));
    }
    lines.extend(paint.wrapped(&summary(compared), 0).iter().map(|line| paint.strong(line)));
    lines
}

fn table(rows: &[CompareRow], paint: &Paint) -> Vec<String> {
    let heading = ["subject", "metric", "a", "b", "a/b", "95%", "n", "verdict"].map(String::from);
    let cells = |words: Words| {
        [words.subject, words.metric, words.a, words.b, words.ratio, words.ci, words.n, words.verdict.to_owned()]
            .map(|text| view::printable(&text))
    };
    let all: Vec<[String; 8]> = std::iter::once(heading).chain(rows.iter().map(|row| cells(words(row)))).collect();
    // The trials and then the interval go where the terminal is narrow: the JSON has them.
    let mut shown: Vec<usize> = (0..8).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    for dispensable in [6, 5] {
        let total = shown.iter().map(|column| width(*column) + GAP.len()).sum::<usize>();
        if total > paint.width {
            shown.retain(|column| *column != dispensable);
        }
    }
    let line = |row: &[String; 8]| {
        let padded = |column: &usize| match column {
            0 | 1 => format!("{:w$}", row[*column], w = width(*column)),
            7 => paint.verdict(&row[7]),
            _ => format!("{:>w$}", row[*column], w = width(*column)),
        };
        format!("{GAP}{}", shown.iter().map(padded).collect::<Vec<_>>().join(GAP))
    };
    all.iter().map(line).collect()
}

/// Each reason once, with the rows it holds for.
fn reasons(rows: &[CompareRow], paint: &Paint) -> Vec<String> {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for row in rows {
        let Some(reason) = row.reason.as_deref() else { continue };
        let name = format!("{} {}", words(row).subject, row.metric);
        let reason = match row.verdict {
            CompareVerdict::NotComparable => format!("not comparable because {reason}"),
            _ => reason.to_owned(),
        };
        match seen.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => seen.push((reason, vec![name])),
        }
    }
    let told = |(reason, names): &(String, Vec<String>)| {
        let of = if names.len() == rows.len() { "all rows".to_owned() } else { names.join(", ") };
        paint.wrapped(&format!("{GAP}{} ({})", view::printable(reason), view::printable(&of)), 4)
    };
    seen.iter().flat_map(told).collect()
}
