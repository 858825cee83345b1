//! Round trips on a raw ring: one thread, both ends or either.
//!
//! ```text
//!  client lane:  [send request ─link─▶ receive] ─▶ verify, record ─▶ [send ─link─▶ receive] …
//!  server lane:  receive ─▶ verify ─▶ [send answer ─link─▶ receive] …
//! ```
//! A send that succeeds posts nothing (SKIP_SUCCESS, never on the tail of a chain), so a round trip costs two completions; sends of one turn
//! go to the kernel together. A chain posts exactly one completion: the receive's, or, when the send failed, the send's, and then the
//! receive is dropped in silence. Measured and left out: readiness first (`IORING_RECVSEND_POLL_FIRST`, 15 % more CPU per operation at
//! 1,000 users, nothing at 64), receives of exactly one message, waiting for more than one completion (no difference).
#![expect(unsafe_code, reason = "an io_uring entry names memory by address")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use io_uring::squeue::Flags;
use io_uring::{opcode, types::Fixed};

use super::lanes::{Next, class_of};
use super::ring::{Done, Ring};
use super::traffic::Traffic;
use crate::load::closed::Control;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::endpoint;

const TAG_RECEIVE: u64 = 1;
const TAG_SEND: u64 = 2;
const TAG_ACCEPT: u64 = 3;
const TAG_CLOSE: u64 = 4;
/// An idle thread looks this often whether the trial has ended.
const IDLE: Duration = Duration::from_millis(50);

/// What a thread is given.
#[derive(Debug)]
pub struct Assignment {
    /// Its users, by number, and where each connects.
    pub users: Vec<(u32, SocketAddr)>,
    /// Its listener, with the connections it must be able to hold.
    pub listener: Option<(TcpListener, u32)>,
    /// After the trial has begun to drain (or the server to end), connections still open after this are given up.
    pub drain: Duration,
}

/// One ring thread at work.
pub struct RingLoop<T> {
    ring: Ring,
    traffic: T,
    recorder: Recorder,
    assignment: Assignment,
    clients_open: usize,
    servers_open: usize,
    /// Operations the kernel still holds.
    in_flight: usize,
}

impl<T: Traffic> RingLoop<T> {
    /// Connects all users, one after the other, and begins to accept.
    ///
    /// # Errors
    /// The system's.
    pub fn new(assignment: Assignment, traffic: impl FnOnce(usize) -> T) -> io::Result<Self> {
        let clients = assignment.users.len();
        let capacity = assignment.listener.as_ref().map_or(0, |(_, capacity)| *capacity as usize);
        let table = u32::try_from(clients + capacity).unwrap_or(u32::MAX);
        let ring = Ring::new(table.saturating_mul(4), table)?;
        let traffic = traffic(clients + capacity);
        let recorder = Recorder::new(&traffic.site().control);
        let mut this = Self { ring, traffic, recorder, assignment, clients_open: 0, servers_open: 0, in_flight: 0 };
        for client in 0..clients {
            this.connect(client)?;
            this.clients_open += 1;
        }
        // Only now: the kernel chooses free slots for accepted connections, and all slots of clients are taken.
        this.accept()?;
        Ok(this)
    }

    /// The phases of the trial.
    pub fn control(&self) -> &Control {
        &self.traffic.site().control
    }

