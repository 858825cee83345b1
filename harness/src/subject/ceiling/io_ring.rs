//! Reads and NOPs on a raw ring: what is outstanding on a thread goes to the kernel in one submission.
//!
//! Invariants
//!  I1. The memory of a thread's reads is freed only when none is in flight; with one in flight it is given up.
//!  I2. Slot n reads into part n of the memory, and has at most one read in flight.
#![expect(unsafe_code, reason = "an io_uring entry names memory by address")]

use std::fs::File;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_uring::types::Fixed;
use io_uring::{opcode, squeue};
use zokio::buf::AlignedBuf;
use zokio_report::schema::journal::Failure;

use super::io::open;
use super::ring::{Done, Ring};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::endpoint::setup_failure;
use crate::subject::body::io::reader::{Outcome, ReadSite, Reader, record};
use crate::workload::io::IoMode;
use crate::workload::storage::BLOCK_BYTES;

fn failure(error: &std::io::Error) -> Failure {
    setup_failure("io_uring", "the ring of a thread failed", error)
}

/// One thread: a NOP of each of its users in every submission.
pub(super) fn run_nops(control: &Arc<Ledger>, users: Range<u32>) -> Result<(), Failure> {
    let count = users.end - users.start;
    let mut recorder = Recorder::new(control);
    let mut ring = Ring::new(count.max(1), 1).map_err(|error| failure(&error))?;
    (0..count).for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let outcome = if count == 0 { Ok(()) } else { nops(control, count, &mut ring, &mut recorder) };
    (0..count).for_each(|_| control.user_done());
    recorder.finish();
    outcome.map_err(|error| failure(&error))
}

fn nops(control: &Ledger, count: u32, ring: &mut Ring, recorder: &mut Recorder) -> std::io::Result<()> {
    let mut done: Vec<Done> = Vec::with_capacity(count as usize);
    let mut started = vec![now_ns(); count as usize];
    let mut idle: Vec<usize> = (0..count as usize).collect();
    let mut in_flight = 0;
    loop {
        if !control.is_draining() {
            for user in idle.drain(..) {
                // SAFETY: a NOP names no memory.
                unsafe { ring.push(&opcode::Nop::new().build().user_data(user as u64)) }?;
                in_flight += 1;
            }
        }
        if in_flight == 0 {
            return Ok(());
        }
        let before = ring.enters;
        ring.turn(None)?;
        recorder.syscalls(ring.enters - before);
        ring.reap(&mut done);
        let end = now_ns();
        for done in &done {
            let user = done.user_data as usize;
            match done.result {
                0 => recorder.success(end - started[user], 0),
                error => recorder.failure(ErrorClass::Read, Some(-error)),
            }
            started[user] = end;
            idle.push(user);
        }
        in_flight -= done.len();
    }
}

/// One thread: the reads of its users.
pub(super) fn run_reads(site: &ReadSite, users: Range<u32>) -> Result<(), Failure> {
    let control = &site.control;
    let count = users.len();
    let file = open(site)?;
    let mut reads = Reads::new(site, &file, users).map_err(|error| failure(&error))?;
    (0..count).for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let outcome = reads.run();
    (0..count).for_each(|_| control.user_done());
    reads.end();
    outcome.map_err(|error| failure(&error))
}

/// A user: one read, or a batch of them.
struct Lane<'a> {
    reader: Reader<'a>,
    started: u64,
    /// Reads in flight.
    left: usize,
    outcomes: Vec<Outcome>,
}

struct Reads<'a> {
    site: &'a ReadSite,
    file: &'a File,
    ring: Ring,
    recorder: Recorder,
    lanes: Vec<Lane<'a>>,
    /// Reads of a lane.
    per_lane: usize,
    /// Bytes of a read.
    bytes: usize,
    /// By slot: where its read is in the file.
    offsets: Vec<u64>,
    /// By slot: the parts of a vectored read.
    vectors: Vec<libc::iovec>,
    /// Dropped in `end`, if nothing is in flight (I1).
    memory: ManuallyDrop<AlignedBuf>,
    in_flight: usize,
}

