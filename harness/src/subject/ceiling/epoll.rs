//! Round trips and connections on epoll, where io_uring is refused or a client must connect anew while others wait.
//!
//! One thread, any mix of users and accepted connections, non-blocking and edge-triggered: a lane is registered once for both directions
//! and works until the kernel says "would block".

use std::net::TcpListener;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use zokio_report::schema::journal::Failure;

use super::lanes::Next;
use super::poll::Poll;
use super::ring_loop::Assignment;
use super::traffic::Traffic;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::endpoint;

/// Token of the listener.
const LISTENER: u64 = u64::MAX;

/// One end of one connection.
struct End {
    socket: OwnedFd,
    /// Bytes of the outgoing message, and how many of them are sent.
    outgoing: usize,
    sent: usize,
    /// A client's connection is still being established.
    is_connecting: bool,
}

struct User {
    exchanges: u32,
    bytes: u64,
    connections: u32,
    begin: u64,
}

struct EpollLoop<T> {
    poll: Poll,
    traffic: T,
    ends: Vec<Option<End>>,
    users: Vec<User>,
    free: Vec<usize>,
    recorder: Recorder,
    assignment: Assignment,
    clients_open: usize,
    servers_open: usize,
}

type Outcome = Result<(), (ErrorClass, Option<i32>)>;

/// Runs a thread's share until the trial drains and all its connections are closed.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<T: Traffic>(assignment: Assignment, traffic: impl FnOnce(usize) -> T) -> Result<(), Failure> {
    let failed = |error: std::io::Error| endpoint::setup_failure("epoll", "the epoll loop of a worker failed", &error);
    let clients = assignment.users.len();
    let capacity = assignment.listener.as_ref().map_or(0, |(_, capacity)| *capacity as usize);
    let poll = Poll::new().map_err(failed)?;
    if let Some((listener, _)) = &assignment.listener {
        listener.set_nonblocking(true).map_err(failed)?;
        poll.add(listener.as_raw_fd(), LISTENER, false).map_err(failed)?;
    }
    let traffic = traffic(clients + capacity);
    let control = Arc::clone(&traffic.site().control);
    let mut this = EpollLoop {
        poll,
        traffic,
        ends: (0..clients + capacity).map(|_| None).collect(),
        users: (0..clients).map(|_| User { exchanges: 0, bytes: 0, connections: 0, begin: 0 }).collect(),
        free: (clients..clients + capacity).rev().collect(),
        recorder: Recorder::new(&control),
        assignment,
        clients_open: clients,
        servers_open: 0,
    };
    for client in 0..clients {
        this.traffic.name(client, this.assignment.users[client].0);
        if this.traffic.exchanges_each().is_none() {
            this.connect(client).map_err(|fault| connect_failure(fault.1))?;
        }
        control.user_ready();
    }
    if clients > 0 {
        control.gate().wait_thread();
    }
    this.run().map_err(failed)
}

fn connect_failure(errno: Option<i32>) -> Failure {
    endpoint::setup_failure("connect", "a user cannot connect", &std::io::Error::from_raw_os_error(errno.unwrap_or(0)))
}

impl<T: Traffic> EpollLoop<T> {
    fn run(mut self) -> std::io::Result<()> {
        let start = now_ns();
        for client in 0..self.users.len() {
            self.users[client].begin = start;
            self.begin(client);
        }
        let mut ready = Vec::new();
        let mut deadline = None;
        while self.clients_open + self.servers_open > 0 || !self.traffic.site().control.is_draining() {
            self.recorder.syscalls(1);
            self.poll.wait(&mut ready)?;
            for &token in &ready {
                if token == LISTENER {
                    self.accept();
                } else {
                    self.drive(token as usize);
                }
            }
            if self.traffic.site().control.is_draining() {
                let limit = u64::try_from(self.assignment.drain.as_nanos()).unwrap_or(u64::MAX);
                if now_ns() > *deadline.get_or_insert(now_ns().saturating_add(limit)) {
                    break;
                }
            }
        }
        self.recorder.finish();
        Ok(())
    }

