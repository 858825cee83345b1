//! The table of one case: as many columns as fit.

use super::super::view::{self, RowView};
use super::paint::Paint;
use crate::schema::result::CaseResult;
use crate::schema::validity::ValidityState;

/// A column: its heading, its cell, and when it goes if the terminal is narrow (higher goes first, 0 never).
struct Column {
    heading: String,
    cell: fn(&RowView<'_>) -> String,
    left: bool,
    dispensable: u8,
}

const GAP: usize = 2;
/// A driver's name and variant longer than this are cut.
const DRIVER_MAX: usize = 18;

pub(super) fn lines(case: &CaseResult, paint: &Paint) -> Vec<String> {
    let rows = view::rows(case);
    let mut columns = columns(case);
    while total_width(&columns, &rows) > paint.width {
        let Some(first_to_go) =
            (0..columns.len()).filter(|index| columns[*index].dispensable > 0).max_by_key(|index| columns[*index].dispensable)
        else {
            break;
        };
        columns.remove(first_to_go);
    }
    let widths: Vec<usize> = columns.iter().map(|column| width(column, &rows)).collect();
    let heading: Vec<String> = columns.iter().zip(&widths).map(|(column, width)| padded(&column.heading, *width, column.left)).collect();
    let mut lines = vec![paint.faint(&format!("  {}", heading.join(&" ".repeat(GAP))))];
    for row in &rows {
        let cells: Vec<String> = columns
            .iter()
            .zip(&widths)
            .map(|(column, width)| {
                let cell = padded(&(column.cell)(row), *width, column.left);
                match column.heading.as_str() {
                    "verdict" => paint.verdict(&cell),
                    _ if row.row.validity.state == ValidityState::Suspect => paint.struck(&cell),
                    _ => cell,
                }
            })
            .collect();
        lines.push(format!("{}{}", mark(row.row.validity.state), cells.join(&" ".repeat(GAP))));
    }
    lines
}

fn columns(case: &CaseResult) -> Vec<Column> {
    let column =
        |heading: &str, cell: fn(&RowView<'_>) -> String, dispensable| Column { heading: heading.into(), cell, left: false, dispensable };
    let first = case.subjects.first().map_or("", |row| row.subject.as_str());
    let mut columns = vec![
        Column { left: true, ..column("subject", |row| view::printable(&row.name), 0) },
        Column { left: true, ..column("driver", |row| view::printable(&row.driver).chars().take(DRIVER_MAX).collect(), 3) },
        column(&view::rate_heading(case), |row| row.rate.clone(), 0),
        column("95%", |row| row.spread.replace('±', "+-"), 4),
        column("CPU/op", |row| row.cpu.clone(), 2),
        column("p50", |row| row.p50.clone(), 6),
        column("p99", |row| row.p99.clone(), 5),
        column("bytes", |row| row.throughput.clone(), 7),
        column("errors", |row| row.errors.clone(), 1),
        column(&format!("{}/it", view::printable(first)), |row| row.ratio.clone(), 0),
        column("95% of it", |row| row.ratio_ci.clone(), 8),
        Column { left: true, ..column("verdict", |row| row.verdict.to_string(), 0) },
    ];
    if case.primary_metric == "bytes_per_s" {
        columns.retain(|column| column.heading != "bytes" || column.dispensable != 7);
    }
    columns
}

fn mark(state: ValidityState) -> &'static str {
    match state {
        ValidityState::Valid => "  ",
        ValidityState::Suspect => "~ ",
        ValidityState::Invalid => "! ",
        ValidityState::Skipped => "- ",
    }
}

fn width(column: &Column, rows: &[RowView<'_>]) -> usize {
    let cells = rows.iter().map(|row| (column.cell)(row).chars().count());
    cells.chain([column.heading.chars().count()]).max().unwrap_or(0)
}

fn total_width(columns: &[Column], rows: &[RowView<'_>]) -> usize {
    2 + columns.iter().map(|column| width(column, rows)).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

fn padded(text: &str, width: usize, left: bool) -> String {
    if left { format!("{text:<width$}") } else { format!("{text:>width$}") }
}
