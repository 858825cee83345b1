//! `compare A B`: two results side by side, or two subjects of one.
//!
//! Trials of one run are interleaved, so two subjects of it are paired and judged; results of two runs get ratios and no verdict. Exit code 0
//! when at least one row could be compared, 3 when none could or a file is missing, 2 for what is no result.

use std::io::Write;
use std::path::{Path, PathBuf};

use zokio_report::judge::across::{self, Side};
use zokio_report::schema::compare::{CompareResult, CompareVerdict};
use zokio_report::schema::result::RunResult;
use zokio_report::{exit, render};

use super::arguments::{CompareArgs, CompareFormat};
use super::{report, write};
use crate::error::CommandError;
use crate::orchestrate::journal;
use crate::orchestrate::output::RESULT_NAME;

/// A side as it was asked for: `RESULT` or `RESULT#SUBJECT`.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    path: PathBuf,
    subject: Option<String>,
}

/// Compares and prints.
///
/// # Errors
/// A result is missing or is none, or a subject is not in it.
pub fn run(arguments: &CompareArgs) -> Result<u8, CommandError> {
    let (a, b) = (asked(&arguments.a), asked(&arguments.b));
    let results = (load(&a)?, load(&b)?);
    let compared = compared((&a, &results.0), (&b, &results.1))?;
    print(&compared, arguments.format);
    if compared.rows.iter().all(|row| row.verdict == CompareVerdict::NotComparable) {
        eprintln!("error: nothing is comparable; each row says why");
        return Ok(exit::COULD_NOT_RUN);
    }
    Ok(exit::PASSED)
}

/// A path that exists is taken whole, so a `#` may be in a name.
fn asked(text: &str) -> Asked {
    match text.rsplit_once('#') {
        Some((path, subject)) if !PathBuf::from(text).exists() && !subject.is_empty() => {
            Asked { path: path.into(), subject: Some(subject.into()) }
        }
        _ => Asked { path: text.into(), subject: None },
    }
}

fn load(asked: &Asked) -> Result<RunResult, CommandError> {
    check_there(&asked.path)?;
    let result = report::load(&asked.path)?;
    match &asked.subject {
        Some(subject) if !result.cases.iter().any(|case| case.subjects.iter().any(|row| row.subject == *subject)) => {
            Err(CommandError::usage(format!("no subject `{subject}` in {}", asked.path.display()), known_subjects(&result)))
        }
        _ => Ok(result),
    }
}

/// A result that is not there is what a host lacks; one that is there and wrong is a mistake of who named it.
fn check_there(path: &Path) -> Result<(), CommandError> {
    let missing = |reason: String| {
        let help = "name a result folder, a result.json or a records.jsonl, with #SUBJECT behind it for one subject";
        CommandError::could_not_run(reason, help)
    };
    std::fs::metadata(path).map_err(|error| missing(format!("cannot read {}: {error}", path.display())))?;
    if path.is_dir() && ![RESULT_NAME, journal::FILE_NAME].iter().any(|name| path.join(name).exists()) {
        return Err(missing(format!("no {RESULT_NAME} in {}", path.display())));
    }
    Ok(())
}

fn known_subjects(result: &RunResult) -> String {
    let mut names: Vec<&str> = result.cases.iter().flat_map(|case| case.subjects.iter().map(|row| row.subject.as_str())).collect();
    names.sort_unstable();
    names.dedup();
    format!("it has: {}", names.join(", "))
}

fn compared(a: (&Asked, &RunResult), b: (&Asked, &RunResult)) -> Result<CompareResult, CommandError> {
    let is_one_run = a.1.run_id == b.1.run_id && a.1.suite == b.1.suite;
    match (&a.0.subject, &b.0.subject) {
        (Some(one), Some(other)) if is_one_run && one != other => Ok(across::within(a.1, one, other)),
        _ if is_one_run => Err(CommandError::usage(
            "both sides are the same run, and the same rows of it",
            "compare two subjects of one run: RESULT#zokio RESULT#tokio, or name another result",
        )),
        (one, other) => {
            // A subject named on one side alone is meant on both.
            let named = |own: &Option<String>, partner: &Option<String>| own.clone().or_else(|| partner.clone());
            let (one, other) = (named(one, other), named(other, one));
            Ok(across::between(Side { result: a.1, subject: one.as_deref() }, Side { result: b.1, subject: other.as_deref() }))
        }
    }
}

fn print(compared: &CompareResult, format: CompareFormat) {
    let text = match format {
        CompareFormat::Terminal => {
            let (color, width) = write::terminal();
            render::terminal::compare(compared, color, width)
        }
        CompareFormat::Md => render::compare::markdown(compared),
        CompareFormat::Json => render::compare::json(compared),
    };
    // A reader that goes away has seen what it wanted.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_stands_behind_the_last_hash_of_what_is_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let odd = folder.path().join("a#b");
        std::fs::write(&odd, "").expect("a file");
        let odd = odd.display().to_string();
        let one = |path: &str, subject: Option<&str>| Asked { path: path.into(), subject: subject.map(Into::into) };
        assert_eq!(asked("out#zokio"), one("out", Some("zokio")));
        assert_eq!(asked("out"), one("out", None));
        assert_eq!(asked("out#"), one("out#", None));
        assert_eq!(asked(&odd), one(&odd, None));
        assert_eq!(asked(&format!("{odd}#zokio")), one(&odd, Some("zokio")));
    }
}