    /// The rung of the set-up ladder.
    pub fn flags(&self) -> &'static str {
        self.ring.flags
    }

    fn connect(&mut self, client: usize) -> io::Result<()> {
        let (number, address) = self.assignment.users[client];
        let site = self.traffic.site();
        let stream = endpoint::connect(address, site.source(number, 0), site.nodelay)?;
        // The table holds the connection; the plain descriptor is closed here.
        self.ring.register(u32::try_from(client).unwrap_or(u32::MAX), stream.as_raw_fd())?;
        self.recorder.opened();
        self.traffic.reset(client);
        self.traffic.name(client, number);
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        let Some((listener, _)) = &self.assignment.listener else { return Ok(()) };
        let fd = io_uring::types::Fd(listener.as_raw_fd());
        let entry = opcode::AcceptMulti::new(fd).allocate_file_index(true).build().user_data(TAG_ACCEPT);
        // SAFETY: the entry names no memory.
        unsafe { self.ring.push(&entry) }
    }

    /// Waits until the users' connections to this same thread are accepted.
    ///
    /// # Errors
    /// The ring's, or a time-out.
    pub fn settle(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        let deadline = now_ns() + 5_000_000_000;
        while self.assignment.listener.is_some() && self.servers_open < self.clients_open {
            if now_ns() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.turn(done)?;
        }
        Ok(())
    }

    /// Runs until the trial drains, all users have ended and all connections are closed.
    ///
    /// # Errors
    /// The ring's.
    pub fn run(mut self, done: &mut Vec<Done>) -> io::Result<()> {
        let now = now_ns();
        for client in 0..self.clients_open {
            *self.traffic.start(client) = now;
            self.request(client)?;
        }
        let mut deadline = None;
        loop {
            self.turn(done)?;
            if self.traffic.site().control.is_draining() {
                if self.clients_open == 0 && self.servers_open == 0 {
                    break;
                }
                let limit = u64::try_from(self.assignment.drain.as_nanos()).unwrap_or(u64::MAX);
                if now_ns() > *deadline.get_or_insert(now_ns().saturating_add(limit)) {
                    break;
                }
            }
        }
        self.finish();
        Ok(())
    }

    /// Hands over the counts. Memory that the kernel may still write to is given up, never freed.
    fn finish(self) {
        let Self { ring, traffic, recorder, in_flight, .. } = self;
        recorder.finish();
        drop(ring);
        if in_flight > 0 {
            std::mem::forget(traffic);
        }
    }

    /// One entry into the kernel and all completions of it.
    #[inline]
    fn turn(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        let before = self.ring.enters;
        // With both ends here a completion always comes; a far end may fail to send one.
        let is_both = self.clients_open > 0 && self.servers_open > 0 && !self.traffic.site().control.is_draining();
        self.ring.turn(if is_both { None } else { Some(IDLE) })?;
        self.ring.reap(done);
        for &Done { user_data, result, has_more } in &*done {
            let lane = (user_data >> 8) as usize;
            match user_data & 0xFF {
                TAG_RECEIVE | TAG_SEND => {
                    self.in_flight -= 1;
                    if result <= 0 {
                        self.broken(lane, class_of(user_data & 0xFF == TAG_SEND), result)?;
                    } else if lane < self.assignment.users.len() {
                        self.answered(lane, result as usize)?;
                    } else {
                        self.requested(lane, result as usize)?;
                    }
                }
                TAG_ACCEPT => self.accepted(result, has_more)?,
                _ => self.closed(lane),
            }
        }
        self.recorder.syscalls(self.ring.enters - before);
        Ok(())
    }

    #[inline]
    fn answered(&mut self, client: usize, count: usize) -> io::Result<()> {
        match self.traffic.take_answer(client, count) {
            Next::ReceiveMore => self.receive(client),
            Next::Complete(bytes) => {
                let now = now_ns();
                let service = now - std::mem::replace(self.traffic.start(client), now);
                self.recorder.success(service, bytes as u64);
                if self.traffic.site().control.is_draining() { self.close(client) } else { self.request(client) }
            }
            Next::Damaged(class) => {
                self.recorder.failure(class, None);
                self.start_over(client)
            }
        }
    }

    #[inline]
    fn requested(&mut self, server: usize, count: usize) -> io::Result<()> {
        let mut served = 0;
        match self.traffic.take_request(server, count, &mut served) {
            Next::ReceiveMore => self.receive(server),
            Next::Complete(answer) => {
                if self.traffic.site().is_server {
                    self.recorder.served(served);
                }
                self.send_then_receive(server, answer)
            }
            Next::Damaged(class) => {
                self.recorder.failure(class, None);
                self.close(server)
            }
        }
    }

    #[inline]
    fn request(&mut self, client: usize) -> io::Result<()> {
        let (number, _) = self.assignment.users[client];
        let damage = self.traffic.site().control.takes_corruption(number);
        let len = self.traffic.make_request(client, damage);
        self.send_then_receive(client, len)
    }

    #[inline]
    fn send_then_receive(&mut self, lane: usize, len: usize) -> io::Result<()> {
        self.ring.reserve(2)?;
        let slot = Fixed(lane as u32);
        let send = opcode::Send::new(slot, self.traffic.outgoing(lane).as_ptr(), len as u32)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .flags(Flags::IO_LINK | Flags::SKIP_SUCCESS)
            .user_data((lane as u64) << 8 | TAG_SEND);
        // SAFETY: the buffer is this lane's outgoing one, in memory that never moves and outlives the ring (`finish`); it is not
        // written to before this chain has completed.
        unsafe { self.ring.push(&send) }?;
        self.receive(lane)
    }

    #[inline]
    fn receive(&mut self, lane: usize) -> io::Result<()> {
        let room = self.traffic.room(lane);
        let receive =
            opcode::Recv::new(Fixed(lane as u32), room.as_mut_ptr(), room.len() as u32).build().user_data((lane as u64) << 8 | TAG_RECEIVE);
        self.in_flight += 1;
        // SAFETY: as in `send_then_receive`, for the lane's incoming buffer, which is not touched before the completion.
        unsafe { self.ring.push(&receive) }
    }

    fn close(&mut self, lane: usize) -> io::Result<()> {
        let entry = opcode::Close::new(Fixed(lane as u32)).build().user_data((lane as u64) << 8 | TAG_CLOSE);
        // SAFETY: the entry names no memory.
        unsafe { self.ring.push(&entry) }
    }

    fn closed(&mut self, lane: usize) {
        if lane < self.assignment.users.len() {
            self.clients_open -= 1;
            self.traffic.site().control.user_done();
        } else {
            self.servers_open -= 1;
            self.recorder.accepted_closed();
        }
    }

    fn accepted(&mut self, result: i32, has_more: bool) -> io::Result<()> {
        if !has_more {
            self.accept()?;
        }
        if let Ok(slot) = usize::try_from(result)
            && slot < self.traffic.lanes()
        {
            self.recorder.accepted();
            self.servers_open += 1;
            self.traffic.reset(slot);
            return self.receive(slot);
        }
        self.recorder.failure(ErrorClass::Accept, Some(-result));
        Ok(())
    }

    /// An operation failed, or the far end has closed.
    #[cold]
    fn broken(&mut self, lane: usize, class: ErrorClass, result: i32) -> io::Result<()> {
        let is_client = lane < self.assignment.users.len();
        let is_orderly = result == 0 && !is_client && self.traffic.is_empty(lane);
        if !is_orderly {
            self.recorder.failure(class, (result < 0).then_some(-result));
        }
        if is_client { self.start_over(lane) } else { self.close(lane) }
    }

    /// A new connection for a user whose own has failed.
    #[cold]
    fn start_over(&mut self, client: usize) -> io::Result<()> {
        while !self.traffic.site().control.is_draining() {
            match self.connect(client) {
                Ok(()) => {
                    *self.traffic.start(client) = now_ns();
                    return self.request(client);
                }
                Err(error) => {
                    self.recorder.failed_io(ErrorClass::Connect, &error);
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        self.close(client)
    }
}
