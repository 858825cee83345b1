//! Inside a trial: read the request, run the subject, write the record.
//!
//! ```text
//!  stdin ──one line──▶ Trial ──▶ Subject::run ──▶ record | failed ──▶ stdout
//!    └─ its end ──▶ Session::is_ending            └─ ready, phase, progress on the way
//! ```
//!
//! The protocol owns standard output alone: [`from_arguments`] moves it to a private descriptor and lets everything else that prints
//! go to standard error, so a stray `println!` in a user's program cannot spoil a trial.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::protocol::{
    Description, EXIT_FAILED, LINE_BYTES_MAX, PROTOCOL, Phase, PhaseName, Progress, Ready, Reply, Request, SUBJECT_ARGUMENT,
    SubjectDescription, Trial,
};

use crate::measure::{doubling, planted};

pub use super::application::{serve_async, serve_fn};

/// Something that can run trials.
pub trait Subject: Sync {
    /// Name, version, build and workloads. Asked at the start of each trial too, so it has to be quick.
    fn describe(&self) -> SubjectDescription;

    /// Runs one trial to its end.
    ///
    /// # Errors
    /// A [`Failure`] with a class and a sentence; it becomes the `failed` line.
    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure>;
}

/// The line to the orchestrator, shared by all threads of a trial.
pub struct Session {
    output: Mutex<Box<dyn Write + Send>>,
    /// Read on hot paths, so beside the lock of `end`.
    ending: AtomicBool,
    end: Mutex<bool>,
    ended: Condvar,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Session").field("ending", &self.is_ending()).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that writes to `output`: standard output in a trial, a buffer in a test.
    pub fn new(output: Box<dyn Write + Send>) -> Self {
        Self { output: Mutex::new(output), ending: AtomicBool::new(false), end: Mutex::new(false), ended: Condvar::new() }
    }

    /// A session whose lines nobody reads, for tests of a subject.
    pub fn detached() -> Self {
        Self::new(Box::new(io::sink()))
    }

    /// Says that the subject is set up; `addresses` is where a server listens.
    pub fn ready(&self, addresses: &[std::net::SocketAddr]) {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        self.write(&Reply::Ready(Ready { addresses, pid: std::process::id() }));
    }

    /// Says that a phase begins, now.
    pub fn phase(&self, name: PhaseName) {
        self.write(&Reply::Phase(Phase { name }));
    }

    /// A sign of life with the successful operations so far.
    pub fn progress(&self, ok: u64) {
        self.write(&Reply::Progress(Progress { ok }));
    }

    /// Whether standard input has ended: drain, write the record, exit.
    pub fn is_ending(&self) -> bool {
        // Relaxed: a flag alone; no data is published with it.
        self.ending.load(Ordering::Relaxed)
    }

    /// Blocks until standard input has ended, at most `limit`; true when it has.
    pub fn wait_for_end(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut ended = unpoisoned(self.end.lock());
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ended = self.ended.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *ended
    }

    /// Tells all who wait that the trial shall end; the end of standard input calls it.
    pub fn end(&self) {
        *unpoisoned(self.end.lock()) = true;
        self.ending.store(true, Ordering::Relaxed);
        self.ended.notify_all();
    }

    /// One line, whole and at once. An orchestrator that is gone cannot be told anything, so a failed write is not an error here.
    fn write(&self, reply: &Reply) {
        let mut line = serde_json::to_vec(reply).expect("a reply has string keys and finite numbers");
        line.push(b'\n');
        let mut output = unpoisoned(self.output.lock());
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }
}

/// A panic of another thread leaves nothing half-written behind these locks.
fn unpoisoned<'a, T>(lock: Result<MutexGuard<'a, T>, PoisonError<MutexGuard<'a, T>>>) -> MutexGuard<'a, T> {
    lock.unwrap_or_else(PoisonError::into_inner)
}

/// The whole `main` of a program that is nothing but a subject.
///
/// Answers `EXE zokio-subject` and `EXE zokio-subject --describe`; any other use is told how the program is meant to be started.
pub fn serve(subjects: &[&dyn Subject]) -> ExitCode {
    from_arguments(subjects).unwrap_or_else(|| {
        eprintln!("this program is a subject of zokio-bench: zokio-bench run NAME --subject {}=PATH", name_of_executable());
        ExitCode::from(zokio_report::exit::USAGE)
    })
}

/// Serves when the first argument is `zokio-subject`; `None` when the program was started for something else.
pub fn from_arguments(subjects: &[&dyn Subject]) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != SUBJECT_ARGUMENT {
        return None;
    }
    let describe = arguments.next().is_some_and(|argument| argument == "--describe");
    let output: Box<dyn Write + Send> = match private_stdout() {
        Ok(file) => Box::new(file),
        Err(_) => Box::new(io::stdout()),
    };
    Some(if describe { print_description(subjects, output) } else { serve_on(subjects, BufReader::new(io::stdin()), output) })
}

