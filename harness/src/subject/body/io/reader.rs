//! What the readers of a trial share, which block each reads next, and whether it got the right one; the same for every subject.
//!
//! Warm and direct, a user reads anywhere in the file. Cold, it has a part of the file of its own, reads each block of it once in an order
//! without pattern, and then drops that part from the page cache: what it reads next comes from the device again, however long the trial is.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::page_cache::{self, CacheWatch};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::tally::Ledger;
use crate::measure::workdir::WorkFolder;
use crate::subject::body::users;
use crate::subject::protocol::Trial;
use crate::workload::io::IoWorkload;
use crate::workload::storage::{CacheState, Content, FilesNeeded, Storage};

/// Every so many reads of a user are compared whole; it costs about 100 ns for 4 KiB, the marks of the others some.
const WHOLE_EVERY: u64 = 64;

/// How a read ended: well, or with a class and the number of the system's error.
pub type Outcome = Result<(), (ErrorClass, Option<i32>)>;

/// The file of a trial, in the state of the page cache that it shall have.
#[derive(Debug)]
pub struct ReadSite {
    /// Phases and counts.
    pub control: Arc<Ledger>,
    /// What is read.
    pub workload: IoWorkload,
    /// How the page cache holds it.
    pub state: CacheState,
    /// Where it is.
    pub path: PathBuf,
    content: Content,
    users: u32,
    seed: u64,
    // Dropped before the folder is removed: the order of the fields.
    files: [File; 1],
    watch: CacheWatch,
    folder: WorkFolder,
}

impl ReadSite {
    /// Makes the file and brings it into its state.
    ///
    /// # Errors
    /// Classes `work-folder`, `no-space`, `cache-state`.
    pub fn prepare(trial: &Trial, workload: &IoWorkload, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let no_file = || Failure { class: "bad-request".into(), message: "the trial names no file to read".into() };
        let storage: &Storage = workload.storage.as_ref().ok_or_else(no_file)?;
        let folder = WorkFolder::create(FilesNeeded { storage, bytes: workload.file_bytes })?;
        let (path, content) = (folder.claim("data")?, Content::new(trial.seed, 0));
        let files = [page_cache::write_file(&path, content, workload.file_bytes)?];
        let watch = CacheWatch::start(storage.cache, &files)?;
        Ok(Self {
            control: Arc::clone(control),
            workload: workload.clone(),
            state: storage.cache,
            path,
            content,
            users: users::count(trial),
            seed: trial.seed,
            files,
            watch,
            folder,
        })
    }

    /// What a user opened, looked at before it is read from.
    ///
    /// # Errors
    /// Class `cache-state`, or `read` where it could not be opened.
    pub fn opened<F: AsFd>(&self, opened: io::Result<F>) -> Result<F, Failure> {
        let file = opened.map_err(|error| open_failure(self.state, &error))?;
        page_cache::check_descriptor(&file, self.state)?;
        page_cache::expect_random(&file).map_err(|error| open_failure(self.state, &error))?;
        Ok(file)
    }

    /// The record with the evidence of the page cache, after the subject has closed its files.
    ///
    /// # Errors
    /// Class `cache-state`.
    pub fn finish(&self, mut record: TrialRecord) -> Result<TrialRecord, Failure> {
        let operations = record.counters.get("operations_ever").copied().unwrap_or(0);
        let asked = operations * self.workload.bytes_per_operation().unwrap_or(0);
        self.watch.finish(&self.files, asked, &mut record.counters)?;
        record.config.insert("page_cache".into(), json!(self.state.name()));
        record.config.insert("file_system".into(), json!(self.folder.file_system().name));
        Ok(record)
    }
}

fn open_failure(state: CacheState, error: &io::Error) -> Failure {
    // open(2): the file system does not support O_DIRECT.
    let is_refused = state == CacheState::Direct && error.kind() == io::ErrorKind::InvalidInput;
    let class = if is_refused { "cache-state" } else { "read" };
    Failure { class: class.into(), message: format!("cannot open the file of the trial ({}): {error}", state.name()) }
}

/// One user: which block is next, and whether it was the right one.
#[derive(Debug)]
pub struct Reader<'a> {
    site: &'a ReadSite,
    number: u32,
    random: u64,
    reads: u64,
    first_block: u64,
    blocks: u64,
    stride: u64,
    turn: u64,
}

