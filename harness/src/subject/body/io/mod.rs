//! Reads of a file: what a user is, generic over the runtime.
//!
//! A user's next read starts when its last one has been checked, so a service time holds the check too; it is the same for every subject.

pub mod files;
mod nop;
pub mod reader;

use std::sync::Arc;

use zokio::buf::AlignedBuf;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use self::files::Files;
use self::reader::{ReadSite, Reader, record};
use super::drive::unsupported;
use super::endpoint::setup_failure;
use super::stack::Fleet;
use super::users;
use crate::measure::recorder;
use crate::measure::stamp::now_ns;
use crate::measure::syscalls::SyscallCount;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::io::{IoMode, IoWorkload};
use crate::workload::storage::BLOCK_BYTES;

/// Runs the trial on a fleet of workers, which starts when the file is there.
///
/// # Errors
/// A [`Failure`] of the set-up; class `cache-state` where the page cache was not in the state asked for, before or after.
pub fn run<T: Files, F: Fleet>(
    fleet: impl FnOnce() -> Result<F, Failure>,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &IoWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    if workload.mode == IoMode::Nop {
        if let Some(why) = T::NO_NOP {
            return Err(unsupported(why));
        }
        return counted(control, trial, || users::run(fleet()?, control, trial, session, |_| nop::user::<T>(Arc::clone(control))));
    }
    let site = Arc::new(ReadSite::prepare(trial, workload, control)?);
    let user = |number| user::<T>(Arc::clone(&site), number);
    let outcome = counted(control, trial, || users::run(fleet()?, control, trial, session, user));
    site.finish(outcome?)
}

/// Runs a trial whose system calls are counted while it warms up; `run` starts all threads of the subject.
///
/// # Errors
/// Those of `run`.
pub fn counted(control: &Arc<Ledger>, trial: &Trial, run: impl FnOnce() -> Result<TrialRecord, Failure>) -> Result<TrialRecord, Failure> {
    let count = SyscallCount::start(control, trial.phases.warmup_window_ms.unwrap_or(trial.phases.warmup_ms));
    let mut outcome = run();
    count.finish(outcome.as_mut().ok());
    outcome
}

async fn user<T: Files>(site: Arc<ReadSite>, number: u32) {
    let control = &site.control;
    let file = match site.opened(T::open(site.path.clone(), site.state).await) {
        Ok(file) => file,
        Err(failure) => {
            control.fail(failure);
            return control.user_ready();
        }
    };
    let reader = Reader::new(&site, number);
    control.user_ready();
    control.gate().wait().await;
    match site.workload.mode {
        IoMode::Nop => unreachable!("a user of its own"),
        IoMode::Read => reads::<T>(&site, &file, reader).await,
        IoMode::Vectored => vectored::<T>(&site, &file, reader).await,
        IoMode::Splice => splices::<T>(&site, &file, reader).await,
        IoMode::Batch => batches::<T>(&site, &file, reader).await,
    }
    drop(file);
    control.user_done();
}

fn block(site: &ReadSite) -> AlignedBuf {
    AlignedBuf::zeroed(site.workload.block_bytes as usize, BLOCK_BYTES as usize)
}

async fn reads<T: Files>(site: &ReadSite, file: &T::File, mut reader: Reader<'_>) {
    let mut buffer = block(site);
    let mut start = now_ns();
    while !site.control.is_draining() {
        let offset = reader.next(file);
        let (result, filled) = T::read_at(file, buffer, offset).await;
        buffer = filled;
        let outcome = reader.check(result, &mut buffer, offset);
        let end = now_ns();
        recorder::with(&site.control, |recorder| record(recorder, outcome, end - start, site.workload.block_bytes));
        start = end;
    }
}

async fn vectored<T: Files>(site: &ReadSite, file: &T::File, mut reader: Reader<'_>) {
    let mut buffers: Vec<AlignedBuf> = (0..site.workload.width).map(|_| block(site)).collect();
    let bytes = site.workload.bytes_per_operation().unwrap_or(0);
    let mut start = now_ns();
    while !site.control.is_draining() {
        let offset = reader.next(file);
        let (result, filled) = T::readv_at(file, buffers, offset).await;
        buffers = filled;
        let outcome = reader.check_parts(result, buffers.iter_mut().map(|buffer| &mut buffer[..]), offset);
        let end = now_ns();
        recorder::with(&site.control, |recorder| record(recorder, outcome, end - start, bytes));
        start = end;
    }
}

/// A pipe, or the end of the trial.
fn fresh_pipe<T: Files>(site: &ReadSite) -> Option<T::Pipe> {
    T::pipe().map_err(|error| site.control.fail(setup_failure("pipe", "cannot make a pipe", &error))).ok()
}

async fn splices<T: Files>(site: &ReadSite, file: &T::File, mut reader: Reader<'_>) {
    let mut buffer = block(site);
    let Some(mut pipe) = fresh_pipe::<T>(site) else { return };
    let mut start = now_ns();
    while !site.control.is_draining() {
        let offset = reader.next(file);
        let (result, filled) = T::splice(file, &mut pipe, buffer, offset).await;
        buffer = filled;
        let outcome = reader.check(result, &mut buffer, offset);
        let end = now_ns();
        recorder::with(&site.control, |recorder| record(recorder, outcome, end - start, site.workload.block_bytes));
        // After an error nobody knows what the pipe holds.
        if outcome.is_err() {
            let Some(fresh) = fresh_pipe::<T>(site) else { return };
            pipe = fresh;
        }
        start = end;
    }
}

/// The reads of a batch are awaited together, so each has taken as long as the batch.
async fn batches<T: Files>(site: &ReadSite, file: &T::File, mut reader: Reader<'_>) {
    let mut buffers: Vec<AlignedBuf> = (0..site.workload.width).map(|_| block(site)).collect();
    let mut offsets = Vec::with_capacity(buffers.len());
    let mut outcomes = Vec::with_capacity(buffers.len());
    let mut start = now_ns();
    while !site.control.is_draining() {
        offsets.clear();
        offsets.extend(buffers.iter().map(|_| reader.next(file)));
        let reads = buffers.drain(..).zip(offsets.iter().copied()).collect();
        let done = T::read_many_at(file, reads).await;
        outcomes.clear();
        for ((result, mut filled), &offset) in done.into_iter().zip(&offsets) {
            outcomes.push(reader.check(result, &mut filled, offset));
            buffers.push(filled);
        }
        let end = now_ns();
        recorder::with(&site.control, |recorder| {
            outcomes.drain(..).for_each(|outcome| record(recorder, outcome, end - start, site.workload.block_bytes));
        });
        start = end;
    }
}
