//! Whole files on a raw ring: a file is one linked chain on a direct descriptor.
//!
//! ```text
//!  [open ─link─▶ read ─hard link─▶ close]      one submission; the read tells the bytes, the close ends the operation
//! ```
//! A read has room for one byte more than a file, and a short read breaks a soft link, so the link behind it is a hard one: the slot is
//! closed whatever the read has met. An open that fails cancels the rest, and the close says so. Every user has a chain under way, with a
//! buffer and a slot of its own: they wait for the disk together. What is in memory is done inside the submission, and three plain calls
//! are as fast or faster there (4 KiB: 1.1 times, 100 KiB: the same within 10 %).
//!
//! Invariants
//!  I1. A lane's buffer is neither touched nor moved while its chain is under way; paths and lanes outlive the ring, or are given up.
#![expect(unsafe_code, reason = "an io_uring entry names memory by address")]

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::time::Duration;

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{DestinationSlot, Fd, Fixed};
use io_uring::{opcode, types};
use zokio_report::schema::journal::Failure;

use super::file::{PageBuffer, Paths, set_up};
use super::ring::{Done, Ring};
use crate::measure::file_set::{Fault, Keeper};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::file::FileSite;
use crate::workload::file::Turn;

const TAG_OPEN: u64 = 1;
const TAG_READ: u64 = 2;
const TAG_CLOSE: u64 = 3;
/// A chain takes no longer, whatever the disk does; one that does is given up.
const CHAIN_LIMIT: Duration = Duration::from_secs(5);

struct User<'a> {
    number: u32,
    keeper: Keeper<'a>,
    start: u64,
}

/// A chain's place: the user it works for, and what has come of it.
struct Lane {
    buffer: PageBuffer,
    user: usize,
    turn: Turn,
    damages: bool,
    read: Option<i32>,
    opened: Option<i32>,
}

struct Chains<'a> {
    ring: Ring,
    lanes: Vec<Lane>,
    users: Vec<User<'a>>,
    /// Users without a chain.
    waiting: VecDeque<usize>,
    under_way: usize,
    site: &'a FileSite,
    paths: &'a Paths,
    recorder: Recorder,
}

/// One thread: file after file for each of its users until the drain.
///
/// # Errors
/// The ring's.
pub(super) fn run(site: &FileSite, paths: &Paths, users: Range<u32>) -> Result<(), Failure> {
    let control = &site.control;
    let user = |number| User { number, keeper: site.files().keeper(number, site.users), start: 0 };
    let users: Vec<User<'_>> = users.map(user).collect();
    let count = users.len();
    let slots = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    let ring = Ring::new(slots.saturating_mul(3), slots).map_err(|error| set_up("the ring of a worker failed", &error))?;
    let turn = site.workload.share(0, site.users).turn(0);
    let lane = || Lane { buffer: PageBuffer::new(site.workload.size), user: 0, turn, damages: false, read: None, opened: None };
    let lanes: Vec<Lane> = std::iter::repeat_with(lane).take(count).collect();
    let recorder = Recorder::new(control);
    let mut this = Chains { ring, lanes, waiting: (0..count).collect(), users, under_way: 0, site, paths, recorder };
    (0..count).for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let outcome = this.run();
    let Chains { ring, lanes, users, recorder, under_way, .. } = this;
    recorder.finish();
    drop(ring);
    if under_way > 0 {
        // The kernel may still write to them (I1).
        std::mem::forget(lanes);
    }
    users.iter().for_each(|_| control.user_done());
    outcome.map_err(|error| set_up("the ring of a worker failed", &error))
}

