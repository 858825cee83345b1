//! The subjects `tokio` and `tokio-ct`: tokio as its documentation would have an expert use it.
//!
//! | subject | layout |
//! |---|---|
//! | `tokio` | one multi-thread runtime, `worker_threads` = CPUs of the trial; the process's affinity is the placement |
//! | `tokio-ct` | one current-thread runtime per CPU, each on a pinned thread, with its own listener and its share of the connections |
//!
//! [`stack`] holds the calls, [`fleet`] the threads; what a user does stands in [`crate::subject::body`].

mod files;
pub mod fleet;
mod lifecycle;
pub mod stack;
#[cfg(target_os = "linux")]
mod whole_files;

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::fleet::{CurrentThreads, MultiThread};
use self::stack::TokioStack;
use crate::measure::tally::Ledger;
use crate::subject::application;
#[cfg(not(target_os = "linux"))]
use crate::subject::body::NO_FILES;
#[cfg(target_os = "linux")]
use crate::subject::body::file;
use crate::subject::body::tasks::Outside;
use crate::subject::body::{NO_QUEUE, atomics, drive, http, io, latency, polling, scheduling, skew, sleep};
use crate::subject::protocol::{SubjectDescription, Trial};
use crate::subject::serve::{Session, Subject};
use crate::workload::Workload;
use crate::workload::stealing::StealingMode;

/// Version of tokio in this build, as the lock file has it.
const VERSION: &str = "1.54.1";

/// `tokio`: the multi-thread runtime.
#[derive(Clone, Copy, Debug)]
pub struct Tokio;

/// `tokio-ct`: a current-thread runtime per CPU.
#[derive(Clone, Copy, Debug)]
pub struct TokioCt;

impl Tokio {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        run(|trial| MultiThread::start(trial, control), control, trial, session)
    }
}

impl TokioCt {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        run(|trial| CurrentThreads::start(trial, control), control, trial, session)
    }
}

impl Subject for Tokio {
    fn describe(&self) -> SubjectDescription {
        describe("tokio")
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

impl Subject for TokioCt {
    fn describe(&self) -> SubjectDescription {
        describe("tokio-ct")
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

fn describe(name: &str) -> SubjectDescription {
    let workloads =
        ["tcp", "http", "scheduling", "stealing", "polling", "latency", "atomics", "io", "file", "sleep"].map(String::from).to_vec();
    SubjectDescription { name: name.into(), version: VERSION.into(), build: super::build_info(), workloads }
}

fn run<F: Outside<TokioStack>>(
    start: impl FnOnce(&Trial) -> Result<F, Failure>,
    control: &Arc<Ledger>,
    trial: &Trial,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    match &trial.workload {
        Workload::Tcp(workload) => drive::run_tcp::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        Workload::Latency(workload) => latency::run::<TokioStack, F>(start, control, trial, workload, session),
        Workload::Scheduling(workload) => scheduling::run::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        Workload::Stealing(workload) if workload.mode == StealingMode::Skew => {
            skew::run::<TokioStack, F>(start(trial)?, control, trial, workload, session)
        }
        Workload::Stealing(_) => Err(drive::unsupported(NO_QUEUE)),
        Workload::Polling(workload) => polling::run::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        Workload::Http(workload) => http::run::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        #[cfg(target_os = "linux")]
        Workload::File(workload) => file::run::<TokioStack, F>(|| start(trial), control, trial, workload, session),
        #[cfg(not(target_os = "linux"))]
        Workload::File(_) => Err(drive::unsupported(NO_FILES)),
        Workload::Sleep(workload) => sleep::run::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        Workload::Atomics(workload) => atomics::run::<TokioStack, F>(start(trial)?, control, trial, workload, session),
        Workload::Io(workload) => io::run::<TokioStack, F>(|| start(trial), control, trial, workload, session),
        Workload::Memory(_) => Err(drive::unsupported("tokio has no allocator of its own")),
        Workload::Pool(_) => Err(drive::unsupported("tokio has no pool of its own")),
        Workload::Custom(_) => Err(drive::unsupported(application::ONLY_CUSTOM)),
    }
}
