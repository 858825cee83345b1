//! HTTP as bare system calls: a thread holds both ends of its connections.
//!
//! ```text
//!  all users: [socket, connect] send ─▶ all: [accept] receive, send [close] ─▶ all: receive, judge [close]
//! ```
//! Every message is short enough to have arrived when `send` returns (loopback delivers inside the call), so no call waits, and as many
//! requests are under way as there are users.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags, SocketFlags};
use zokio_report::schema::journal::Failure;

use super::http::HttpTraffic;
use super::lanes::Next;
use super::run::User;
use super::sockets::Fault;
use super::traffic::Traffic;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::endpoint;
use crate::subject::body::http::HttpSite;

/// A user and both ends of its connection; its lanes are twice its index and the one after.
struct Pair {
    user: User,
    ends: Option<(OwnedFd, Option<OwnedFd>)>,
    connections: u32,
    sent: u32,
    start: u64,
    fault: Option<Fault>,
}

/// A step of a round, for one pair.
type Step<'a> = fn(&mut Thread<'a>, usize, &mut Pair) -> Result<(), Fault>;

struct Thread<'a> {
    site: &'a HttpSite,
    traffic: HttpTraffic,
    recorder: Recorder,
    listener: &'a TcpListener,
    calls: u64,
}

/// One thread: request after request for each of its users until the drain.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run(site: &Arc<HttpSite>, users: &[User], listener: &TcpListener) -> Result<(), Failure> {
    let traffic = HttpTraffic::new(site, 2 * users.len());
    let mut thread = Thread { site, traffic, recorder: Recorder::new(&site.control), listener, calls: 0 };
    let pair = |&user: &User| Pair { user, ends: None, connections: 0, sent: 0, start: 0, fault: None };
    let mut pairs: Vec<Pair> = users.iter().map(pair).collect();
    for (index, pair) in pairs.iter_mut().enumerate() {
        if site.keeps() {
            let connected = thread.connect(index, pair).and_then(|()| thread.accept(pair));
            let failed = |(_, errno): Fault| std::io::Error::from_raw_os_error(errno.unwrap_or(0));
            connected.map_err(|fault| endpoint::setup_failure("connect", "a user cannot connect", &failed(fault)))?;
        }
        site.control.user_ready();
    }
    site.control.gate().wait_thread();
    thread.recorder.syscalls(std::mem::take(&mut thread.calls));
    let start = now_ns();
    pairs.iter_mut().for_each(|pair| pair.start = start);
    while !site.control.is_draining() && !pairs.is_empty() {
        thread.round(&mut pairs);
    }
    for pair in &mut pairs {
        thread.close(pair);
        site.control.user_done();
    }
    thread.recorder.finish();
    Ok(())
}

impl<'a> Thread<'a> {
    /// One request of every user.
    fn round(&mut self, pairs: &mut [Pair]) {
        for step in [Self::request, Self::serve, Self::answer] as [Step<'a>; 3] {
            for (index, pair) in pairs.iter_mut().enumerate().filter(|(_, pair)| pair.fault.is_none()) {
                pair.fault = step(self, index, pair).err();
            }
        }
        for pair in pairs {
            if let Some((class, errno)) = pair.fault.take() {
                self.recorder.failure(class, errno);
                // A connection left in the queue would be taken for the next one.
                if pair.sent == 0 && matches!(pair.ends, Some((_, None))) {
                    let _ = self.accept(pair);
                }
                self.close(pair);
                pair.start = now_ns();
            }
        }
        self.recorder.syscalls(std::mem::take(&mut self.calls));
    }

    fn request(&mut self, index: usize, pair: &mut Pair) -> Result<(), Fault> {
        if pair.ends.is_none() {
            self.connect(index, pair)?;
            self.recorder.connected(now_ns() - pair.start);
        }
        let damage = self.site.control.takes_corruption(pair.user.0);
        let len = self.traffic.make_request(2 * index, damage);
        let Some((client, _)) = &pair.ends else { return Ok(()) };
        self.send(client, 2 * index, len)
    }