/// Runs the one trial that `input` asks for.
pub fn serve_on(subjects: &[&dyn Subject], mut input: impl BufRead + Send + 'static, output: Box<dyn Write + Send>) -> ExitCode {
    let session = Arc::new(Session::new(output));
    let outcome = read_request(&mut input).and_then(|trial| {
        watch_for_end(input, Arc::clone(&session));
        prepare(&trial);
        answer(subjects, &trial, &session)
    });
    match outcome {
        Ok(record) => {
            session.write(&Reply::Record(Box::new(record)));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            session.write(&Reply::Failed(failure));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn read_request(input: &mut impl BufRead) -> Result<Trial, Failure> {
    let bad = |message: String| Failure { class: "bad-request".into(), message };
    let mut line = Vec::new();
    let read = input.take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
    read.map_err(|error| bad(format!("cannot read the request: {error}")))?;
    if line.len() > LINE_BYTES_MAX {
        return Err(bad(format!("the request is longer than {LINE_BYTES_MAX} bytes")));
    }
    let Request::Trial(trial) = serde_json::from_slice(&line).map_err(|error| bad(format!("cannot understand the request: {error}")))?;
    if trial.protocol != PROTOCOL {
        return Err(bad(format!("protocol {} is asked for, this subject speaks {PROTOCOL}", trial.protocol)));
    }
    Ok(*trial)
}

/// What holds for the whole process, since it runs one trial.
fn prepare(trial: &Trial) {
    if trial.gate.no_doubling {
        doubling::leave_out();
    }
    if let Some(planted) = trial.gate.planted {
        planted::plant(planted);
    }
}

fn watch_for_end(mut input: impl Read + Send + 'static, session: Arc<Session>) {
    let watch = move || {
        // Whatever comes after the request has no meaning in version 1; only the end has.
        let _ = io::copy(&mut input, &mut io::sink());
        session.end();
    };
    // Without this thread a server could never be ended in peace: a bug of ours or an exhausted host, and then nothing works.
    std::thread::Builder::new().name("zokio-stdin".into()).spawn(watch).expect("a thread for standard input");
}

fn answer(subjects: &[&dyn Subject], trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
    let Some(subject) = subjects.iter().find(|subject| subject.describe().name == trial.subject) else {
        let known: Vec<String> = subjects.iter().map(|subject| subject.describe().name).collect();
        let message = format!("no subject `{}` in this program; it has {}", trial.subject, known.join(", "));
        return Err(Failure { class: "unknown-subject".into(), message });
    };
    let mut record = catch_unwind(AssertUnwindSafe(|| subject.run(trial, session))).unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<&str>().map(ToString::to_string).or_else(|| payload.downcast_ref::<String>().cloned());
        let message = format!("the subject panicked: {}", said.unwrap_or_else(|| "no message".into()));
        Err(Failure { class: "panic".into(), message })
    })?;
    record.id.get_or_insert_with(|| trial.id.clone());
    Ok(record)
}

/// What the subjects say of themselves; what they do not know of their build, the library they were built with does.
pub fn descriptions(subjects: &[&dyn Subject]) -> Vec<SubjectDescription> {
    let describe = |subject: &&dyn Subject| {
        let mut description = subject.describe();
        if description.build.rustc.is_none() {
            let allocator = description.build.allocator.take();
            description.build = crate::host::build::build_info();
            description.build.allocator = allocator.or(description.build.allocator.take());
        }
        description
    };
    subjects.iter().map(describe).collect()
}

fn print_description(subjects: &[&dyn Subject], mut output: Box<dyn Write + Send>) -> ExitCode {
    let subjects = descriptions(subjects);
    let version = subjects.first().map(|first| first.version.clone()).unwrap_or_default();
    let description = Description { protocol: PROTOCOL, name: name_of_executable(), version, subjects };
    let mut line = serde_json::to_vec(&description).expect("a description has string keys and no numbers that could be infinite");
    line.push(b'\n');
    match output.write_all(&line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(EXIT_FAILED),
    }
}

fn name_of_executable() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| "subject".into(), |stem| stem.to_string_lossy().into_owned())
}

/// A descriptor of its own for the protocol; descriptor 1 becomes standard error.
#[cfg(unix)]
fn private_stdout() -> io::Result<File> {
    let private = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(private))
}

/// Other platforms share standard output with the program.
#[cfg(not(unix))]
fn private_stdout() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}
