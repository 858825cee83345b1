//! Whole files without a runtime: which loop a case gets, and the one of bare system calls.
//!
//! A thread takes its users in turn. One buffer a thread, used again for every file, stays in the core's cache; nothing is asked for that is
//! not needed (the buffer has room for one byte more than a file, so one read tells its length).

use std::ffi::CString;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustix::fs::{Mode, OFlags, copy_file_range, fsync, open};
use rustix::io::{Errno, read, write};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::run::{Variant, report};
use super::{file_ring, file_transfer};
use crate::measure::file_set::{Fault, FileSet, Keeper};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::file::FileSite;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::{threads, worker_cpus};
use crate::workload::file::{FileMode, FileWorkload, Fsync, Turn, Via};
use crate::workload::storage::CacheState;

/// New files are the user's alone, as those of every subject are in a folder that is.
const MODE: Mode = Mode::from_raw_mode(0o600);
/// How a file to write is opened.
const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::TRUNC).union(OFlags::CLOEXEC);

/// The loop of a case whose files stay on this host; fixed by the case alone, except where io_uring is refused.
pub fn choose(workload: &FileWorkload, has_ring: bool) -> Variant {
    match workload.mode {
        FileMode::Read if has_ring && workload.storage.cache == CacheState::Cold => Variant::RingChain,
        FileMode::Write | FileMode::Copy => Variant::ThreadPerUser,
        FileMode::Read | FileMode::Transfer => Variant::BareSyscalls,
    }
}

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up, of the files read back at the end, or of the page cache.
pub fn run(
    refusal: Option<String>,
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &FileWorkload,
) -> Result<TrialRecord, Failure> {
    let site = Arc::new(FileSite::new(trial, workload, control)?);
    if workload.mode == FileMode::Transfer {
        return site.complete(file_transfer::run(refusal, trial, session, &site)?);
    }
    let variant = choose(workload, refusal.is_none());
    let reason = refusal.filter(|_| variant != choose(workload, true));
    let paths = Paths::new(site.files(), workload);
    let record = threads::run(trial, session, control, "ceiling", report(variant, reason, &worker_cpus(trial)), |users| match variant {
        Variant::RingChain => file_ring::run(&site, &paths, users),
        Variant::ThreadPerUser => run_threads(&site, &paths, users),
        _ => run_bare(&site, &paths, users),
    })?;
    site.complete(record)
}

/// The paths of a trial's files, as the kernel takes them.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) sources: Vec<CString>,
    pub(super) targets: Vec<CString>,
}

impl Paths {
    fn new(files: &FileSet, workload: &FileWorkload) -> Self {
        let paths = |has: bool, path: &dyn Fn(u32) -> CString| if has { (0..files.count()).map(path).collect() } else { Vec::new() };
        Self {
            sources: paths(workload.mode != FileMode::Write, &|file| c_path(files.source(file))),
            targets: paths(matches!(workload.mode, FileMode::Write | FileMode::Copy), &|file| c_path(files.target(file))),
        }
    }
}

pub(super) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("the path of a file that exists has no NUL")
}

/// Room for a file and one byte more, at the begin of a page: the kernel copies whole pages to it.
#[derive(Debug)]
pub(super) struct PageBuffer {
    memory: Vec<u8>,
    from: usize,
}

impl PageBuffer {
    /// For files of this size.
    pub(super) fn new(size: u64) -> Self {
        let page = rustix::param::page_size();
        let memory = vec![0_u8; size as usize + 1 + page];
        let from = memory.as_ptr().align_offset(page);
        Self { memory, from }
    }

    /// All of it.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        let page = rustix::param::page_size();
        let end = self.memory.len() - page + self.from;
        &mut self.memory[self.from..end]
    }

    /// The first bytes.
    pub(super) fn filled(&self, count: usize) -> &[u8] {
        &self.memory[self.from..self.from + count]
    }
}

/// A user, and when its operation under way began: when the one before had ended.
struct User<'a> {
    number: u32,
    keeper: Keeper<'a>,
    start: u64,
}

/// The calls of a thread.
struct Desk<'a> {
    site: &'a FileSite,
    paths: &'a Paths,
    contents: Vec<Vec<u8>>,
    buffer: PageBuffer,
    calls: u64,
}

/// A thread for each user, on the CPU of the one that calls.
fn run_threads(site: &FileSite, paths: &Paths, users: Range<u32>) -> Result<(), Failure> {
    thread::scope(|scope| {
        let start = |user| {
            thread::Builder::new().name(format!("ceiling-user-{user}")).spawn_scoped(scope, move || run_bare(site, paths, user..user + 1))
        };
        let started: Vec<_> = users.map(start).collect();
        let mut outcome = Ok(());
        for thread in started {
            let thread = thread.map_err(|error| Failure { class: "threads".into(), message: format!("cannot start a thread: {error}") });
            let ended = thread.and_then(|thread| thread.join().expect("a thread of the ceiling does not panic"));
            outcome = outcome.and(ended);
        }
        outcome
    })
}

