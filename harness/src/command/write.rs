//! A result in the forms that were asked for.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use zokio_report::render;
use zokio_report::schema::result::RunResult;

use super::arguments::Format;
use crate::error::CommandError;
use crate::orchestrate::output::write_whole;

/// Without a terminal nobody knows the width; a file or a CI log takes this many columns.
const WIDTH_ELSEWHERE: usize = 140;

/// Writes `format` of the results into `folder`; formats of a single result take each in turn, named after its run where there are several.
///
/// # Errors
/// The file system refused.
pub fn write(format: Format, results: &[RunResult], folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    if format == Format::Html {
        return Ok(vec![write_whole(&folder.join(format.file_name()), render::html::page(results).as_bytes())?]);
    }
    let mut written = Vec::new();
    for result in results {
        let text = match format {
            Format::Html => unreachable!("one page holds all results"),
            Format::Json => render::json::to_string(result),
            Format::Md => render::markdown::render(result),
            Format::Junit => render::junit::render(result),
            Format::Csv => render::csv::render(result),
        };
        let name = match results {
            [_] => format.file_name().to_string(),
            _ => format!("{}-{}", result.run_id, format.file_name()),
        };
        written.push(write_whole(&folder.join(name), text.as_bytes())?);
    }
    Ok(written)
}

/// The table on standard output. A reader that goes away has seen what it wanted.
pub fn print(result: &RunResult) {
    let (color, width) = terminal();
    let table = render::terminal::render(result, color, width);
    let _ = writeln!(io::stdout().lock(), "{}", table.trim_end());
}

/// Whether standard output takes colour, and its width in columns.
pub fn terminal() -> (bool, usize) {
    let is_terminal = io::stdout().is_terminal();
    (is_terminal && std::env::var_os("NO_COLOR").is_none(), width(is_terminal))
}

fn width(is_terminal: bool) -> usize {
    #[cfg(unix)]
    if is_terminal
        && let Ok(size) = rustix::termios::tcgetwinsize(io::stdout())
        && size.ws_col > 0
    {
        return size.ws_col.into();
    }
    let _ = is_terminal;
    WIDTH_ELSEWHERE
}