    fn serve(&mut self, index: usize, pair: &mut Pair) -> Result<(), Fault> {
        if matches!(pair.ends, Some((_, None))) {
            self.accept(pair)?;
        }
        let Some((_, Some(server))) = &pair.ends else { return Ok(()) };
        let lane = 2 * index + 1;
        let mut served = 0;
        let len = self.receive(server, lane, |traffic, count| traffic.take_request(lane, count, &mut served))?;
        self.send(server, lane, len)?;
        pair.sent += 1;
        if self.traffic.exchanges_each() == Some(pair.sent) {
            self.close_server(pair);
        }
        Ok(())
    }

    fn answer(&mut self, index: usize, pair: &mut Pair) -> Result<(), Fault> {
        let Some((client, server)) = &pair.ends else { return Ok(()) };
        let is_over = server.is_none();
        let bytes = self.receive(client, 2 * index, |traffic, count| traffic.take_answer(2 * index, count))?;
        if is_over {
            self.close(pair);
        }
        let end = now_ns();
        self.recorder.success(end - std::mem::replace(&mut pair.start, end), bytes as u64);
        Ok(())
    }

    fn connect(&mut self, index: usize, pair: &mut Pair) -> Result<(), Fault> {
        let (number, address) = pair.user;
        let source = self.site.source(number, pair.connections);
        pair.connections = pair.connections.wrapping_add(1);
        self.calls += 2 + u64::from(self.site.nodelay) + 2 * u64::from(source.is_some());
        let connected = endpoint::connect(address, source, self.site.nodelay);
        let client = connected.map_err(|error| (ErrorClass::Connect, error.raw_os_error()))?;
        self.recorder.opened();
        self.traffic.reset(2 * index);
        self.traffic.reset(2 * index + 1);
        pair.sent = 0;
        pair.ends = Some((client.into(), None));
        Ok(())
    }

    /// Connections are made one after the other and accepted in that order, each pair's before the next round.
    fn accept(&mut self, pair: &mut Pair) -> Result<(), Fault> {
        self.calls += 1;
        let accepted = rustix::net::accept_with(self.listener, SocketFlags::CLOEXEC);
        let server = accepted.map_err(|error| (ErrorClass::Accept, Some(error.raw_os_error())))?;
        self.recorder.accepted();
        if let Some((_, end)) = &mut pair.ends {
            *end = Some(server);
        }
        Ok(())
    }

    fn send(&mut self, socket: &OwnedFd, lane: usize, len: usize) -> Result<(), Fault> {
        self.calls += 1;
        match rustix::net::send(socket, &self.traffic.outgoing(lane)[..len], SendFlags::NOSIGNAL) {
            Ok(sent) if sent == len => Ok(()),
            Ok(_) => Err((ErrorClass::Write, None)),
            Err(error) => Err((ErrorClass::Write, Some(error.raw_os_error()))),
        }
    }

    /// Receives until the message is whole; what [`Next::Complete`] holds.
    fn receive(&mut self, socket: &OwnedFd, lane: usize, mut take: impl FnMut(&mut HttpTraffic, usize) -> Next) -> Result<usize, Fault> {
        loop {
            self.calls += 1;
            match rustix::net::recv(socket, self.traffic.room(lane), RecvFlags::empty()) {
                Ok((0, _)) => return Err((ErrorClass::Read, None)),
                Ok((count, _)) => match take(&mut self.traffic, count) {
                    Next::ReceiveMore => {}
                    Next::Complete(len) => return Ok(len),
                    Next::Damaged(class) => return Err((class, None)),
                },
                Err(error) => return Err((ErrorClass::Read, Some(error.raw_os_error()))),
            }
        }
    }

    fn close_server(&mut self, pair: &mut Pair) {
        if let Some((_, end)) = &mut pair.ends
            && end.take().is_some()
        {
            self.calls += 1;
            self.recorder.accepted_closed();
        }
    }

    fn close(&mut self, pair: &mut Pair) {
        self.close_server(pair);
        self.calls += u64::from(pair.ends.take().is_some());
    }
}
