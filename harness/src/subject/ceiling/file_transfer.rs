//! Files over TCP without a runtime.
//!
//! Together, a thread holds both ends of its connections and takes its users in turn:
//! ```text
//!  send the request ─▶ receive it, open ─▶ ( send what there is room for ─▶ receive what has come )* ─▶ close ─▶ compare
//! ```
//! No call waits (what was sent has arrived when the call returns: loopback delivers inside it), and what was sent is received while it is in
//! the core's cache. Apart, the client's loop is that of every workload; a server that is alone reads and writes.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open, sendfile};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::pipe::{PipeFlags, SpliceFlags, splice};
use sha2::{Digest as _, Sha256};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::epoll;
use super::file::{c_path, read_whole};
use super::file_traffic::FileTraffic;
use super::run::{User, Variant, assignment, report, run_connections, run_ring};
use crate::measure::file_set::Fault;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::drive::unsupported;
use crate::subject::body::endpoint;
use crate::subject::body::file::FileSite;
use crate::subject::body::pipe::pipe;
use crate::subject::protocol::{Role, Trial};
use crate::subject::serve::Session;
use crate::subject::worker_cpus;
use crate::workload::file::{REQUEST_BYTES, Share, Via};

/// Bytes that each user hashes before the window, at least one file.
const HASHED_BYTES: u64 = 4 << 20;

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up; class `unsupported` for a server alone that shall not read and write.
pub(super) fn run(refusal: Option<String>, trial: &Trial, session: &Session, site: &Arc<FileSite>) -> Result<TrialRecord, Failure> {
    let via = site.workload.via.unwrap_or(Via::Sendfile);
    if trial.role == Role::Server && via != Via::ReadWrite {
        return Err(unsupported(
            "the ceiling sends without a copy with both ends in one thread alone: use the role both, or via `read-write`",
        ));
    }
    let (variant, reason) = match (trial.role, refusal) {
        (Role::Both, _) => (Variant::BareSyscalls, None),
        (_, None) => (Variant::RingLinked, None),
        (_, reason) => (Variant::Epoll, reason),
    };
    let body = |share: &[User], listener: Option<&TcpListener>| {
        let traffic = |lanes| FileTraffic::new(site, lanes);
        match (variant, listener) {
            (Variant::BareSyscalls, Some(listener)) => Thread::new(site, via)?.run(share, listener),
            (Variant::RingLinked, _) => run_ring(assignment(trial, site.users, share, listener)?, traffic),
            _ => epoll::run(assignment(trial, site.users, share, listener)?, traffic),
        }
    };
    run_connections(trial, session, site, site.users, report(variant, reason, &worker_cpus(trial)), body)
}

/// A user and both ends of its connection.
struct Pair {
    number: u32,
    share: Share,
    nth: u64,
    client: TcpStream,
    server: TcpStream,
    start: u64,
}

struct Thread<'a> {
    site: &'a FileSite,
    via: Via,
    /// `read-write`: the file. Room for one byte more than it has.
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    pipe: (OwnedFd, OwnedFd),
    recorder: Recorder,
    calls: u64,
}

impl<'a> Thread<'a> {
    fn new(site: &'a FileSite, via: Via) -> Result<Self, Failure> {
        let pipe = pipe(PipeFlags::empty()).map_err(|error| super::file::set_up("a thread has no pipe", &error))?;
        let size = site.workload.size as usize;
        let outgoing = vec![0; if via == Via::ReadWrite { size + 1 } else { 0 }];
        Ok(Self { site, via, outgoing, incoming: vec![0; size], pipe, recorder: Recorder::new(&site.control), calls: 0 })
    }

    /// One thread: connects, verifies by hash, says so, and asks for file after file until the drain.
    fn run(mut self, users: &[User], listener: &TcpListener) -> Result<(), Failure> {
        let control = &self.site.control;
        let mut pairs = users.iter().map(|user| self.connect(*user, listener)).collect::<Result<Vec<_>, _>>()?;
        for pair in &mut pairs {
            self.verify(pair)?;
            control.user_ready();
        }
        control.gate().wait_thread();
        self.calls = 0;
        let start = now_ns();
        pairs.iter_mut().for_each(|pair| pair.start = start);
        while !control.is_draining() && !pairs.is_empty() {
            for pair in &mut pairs {
                self.turn(pair, listener);
            }
        }
        for pair in pairs {
            drop(pair);
            self.recorder.accepted_closed();
            control.user_done();
        }
        self.recorder.finish();
        Ok(())
    }

    fn connect(&mut self, (number, address): User, listener: &TcpListener) -> Result<Pair, Failure> {
        let failed = |error: std::io::Error| endpoint::setup_failure("connect", &format!("cannot connect to {address}"), &error);
        let client = endpoint::connect(address, self.site.source(number, 0), self.site.nodelay).map_err(failed)?;
        self.recorder.opened();
        let (server, _) = listener.accept().map_err(failed)?;
        server.set_nonblocking(true).map_err(failed)?;
        self.recorder.accepted();
        Ok(Pair { number, share: self.site.workload.share(number, self.site.users), nth: 0, client, server, start: 0 })
    }

