//! Subjects of the workload `memory`: allocators, on bare pinned threads.
//!
//! | subject | allocator |
//! |---|---|
//! | `system` | the one of this process, as every `Box` uses it: the C library's |
//! | `mimalloc` | mimalloc, called directly through its `GlobalAlloc`; with the feature `mimalloc` |
//! | `zokio` | its [`Heap`]: a heap per thread, blocks freed elsewhere come home; `runtime.memory_strategy` is its strategy |
//! | `ceiling` | [`source::FreeList`]: a list of free blocks per thread and size class, by hand |
//!
//! All run the same rounds ([`user`]) over blocks that carry their own witness ([`block`]).

pub mod block;
pub mod source;
pub mod user;

use std::sync::Arc;

use zokio::MemoryStrategy;
use zokio::mem::Heap;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::source::{Arena, FreeList, Library, Own, Process, Source};
use self::user::{Shared, User};
use super::body::drive::unsupported;
use super::body::users;
use super::protocol::{SubjectDescription, Trial};
use super::serve::{Session, Subject};
use super::zokio::fleet::runtime_config;
use super::{threads, worker_cpus};
use crate::measure::tally::Ledger;
use crate::workload::Workload;
use crate::workload::memory::{Lifetime, MemoryWorkload};

/// The allocator of this process.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl System {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up, or class `mismatch`.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        run(trial, session, control, "system", workload(trial)?, || Library(Process))
    }
}

impl Subject for System {
    fn describe(&self) -> SubjectDescription {
        describe("system", env!("CARGO_PKG_VERSION"))
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

/// mimalloc.
#[cfg(feature = "mimalloc")]
#[derive(Clone, Copy, Debug)]
pub struct Mimalloc;

/// Version of the crate `mimalloc` in this build, as the lock file has it.
#[cfg(feature = "mimalloc")]
const MIMALLOC_VERSION: &str = "0.1.52";

#[cfg(feature = "mimalloc")]
impl Mimalloc {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up, or class `mismatch`.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        run(trial, session, control, "mimalloc", workload(trial)?, || Library(mimalloc::MiMalloc))
    }
}

#[cfg(feature = "mimalloc")]
impl Subject for Mimalloc {
    fn describe(&self) -> SubjectDescription {
        describe("mimalloc", MIMALLOC_VERSION)
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

fn describe(name: &str, version: &str) -> SubjectDescription {
    let workloads = vec!["memory".to_owned()];
    SubjectDescription { name: name.into(), version: version.into(), build: super::build_info(), workloads }
}

fn workload(trial: &Trial) -> Result<&MemoryWorkload, Failure> {
    match &trial.workload {
        Workload::Memory(workload) => Ok(workload),
        other => Err(unsupported(&format!("an allocator has the workload `memory` alone, not `{}`", other.name()))),
    }
}

/// zokio's heap, a library of its own: measured without the runtime, of whose configuration `memory_strategy` alone means something here.
///
/// # Errors
/// A [`Failure`] of the set-up, or class `mismatch`; class `bad-request` for a configuration that the runtime would refuse.
pub fn run_zokio(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &MemoryWorkload) -> Result<TrialRecord, Failure> {
    let strategy = runtime_config(trial)?.memory_strategy;
    match strategy {
        MemoryStrategy::System => run(trial, session, control, "heap", workload, || Own::<true>(Heap::with_strategy(strategy))),
        _ => run(trial, session, control, "heap", workload, || Own::<false>(Heap::with_strategy(strategy))),
    }
}

/// The ceiling: free lists by hand.
///
/// # Errors
/// A [`Failure`] of the set-up, or class `mismatch`.
pub fn run_ceiling(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &MemoryWorkload) -> Result<TrialRecord, Failure> {
    let arena = Arena::default();
    run(trial, session, control, "free-list", workload, || FreeList::new(&arena))
}

/// Runs a trial; `source` makes the access of one user to its allocator, on the user's thread.
///
/// # Errors
/// A [`Failure`] of the set-up; class `mismatch` where not every block taken was given back.
pub fn run<S: Source>(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    variant: &str,
    workload: &MemoryWorkload,
    source: impl Fn() -> S + Sync,
) -> Result<TrialRecord, Failure> {
    let (count, cpus) = (users::count(trial), worker_cpus(trial).len());
    if workload.lifetime == Lifetime::Remote && (count < 2 || count as usize > cpus) {
        return Err(unsupported(&format!("`remote` with {count} users needs a CPU for each, two at least; there are {cpus}")));
    }
    let shared = Shared::new(workload, count, trial.seed);
    let mut record = threads::run(trial, session, control, variant, threads::report(variant, trial), |users| {
        threads::rounds(
            control,
            users,
            |number| User::new(&shared, number, source()),
            |user, pieces| user.double(pieces, &source),
            |user, recorder| user.round(control, recorder),
            |user, recorder| user.end(control, recorder),
        );
        Ok(())
    })?;
    let (taken, given) = shared.balance();
    if taken != given {
        return Err(Failure { class: "mismatch".into(), message: format!("{taken} blocks were allocated, and {given} freed") });
    }
    let told = shared.told();
    record.counters.extend(told.counters);
    record.config.extend(told.config);
    Ok(record)
}
