//! A table in as many columns as fit.

use super::super::view;
use super::paint::Paint;

/// A column: its heading, its cell, and when it goes if the terminal is narrow (higher goes first, 0 never).
pub(in crate::render) struct Column<R> {
    heading: String,
    cell: Cell<R>,
    left: bool,
    dispensable: u8,
}

/// The text of a row in one column.
type Cell<R> = fn(&R) -> String;

const GAP: usize = 2;

impl<R> Column<R> {
    /// Numbers: aligned at the right.
    pub(in crate::render) fn right(heading: &str, dispensable: u8, cell: Cell<R>) -> Self {
        Self { heading: view::printable(heading), cell, left: false, dispensable }
    }

    /// Words: aligned at the left.
    pub(in crate::render) fn left(heading: &str, dispensable: u8, cell: Cell<R>) -> Self {
        Self { left: true, ..Self::right(heading, dispensable, cell) }
    }

    fn width(&self, rows: &[R]) -> usize {
        let cells = rows.iter().map(|row| (self.cell)(row).chars().count());
        cells.chain([self.heading.chars().count()]).max().unwrap_or(0)
    }
}

/// What stands before a row, two columns wide, and how its cells are painted; the first argument of `paint` is the heading.
pub(in crate::render) struct Look<'a, R> {
    /// The mark of a row.
    pub(in crate::render) mark: fn(&R) -> &'static str,
    /// A padded cell as it goes out.
    pub(in crate::render) paint: &'a dyn Fn(&str, &R, &str) -> String,
}

/// Heading and rows; columns that can be spared go until the width is kept.
pub(in crate::render) fn lines<R>(mut columns: Vec<Column<R>>, rows: &[R], paint: &Paint, look: &Look<'_, R>) -> Vec<String> {
    while total_width(&columns, rows) > paint.width {
        let Some(first_to_go) =
            (0..columns.len()).filter(|index| columns[*index].dispensable > 0).max_by_key(|index| columns[*index].dispensable)
        else {
            break;
        };
        columns.remove(first_to_go);
    }
    let widths: Vec<usize> = columns.iter().map(|column| column.width(rows)).collect();
    let heading: Vec<String> = columns.iter().zip(&widths).map(|(column, width)| padded(&column.heading, *width, column.left)).collect();
    let mut lines = vec![paint.faint(&format!("  {}", heading.join(&" ".repeat(GAP))))];
    for row in rows {
        let cell =
            |(column, width): (&Column<R>, &usize)| (look.paint)(&column.heading, row, &padded(&(column.cell)(row), *width, column.left));
        let cells: Vec<String> = columns.iter().zip(&widths).map(cell).collect();
        lines.push(format!("{}{}", (look.mark)(row), cells.join(&" ".repeat(GAP))));
    }
    lines
}

fn total_width<R>(columns: &[Column<R>], rows: &[R]) -> usize {
    2 + columns.iter().map(|column| column.width(rows)).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

fn padded(text: &str, width: usize, left: bool) -> String {
    if left { format!("{text:<width$}") } else { format!("{text:>width$}") }
}