    /// A user's next operation: a request on its connection, or a connection first.
    fn begin(&mut self, client: usize) {
        while !self.traffic.site().control.is_draining() {
            if self.ends[client].is_none()
                && let Err((class, errno)) = self.connect(client)
            {
                self.recorder.failure(class, errno);
                std::thread::sleep(std::time::Duration::from_millis(5));
                continue;
            }
            match self.request(client) {
                Ok(()) => return,
                Err(fault) => self.abandon(client, fault),
            }
        }
        self.ends[client] = None;
        self.clients_open -= 1;
        self.traffic.site().control.user_done();
    }

    /// Makes the next request and sends what can be sent; a connection that is being established reports itself when it is ready.
    fn request(&mut self, client: usize) -> Outcome {
        let damage = self.traffic.site().control.takes_corruption(self.assignment.users[client].0);
        let len = self.traffic.make_request(client, damage);
        let Some(end) = &mut self.ends[client] else { return Ok(()) };
        (end.outgoing, end.sent) = (len, 0);
        if end.is_connecting { Ok(()) } else { self.send(client) }
    }

    fn connect(&mut self, client: usize) -> Outcome {
        let (number, address) = self.assignment.users[client];
        let user = &mut self.users[client];
        let site = self.traffic.site();
        let source = site.source(number, user.connections);
        user.connections = user.connections.wrapping_add(1);
        (user.exchanges, user.bytes) = (0, 0);
        self.recorder.syscalls(5);
        let connected = endpoint::connect_nonblocking(address, source, site.nodelay);
        let (socket, is_connecting) = connected.map_err(|error| (ErrorClass::Connect, error.raw_os_error()))?;
        self.poll.add(socket.as_raw_fd(), client as u64, true).map_err(|error| (ErrorClass::Connect, error.raw_os_error()))?;
        self.traffic.reset(client);
        if !is_connecting {
            self.recorder.opened();
            let connect_ns = now_ns() - self.users[client].begin;
            self.recorder.connected(connect_ns);
        }
        self.ends[client] = Some(End { socket: socket.into(), outgoing: 0, sent: 0, is_connecting });
        Ok(())
    }

    fn accept(&mut self) {
        loop {
            let Some((listener, _)) = &self.assignment.listener else { return };
            self.recorder.syscalls(1);
            match accept(listener) {
                Ok(socket) => {
                    self.recorder.accepted();
                    let added = self.free.pop().filter(|&lane| self.poll.add(socket.as_raw_fd(), lane as u64, true).is_ok());
                    let Some(lane) = added else {
                        self.recorder.failure(ErrorClass::Accept, None);
                        self.recorder.accepted_closed();
                        continue;
                    };
                    self.servers_open += 1;
                    self.traffic.reset(lane);
                    self.ends[lane] = Some(End { socket, outgoing: 0, sent: 0, is_connecting: false });
                    self.drive(lane);
                }
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(error) => return self.recorder.failure(ErrorClass::Accept, Some(error.raw_os_error())),
            }
        }
    }

    /// Sends what is left, then receives and answers until the kernel has no more.
    fn drive(&mut self, lane: usize) {
        let is_client = lane < self.users.len();
        if is_client && self.ends[lane].as_ref().is_some_and(|end| end.is_connecting) && !self.established(lane) {
            return;
        }
        let outcome = self.send(lane).and_then(|()| self.receive(lane));
        if let Err(fault) = outcome {
            if is_client {
                self.abandon(lane, fault);
                self.begin(lane);
            } else {
                self.end_server(lane, Some(fault));
            }
        }
    }

    /// Whether a connection that was being established now is; if it failed, the user has begun again.
    fn established(&mut self, client: usize) -> bool {
        let Some(end) = &mut self.ends[client] else { return false };
        let error = rustix::net::sockopt::socket_error(&end.socket);
        match error {
            Ok(Ok(())) if rustix::net::getpeername(&end.socket).is_ok() => {
                end.is_connecting = false;
                self.recorder.opened();
                let connect_ns = now_ns() - self.users[client].begin;
                self.recorder.connected(connect_ns);
                true
            }
            Ok(Ok(())) => false,
            Ok(Err(errno)) | Err(errno) => {
                self.abandon(client, (ErrorClass::Connect, Some(errno.raw_os_error())));
                self.begin(client);
                false
            }
        }
    }

