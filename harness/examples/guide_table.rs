//! The rows of the Zokio performance guide from results of this tool, as Markdown:
//! `cargo run --release --example guide_table -- [--into README.md] zokio-results/guide/*/`.
//!
//! Takes result folders, `result.json` or `records.jsonl`. Rows without a result are named below the table. With `--into` the table takes the
//! place of the one between the markers of that file, else it goes to standard output.

use std::path::Path;
use std::process::ExitCode;

use zokio_bench::command::report::load;
use zokio_bench::error::CommandError;
use zokio_report::render::guide;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (into, results) = match arguments.as_slice() {
        [option, file, results @ ..] if option == "--into" => (Some(Path::new(file)), results),
        results => (None, results),
    };
    match run(into, results) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(into: Option<&Path>, results: &[String]) -> Result<(), CommandError> {
    let results = results.iter().map(|path| load(Path::new(path))).collect::<Result<Vec<_>, _>>()?;
    let table = guide::table(&results);
    let Some(file) = into else {
        print!("{table}");
        return Ok(());
    };
    let failed = |error| CommandError::could_not_run(format!("{}: {error}", file.display()), "name a file that can be read and written");
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let (begin, end) = guide::MARKERS;
    let help = format!("put `{begin}` and `{end}` where the table belongs");
    let text = guide::replaced(&text, &table)
        .ok_or_else(|| CommandError::usage(format!("{} has no place for the table", file.display()), help.as_str()))?;
    std::fs::write(file, text).map_err(failed)
}
