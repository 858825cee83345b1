//! The subject `zokio`: this workspace's own runtime, one pinned worker per CPU of the trial.
//!
//! Tasks of a worker's own connections are bound to it, as its API offers (`spawn_on`); tasks that serve accepted connections are not, and
//! stay because their operations complete where they were begun. [`stack`] holds the I/O calls, [`fleet`] the workers; what a connection
//! does stands in [`crate::subject::body`].

mod files;
pub mod fleet;
mod lifecycle;
pub mod pool;
pub mod stack;
#[cfg(target_os = "linux")]
mod whole_files;

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::fleet::Workers;
use self::stack::ZokioStack;
use crate::measure::tally::Ledger;
#[cfg(not(target_os = "linux"))]
use crate::subject::body::NO_FILES;
#[cfg(target_os = "linux")]
use crate::subject::body::file;
use crate::subject::body::{NO_QUEUE, atomics, drive, http, io, latency, polling, scheduling, skew, sleep};
use crate::subject::protocol::{SubjectDescription, Trial};
use crate::subject::serve::{Session, Subject};
use crate::subject::{allocators, application};
use crate::workload::Workload;
use crate::workload::stealing::StealingMode;

/// `zokio`.
#[derive(Clone, Copy, Debug)]
pub struct Zokio;

impl Zokio {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        let fleet = || Workers::start(trial, control);
        match &trial.workload {
            Workload::Tcp(workload) => drive::run_tcp::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            Workload::Http(workload) => http::run::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            Workload::Scheduling(workload) => scheduling::run::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            Workload::Stealing(workload) if workload.mode == StealingMode::Skew => {
                skew::run::<ZokioStack, _>(fleet()?, control, trial, workload, session)
            }
            Workload::Stealing(_) => Err(drive::unsupported(NO_QUEUE)),
            Workload::Polling(workload) => polling::run::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            Workload::Latency(workload) => {
                latency::run::<ZokioStack, _>(|trial| Workers::start(trial, control), control, trial, workload, session)
            }
            Workload::Io(workload) => io::run::<ZokioStack, _>(fleet, control, trial, workload, session),
            Workload::Atomics(workload) => atomics::run::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            // Libraries of their own, measured without the runtime.
            Workload::Pool(workload) => pool::run(trial, session, control, workload),
            Workload::Memory(workload) => allocators::run_zokio(trial, session, control, workload),
            #[cfg(target_os = "linux")]
            Workload::File(workload) => file::run::<ZokioStack, _>(fleet, control, trial, workload, session),
            #[cfg(not(target_os = "linux"))]
            Workload::File(_) => Err(drive::unsupported(NO_FILES)),
            Workload::Sleep(workload) => sleep::run::<ZokioStack, _>(fleet()?, control, trial, workload, session),
            Workload::Custom(_) => Err(drive::unsupported(application::ONLY_CUSTOM)),
        }
    }
}

impl Subject for Zokio {
    fn describe(&self) -> SubjectDescription {
        let workloads = ["tcp", "http", "scheduling", "stealing", "polling", "latency", "atomics", "memory", "pool", "io", "file", "sleep"]
            .map(String::from)
            .to_vec();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        SubjectDescription { name: "zokio".into(), version, build: super::build_info(), workloads }
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}
