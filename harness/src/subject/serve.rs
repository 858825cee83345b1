//! Inside a trial: read the request, run the subject, write the record.

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::protocol::{PhaseName, SubjectDescription, Trial};

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
#[derive(Debug)]
pub struct Session {}

impl Session {
    /// Says that the subject is set up; `addresses` is where a server listens.
    pub fn ready(&self, addresses: &[std::net::SocketAddr]) {
        let _ = addresses;
    }

    /// Says that a phase begins, now.
    pub fn phase(&self, name: PhaseName) {
        let _ = name;
    }

    /// A sign of life with the successful operations so far.
    pub fn progress(&self, ok: u64) {
        let _ = ok;
    }

    /// Whether standard input has ended: drain, write the record, exit.
    pub fn is_ending(&self) -> bool {
        true
    }

    /// Blocks until standard input has ended, at most `limit`; true when it has.
    pub fn wait_for_end(&self, limit: std::time::Duration) -> bool {
        let _ = limit;
        true
    }
}