fn run_bare(site: &FileSite, paths: &Paths, users: Range<u32>) -> Result<(), Failure> {
    let control = &site.control;
    let mut recorder = Recorder::new(control);
    let contents = if site.workload.mode == FileMode::Write { site.files().contents() } else { Vec::new() };
    let mut desk = Desk { site, paths, contents, buffer: PageBuffer::new(site.workload.size), calls: 0 };
    let user = |number| User { number, keeper: site.files().keeper(number, site.users), start: 0 };
    let mut users: Vec<User<'_>> = users.map(user).collect();
    users.iter().for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let start = now_ns();
    users.iter_mut().for_each(|user| user.start = start);
    while !control.is_draining() && !users.is_empty() {
        for user in &mut users {
            desk.turn(user, &mut recorder);
        }
    }
    recorder.finish();
    let mut outcome = Ok(());
    for user in users {
        outcome = outcome.and(user.keeper.finish());
        control.user_done();
    }
    outcome
}

impl Desk<'_> {
    fn turn(&mut self, user: &mut User<'_>, recorder: &mut Recorder) {
        let turn = user.keeper.begin();
        let damages = self.site.control.takes_corruption(user.number);
        let outcome = self.operation(user, turn, damages);
        recorder.syscalls(std::mem::take(&mut self.calls));
        match outcome {
            Ok(service_ns) => recorder.success(service_ns, self.site.workload.size),
            Err((class, errno)) => recorder.failure(class, errno),
        }
        if damages {
            user.keeper.repair(turn);
        }
    }

    fn operation(&mut self, user: &mut User<'_>, turn: Turn, damages: bool) -> Result<u64, Fault> {
        user.keeper.prepare(turn, damages)?;
        let done = self.calls(turn);
        let end = now_ns();
        let service_ns = end - std::mem::replace(&mut user.start, end);
        match (done, self.site.workload.mode) {
            (Err((class, errno)), _) => {
                user.keeper.forget(turn);
                return Err((class, Some(errno.raw_os_error())));
            }
            (Ok(count), FileMode::Read) => user.keeper.judge_read(turn, self.buffer.filled(count))?,
            (Ok(count), _) if count as u64 != self.site.workload.size => return Err((ErrorClass::Write, None)),
            (Ok(_), _) => user.keeper.judge_written(turn, damages)?,
        }
        Ok(service_ns)
    }

    /// The system calls of an operation; the bytes it moved.
    fn calls(&mut self, turn: Turn) -> Result<usize, (ErrorClass, Errno)> {
        let workload = &self.site.workload;
        match workload.mode {
            FileMode::Read | FileMode::Transfer => {
                self.calls += 3;
                read_whole(&self.paths.sources[turn.file as usize], self.buffer.bytes()).map_err(|error| (ErrorClass::Read, error))
            }
            FileMode::Write => {
                self.calls += 3 + u64::from(workload.fsync == Fsync::End);
                let (path, content) = (&self.paths.targets[turn.file as usize], &self.contents[turn.written() as usize]);
                write_whole(path, content, workload.fsync).map_err(|error| (ErrorClass::Write, error))
            }
            FileMode::Copy => {
                let (from, to) = (&self.paths.sources[turn.source as usize], &self.paths.targets[turn.file as usize]);
                if workload.via == Some(Via::CopyFileRange) {
                    self.calls += 5;
                    return copy_inside(from, to, workload.size as usize).map_err(|error| (ErrorClass::Write, error));
                }
                self.calls += 6;
                let count = read_whole(from, self.buffer.bytes()).map_err(|error| (ErrorClass::Read, error))?;
                write_whole(to, self.buffer.filled(count), Fsync::None).map_err(|error| (ErrorClass::Write, error))
            }
        }
    }
}

/// Opens, reads, closes; a read that fills less than the buffer has met the end of the file.
pub(super) fn read_whole(path: &CString, buffer: &mut [u8]) -> Result<usize, Errno> {
    let file = open(path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read(&file, buffer)
}

fn write_whole(path: &CString, content: &[u8], sync: Fsync) -> Result<usize, Errno> {
    let file = open(path.as_c_str(), WRITE, MODE)?;
    let count = write(&file, content)?;
    if sync == Fsync::End {
        fsync(&file)?;
    }
    Ok(count)
}

fn copy_inside(from: &CString, to: &CString, size: usize) -> Result<usize, Errno> {
    let from = open(from.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let to = open(to.as_c_str(), WRITE, MODE)?;
    copy_file_range(&from, None, &to, None, size)
}

/// A set-up step of the files that failed.
pub(super) fn set_up(what: &str, error: &io::Error) -> Failure {
    crate::subject::body::endpoint::setup_failure("ring", what, error)
}
