//! `records.jsonl`: one line per trial, handed to the kernel at once, so a killed run has lost at most the trial under way.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use zokio_report::schema::journal::{JournalLine, JournalTrial, RunEnd, RunHeader};

use crate::error::CommandError;

/// The journal's name in a result folder.
pub const FILE_NAME: &str = "records.jsonl";

/// Why a journal could not be written or read.
#[derive(Debug)]
pub enum JournalError {
    /// The file system refused.
    Io {
        /// `create`, `write` or `read`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A line that is none of a journal's, and not the cut-off last one.
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from one.
        number: usize,
        /// Why.
        reason: String,
    },
    /// There is no header, so nothing can be said about the trials.
    NoHeader {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { operation, path, error } => write!(formatter, "cannot {operation} {}: {error}", path.display()),
            Self::Line { path, number, reason } => write!(formatter, "{}:{number}: not a line of a journal: {reason}", path.display()),
            Self::NoHeader { path } => write!(formatter, "{}: no header in the first line, so nothing can be recomputed", path.display()),
        }
    }
}

impl std::error::Error for JournalError {}

impl From<JournalError> for CommandError {
    fn from(error: JournalError) -> Self {
        match &error {
            JournalError::Io { operation: "read", .. } => Self::Usage { message: error.to_string(), help: None },
            JournalError::Io { .. } => {
                let help = "what was measured so far is kept: make room, then `zokio-bench report` on the folder shows it";
                Self::could_not_run(error.to_string(), help)
            }
            JournalError::Line { .. } | JournalError::NoHeader { .. } => Self::Usage { message: error.to_string(), help: None },
        }
    }
}

/// A journal being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    /// Length up to the last whole line.
    bytes: u64,
}

impl Journal {
    /// A new journal; an existing one is never touched.
    ///
    /// # Errors
    /// The file exists or cannot be created.
    pub fn create(path: &Path) -> Result<Self, JournalError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| JournalError::Io { operation: "create", path: path.into(), error })?;
        Ok(Self { file, path: path.into(), bytes: 0 })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// The file system refused (full, gone); the file then ends with its last whole line.
    pub fn append(&mut self, line: &JournalLine) -> Result<(), JournalError> {
        let mut bytes = serde_json::to_vec(line).expect("a journal line has string keys");
        bytes.push(b'\n');
        if let Err(error) = self.file.write_all(&bytes) {
            let _ = self.file.set_len(self.bytes);
            return Err(JournalError::Io { operation: "write", path: self.path.clone(), error });
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// A journal as it was read back.
#[derive(Clone, Debug)]
pub struct Log {
    /// The first line.
    pub header: RunHeader,
    /// The trials, in the order they ran.
    pub trials: Vec<JournalTrial>,
    /// The last line; `None` when the run was killed.
    pub end: Option<RunEnd>,
    /// The last line was cut off, and is left out.
    pub is_truncated: bool,
}

/// Reads a journal back; a last line that was cut off by a kill or a full disk is left out.
///
/// # Errors
/// The file cannot be read, has no header, or holds something else before its last line.
pub fn read(path: &Path) -> Result<Log, JournalError> {
    let failed = |error| JournalError::Io { operation: "read", path: path.into(), error };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut header, mut trials, mut end, mut is_truncated) = (None, Vec::new(), None, false);
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(JournalLine::Header(found)) if header.is_none() => header = Some(*found),
            Ok(JournalLine::Header(_)) => {
                return Err(JournalError::Line { path: path.into(), number, reason: "a second header".into() });
            }
            Ok(JournalLine::Trial(trial)) => trials.push(*trial),
            Ok(JournalLine::End(found)) => end = Some(found),
            // The text and the line break of a line are written together: without the break it was cut off.
            Err(_) if line.last() != Some(&b'\n') => is_truncated = true,
            Err(error) => return Err(JournalError::Line { path: path.into(), number, reason: error.to_string() }),
        }
    }
    let header = header.ok_or_else(|| JournalError::NoHeader { path: path.into() })?;
    Ok(Log { header, trials, end, is_truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial_line(id: &str) -> JournalLine {
        let trial = serde_json::json!({"trial": {"trial_id": id, "case": "c", "subject": "s", "block": 0, "position": 0, "half": 0, "attempt": 0,
            "counted": true, "seed": 1, "at_ns": 1, "outcome": {"failed": {"class": "crash", "message": "m"}},
            "evidence": {"wall_ns": 1, "ready_ns": null, "measure_wall_ns": null, "processes": [], "core_state_before_ns": null,
            "core_state_after_ns": null, "foreign_cpu_share": null, "steal_share": null, "tcp_active_opens": null,
            "tcp_passive_opens": null, "tcp_namespace_is_private": false}}});
        serde_json::from_value(trial).expect("a trial line")
    }

    fn header_line() -> JournalLine {
        JournalLine::Header(Box::new(RunHeader {
            run_id: "r".into(),
            started_at: String::new(),
            seed: 1,
            command: Vec::new(),
            quick: false,
            tool: Default::default(),
            suite: Default::default(),
            host: Default::default(),
            calibration: Default::default(),
            cases: Vec::new(),
            subjects: Vec::new(),
        }))
    }

    #[test]
    fn a_journal_that_was_cut_off_keeps_its_whole_lines() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(FILE_NAME);
        let mut journal = Journal::create(&path).expect("a new journal");
        journal.append(&header_line()).expect("the header");
        journal.append(&trial_line("one")).expect("a trial");
        journal.append(&trial_line("two")).expect("a trial");
        let whole = std::fs::read(&path).expect("the journal");
        for cut in [1, 20, 100] {
            std::fs::write(&path, &whole[..whole.len() - cut]).expect("a cut journal");
            let log = read(&path).expect("a cut journal is read");
            let ids: Vec<&str> = log.trials.iter().map(|trial| trial.trial_id.as_str()).collect();
            // Only the line break is missing: the line itself is whole.
            assert_eq!((ids.as_slice(), log.is_truncated), if cut == 1 { (&["one", "two"][..], false) } else { (&["one"][..], true) });
            assert!(log.end.is_none());
        }
    }

    #[test]
    fn noise_in_the_middle_is_refused_with_its_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(FILE_NAME);
        Journal::create(&path).and_then(|mut journal| journal.append(&header_line())).expect("a journal");
        let mut file = OpenOptions::new().append(true).open(&path).expect("the journal");
        writeln!(file, "noise").expect("noise");
        assert!(matches!(read(&path), Err(JournalError::Line { number: 2, .. })));
        std::fs::write(&path, "").expect("an empty journal");
        assert!(matches!(read(&path), Err(JournalError::NoHeader { .. })));
        assert!(Journal::create(&path).is_err(), "an existing journal is never overwritten");
    }
}
