//! The files of a trial of the workload `file`, and what is kept on each user's: which content it must have by now.
//!
//! ```text
//!  make ─▶ ( begin ─▶ prepare ─▶ the subject's operation ─▶ judge )* ─▶ finish: every file that was written is read back
//! ```
//! All of it is the harness's own work, done by plain calls, the same for every subject. None of it is in a service time; dropping a file
//! from the page cache (`cold`) and reading one of 64 written files back take place in the window, so they are in the rate of every row alike.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use zokio_report::schema::journal::Failure;

use super::page_cache::{self, CacheWatch};
use super::recorder::ErrorClass;
use super::workdir::WorkFolder;
use crate::workload::file::{CONTENTS, FileMode, FileWorkload, Share, Turn};
use crate::workload::storage::{CacheState, Content, FilesNeeded};

/// The files of a trial; removed when it is dropped.
#[derive(Debug)]
pub struct FileSet {
    workload: FileWorkload,
    seed: u64,
    folder: WorkFolder,
    /// What is read, copied or sent; none where files are written.
    sources: Vec<PathBuf>,
    /// What is written or copied to; not there before the first time.
    targets: Vec<PathBuf>,
    /// The device's work since the files to read were brought into their state.
    watch: Option<CacheWatch>,
}

/// Why an operation does not count: its class, and the system's number.
pub type Fault = (ErrorClass, Option<i32>);

impl FileSet {
    /// Makes the files and brings them into the state that the workload says, verified.
    ///
    /// # Errors
    /// Class `no-space`, `work-folder` or `cache-state`.
    pub fn make(workload: &FileWorkload, seed: u64) -> Result<Self, Failure> {
        let folder = WorkFolder::create(FilesNeeded { storage: &workload.storage, bytes: workload.bytes_needed() })?;
        let claim = |prefix: &str| (0..workload.files).map(|file| folder.claim(&format!("{prefix}-{file}"))).collect::<Result<Vec<_>, _>>();
        let (writes, copies) = (workload.mode == FileMode::Write, workload.mode == FileMode::Copy);
        let sources = if writes { Vec::new() } else { claim("data")? };
        let targets = if writes || copies { claim("copy")? } else { Vec::new() };
        if writes || copies {
            settle(folder.path())?;
        }
        let mut this = Self { workload: workload.clone(), seed, folder, sources, targets, watch: None };
        for (file, path) in this.sources.iter().enumerate() {
            page_cache::write_file(path, this.content(u32::try_from(file).unwrap_or(u32::MAX)), workload.size)?;
        }
        if !this.sources.is_empty() {
            // Directly read files are dropped before as cold ones are.
            let state = if workload.storage.cache == CacheState::Warm { CacheState::Warm } else { CacheState::Cold };
            this.watch = Some(CacheWatch::start(state, &this.open_sources()?)?);
        }
        Ok(this)
    }

    /// The content of a file to read, or of a file that was written with this number.
    pub fn content(&self, number: u32) -> Content {
        Content::new(self.seed, number.into())
    }

    /// All contents that files are written with, in order of their number.
    pub fn contents(&self) -> Vec<Vec<u8>> {
        (0..CONTENTS).map(|number| self.content(number).bytes(self.workload.size)).collect()
    }

    /// A file to read, copy or send.
    ///
    /// # Panics
    /// There is no file of this number, or the workload writes.
    pub fn source(&self, file: u32) -> &Path {
        &self.sources[file as usize]
    }

    /// A file to write or copy to.
    ///
    /// # Panics
    /// There is no file of this number, or the workload reads.
    pub fn target(&self, file: u32) -> &Path {
        &self.targets[file as usize]
    }

    /// How many files there are to read.
    pub fn count(&self) -> u32 {
        self.workload.files
    }

    /// The name of the file system they are on.
    pub fn file_system(&self) -> &str {
        &self.folder.file_system().name
    }

    /// A user's view.
    pub fn keeper(&self, user: u32, users: u32) -> Keeper<'_> {
        let share = self.workload.share(user, users);
        let written = if self.targets.is_empty() { Vec::new() } else { vec![None; share.count() as usize] };
        Keeper { files: self, share, nth: 0, written, buffer: Vec::new() }
    }

    /// Verifies that the state of the page cache lasted for the operations of the whole life, and notes the evidence.
    ///
    /// # Errors
    /// Class `cache-state`.
    pub fn finish(&self, operations_ever: u64, counters: &mut BTreeMap<String, u64>) -> Result<(), Failure> {
        match self.watch {
            Some(watch) => watch.finish(&self.open_sources()?, operations_ever.saturating_mul(self.workload.size), counters),
            None => Ok(()),
        }
    }

    fn open_sources(&self) -> Result<Vec<File>, Failure> {
        let open = |path: &PathBuf| {
            File::open(path)
                .map_err(|error| Failure { class: "work-folder".into(), message: format!("cannot open a file just made: {error}") })
        };
        self.sources.iter().map(open).collect()
    }

    /// Drops a file from the page cache; whether it is gone is looked at where `is_checked`.
    fn chill(&self, file: u32, is_checked: bool) -> Result<(), Fault> {
        let chilled = || -> io::Result<bool> {
            let file = File::open(self.source(file))?;
            page_cache::drop_range(&file, 0, 0)?;
            Ok(!is_checked || page_cache::resident_permille(&file)? == 0)
        };
        match chilled() {
            Ok(true) => Ok(()),
            Ok(false) => Err((ErrorClass::Mismatch, None)),
            Err(error) => Err((ErrorClass::Read, error.raw_os_error())),
        }
    }

    /// Test hook: changes a byte in the middle of a file to read; twice, and it is as before.
    pub fn flip_source(&self, file: u32) {
        self.flip(self.source(file));
    }

    fn flip(&self, path: &Path) {
        let flipped = || -> io::Result<()> {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            let (mut byte, middle) = ([0], self.workload.size / 2);
            file.read_exact_at(&mut byte, middle)?;
            file.write_all_at(&[byte[0] ^ 1], middle)
        };
        flipped().expect("a file of the trial can be damaged");
    }
}

