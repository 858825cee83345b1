//! Subjects of the workload `pool`, on bare pinned threads.
//!
//! | subject | pool |
//! |---|---|
//! | `array-queue` | crossbeam-queue's bounded queue |
//! | `zokio` | its `ObjectPool` ([`super::zokio::pool`]) |
//! | `mutex` | a vector behind the standard library's lock |
//! | `ceiling` | [`lender::Local`]: a list per thread with its share of the objects; nothing is shared |
//!
//! All run the same rounds ([`user`]) over objects that carry their own witness ([`object`]).

pub mod lender;
pub mod object;
pub mod user;

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::lender::{Lender, Local, Locked, Queue};
use self::user::{Shared, User};
use super::body::drive::unsupported;
use super::body::users;
use super::protocol::{SubjectDescription, Trial};
use super::serve::{Session, Subject};
use super::threads;
use crate::measure::tally::Ledger;
use crate::workload::Workload;
use crate::workload::pool::PoolWorkload;

/// Version of crossbeam-queue in this build, as the lock file has it.
const QUEUE_VERSION: &str = "0.3.14";

/// crossbeam-queue's `ArrayQueue`.
#[derive(Clone, Copy, Debug)]
pub struct ArrayQueue;

/// A `Mutex<Vec<_>>`.
#[derive(Clone, Copy, Debug)]
pub struct Mutex;

impl ArrayQueue {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        let workload = workload(trial)?;
        let queue = Queue::new(workload.capacity as usize);
        run(trial, session, control, "array-queue", workload, || &queue)
    }
}

impl Mutex {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        let workload = workload(trial)?;
        let locked = Locked::new(workload.capacity as usize);
        run(trial, session, control, "mutex", workload, || &locked)
    }
}

impl Subject for ArrayQueue {
    fn describe(&self) -> SubjectDescription {
        describe("array-queue", QUEUE_VERSION)
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

impl Subject for Mutex {
    fn describe(&self) -> SubjectDescription {
        describe("mutex", env!("CARGO_PKG_VERSION"))
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

fn describe(name: &str, version: &str) -> SubjectDescription {
    let workloads = vec!["pool".to_owned()];
    SubjectDescription { name: name.into(), version: version.into(), build: super::build_info(), workloads }
}

fn workload(trial: &Trial) -> Result<&PoolWorkload, Failure> {
    match &trial.workload {
        Workload::Pool(workload) => Ok(workload),
        other => Err(unsupported(&format!("a pool has the workload `pool` alone, not `{}`", other.name()))),
    }
}

/// The ceiling: a list per thread.
///
/// # Errors
/// A [`Failure`] of the set-up; class `unsupported` where there is not an object for each user.
pub fn run_ceiling(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &PoolWorkload) -> Result<TrialRecord, Failure> {
    let users = users::count(trial);
    if workload.capacity < users {
        return Err(unsupported(&format!("lists of one thread each cannot share {} objects between {users} users", workload.capacity)));
    }
    run(trial, session, control, "thread-local", workload, || Local::new((workload.capacity / users) as usize))
}

/// Runs a trial; `lender` makes the access of one user to its pool, on the user's thread.
///
/// # Errors
/// A [`Failure`] of the set-up; objects that were lent twice are counted as errors of class `mismatch`.
pub fn run<L: Lender>(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    variant: &str,
    workload: &PoolWorkload,
    lender: impl Fn() -> L + Sync,
) -> Result<TrialRecord, Failure> {
    let shared = Shared::new(workload);
    let mut record = threads::run(trial, session, control, variant, threads::report(variant, trial), |users| {
        threads::rounds(
            control,
            users,
            |number| User::new(&shared, number, lender()),
            |user, pieces| user.double(control, pieces),
            |user, recorder| user.round(control, recorder),
            |user, _| user.end(),
        );
        Ok(())
    })?;
    let (created, waits) = shared.counts();
    record.counters.extend([("created_ever".to_owned(), created), ("waits_ever".to_owned(), waits)]);
    Ok(record)
}