    fn verify(&mut self, pair: &Pair) -> Result<(), Failure> {
        let files = (HASHED_BYTES / self.site.workload.size.max(1)).clamp(1, pair.share.count().into());
        for nth in 0..files {
            let file = pair.share.turn(nth).file;
            let is_right = self.file(pair, file).is_ok() && Sha256::digest(&self.incoming)[..] == self.site.hash_of(file)?[..];
            if !is_right {
                let message = format!("file {file} is not what the receiver got (hash of the verification phase)");
                return Err(Failure { class: "mismatch".into(), message });
            }
        }
        Ok(())
    }

    fn turn(&mut self, pair: &mut Pair, listener: &TcpListener) {
        let file = pair.share.turn(pair.nth).file;
        pair.nth += 1;
        let damages = self.site.control.takes_corruption(pair.number);
        if damages {
            self.site.files().flip_source(file);
        }
        let outcome = self
            .file(pair, file)
            .and_then(|()| if self.site.content(file).holds(&self.incoming, 0) { Ok(()) } else { Err((ErrorClass::Mismatch, None)) });
        if damages {
            self.site.files().flip_source(file);
        }
        self.recorder.syscalls(std::mem::take(&mut self.calls));
        let end = now_ns();
        let service_ns = end - std::mem::replace(&mut pair.start, end);
        match outcome {
            Ok(()) => self.recorder.success(service_ns, self.site.workload.size),
            Err((class, errno)) => {
                self.recorder.failure(class, errno);
                self.start_over(pair, listener);
            }
        }
    }

    /// What is left on a connection after a failure belongs to no file.
    #[cold]
    fn start_over(&mut self, pair: &mut Pair, listener: &TcpListener) {
        let address = pair.client.peer_addr();
        let Ok(address) = address else { return };
        if let Ok(fresh) = self.connect((pair.number, address), listener) {
            self.recorder.accepted_closed();
            *pair = Pair { nth: pair.nth, start: pair.start, ..fresh };
        }
    }

    /// Both ends of one file; it is in `incoming` then.
    fn file(&mut self, pair: &Pair, file: u32) -> Result<(), Fault> {
        self.calls += 4;
        let request = u64::from(file).to_le_bytes();
        let sent = rustix::net::send(&pair.client, &request, SendFlags::NOSIGNAL).map_err(|error| fault(ErrorClass::Write, error))?;
        let mut asked = [0; REQUEST_BYTES];
        let (received, _) =
            rustix::net::recv(&pair.server, &mut asked[..], RecvFlags::empty()).map_err(|error| fault(ErrorClass::Read, error))?;
        if (sent, received) != (REQUEST_BYTES, REQUEST_BYTES) {
            return Err((ErrorClass::Read, None));
        }
        let path = c_path(self.site.files().source(u64::from_le_bytes(asked) as u32));
        if self.via == Via::ReadWrite {
            self.calls += 1;
            let count = read_whole(&path, &mut self.outgoing).map_err(|error| fault(ErrorClass::Read, error))?;
            return self.exchange(pair, count as u64, None);
        }
        let file =
            open(path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|error| fault(ErrorClass::Read, error))?;
        self.exchange(pair, self.site.workload.size, Some(&file))
    }

    /// Sends and receives in turn until the file is there whole.
    fn exchange(&mut self, pair: &Pair, length: u64, file: Option<&OwnedFd>) -> Result<(), Fault> {
        if length != self.site.workload.size {
            return Err((ErrorClass::Read, None));
        }
        let (mut sent, mut held, mut received) = (0, 0, 0);
        while received < self.incoming.len() {
            if sent < length || held > 0 {
                self.calls += 1;
                match self.send(pair, file, &mut sent, &mut held) {
                    Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return Err(fault(ErrorClass::Write, error)),
                }
            }
            self.calls += 1;
            match rustix::net::recv(&pair.client, &mut self.incoming[received..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return Err((ErrorClass::Read, None)),
                Ok((count, _)) => received += count,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(fault(ErrorClass::Read, error)),
            }
        }
        Ok(())
    }

    /// One call that sends, as much as there is room for; `held` is what the pipe holds.
    fn send(&mut self, pair: &Pair, file: Option<&OwnedFd>, sent: &mut u64, held: &mut usize) -> Result<(), Errno> {
        let left = usize::try_from(self.site.workload.size - *sent).unwrap_or(usize::MAX);
        match (self.via, file) {
            (Via::Splice, Some(file)) => {
                if *held == 0 {
                    self.calls += 1;
                    *held = splice(file, Some(sent), &self.pipe.1, None, left, SpliceFlags::empty())?;
                }
                *held -= splice(&self.pipe.0, None, &pair.server, None, *held, SpliceFlags::NONBLOCK)?;
            }
            (_, Some(file)) => {
                sendfile(&pair.server, file, Some(sent), left)?;
            }
            (_, None) => {
                let from = usize::try_from(*sent).unwrap_or(usize::MAX);
                *sent += rustix::net::send(&pair.server, &self.outgoing[from..from + left], SendFlags::NOSIGNAL)? as u64;
            }
        }
        Ok(())
    }
}

fn fault(class: ErrorClass, error: Errno) -> Fault {
    (class, Some(error.raw_os_error()))
}
