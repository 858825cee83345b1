//! Connections as bare system calls: connect, exchange, close, with both ends in one thread.
//!
//! ```text
//!  all users: socket, connect, send ─▶ all: accept, receive, send ─▶ all: receive, close ─▶ all servers: end of stream, close
//! ```
//! On loopback the hand-shake ends inside `connect`, so no call waits; every user has a connection under way at any time.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::sockets::{ClientEnd, Desk, Fault, ServerEnd, Turn};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::exchange::TcpSite;
use crate::workload::tcp::payload::Stamp;

struct User {
    number: u32,
    address: SocketAddr,
    stamp: Stamp,
    connections: u32,
    start: u64,
    bytes: u64,
    end: Option<ClientEnd>,
}

struct Thread<'a> {
    site: &'a TcpSite,
    desk: Desk,
    recorder: Recorder,
    users: Vec<User>,
    servers: Vec<ServerEnd>,
}

/// One thread: connection after connection for each of its users until the drain.
pub fn run(site: &Arc<TcpSite>, users: &[(u32, SocketAddr)], listener: &TcpListener) {
    let user = |&(number, address): &(u32, SocketAddr)| {
        site.control.user_ready();
        User { number, address, stamp: Stamp::first(number), connections: 0, start: 0, bytes: 0, end: None }
    };
    let mut thread = Thread {
        desk: Desk::new(&site.payload),
        recorder: Recorder::new(&site.control),
        users: users.iter().map(user).collect(),
        servers: Vec::with_capacity(users.len()),
        site,
    };
    site.control.gate().wait_thread();
    let start = now_ns();
    thread.users.iter_mut().for_each(|user| user.start = start);
    while !site.control.is_draining() && !users.is_empty() {
        thread.round(listener);
    }
    users.iter().for_each(|_| site.control.user_done());
    thread.recorder.finish();
}

impl Thread<'_> {
    /// One connection of every user.
    fn round(&mut self, listener: &TcpListener) {
        let connected = self.connect_all();
        for operation in 0..self.site.workload.operations_per_connection.max(1) {
            self.request_all();
            if operation == 0 {
                self.accept_all(listener, connected);
            }
            self.serve_all();
            self.answer_all();
        }
        self.close_all();
        self.desk.settle(&mut self.recorder);
    }

    fn connect_all(&mut self) -> usize {
        let site = self.site;
        let mut connected = 0;
        for user in &mut self.users {
            let source = site.source(user.number, user.connections);
            user.connections = user.connections.wrapping_add(1);
            user.bytes = 0;
            match ClientEnd::connect(&mut self.desk, user.address, source, site.workload.nodelay, user.stamp, &site.payload) {
                Ok(end) => {
                    self.recorder.opened();
                    self.recorder.connected(now_ns() - user.start);
                    user.end = Some(end);
                    connected += 1;
                }
                Err(error) => {
                    self.recorder.failure(ErrorClass::Connect, Some(error.raw_os_error()));
                    user.start = now_ns();
                }
            }
        }
        connected
    }

    fn request_all(&mut self) {
        let site = self.site;
        for user in &mut self.users {
            let damage = site.control.takes_corruption(user.number);
            if let Some(end) = &mut user.end
                && let Err(fault) = end.request(&mut self.desk, &site.payload, damage)
            {
                give_up(&mut self.recorder, user, fault);
            }
        }
    }

    /// All that has connected, given up by its user since or not: a connection left over would take the place of one of the next round.
    fn accept_all(&mut self, listener: &TcpListener, connected: usize) {
        for _ in 0..connected {
            match ServerEnd::accept(&mut self.desk, listener, &self.site.payload) {
                Ok(server) => {
                    self.recorder.accepted();
                    self.servers.push(server);
                }
                Err(error) => self.recorder.failure(ErrorClass::Accept, Some(error.raw_os_error())),
            }
        }
    }

    fn serve_all(&mut self) {
        let Self { site, desk, recorder, servers, .. } = self;
        servers.retain_mut(|server| match server.serve(desk, &site.payload) {
            Ok(Turn::Answered) => true,
            Ok(Turn::Closed) => {
                recorder.accepted_closed();
                false
            }
            Err((class, errno)) => {
                recorder.failure(class, errno);
                recorder.accepted_closed();
                false
            }
        });
    }

    fn answer_all(&mut self) {
        let site = self.site;
        for user in &mut self.users {
            let Some(end) = &mut user.end else { continue };
            match end.answer(&mut self.desk, &site.payload) {
                Ok(bytes) => {
                    user.bytes += bytes;
                    user.stamp = end.stamp;
                }
                Err(fault) => give_up(&mut self.recorder, user, fault),
            }
        }
    }

    fn close_all(&mut self) {
        for user in &mut self.users {
            if let Some(end) = user.end.take() {
                drop(end);
                self.desk.calls += 1;
                let now = now_ns();
                self.recorder.success(now - std::mem::replace(&mut user.start, now), user.bytes);
            }
        }
        let (desk, recorder, payload) = (&mut self.desk, &mut self.recorder, &self.site.payload);
        for mut server in self.servers.drain(..) {
            match server.serve(desk, payload) {
                Ok(Turn::Closed) => {}
                Ok(Turn::Answered) => recorder.failure(ErrorClass::Mismatch, None),
                Err((class, errno)) => recorder.failure(class, errno),
            }
            desk.calls += 1;
            recorder.accepted_closed();
        }
    }
}

/// A user's connection has failed; the next round starts a new one.
fn give_up(recorder: &mut Recorder, user: &mut User, (class, errno): Fault) {
    recorder.failure(class, errno);
    user.end = None;
    user.stamp = user.stamp.next();
    user.start = now_ns();
}