    fn send(&mut self, lane: usize) -> Outcome {
        loop {
            let Some(end) = &mut self.ends[lane] else { return Ok(()) };
            if end.sent >= end.outgoing {
                return Ok(());
            }
            self.recorder.syscalls(1);
            match rustix::net::send(&end.socket, &self.traffic.outgoing(lane)[end.sent..end.outgoing], SendFlags::NOSIGNAL) {
                Ok(count) => end.sent += count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err((ErrorClass::Write, Some(error.raw_os_error()))),
            }
        }
    }

    fn receive(&mut self, lane: usize) -> Outcome {
        loop {
            let Some(end) = &self.ends[lane] else { return Ok(()) };
            self.recorder.syscalls(1);
            let room = self.traffic.room(lane);
            let len = room.len();
            match rustix::net::recv(&end.socket, room, RecvFlags::empty()) {
                Ok((0, _)) if lane >= self.users.len() && self.traffic.is_empty(lane) => {
                    self.end_server(lane, None);
                    return Ok(());
                }
                Ok((0, _)) => return Err((ErrorClass::Read, None)),
                Ok((count, _)) => {
                    self.take(lane, count)?;
                    // A short read has emptied the socket; what comes later is a new edge.
                    if count < len {
                        return Ok(());
                    }
                }
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err((ErrorClass::Read, Some(error.raw_os_error()))),
            }
        }
    }

    fn take(&mut self, lane: usize, count: usize) -> Outcome {
        if lane >= self.users.len() {
            let mut served = 0;
            return match self.traffic.take_request(lane, count, &mut served) {
                Next::ReceiveMore => Ok(()),
                Next::Damaged(class) => Err((class, None)),
                Next::Complete(answer) => {
                    if let Some(end) = &mut self.ends[lane] {
                        (end.outgoing, end.sent) = (answer, 0);
                    }
                    if self.traffic.site().is_server {
                        self.recorder.served(served);
                    }
                    self.send(lane)
                }
            };
        }
        match self.traffic.take_answer(lane, count) {
            Next::ReceiveMore => Ok(()),
            Next::Damaged(class) => Err((class, None)),
            Next::Complete(bytes) => self.answered(lane, bytes as u64),
        }
    }

    /// A round trip has ended; the operation too, unless its connection carries more.
    fn answered(&mut self, client: usize, bytes: u64) -> Outcome {
        let user = &mut self.users[client];
        user.exchanges += 1;
        user.bytes += bytes;
        if !user.exchanges.is_multiple_of(self.traffic.exchanges_per_operation()) {
            // An operation that was begun is ended, drain or not.
            return self.request(client);
        }
        if self.traffic.exchanges_each() == Some(user.exchanges) {
            self.ends[client] = None;
            self.recorder.syscalls(1);
        }
        let now = now_ns();
        let user = &mut self.users[client];
        let service = now - std::mem::replace(&mut user.begin, now);
        self.recorder.success(service, std::mem::take(&mut user.bytes));
        self.begin(client);
        Ok(())
    }

    /// A user's connection has failed.
    fn abandon(&mut self, client: usize, (class, errno): (ErrorClass, Option<i32>)) {
        self.recorder.failure(class, errno);
        self.ends[client] = None;
        self.traffic.give_up(client);
        self.users[client].begin = now_ns();
    }

    fn end_server(&mut self, lane: usize, fault: Option<(ErrorClass, Option<i32>)>) {
        if let Some((class, errno)) = fault {
            self.recorder.failure(class, errno);
        }
        self.ends[lane] = None;
        self.free.push(lane);
        self.servers_open -= 1;
        self.recorder.accepted_closed();
        self.recorder.syscalls(1);
    }
}

fn accept(listener: &TcpListener) -> rustix::io::Result<OwnedFd> {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}
