//! `report`: stored results again, in other forms or several in one page.
//!
//! The journal is the truth: where it lies beside a result, the result is computed from it again; a run that was killed has nothing else.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zokio_report::schema::SCHEMA;
use zokio_report::schema::result::RunResult;
use zokio_report::{exit, judge};

use super::arguments::{Format, ReportArgs};
use super::write;
use crate::error::CommandError;
use crate::orchestrate::journal;
use crate::orchestrate::output::RESULT_NAME;

/// The largest result or journal that is read: a run of all suites leaves some ten MiB.
const BYTES_MAX: u64 = 1 << 30;

/// Renders the results; tables to standard output, files where they were asked for.
///
/// # Errors
/// A result cannot be read, or a file cannot be written.
pub fn run(arguments: &ReportArgs) -> Result<u8, CommandError> {
    let results = arguments.results.iter().map(|path| load(path)).collect::<Result<Vec<RunResult>, CommandError>>()?;
    let folder = out_folder(arguments);
    std::fs::create_dir_all(&folder).map_err(|error| {
        CommandError::could_not_run(format!("cannot create {}: {error}", folder.display()), "choose another folder with --out")
    })?;
    for result in &results {
        write::print(result);
    }
    for &format in &arguments.formats {
        refuse_to_overwrite(format, &folder)?;
        for path in write::write(format, &results, &folder)? {
            eprintln!("written: {}", path.display());
        }
    }
    Ok(exit::PASSED)
}

/// A stored result: a folder, a `result.json`, or a `records.jsonl`, from the records where these are there.
///
/// # Errors
/// There is none, or it is of another format.
pub fn load(path: &Path) -> Result<RunResult, CommandError> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    let is_journal = path.extension().is_some_and(|extension| extension == "jsonl");
    let beside = folder.join(journal::FILE_NAME);
    let is_in_result_folder = path.is_dir() || path.file_name().is_some_and(|name| name == RESULT_NAME);
    if is_journal {
        return recompute(path);
    }
    if is_in_result_folder && beside.is_file() {
        return recompute(&beside);
    }
    let file = if path.is_dir() { path.join(RESULT_NAME) } else { path.to_path_buf() };
    let text = read_whole(&file, BYTES_MAX).map_err(|error| {
        CommandError::usage(format!("cannot read {}: {error}", file.display()), "name a result folder, a result.json or a records.jsonl")
    })?;
    parse(&file, &text)
}

/// The text of a file, refused when it is no regular file (a pipe would be waited for) or past `bytes_max`.
fn read_whole(file: &Path, bytes_max: u64) -> io::Result<String> {
    check_size(file, bytes_max)?;
    let mut text = String::new();
    // A file may grow, and some of a kernel's have no size: the limit holds while reading too.
    File::open(file)?.take(bytes_max + 1).read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max { Err(too_large(bytes_max)) } else { Ok(text) }
}

fn check_size(file: &Path, bytes_max: u64) -> io::Result<()> {
    let about = std::fs::metadata(file)?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if about.len() > bytes_max { Err(too_large(bytes_max)) } else { Ok(()) }
}

fn too_large(bytes_max: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {} MiB: no result is", bytes_max >> 20))
}

fn recompute(path: &Path) -> Result<RunResult, CommandError> {
    check_size(path, BYTES_MAX).map_err(|error| {
        CommandError::usage(format!("cannot read {}: {error}", path.display()), "name a result folder, a result.json or a records.jsonl")
    })?;
    let log = journal::read(path)?;
    if log.is_truncated {
        eprintln!("note: {}: the last line was cut off and is left out", path.display());
    }
    if log.end.is_none() {
        eprintln!("note: {}: the run was killed; the result holds what was measured until then", path.display());
    }
    Ok(judge::summarize(&log.header, &log.trials, log.end.as_ref()))
}

fn parse(file: &Path, text: &str) -> Result<RunResult, CommandError> {
    let wrong = |reason: String| {
        let help = "a result has the schema of `zokio-bench schema result`";
        CommandError::usage(format!("{} is not a result: {reason}", file.display()), help)
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str).unwrap_or("none");
    if field("schema") != SCHEMA {
        return Err(wrong(format!("its schema is {}", field("schema"))));
    }
    let major = |version: &str| version.split('.').next().map(str::to_string);
    if major(field("schema_version")) != major(zokio_report::schema::SCHEMA_VERSION) {
        return Err(wrong(format!("its schema_version is {}, this is {}", field("schema_version"), zokio_report::schema::SCHEMA_VERSION)));
    }
    serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
}

fn out_folder(arguments: &ReportArgs) -> PathBuf {
    match (&arguments.out, arguments.results.as_slice()) {
        (Some(folder), _) => folder.clone(),
        (None, [path]) if path.is_dir() => path.clone(),
        (None, [path]) => path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf(),
        (None, _) => PathBuf::from("."),
    }
}

/// Pages and tables are made again at will; a result is not.
fn refuse_to_overwrite(format: Format, folder: &Path) -> Result<(), CommandError> {
    let target = folder.join(format.file_name());
    if format == Format::Json && target.exists() {
        return Err(CommandError::usage(
            format!("{} exists already, and a result is never overwritten", target.display()),
            "choose another folder with --out",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_result_says_why() {
        let message = |text: &str| parse(Path::new("x.json"), text).expect_err("no result").to_string();
        assert!(message("noise").contains("x.json is not a result"));
        assert!(message("{}").contains("its schema is none"));
        let newer = format!(r#"{{"schema":"{SCHEMA}","schema_version":"2.0"}}"#);
        assert!(message(&newer).contains("schema_version is 2.0"), "{}", message(&newer));
        assert_eq!(load(Path::new("/does/not/exist")).expect_err("nothing there").exit_code(), exit::USAGE);
    }

    #[test]
    fn what_does_not_end_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, sparse) = (folder.path().join("small"), folder.path().join("records.jsonl"));
        std::fs::write(&file, "12345").expect("a file");
        assert_eq!(read_whole(&file, 5).expect("it fits"), "12345");
        assert!(read_whole(&file, 4).expect_err("it does not").to_string().contains("larger than"));
        assert!(read_whole(Path::new("/dev/zero"), 4).expect_err("a device").to_string().contains("not a regular file"));
        File::create(&sparse).and_then(|file| file.set_len(BYTES_MAX + 1)).expect("a sparse file");
        for path in [&sparse, folder.path()] {
            let refused = load(path).expect_err("too large");
            assert!(refused.to_string().contains("larger than 1024 MiB"), "{refused}");
        }
    }
}