impl<'a> Reads<'a> {
    fn new(site: &'a ReadSite, file: &'a File, users: Range<u32>) -> std::io::Result<Self> {
        let workload = &site.workload;
        let per_lane = workload.operations_per_user() as usize;
        let (slots, bytes) = (per_lane * users.len(), workload.bytes_per_operation().unwrap_or(0) as usize);
        let mut memory = ManuallyDrop::new(AlignedBuf::zeroed(slots.max(1) * bytes, BLOCK_BYTES as usize));
        let mut ring = Ring::new(slots.max(1) as u32, 1)?;
        ring.register(0, file.as_raw_fd())?;
        // SAFETY: the memory is freed in `end`, after the ring was dropped.
        unsafe { ring.register_memory(&mut memory) }?;
        let block = workload.block_bytes as usize;
        let part = |part: &mut [u8]| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
        let vectors = memory.chunks_exact_mut(block).map(part).collect();
        let lane = |number| Lane { reader: Reader::new(site, number), started: 0, left: 0, outcomes: Vec::with_capacity(per_lane) };
        Ok(Self {
            site,
            file,
            ring,
            recorder: Recorder::new(&site.control),
            lanes: users.map(lane).collect(),
            per_lane,
            bytes,
            offsets: vec![0; slots],
            vectors,
            memory,
            in_flight: 0,
        })
    }

    fn run(&mut self) -> std::io::Result<()> {
        let start = now_ns();
        for lane in 0..self.lanes.len() {
            self.lanes[lane].started = start;
            self.start(lane)?;
        }
        let mut done = Vec::with_capacity(self.offsets.len());
        let mut ended = Vec::with_capacity(self.lanes.len());
        while self.in_flight > 0 {
            let before = self.ring.enters;
            self.ring.turn(None)?;
            self.recorder.syscalls(self.ring.enters - before);
            self.ring.reap(&mut done);
            for done in &done {
                self.take(done, &mut ended);
            }
            let end = now_ns();
            for lane in ended.drain(..) {
                self.conclude(lane, end);
                if !self.site.control.is_draining() {
                    self.start(lane)?;
                }
            }
        }
        Ok(())
    }

    /// Queues the reads of a lane that has none in flight.
    fn start(&mut self, lane: usize) -> std::io::Result<()> {
        for slot in lane * self.per_lane..(lane + 1) * self.per_lane {
            self.offsets[slot] = self.lanes[lane].reader.next(self.file);
            let entry = self.entry(slot);
            // SAFETY: the entry names the slot's part of `memory`, which is not moved and lives on while it is in flight (I1, I2).
            unsafe { self.ring.push(&entry) }?;
            self.lanes[lane].left += 1;
            self.in_flight += 1;
        }
        Ok(())
    }

    fn entry(&mut self, slot: usize) -> squeue::Entry {
        let offset = self.offsets[slot];
        let entry = if self.site.workload.mode == IoMode::Vectored {
            let width = self.site.workload.width as usize;
            opcode::Readv::new(Fixed(0), self.vectors[slot * width..].as_ptr(), width as u32).offset(offset).build()
        } else {
            let part = self.memory[slot * self.bytes..].as_mut_ptr();
            opcode::ReadFixed::new(Fixed(0), part, self.bytes as u32, 0).offset(offset).build()
        };
        entry.user_data(slot as u64)
    }

    fn take(&mut self, done: &Done, ended: &mut Vec<usize>) {
        let slot = done.user_data as usize;
        let lane = &mut self.lanes[slot / self.per_lane];
        let result = usize::try_from(done.result).map_err(|_| std::io::Error::from_raw_os_error(-done.result));
        let part = &mut self.memory[slot * self.bytes..(slot + 1) * self.bytes];
        let outcome = lane.reader.check(result, part, self.offsets[slot]);
        lane.outcomes.push(outcome);
        lane.left -= 1;
        self.in_flight -= 1;
        if lane.left == 0 {
            ended.push(slot / self.per_lane);
        }
    }

    fn conclude(&mut self, lane: usize, end: u64) {
        let lane = &mut self.lanes[lane];
        for outcome in lane.outcomes.drain(..) {
            record(&mut self.recorder, outcome, end - lane.started, self.bytes as u64);
        }
        lane.started = end;
    }

    fn end(self) {
        let Self { ring, recorder, memory, in_flight, .. } = self;
        drop(ring);
        if in_flight == 0 {
            drop(ManuallyDrop::into_inner(memory));
        }
        recorder.finish();
    }
}
