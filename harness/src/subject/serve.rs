//! Inside a trial: read the request, run the subject, write the record.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::protocol::{Phase, PhaseName, Progress, Ready, Reply, SubjectDescription, Trial};

/// Something that can run trials.
pub trait Subject: Sync {
    /// Name, version, build and workloads.
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
    /// A session that writes to `output`.
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
        let mut ended = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            ended = self.ended.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *ended
    }

    /// Tells all who wait that the trial shall end.
    pub fn end(&self) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ending.store(true, Ordering::Relaxed);
        self.ended.notify_all();
    }

    fn write(&self, reply: &Reply) {
        let mut line = serde_json::to_vec(reply).expect("a reply has string keys and finite numbers");
        line.push(b'\n');
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }
}
