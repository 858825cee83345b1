//! The result folder: made before the run, never overwritten, its result written whole or not at all.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::journal;
use crate::error::CommandError;

/// Where results go unless `--out` says otherwise.
pub const DEFAULT_ROOT: &str = "zokio-results";
/// The link to the newest result.
const LATEST: &str = "latest";
/// The result's name in its folder.
pub const RESULT_NAME: &str = "result.json";
/// The folder of the subjects' standard errors.
const STDERR_NAME: &str = "stderr";

/// Why there is no result folder or file.
#[derive(Debug)]
pub enum OutputError {
    /// A result is there already.
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system refused.
    Io {
        /// `create` or `write`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl fmt::Display for OutputError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { folder } => write!(formatter, "{} holds a result already, and a result is never overwritten", folder.display()),
            Self::Io { operation, path, error } => write!(formatter, "cannot {operation} {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OutputError {}

impl From<OutputError> for CommandError {
    fn from(error: OutputError) -> Self {
        match &error {
            OutputError::Exists { .. } => Self::usage(error.to_string(), "choose another folder with --out, or move the old result away"),
            OutputError::Io { .. } => Self::could_not_run(error.to_string(), "choose a writable folder with enough room: --out DIR"),
        }
    }
}

/// A result folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFolder {
    path: PathBuf,
}

impl OutputFolder {
    /// Makes `folder` (or `zokio-results/<suite>-<run id>`, with the link `latest`) and its folder for standard errors.
    ///
    /// # Errors
    /// A result is there already, or the folder cannot be made or written to.
    pub fn create(folder: Option<&Path>, suite: &str, run_id: &str) -> Result<Self, OutputError> {
        let path = match folder {
            Some(folder) => folder.to_path_buf(),
            None => unused(&Path::new(DEFAULT_ROOT).join(format!("{suite}-{run_id}"))),
        };
        if path.join(RESULT_NAME).exists() || path.join(journal::FILE_NAME).exists() {
            return Err(OutputError::Exists { folder: path });
        }
        let stderr = path.join(STDERR_NAME);
        fs::create_dir_all(&stderr).map_err(|error| OutputError::Io { operation: "create", path: stderr, error })?;
        let created = Self { path };
        created.probe()?;
        if folder.is_none() {
            // A convenience; a file system without links works as well without it.
            let _ = link_latest(&created.path);
        }
        Ok(created)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the journal goes.
    pub fn journal(&self) -> PathBuf {
        self.path.join(journal::FILE_NAME)
    }

    /// Where the subjects' standard errors go.
    pub fn stderr(&self) -> PathBuf {
        self.path.join(STDERR_NAME)
    }

    /// Writes a file under a temporary name, then renames it: a reader never sees half of it.
    ///
    /// # Errors
    /// The file system refused; the temporary file is gone again.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, OutputError> {
        write_whole(&self.path.join(name), content)
    }

    /// Takes the folder away again, if nothing was written into it.
    pub fn discard(self) {
        let _ = fs::remove_dir(self.stderr());
        let _ = fs::remove_dir(&self.path);
    }

    fn probe(&self) -> Result<(), OutputError> {
        let probe = self.path.join(".writable");
        let written = fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe));
        written.map_err(|error| {
            let _ = fs::remove_file(&probe);
            OutputError::Io { operation: "write to", path: self.path.clone(), error }
        })
    }
}

/// Writes a file under a temporary name in its folder, then renames it.
///
/// # Errors
/// The file system refused; the temporary file is gone again.
pub fn write_whole(target: &Path, content: &[u8]) -> Result<PathBuf, OutputError> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let temporary = target.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, target)).map_err(|error| {
        let _ = fs::remove_file(&temporary);
        OutputError::Io { operation: "write", path: target.into(), error }
    })?;
    Ok(target.into())
}

/// `wanted`, or `wanted-2` and so on where that exists: two runs of one seed may start in the same second.
fn unused(wanted: &Path) -> PathBuf {
    let name = wanted.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let numbered = |count: u32| if count == 1 { wanted.to_path_buf() } else { wanted.with_file_name(format!("{name}-{count}")) };
    (1..).map(numbered).find(|path| !path.exists()).expect("some number is free")
}

#[cfg(unix)]
fn link_latest(folder: &Path) -> io::Result<()> {
    let name = folder.file_name().unwrap_or_default();
    let temporary = folder.with_file_name(format!(".{LATEST}.{}", std::process::id()));
    std::os::unix::fs::symlink(name, &temporary)?;
    fs::rename(&temporary, folder.with_file_name(LATEST)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(not(unix))]
fn link_latest(_folder: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_never_overwritten() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("out");
        let output = OutputFolder::create(Some(&folder), "tcp", "id").expect("a new folder");
        output.write(RESULT_NAME, b"{}").expect("the result");
        assert!(matches!(OutputFolder::create(Some(&folder), "tcp", "id"), Err(OutputError::Exists { .. })));
        let left: Vec<_> = fs::read_dir(&folder).expect("the folder").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
    }

    #[test]
    fn a_folder_below_a_file_cannot_be_made() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let refused = OutputFolder::create(Some(&file.path().join("out")), "tcp", "id");
        assert!(matches!(refused, Err(OutputError::Io { operation: "create", .. })), "{refused:?}");
    }
}
