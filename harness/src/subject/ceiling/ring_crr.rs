//! Connections on a raw ring: one linked chain per connection, both ends in one thread.
//!
//! ```text
//!  client:  [socket ─▶ options ─▶ connect ─▶ send ─▶ receive ─▶ close]              one submission, two completions
//!  server:  accept (multishot) ─▶ receive ─▶ verify ─▶ [send ─▶ receive the end] ─▶ close
//! ```
//! A client's slot in the table of direct descriptors is fixed, so the whole chain can name it before the socket exists; accepted
//! connections get the slots above. 2–5 % less CPU per connection than bare system calls (interleaved, 14 rounds).
//!
//! The links of a chain are silent except `connect` (its time is recorded) and the tail. A silent link that fails posts its own completion and
//! silences the rest; a failed `connect` is followed by the cancelled rest. Either way the connection is then closed by an entry of its own,
//! and completions of an older attempt are known by their number.
#![expect(unsafe_code, reason = "an io_uring entry names memory by address")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::time::Duration;

use io_uring::opcode;
use io_uring::squeue::{Entry, Flags};
use io_uring::types::{DestinationSlot, Fd, Fixed};
use socket2::SockAddr;

use super::lanes::{Lanes, Next};
use super::ring::{Done, Ring};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::exchange::TcpSite;

const TAG_ACCEPT: u64 = 1;
const TAG_REQUEST: u64 = 2;
const TAG_ANSWER: u64 = 3;
const TAG_SERVER_CLOSE: u64 = 4;
const TAG_SOCKET: u64 = 5;
const TAG_CONNECT: u64 = 6;
const TAG_SEND: u64 = 7;
const TAG_RECEIVE: u64 = 8;
const TAG_CLOSE: u64 = 9;
const TAG_GIVE_UP: u64 = 10;
/// Links of the longest chain.
const CHAIN: usize = 8;
/// A link that says nothing when it succeeds.
const SILENT: Flags = Flags::IO_LINK.union(Flags::SKIP_SUCCESS);
/// A thread whose far end has gone looks this often whether the trial has ended.
const IDLE: Duration = Duration::from_millis(50);
/// What the kernel reads of a socket option that is on.
static ON: libc::c_int = 1;

/// Memory that entries name, by user: never moved, given up with the lanes when the kernel may still read it.
struct Addresses {
    targets: Vec<SockAddr>,
    sources: Vec<SockAddr>,
}

struct ChainLoop<'a> {
    ring: Ring,
    lanes: Lanes,
    addresses: Addresses,
    recorder: Recorder,
    site: &'a TcpSite,
    users: &'a [(u32, SocketAddr)],
    listener: &'a TcpListener,
    /// Connections a user has begun; its low byte marks the completions of the attempt.
    attempts: Vec<u32>,
    clients_open: usize,
    servers_open: usize,
}

/// One thread: connection after connection for each of its users until the drain.
///
/// # Errors
/// The ring's.
pub fn run(site: &Arc<TcpSite>, users: &[(u32, SocketAddr)], listener: &TcpListener, drain: Duration) -> io::Result<()> {
    let clients = users.len();
    let capacity = 2 * clients + 64;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut ring = Ring::new(count(capacity * CHAIN), count(clients + capacity))?;
    ring.allocate_from(count(clients), count(capacity))?;
    let mut this = ChainLoop {
        ring,
        lanes: Lanes::new(clients + capacity, &site.payload),
        addresses: Addresses {
            targets: users.iter().map(|user| user.1.into()).collect(),
            sources: site.sources.iter().map(|&source| source.into()).collect(),
        },
        recorder: Recorder::new(&site.control),
        site,
        users,
        listener,
        attempts: vec![0; clients],
        clients_open: clients,
        servers_open: 0,
    };
    this.accept()?;
    for (client, user) in users.iter().enumerate() {
        this.lanes.lane(client).stamp.connection = user.0;
        site.control.user_ready();
    }
    site.control.gate().wait_thread();
    this.run(drain)
}

