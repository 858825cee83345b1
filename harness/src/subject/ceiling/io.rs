//! Reads of a file without a runtime: which loop a case gets, and the one of plain calls.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, SpliceFlags, splice};
use zokio::buf::AlignedBuf;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::io_ring;
use crate::measure::page_cache;
use crate::measure::recorder::Recorder;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::drive::unsupported;
use crate::subject::body::endpoint::setup_failure;
use crate::subject::body::io::counted;
use crate::subject::body::io::reader::{Outcome, ReadSite, Reader, record};
use crate::subject::body::pipe::pipe;
use crate::subject::body::stack::FleetReport;
use crate::subject::body::users;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::{threads, worker_cpus};
use crate::workload::io::{IoMode, IoWorkload};
use crate::workload::storage::BLOCK_BYTES;

/// Runs a trial, `refusal` being why there is no ring.
///
/// # Errors
/// A [`Failure`] of the set-up or of a thread.
pub(super) fn run(
    refusal: Option<String>,
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &IoWorkload,
) -> Result<TrialRecord, Failure> {
    if workload.mode == IoMode::Nop {
        if let Some(why) = refusal {
            return Err(unsupported(&why));
        }
        let report = FleetReport { driver: "io_uring".into(), ..threads::report("ring-batch", trial) };
        return counted(control, trial, || {
            threads::run(trial, session, control, "ceiling", report, |users| io_ring::run_nops(control, users))
        });
    }
    // A lone read is a call that waits for it; what is outstanding together goes to a ring together.
    let is_alone = users::count(trial) as usize <= worker_cpus(trial).len() && workload.operations_per_user() == 1;
    let site = ReadSite::prepare(trial, workload, control)?;
    let record = if workload.mode == IoMode::Splice {
        // A ring gives every splice to a thread of the kernel's: measured at twice the time of the two calls.
        let report = threads::report("splice-read", trial);
        counted(control, trial, || threads::run(trial, session, control, "ceiling", report, |users| run_calls(&site, users)))
    } else if is_alone || refusal.is_some() {
        let report = FleetReport { driver_reason: refusal.filter(|_| !is_alone), ..threads::report("pread", trial) };
        counted(control, trial, || threads::run(trial, session, control, "ceiling", report, |users| run_calls(&site, users)))
    } else {
        let report = FleetReport { driver: "io_uring".into(), ..threads::report("ring-fixed", trial) };
        counted(control, trial, || threads::run(trial, session, control, "ceiling", report, |users| io_ring::run_reads(&site, users)))
    };
    site.finish(record?)
}

/// Opens the file of the trial.
pub(super) fn open(site: &ReadSite) -> Result<File, Failure> {
    site.opened(page_cache::open_options(site.state).open(&site.path))
}

/// One thread: its users in turn, each read a call. Every user is charged for its wait, so its times add up to the trial.
fn run_calls(site: &ReadSite, users: Range<u32>) -> Result<(), Failure> {
    let control = &site.control;
    let file = open(site)?;
    let width = site.workload.width as usize;
    let block = || AlignedBuf::zeroed(site.workload.block_bytes as usize, BLOCK_BYTES as usize);
    let mut thread = Thread {
        site,
        pipe: if site.workload.mode == IoMode::Splice { Some(fresh_pipe()?) } else { None },
        file,
        buffers: (0..width).map(|_| block()).collect(),
        outcomes: Vec::with_capacity(width),
        recorder: Recorder::new(control),
    };
    let mut users: Vec<(Reader<'_>, u64)> = users.map(|number| (Reader::new(site, number), 0)).collect();
    users.iter().for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let start = now_ns();
    users.iter_mut().for_each(|(_, started)| *started = start);
    while !users.is_empty() && !control.is_draining() {
        users.iter_mut().for_each(|(reader, started)| thread.operation(reader, started));
    }
    users.iter().for_each(|_| control.user_done());
    thread.recorder.finish();
    Ok(())
}

/// Read end and write end.
type Pipe = (OwnedFd, OwnedFd);

fn fresh_pipe() -> Result<Pipe, Failure> {
    pipe(PipeFlags::empty()).map_err(|error| setup_failure("pipe", "cannot make a pipe", &error))
}

struct Thread<'a> {
    site: &'a ReadSite,
    pipe: Option<Pipe>,
    file: File,
    buffers: Vec<AlignedBuf>,
    outcomes: Vec<Outcome>,
    recorder: Recorder,
}

impl Thread<'_> {
    /// A read, or the reads of a batch.
    #[inline]
    fn operation(&mut self, reader: &mut Reader<'_>, started: &mut u64) {
        match self.site.workload.mode {
            IoMode::Vectored => self.vectored(reader),
            IoMode::Splice => self.spliced(reader),
            _ => {
                for buffer in &mut self.buffers {
                    let offset = reader.next(&self.file);
                    let result = self.file.read_at(buffer, offset);
                    self.outcomes.push(reader.check(result, buffer, offset));
                }
                self.recorder.syscalls(self.buffers.len() as u64);
            }
        }
        let (end, bytes) = (now_ns(), self.site.workload.bytes_per_operation().unwrap_or(0));
        for outcome in self.outcomes.drain(..) {
            record(&mut self.recorder, outcome, end - *started, bytes);
        }
        *started = end;
    }

    fn spliced(&mut self, reader: &mut Reader<'_>) {
        let (Some((read, write)), buffer) = (&self.pipe, &mut self.buffers[0]) else { return };
        let offset = reader.next(&self.file);
        let (mut total, mut place) = (0, offset);
        let mut part = |buffer: &mut [u8]| match splice(&self.file, Some(&mut place), write, None, buffer.len(), SpliceFlags::empty())? {
            0 => Ok(0),
            held => rustix::io::read(read, &mut buffer[..held]),
        };
        let result = loop {
            match part(&mut buffer[total..]) {
                Ok(0) => break Ok(total),
                Ok(count) if total + count == buffer.len() => break Ok(total + count),
                Ok(count) => total += count,
                Err(error) => break Err(error.into()),
            }
            self.recorder.syscalls(2);
        };
        self.recorder.syscalls(2);
        if result.is_err() {
            // Nobody knows what the pipe holds.
            self.pipe = fresh_pipe().map_err(|failure| self.site.control.fail(failure)).ok();
        }
        self.outcomes.push(reader.check(result, buffer, offset));
    }

    fn vectored(&mut self, reader: &mut Reader<'_>) {
        let offset = reader.next(&self.file);
        let mut slices: Vec<IoSliceMut<'_>> = self.buffers.iter_mut().map(|buffer| IoSliceMut::new(buffer)).collect();
        let result = rustix::io::preadv(&self.file, &mut slices, offset).map_err(io::Error::from);
        drop(slices);
        self.recorder.syscalls(1);
        self.outcomes.push(reader.check_parts(result, self.buffers.iter_mut().map(|buffer| &mut buffer[..]), offset));
    }
}