impl<'a> Reader<'a> {
    /// The user with this number.
    pub fn new(site: &'a ReadSite, number: u32) -> Self {
        let all = site.workload.file_bytes / site.workload.block_bytes;
        let edge = |number: u32| (u128::from(all) * u128::from(number) / u128::from(site.users.max(1))) as u64;
        let own = site.state == CacheState::Cold;
        let (first, end) = if own { (edge(number), edge(number + 1)) } else { (0, all) };
        // A block begins a read of `blocks_per_read`: the last ones have no room behind them.
        let per_read = site.workload.bytes_per_operation().unwrap_or(0) / site.workload.block_bytes;
        let random = site.seed ^ (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let blocks = (end - first) / per_read.max(1);
        Self { site, number, random: random | 1, reads: 0, first_block: first, blocks, stride: stride(blocks), turn: 0 }
    }

    /// The number of the user.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The offset of the next read; `file` is the user's own descriptor.
    #[inline]
    pub fn next(&mut self, file: impl AsFd) -> u64 {
        let bytes = self.site.workload.bytes_per_operation().unwrap_or(0);
        let place = match self.site.state {
            CacheState::Cold => self.next_unread(file, bytes),
            CacheState::Warm | CacheState::Direct => self.anywhere(),
        };
        self.first_block * self.site.workload.block_bytes + place * bytes
    }

    /// xorshift64* (Vigna 2016), and the upper half of its product with the count: uniform enough for places, and 1 ns.
    #[inline]
    fn anywhere(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        ((u128::from(self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)) * u128::from(self.blocks)) >> 64) as u64
    }

    fn next_unread(&mut self, file: impl AsFd, bytes: u64) -> u64 {
        if self.turn == self.blocks {
            self.turn = 0;
            // A part that stays shows in the bytes of the device, which are judged at the end.
            let _ = page_cache::drop_range(file, self.first_block * self.site.workload.block_bytes, self.blocks * bytes);
        }
        let place = scattered(self.turn, self.stride, self.blocks);
        self.turn += 1;
        place
    }

    /// Whether the read brought all the right bytes; the class and the number of the system's error otherwise.
    ///
    /// # Errors
    /// Class `read` for an error or too few bytes, `mismatch` for wrong ones.
    #[inline]
    pub fn check(&mut self, result: io::Result<usize>, bytes: &mut [u8], offset: u64) -> Outcome {
        match result {
            Ok(count) if count == bytes.len() => {}
            Ok(_) => return Err((ErrorClass::Read, None)),
            Err(error) => return Err((ErrorClass::Read, error.raw_os_error())),
        }
        self.look(bytes, offset)
    }

    /// As [`check`](Self::check), of bytes that have arrived.
    #[inline]
    fn look(&mut self, bytes: &mut [u8], offset: u64) -> Outcome {
        if self.site.control.takes_corruption(self.number) {
            bytes[0] ^= 1;
        }
        let is_whole = self.reads.is_multiple_of(WHOLE_EVERY);
        self.reads += 1;
        let content = self.site.content;
        let holds = if is_whole { content.holds(bytes, offset) } else { content.holds_marks(bytes, offset) };
        if holds { Ok(()) } else { Err((ErrorClass::Mismatch, None)) }
    }

    /// As [`check`](Self::check), for a read into several buffers.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_parts<'b>(&mut self, result: io::Result<usize>, parts: impl Iterator<Item = &'b mut [u8]>, mut offset: u64) -> Outcome {
        let mut left = match result {
            Ok(count) => count,
            Err(error) => return Err((ErrorClass::Read, error.raw_os_error())),
        };
        for part in parts {
            let len = part.len();
            self.check(Ok(left.min(len)), part, offset)?;
            (left, offset) = (left - len, offset + len as u64);
        }
        Ok(())
    }
}

/// Writes down how a read ended that took so long.
#[inline]
pub fn record(recorder: &mut Recorder, outcome: Outcome, service_ns: u64, bytes: u64) {
    match outcome {
        Ok(()) => recorder.success(service_ns, bytes),
        Err((class, errno)) => recorder.failure(class, errno),
    }
}

/// The `turn`-th of `count` numbers, each once, in an order that no read-ahead guesses.
fn scattered(turn: u64, stride: u64, count: u64) -> u64 {
    (u128::from(turn) * u128::from(stride) % u128::from(count.max(1))) as u64
}

/// Near the golden section of the count, and without a divisor in common with it.
fn stride(count: u64) -> u64 {
    let golden = (count as f64 * 0.618) as u64;
    (golden.max(1)..).find(|stride| are_coprime(*stride, count)).expect("a prime is among them")
}

fn are_coprime(mut one: u64, mut other: u64) -> bool {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_visited_once_before_any_twice() {
        for count in [1, 2, 3, 8, 100, 513, 4096] {
            let mut seen: Vec<u64> = (0..count).map(|turn| scattered(turn, stride(count), count)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<u64>>());
        }
    }
}
