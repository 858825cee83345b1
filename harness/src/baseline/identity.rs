//! Which executable it is: its hash, and what it says of itself.
//!
//! Two executables with one hash are one program, and nothing has to be measured between them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use zokio_report::schema::gate::GateSide;
use zokio_report::schema::journal::Failure;

use super::revision::Snapshot;
use crate::error::CommandError;
use crate::host::build::hex;
use crate::orchestrate::roster::{Entry, Roster};

/// Read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// An executable and how a gate's result tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Where it is, and which of its subjects is meant.
    pub entry: Entry,
    /// For the result.
    pub side: GateSide,
}

/// sha256 of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(&chunk[..count]),
        }
    }
}

/// The subject `name` of the executable `given`: `PATH`, or `PATH#SUBJECT` where it is called otherwise there (`--base-bin`).
///
/// # Errors
/// There is no such file, it is no subject, or has no such one.
pub fn of_executable(given: &str, name: &str, limit: Duration) -> Result<Subject, CommandError> {
    let entry = ask(given, name, limit).map_err(|failure| {
        let help = "a base is an executable that speaks the subject protocol: zokio-bench, or one of your own (`zokio-bench list`)";
        CommandError::could_not_run(failure.message, help)
    })?;
    let sha256 = sha256(&entry.executable).map_err(|error| unreadable(&entry.executable, &error))?;
    let path = given.rsplit_once('#').map_or(given, |(path, _)| path);
    let file_name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let side = describe(&entry, GateSide { source: file_name, binary_sha256: Some(sha256), ..GateSide::default() });
    Ok(Subject { entry, side })
}

/// The subject `name` of an executable built from `snapshot`.
///
/// # Errors
/// The build is no subject, or has no such one: the revision may be older than either.
pub fn of_build(executable: &Path, sha256: &str, snapshot: &Snapshot, name: &str, limit: Duration) -> Result<Subject, CommandError> {
    let entry = ask(&format!("{}#{name}", executable.display()), name, limit).map_err(|failure| {
        let message = format!("{} was built, but cannot be measured: {}", snapshot.label(), failure.message);
        CommandError::could_not_run(message, format!("choose a revision that has the subject `{name}`, or other subjects"))
    })?;
    let commit = snapshot.commit.as_ref();
    let known = GateSide {
        source: snapshot.source.clone(),
        revision: commit.map(|commit| commit.id.clone()),
        committed_at: commit.map(|commit| commit.committed_at.clone()),
        dirty: Some(snapshot.dirty),
        binary_sha256: Some(sha256.to_owned()),
        ..GateSide::default()
    };
    let side = describe(&entry, known);
    Ok(Subject { entry, side })
}

fn ask(source: &str, name: &str, limit: Duration) -> Result<Entry, Failure> {
    let mut roster = Roster::default();
    roster.add(name, source, limit)?;
    Ok(roster.find(name).expect("it was just added").clone())
}

/// What the executable says of itself. Its hash is ours: a program may be mistaken about its own file.
fn describe(entry: &Entry, side: GateSide) -> GateSide {
    let mut build = entry.description.build.clone();
    build.binary_sha256.clone_from(&side.binary_sha256);
    GateSide { subject: entry.description.name.clone(), version: entry.description.version.clone(), build, ..side }
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    CommandError::could_not_run(format!("cannot read {}: {error}", path.display()), "make the executable readable")
}