impl ChainLoop<'_> {
    fn run(mut self, drain: Duration) -> io::Result<()> {
        let start = now_ns();
        for client in 0..self.users.len() {
            self.lanes.lane(client).start = start;
            self.begin(client)?;
        }
        let mut done: Vec<Done> = Vec::new();
        let mut deadline = None;
        while self.clients_open + self.servers_open > 0 {
            let before = self.ring.enters;
            self.ring.turn(Some(IDLE))?;
            self.ring.reap(&mut done);
            for one in &done {
                self.completed(*one)?;
            }
            self.recorder.syscalls(self.ring.enters - before);
            if self.site.control.is_draining() {
                let limit = u64::try_from(drain.as_nanos()).unwrap_or(u64::MAX);
                if now_ns() > *deadline.get_or_insert(now_ns().saturating_add(limit)) {
                    break;
                }
            }
        }
        let is_quiet = self.clients_open + self.servers_open == 0;
        let Self { ring, lanes, addresses, recorder, .. } = self;
        recorder.finish();
        drop(ring);
        if !is_quiet {
            std::mem::forget((lanes, addresses));
        }
        Ok(())
    }

    fn push(&mut self, entry: Entry, lane: usize, tag: u64, flags: Flags) -> io::Result<()> {
        let attempt = self.attempts.get(lane).copied().unwrap_or(0);
        let entry = entry.flags(flags).user_data((lane as u64) << 16 | u64::from(attempt & 0xFF) << 8 | tag);
        // SAFETY: entries name `ON`, the addresses and the lanes' buffers; all outlive the ring or are given up at the end of `run`, none
        // moves, and a lane's buffers are left alone while its chain is under way.
        unsafe { self.ring.push(&entry) }
    }

    fn accept(&mut self) -> io::Result<()> {
        let entry = opcode::AcceptMulti::new(Fd(self.listener.as_raw_fd())).allocate_file_index(true).build();
        self.push(entry, 0xFFFF_FFFF, TAG_ACCEPT, Flags::empty())
    }

    /// A user's next connection, or its end.
    fn begin(&mut self, client: usize) -> io::Result<()> {
        if self.site.control.is_draining() {
            self.clients_open -= 1;
            self.site.control.user_done();
            return Ok(());
        }
        self.ring.reserve(CHAIN)?;
        let attempt = self.attempts[client].wrapping_add(1);
        self.attempts[client] = attempt;
        self.lanes.reset(client, &self.site.payload);
        let damage = self.site.control.takes_corruption(self.users[client].0);
        let request = self.lanes.make_request(client, &self.site.payload, damage);
        let answer = self.site.payload.response_len(self.lanes.lane(client).stamp);
        let slot = Fixed(client as u32);

        let target = &self.addresses.targets[client];
        let (domain, address, len) = (i32::from(target.family()), target.as_ptr(), target.len());
        let destination = DestinationSlot::try_from_slot_target(client as u32).map_err(|_| io::Error::other("too many users"))?;
        let socket = opcode::Socket::new(domain, libc::SOCK_STREAM, 0).file_index(Some(destination)).build();
        self.push(socket, client, TAG_SOCKET, SILENT)?;
        if self.site.workload.nodelay {
            self.push(option(slot, libc::IPPROTO_TCP, libc::TCP_NODELAY), client, TAG_SOCKET, SILENT)?;
        }
        if !self.addresses.sources.is_empty() {
            let turn = self.users[client].0.wrapping_add(attempt) as usize % self.addresses.sources.len();
            let source = &self.addresses.sources[turn];
            let bind = opcode::Bind::new(slot, source.as_ptr().cast(), source.len()).build();
            self.push(option(slot, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT), client, TAG_SOCKET, SILENT)?;
            self.push(bind, client, TAG_SOCKET, SILENT)?;
        }
        self.push(opcode::Connect::new(slot, address.cast(), len).build(), client, TAG_CONNECT, Flags::IO_LINK)?;
        let send = opcode::Send::new(slot, self.lanes.outgoing(client).as_ptr(), request as u32);
        self.push(send.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build(), client, TAG_SEND, SILENT)?;
        let receive = opcode::Recv::new(slot, self.lanes.incoming(client).as_mut_ptr(), answer as u32);
        self.push(receive.flags(libc::MSG_WAITALL).build(), client, TAG_RECEIVE, SILENT)?;
        self.push(opcode::Close::new(slot).build(), client, TAG_CLOSE, Flags::empty())
    }

    fn completed(&mut self, Done { user_data, result, has_more }: Done) -> io::Result<()> {
        let (lane, attempt, tag) = ((user_data >> 16) as usize, user_data >> 8 & 0xFF, user_data & 0xFF);
        match tag {
            TAG_ACCEPT => return self.accepted(result, has_more),
            TAG_REQUEST => return self.requested(lane, result),
            TAG_ANSWER => return self.end_server(lane, Some((ErrorClass::Write, Some(-result)))),
            TAG_SERVER_CLOSE => {
                self.servers_open -= 1;
                self.recorder.accepted_closed();
                return Ok(());
            }
            _ => {}
        }
        if attempt != u64::from(self.attempts[lane] & 0xFF) {
            return Ok(());
        }
        match tag {
            TAG_CONNECT if result >= 0 => {
                self.recorder.opened();
                let connect_ns = now_ns() - self.lanes.lane(lane).start;
                self.recorder.connected(connect_ns);
                Ok(())
            }
            TAG_CLOSE if result >= 0 => self.answered(lane),
            TAG_GIVE_UP => self.begin(lane),
            TAG_SEND => self.give_up(lane, ErrorClass::Write, result),
            TAG_RECEIVE => self.give_up(lane, ErrorClass::Read, result),
            _ => self.give_up(lane, ErrorClass::Connect, result),
        }
    }

    /// The chain has run to its end: the answer is whole.
    fn answered(&mut self, client: usize) -> io::Result<()> {
        let len = self.site.payload.response_len(self.lanes.lane(client).stamp);
        match self.lanes.take_answer(client, len, &self.site.payload) {
            Next::Complete(bytes) => {
                let now = now_ns();
                let service = now - std::mem::replace(&mut self.lanes.lane(client).start, now);
                self.recorder.success(service, bytes as u64);
            }
            Next::ReceiveMore | Next::Damaged(_) => self.recorder.failure(ErrorClass::Mismatch, None),
        }
        self.begin(client)
    }

    /// A link has failed: what is left of the connection is closed, and the completions of its chain count no more.
    #[cold]
    fn give_up(&mut self, client: usize, class: ErrorClass, result: i32) -> io::Result<()> {
        self.recorder.failure(class, (result < 0).then_some(-result));
        self.attempts[client] = self.attempts[client].wrapping_add(1);
        let lane = self.lanes.lane(client);
        lane.stamp = lane.stamp.next();
        lane.start = now_ns();
        // Where no socket was made the close fails, and says so as well.
        self.push(opcode::Close::new(Fixed(client as u32)).build(), client, TAG_GIVE_UP, Flags::empty())
    }

    fn accepted(&mut self, result: i32, has_more: bool) -> io::Result<()> {
        if !has_more {
            self.accept()?;
        }
        let Ok(slot) = usize::try_from(result) else {
            self.recorder.failure(ErrorClass::Accept, Some(-result));
            return Ok(());
        };
        self.recorder.accepted();
        self.servers_open += 1;
        self.lanes.reset(slot, &self.site.payload);
        self.receive(slot)
    }

    fn receive(&mut self, server: usize) -> io::Result<()> {
        let room = self.lanes.room(server);
        let entry = opcode::Recv::new(Fixed(server as u32), room.as_mut_ptr(), room.len() as u32).build();
        self.push(entry, server, TAG_REQUEST, Flags::empty())
    }

    fn requested(&mut self, server: usize, result: i32) -> io::Result<()> {
        let Ok(count) = usize::try_from(result) else { return self.end_server(server, Some((ErrorClass::Read, Some(-result)))) };
        if count == 0 {
            return self.end_server(server, None);
        }
        let mut request = 0;
        match self.lanes.take_request(server, count, &self.site.payload, &mut request) {
            Next::ReceiveMore => self.receive(server),
            Next::Damaged(_) => self.end_server(server, Some((ErrorClass::Mismatch, None))),
            Next::Complete(answer) => {
                self.ring.reserve(2)?;
                let send = opcode::Send::new(Fixed(server as u32), self.lanes.outgoing(server).as_ptr(), answer as u32);
                self.push(send.flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL).build(), server, TAG_ANSWER, SILENT)?;
                self.receive(server)
            }
        }
    }

    fn end_server(&mut self, server: usize, fault: Option<(ErrorClass, Option<i32>)>) -> io::Result<()> {
        if let Some((class, errno)) = fault {
            self.recorder.failure(class, errno);
        }
        self.push(opcode::Close::new(Fixed(server as u32)).build(), server, TAG_SERVER_CLOSE, Flags::empty())
    }
}

fn option(slot: Fixed, level: libc::c_int, name: libc::c_int) -> Entry {
    let size = size_of_val(&ON) as u32;
    opcode::SetSockOpt::new(slot, level as u32, name as u32, (&raw const ON).cast(), size).build()
}

/// Whether this kernel knows every link; `bind` came last (6.11), after `socket` and the options.
pub fn is_supported() -> bool {
    super::ring::supports(opcode::Bind::CODE)
}
