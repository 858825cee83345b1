//! The result of a gate in the forms that were asked for.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use zokio_report::render::gate;
use zokio_report::schema::gate::GateResult;

use super::arguments::GateArgs;
use super::conclude::GATE_NAME;
use crate::command::write::terminal;
use crate::error::CommandError;
use crate::orchestrate::output::{OutputError, OutputFolder, write_whole};

/// The page's name in the gate's folder.
const PAGE_NAME: &str = "gate.html";
/// Where GitHub Actions wants the summary of a step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Writes all files.
///
/// # Errors
/// The file system refused.
pub(super) fn write(result: &GateResult, arguments: &GateArgs, output: &OutputFolder) -> Result<(), CommandError> {
    let json = serde_json::to_vec_pretty(result).expect("a result has string keys and finite numbers");
    output.write(GATE_NAME, &json)?;
    let page = gate::html::render(result);
    output.write(PAGE_NAME, page.as_bytes())?;
    to(arguments.json.as_deref(), || json.clone())?;
    to(arguments.html.as_deref(), || page.clone().into_bytes())?;
    to(arguments.junit.as_deref(), || gate::junit::render(result).into_bytes())?;
    to(arguments.bmf.as_deref(), || gate::bmf::render(result).into_bytes())?;
    to(arguments.markdown.as_deref().filter(|path| *path != Path::new("-")), || gate::markdown::render(result).into_bytes())?;
    if let Some(folder) = &arguments.gha_json {
        let refuse = |error| OutputError::Io { operation: "create", path: folder.clone(), error };
        std::fs::create_dir_all(folder).map_err(refuse)?;
        let values = gate::gha_json::render(result);
        to(Some(&folder.join("smaller-is-better.json")), || values.smaller_is_better.into_bytes())?;
        to(Some(&folder.join("bigger-is-better.json")), || values.bigger_is_better.into_bytes())?;
    }
    if let (true, Some(summary)) = (arguments.github, std::env::var_os(STEP_SUMMARY)) {
        append(Path::new(&summary), &gate::github::summary(result))?;
    }
    Ok(())
}

fn to(path: Option<&Path>, content: impl FnOnce() -> Vec<u8>) -> Result<(), CommandError> {
    if let Some(path) = path {
        write_whole(path, &content())?;
    }
    Ok(())
}

/// A step's summary may hold what earlier commands wrote.
fn append(path: &Path, text: &str) -> Result<(), CommandError> {
    let written = OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    Ok(written.map_err(|error| OutputError::Io { operation: "write", path: path.into(), error })?)
}

/// The table, or Markdown where that is asked for on standard output, and annotations. A reader that goes away has seen what it wanted.
pub(super) fn print(result: &GateResult, arguments: &GateArgs, output: &OutputFolder) {
    let (color, width) = terminal();
    let text = if arguments.markdown.as_deref() == Some(Path::new("-")) {
        gate::markdown::render(result)
    } else {
        gate::terminal::render(result, color, width)
    };
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end());
    if arguments.github {
        let _ = write!(stdout, "{}", gate::github::annotations(result));
    }
    eprintln!("result: {}", output.path().display());
}
