//! The table a person reads after a gate; the outcome's own line is printed after it by whoever ran the gate.

use super::view::{self, word};
use super::words;
use crate::render::terminal::host_line;
use crate::render::terminal::paint::Paint;
use crate::render::terminal::table::{self, Column, Look};
use crate::render::view::printable;
use crate::schema::gate::{GateResult, GateRow, GateVerdict};

/// Longest case, metric and base in a cell; they stand in full in the lines below.
const CASE_MAX: usize = 30;
const BASE_MAX: usize = 16;

struct Cells {
    verdict: GateVerdict,
    case: String,
    metric: String,
    base: String,
    values: [String; 2],
    change: (String, String),
    n: u32,
    sees: String,
}

/// The gate for a terminal of `width` columns, without the last line ([`GateOutcome::line`](crate::schema::gate::GateOutcome::line)).
///
/// Without colour everything is plain ASCII, as in [`crate::render::terminal`].
pub fn render(result: &GateResult, color: bool, width: usize) -> String {
    let paint = Paint::new(color, width);
    let mut lines = vec![paint.strong(&format!("Gate: {}", view::suites(result)))];
    lines.extend(paint.wrapped(&printable(&host_line(&result.host)), 0));
    lines.push(String::new());
    if !result.rows.is_empty() {
        lines.extend(table(result, &paint));
        let note = "  worse by 1.05x: it takes 1.05 times as long, or does 1/1.05 of the work, whichever way the metric goes; a ratio alone: above 1 \
                    is worse. Intervals are 99 %. sees: the least slow-down that the row would have found nine times in ten.";
        lines.extend(paint.wrapped(note, 2).iter().map(|line| paint.faint(line)));
        lines.push(String::new());
    }
    for verdict in [GateVerdict::Worse, GateVerdict::Invalid, GateVerdict::Inconclusive, GateVerdict::NotGated] {
        let rows: Vec<String> = view::rows_of(result, verdict).into_iter().map(|row| row_line(result, row)).collect();
        lines.extend(paint.section(word(verdict), &rows));
    }
    lines.extend(paint.section("thresholds", &thresholds(result)));
    let bases = result.bases.iter().map(|base| format!("{}: {}", printable(&base.name), words::base(base)));
    let compared: Vec<String> = [format!("candidate: {}", words::side(&result.candidate))].into_iter().chain(bases).collect();
    lines.extend(paint.section("compared", &compared));
    lines.extend(paint.section("rule", &[words::rule(result)]));
    lines.extend(paint.section("notes", &words::notes(result)));
    lines.extend(paint.section("next", &words::next_steps(result)));
    lines.extend(paint.wrapped(&words::verdict(result), 0));
    paint.text(&lines)
}

fn table(result: &GateResult, paint: &Paint) -> Vec<String> {
    let rows: Vec<Cells> = view::rows(result).into_iter().map(cells).collect();
    let mut columns: Vec<Column<Cells>> =
        vec![Column::left("case", 0, |row| row.case.clone()), Column::left("metric", 0, |row: &Cells| row.metric.clone())];
    if view::has_several_bases(result) {
        columns.push(Column::left("against", 5, |row: &Cells| row.base.clone()));
    }
    columns.extend([
        Column::right("base", 7, |row: &Cells| row.values[0].clone()),
        Column::right("candidate", 4, |row: &Cells| row.values[1].clone()),
        Column::left("candidate is", 0, |row: &Cells| row.change.0.clone()),
        Column::left("99%", 6, |row: &Cells| row.change.1.clone()),
        Column::right("pairs", 8, |row: &Cells| row.n.to_string()),
        Column::left("verdict", 0, |row: &Cells| word(row.verdict).to_string()),
        Column::right("sees", 9, |row: &Cells| row.sees.clone()),
    ]);
    let painted = |heading: &str, _: &Cells, cell: &str| if heading == "verdict" { paint.verdict(cell) } else { cell.to_string() };
    table::lines(columns, &rows, paint, &Look { mark: |row| mark(row.verdict), paint: &painted })
}

fn cells(row: &GateRow) -> Cells {
    Cells {
        verdict: row.verdict,
        case: view::cut(&view::short_case(&row.case), CASE_MAX),
        metric: view::cut(&row.metric, CASE_MAX),
        base: view::cut(&row.base, BASE_MAX),
        values: view::values(row),
        change: view::change(row),
        n: row.n,
        sees: row.sees.map_or_else(|| crate::units::ABSENT.into(), view::percent),
    }
}

fn mark(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Worse => "> ",
        GateVerdict::Invalid => "! ",
        GateVerdict::Inconclusive => "? ",
        GateVerdict::NotGated | GateVerdict::Identical => "- ",
        GateVerdict::Better | GateVerdict::Same => "  ",
    }
}

fn row_line(result: &GateResult, row: &GateRow) -> String {
    let reason = view::reason(row).map_or_else(String::new, |reason| format!("; {reason}"));
    format!("{}: {}{reason}", view::name(result, row), view::line(row).replace('→', "->"))
}

fn thresholds(result: &GateResult) -> Vec<String> {
    let (held, other): (Vec<_>, Vec<_>) = result.thresholds.iter().partition(|threshold| words::held(threshold) == Some(true));
    let mut entries: Vec<String> = other.into_iter().map(words::threshold).collect();
    if !held.is_empty() {
        entries.push(format!("{} more hold", held.len()));
    }
    entries
}