impl Chains<'_> {
    fn run(&mut self) -> io::Result<()> {
        let start = now_ns();
        self.users.iter_mut().for_each(|user| user.start = start);
        let mut done: Vec<Done> = Vec::new();
        for lane in 0..self.lanes.len() {
            self.begin(lane)?;
        }
        while self.under_way > 0 {
            let before = self.ring.enters;
            self.ring.turn(Some(CHAIN_LIMIT))?;
            self.ring.reap(&mut done);
            if done.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            for one in &done {
                self.completed(*one)?;
            }
            self.recorder.syscalls(self.ring.enters - before);
        }
        Ok(())
    }

    /// The next file of the user that has waited longest; nothing once the trial drains.
    fn begin(&mut self, lane: usize) -> io::Result<()> {
        while !self.site.control.is_draining() {
            let Some(index) = self.waiting.pop_front() else { return Ok(()) };
            let user = &mut self.users[index];
            let turn = user.keeper.begin();
            let damages = self.site.control.takes_corruption(user.number);
            match user.keeper.prepare(turn, damages) {
                Ok(()) => {
                    let at = &mut self.lanes[lane];
                    (at.user, at.turn, at.damages, at.read, at.opened) = (index, turn, damages, None, None);
                    return self.push_chain(lane, turn.file);
                }
                Err((class, errno)) => {
                    self.recorder.failure(class, errno);
                    self.waiting.push_back(index);
                }
            }
        }
        Ok(())
    }

    fn push_chain(&mut self, lane: usize, file: u32) -> io::Result<()> {
        self.ring.reserve(3)?;
        let slot = u32::try_from(lane).unwrap_or(u32::MAX);
        let into = DestinationSlot::try_from_slot_target(slot).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let path = self.paths.sources[file as usize].as_ptr();
        let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path).flags(libc::O_RDONLY).file_index(Some(into)).build();
        let buffer = self.lanes[lane].buffer.bytes();
        let (room, length) = (buffer.as_mut_ptr(), u32::try_from(buffer.len()).unwrap_or(u32::MAX));
        let read = opcode::Read::new(Fixed(slot), room, length).offset(0).build();
        let close = opcode::Close::new(types::Fixed(slot)).build();
        self.push(open, lane, TAG_OPEN, Flags::IO_LINK | Flags::SKIP_SUCCESS)?;
        self.push(read, lane, TAG_READ, Flags::IO_HARDLINK)?;
        self.push(close, lane, TAG_CLOSE, Flags::empty())?;
        self.under_way += 1;
        Ok(())
    }

    fn push(&mut self, entry: Entry, lane: usize, tag: u64, flags: Flags) -> io::Result<()> {
        let entry = entry.flags(flags).user_data((lane as u64) << 8 | tag);
        // SAFETY: entries name a path and a lane's buffer, which stay as they are until the chain has ended (I1).
        unsafe { self.ring.push(&entry) }
    }

    fn completed(&mut self, done: Done) -> io::Result<()> {
        let lane = (done.user_data >> 8) as usize;
        match done.user_data & 0xFF {
            TAG_OPEN => self.lanes[lane].opened = Some(done.result),
            TAG_READ => self.lanes[lane].read = Some(done.result),
            _ => {
                self.under_way -= 1;
                self.ended(lane);
                return self.begin(lane);
            }
        }
        Ok(())
    }

    fn ended(&mut self, lane: usize) {
        let Lane { buffer, user: index, turn, damages, read, opened } = &self.lanes[lane];
        let user = &mut self.users[*index];
        let end = now_ns();
        let service_ns = end - std::mem::replace(&mut user.start, end);
        let judged: Result<(), Fault> = match (opened, read) {
            (Some(errno), _) => Err((ErrorClass::Read, Some(-errno))),
            (None, Some(count)) if *count >= 0 => user.keeper.judge_read(*turn, buffer.filled(*count as usize)),
            (None, read) => Err((ErrorClass::Read, read.map(|errno| -errno))),
        };
        match judged {
            Ok(()) => self.recorder.success(service_ns, self.site.workload.size),
            Err((class, errno)) => self.recorder.failure(class, errno),
        }
        if *damages {
            user.keeper.repair(*turn);
        }
        self.waiting.push_back(*index);
    }
}