/// Waits until the file system has done what earlier trials have left to it: blocks that were given up and not yet committed as free make
/// every later allocation slower, for whoever comes next.
fn settle(folder: &Path) -> Result<(), Failure> {
    let settled = File::open(folder).and_then(|folder| Ok(rustix::fs::syncfs(folder)?));
    settled.map_err(|error| Failure { class: "work-folder".into(), message: format!("the file system does not settle: {error}") })
}

/// What one user has done with its files.
#[derive(Debug)]
pub struct Keeper<'a> {
    files: &'a FileSet,
    share: Share,
    nth: u64,
    /// The number of the content that each file of the user must have by now.
    written: Vec<Option<u32>>,
    buffer: Vec<u8>,
}

impl<'a> Keeper<'a> {
    /// The files.
    pub fn files(&self) -> &'a FileSet {
        self.files
    }

    /// What the next operation is about.
    #[inline]
    pub fn begin(&mut self) -> Turn {
        self.nth += 1;
        self.share.turn(self.nth - 1)
    }

    /// Before an operation: brings the cache into its state. `damages`: what is read differs in one byte (a test hook).
    ///
    /// # Errors
    /// The file could not be dropped from the page cache.
    #[inline]
    pub fn prepare(&self, turn: Turn, damages: bool) -> Result<(), Fault> {
        let is_cold = self.files.workload.storage.cache == CacheState::Cold;
        if !is_cold && !damages {
            return Ok(());
        }
        let read = if self.files.workload.mode == FileMode::Copy { turn.source } else { turn.file };
        if damages && self.files.workload.mode != FileMode::Write {
            self.files.flip(self.files.source(read));
        }
        if is_cold { self.files.chill(read, turn.is_read_back) } else { Ok(()) }
    }

    /// After a read: whether `bytes` are the file, whole.
    ///
    /// # Errors
    /// Class `mismatch`.
    #[inline]
    pub fn judge_read(&self, turn: Turn, bytes: &[u8]) -> Result<(), Fault> {
        let is_right = bytes.len() as u64 == self.files.workload.size && self.files.content(turn.file).holds(bytes, 0);
        if is_right { Ok(()) } else { Err((ErrorClass::Mismatch, None)) }
    }

    /// After a write or a copy: notes what the file holds now, and reads it back if it is its turn. `damages`: as for [`Self::prepare`].
    ///
    /// # Errors
    /// Class `mismatch`, or `read`.
    #[inline]
    pub fn judge_written(&mut self, turn: Turn, damages: bool) -> Result<(), Fault> {
        let is_copy = self.files.workload.mode == FileMode::Copy;
        let number = if is_copy { turn.source } else { turn.written() };
        self.written[turn.place] = Some(number);
        if !turn.is_read_back && !damages {
            return Ok(());
        }
        let path = self.files.target(turn.file);
        if damages && !is_copy {
            self.files.flip(path);
        }
        let held = self.read_back(turn.file, number);
        if held.is_err() {
            self.written[turn.place] = None;
        }
        held
    }

    /// After a damaged operation: makes good what [`Self::prepare`] has changed.
    pub fn repair(&self, turn: Turn) {
        match self.files.workload.mode {
            FileMode::Write => {}
            FileMode::Copy => self.files.flip(self.files.source(turn.source)),
            FileMode::Read | FileMode::Transfer => self.files.flip(self.files.source(turn.file)),
        }
    }

    /// The operation failed: nobody knows what its file holds.
    #[cold]
    pub fn forget(&mut self, turn: Turn) {
        if let Some(written) = self.written.get_mut(turn.place) {
            *written = None;
        }
    }

    /// At the end: every file that was written must hold what was written last.
    ///
    /// # Errors
    /// Class `mismatch`, with the first file that does not.
    pub fn finish(mut self) -> Result<(), Failure> {
        for (place, number) in std::mem::take(&mut self.written).into_iter().enumerate() {
            let (file, Some(number)) = (self.share.file(place), number) else { continue };
            if let Err((_, errno)) = self.read_back(file, number) {
                let errno = errno.map_or_else(String::new, |errno| format!(" (errno {errno})"));
                let message = format!("file {file} does not hold what was written to it last{errno}: read back after the window");
                return Err(Failure { class: "mismatch".into(), message });
            }
        }
        Ok(())
    }

    fn read_back(&mut self, file: u32, number: u32) -> Result<(), Fault> {
        self.buffer.clear();
        let path = self.files.target(file);
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut self.buffer));
        read.map_err(|error| (ErrorClass::Read, error.raw_os_error()))?;
        let is_right = self.buffer.len() as u64 == self.files.workload.size && self.files.content(number).holds(&self.buffer, 0);
        if is_right { Ok(()) } else { Err((ErrorClass::Mismatch, None)) }
    }
}
