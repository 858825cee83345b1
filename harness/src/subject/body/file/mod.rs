//! Whole files as asynchronous bodies, the same for every runtime.
//!
//! ```text
//!  read, write, copy:  ( prepare ─▶ [the runtime's operation] ─▶ judge ─▶ record )* ─▶ every written file is read back
//!  transfer, user:     connect ─▶ hash what comes ─▶ [gate] ─▶ ( ask for a file ─▶ receive it whole ─▶ compare ─▶ record )* ─▶ close
//!  transfer, server:   accept ─▶ ( read a request ─▶ open, send by `via`, close the file )* ─▶ end of stream ─▶ close
//! ```
//! What stands in brackets is timed. A file that is sent is compared in the window, byte by byte with the content the seed gives it: that
//! tells more than a hash and costs a fiftieth of a transfer, where a hash would cost as much as the transfer itself. Before the window
//! every connection hashes its files as they come, against the hash of the file as it is on the disk.

mod local;
mod transfer;

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::site::{Broken, Ends, Site};
use super::stack::{Fleet, Lent, Stack};
use super::{drive, users};
use crate::measure::file_set::FileSet;
use crate::measure::tally::Ledger;
use crate::subject::protocol::{Role, Trial};
use crate::subject::serve::Session;
use crate::workload::file::{FileMode, FileWorkload, Fsync, Via};
use crate::workload::storage::Content;

/// Whole files of one runtime: what its documentation offers for them.
pub trait WholeFiles: Stack {
    /// Shared bytes that the runtime writes without copying them first.
    type Shared: Clone + Send + Sync + 'static;

    /// Such bytes.
    fn shared(bytes: Vec<u8>) -> Self::Shared;

    /// Opens a file, reads all of it, closes it. `buffer` may be used for it; the one that comes back holds the content.
    fn read_file(path: &Path, buffer: Vec<u8>) -> impl Future<Output = Lent<()>> + Send;

    /// Makes or empties a file, writes all of it, closes it.
    fn write_file(path: &Path, content: &Self::Shared, fsync: Fsync) -> impl Future<Output = io::Result<()>> + Send;

    /// Makes or empties `to`, and fills it from `from`; the bytes copied.
    fn copy_file(from: &Path, to: &Path, via: Via) -> impl Future<Output = io::Result<u64>> + Send;

    /// Opens a file of `size` bytes, sends it over a connection, closes it; the bytes sent.
    fn send_file(stream: &mut Self::Stream, path: &Path, size: u64, via: Via) -> impl Future<Output = io::Result<u64>> + Send;
}

/// What the users and servers of a trial share.
#[derive(Debug)]
pub struct FileSite {
    /// Phases, addresses and socket options.
    pub site: Site,
    /// The workload.
    pub workload: FileWorkload,
    /// How many users there are.
    pub users: u32,
    /// The files; a client apart from its server has none.
    pub files: Option<FileSet>,
    seed: u64,
}

impl FileSite {
    /// The site of a trial, with its files.
    ///
    /// # Errors
    /// Class `bad-request`; those of [`FileSet::make`].
    pub fn new(trial: &Trial, workload: &FileWorkload, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let site = Site::new(trial, true, control)?;
        let files = if trial.role == Role::Client { None } else { Some(FileSet::make(workload, trial.seed)?) };
        Ok(Self { site, workload: workload.clone(), users: users::count(trial), files, seed: trial.seed })
    }

    /// The files of this process.
    ///
    /// # Panics
    /// In a client apart from its server, which never asks.
    pub fn files(&self) -> &FileSet {
        self.files.as_ref().expect("only a client apart has no files")
    }

    /// The content of a file to read or receive.
    #[inline]
    pub fn content(&self, file: u32) -> Content {
        Content::new(self.seed, file.into())
    }

    /// Completes the record of a trial that has ended: where its files were, and that the page cache was what it should be.
    ///
    /// # Errors
    /// Class `cache-state`.
    pub fn complete(&self, mut record: TrialRecord) -> Result<TrialRecord, Failure> {
        let Some(files) = &self.files else { return Ok(record) };
        record.config.insert("file_system".into(), json!(files.file_system()));
        if let Some(via) = self.workload.via {
            record.config.insert("via".into(), json!(via.name()));
        }
        files.finish(record.counters.get("operations_ever").copied().unwrap_or(0), &mut record.counters)?;
        Ok(record)
    }
}

impl Deref for FileSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// The site as both ends of its connections have it.
#[derive(Debug)]
struct FileEnds(Arc<FileSite>);

impl Deref for FileEnds {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.0.site
    }
}

impl<S: WholeFiles> Ends<S> for FileEnds {
    async fn user(self: Arc<Self>, number: u32, address: SocketAddr) {
        transfer::user::<S>(&self.0, number, address).await;
    }

    async fn serve(&self, stream: &mut S::Stream) -> Result<(), Broken> {
        transfer::serve::<S>(stream, &self.0).await
    }
}

/// Makes the files, then runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up, of the files read back at the end, or of the page cache; errors of single operations are counted instead.
pub fn run<S: WholeFiles, F: Fleet>(
    fleet: impl FnOnce() -> Result<F, Failure>,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &FileWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let site = Arc::new(FileSite::new(trial, workload, control)?);
    let record = if workload.mode == FileMode::Transfer {
        let ends = FileEnds(Arc::clone(&site));
        drive::run::<S, F, FileEnds>(fleet()?, trial, site.users, session, control, || Ok(ends))?
    } else {
        let contents: Arc<[S::Shared]> =
            if workload.mode == FileMode::Write { site.files().contents().into_iter().map(S::shared).collect() } else { Arc::new([]) };
        users::run(fleet()?, control, trial, session, |number| local::user::<S>(Arc::clone(&site), Arc::clone(&contents), number))?
    };
    site.complete(record)
}
