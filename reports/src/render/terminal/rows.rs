//! The table of one case.

use super::super::view::{self, RowView};
use super::paint::Paint;
use super::table::{self, Column, Look};
use crate::schema::result::CaseResult;
use crate::schema::validity::ValidityState;

/// A driver's name and variant longer than this are cut.
const DRIVER_MAX: usize = 18;

pub(super) fn lines(case: &CaseResult, paint: &Paint) -> Vec<String> {
    let painted = |heading: &str, row: &RowView<'_>, cell: &str| match heading {
        "verdict" => paint.verdict(cell),
        _ if row.row.validity.state == ValidityState::Suspect => paint.struck(cell),
        _ => cell.to_string(),
    };
    table::lines(columns(case), &view::rows(case), paint, &Look { mark: |row| mark(row.row.validity.state), paint: &painted })
}

fn columns<'a>(case: &CaseResult) -> Vec<Column<RowView<'a>>> {
    let first = case.subjects.first().map_or("", |row| row.subject.as_str());
    let mut columns: Vec<Column<RowView<'a>>> = vec![
        Column::left("subject", 0, |row| view::printable(&row.name)),
        Column::left("driver", 3, |row| view::printable(&row.driver).chars().take(DRIVER_MAX).collect()),
        Column::right(&view::rate_heading(case), 0, |row| row.rate.clone()),
        Column::right("95%", 4, |row| row.spread.replace('±', "+-")),
        Column::right("CPU/op", 2, |row| row.cpu.clone()),
        Column::right("p50", 6, |row| row.p50.clone()),
        Column::right("p99", 5, |row| row.p99.clone()),
    ];
    if case.primary_metric != "bytes_per_s" {
        columns.push(Column::right("bytes", 7, |row| row.throughput.clone()));
    }
    columns.extend([
        Column::right("errors", 1, |row: &RowView<'a>| row.errors.clone()),
        Column::right(&format!("{first}/it"), 0, |row| row.ratio.clone()),
        Column::right("95% of it", 8, |row| row.ratio_ci.clone()),
        Column::left("verdict", 0, |row| row.verdict.to_string()),
    ]);
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
