//! One-way bulk transfer as bare system calls: a thread holds both ends of its connections, and what it writes it reads while it is in the cache.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use zokio_report::schema::journal::Failure;

use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::subject::body::endpoint;
use crate::subject::body::exchange::TcpSite;
use crate::workload::tcp::chunk::{Chunks, Receiver};
use crate::workload::tcp::payload::{Stamp, write_stamp};

struct Pipe {
    number: u32,
    sender: Option<TcpStream>,
    receiver: TcpStream,
    stamp: Stamp,
    /// Bytes of the current chunk that have been sent.
    sent: usize,
    check: Receiver,
    start: u64,
}

/// The calls of a pipe's turn.
struct Turn<'a> {
    site: &'a TcpSite,
    chunks: Chunks,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    recorder: Recorder,
}

/// One thread: connects, verifies by hash, says so, and streams until the drain.
///
/// # Errors
/// A [`Failure`] of the set-up or of the verification.
pub fn run(site: &Arc<TcpSite>, users: &[(u32, SocketAddr)], listener: &TcpListener) -> Result<(), Failure> {
    let chunks = crate::subject::body::stream::chunks(site);
    let mut turn =
        Turn { site, chunks, outgoing: chunks.buffer(), incoming: vec![0; chunks.bytes], recorder: Recorder::new(&site.control) };
    let mut pipes = Vec::with_capacity(users.len());
    for &(number, address) in users {
        pipes.push(turn.connect(number, address, listener)?);
    }
    for pipe in &mut pipes {
        while !pipe.check.is_verified() {
            turn.step(pipe, pipe.stamp.sequence < chunks.verified).map_err(|(class, errno)| damaged(class, errno))?;
        }
        site.control.user_ready();
    }
    site.control.gate().wait_thread();
    let start = now_ns();
    pipes.iter_mut().for_each(|pipe| pipe.start = start);
    while !pipes.is_empty() {
        let is_draining = site.control.is_draining();
        pipes.retain_mut(|pipe| {
            // A chunk that was begun is sent whole, so that the receiver can verify it.
            let outcome = turn.step(pipe, !is_draining || pipe.sent > 0);
            if is_draining && pipe.sent == 0 {
                pipe.sender = None;
            }
            if let Err((class, errno)) = outcome {
                turn.recorder.failure(class, errno);
            } else if outcome != Ok(true) {
                return true;
            }
            turn.recorder.accepted_closed();
            site.control.user_done();
            false
        });
    }
    turn.recorder.finish();
    Ok(())
}

impl Turn<'_> {
    fn connect(&mut self, number: u32, address: SocketAddr, listener: &TcpListener) -> Result<Pipe, Failure> {
        let failed = |error: std::io::Error| endpoint::setup_failure("connect", &format!("cannot connect to {address}"), &error);
        let sender = endpoint::connect(address, self.site.source(number, 0), self.site.workload.nodelay).map_err(failed)?;
        self.recorder.opened();
        let (receiver, _) = listener.accept().map_err(failed)?;
        self.recorder.accepted();
        let check = Receiver::new(self.chunks, number);
        Ok(Pipe { number, sender: Some(sender), receiver, stamp: Stamp::first(number), sent: 0, check, start: 0 })
    }

    /// One write and one read, neither waiting; true at the end of the stream.
    #[inline]
    fn step(&mut self, pipe: &mut Pipe, sends: bool) -> Result<bool, (ErrorClass, Option<i32>)> {
        let mut calls = 1;
        if sends && let Some(sender) = &pipe.sender {
            calls = 2;
            write_stamp(&mut self.outgoing, pipe.stamp);
            if self.site.control.takes_corruption(pipe.number) {
                self.outgoing[0] ^= 1;
            }
            match rustix::net::send(sender, &self.outgoing[pipe.sent..], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => pipe.sent += count,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err((ErrorClass::Write, Some(error.raw_os_error()))),
            }
            if pipe.sent == self.chunks.bytes {
                pipe.sent = 0;
                pipe.stamp = pipe.stamp.next();
            }
        }
        let received = rustix::net::recv(&pipe.receiver, &mut self.incoming[..], RecvFlags::DONTWAIT);
        self.recorder.syscalls(calls);
        match received {
            Ok((0, _)) => Ok(true),
            Ok((count, _)) => {
                let ended = pipe.check.take(&self.incoming[..count]).map_err(|_| (ErrorClass::Mismatch, None))?;
                if ended > 0 && pipe.start > 0 {
                    let end = now_ns();
                    let each = (end - std::mem::replace(&mut pipe.start, end)) / u64::from(ended);
                    (0..ended).for_each(|_| self.recorder.success(each, self.chunks.bytes as u64));
                }
                Ok(false)
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(error) => Err((ErrorClass::Read, Some(error.raw_os_error()))),
        }
    }
}

fn damaged(class: ErrorClass, errno: Option<i32>) -> Failure {
    let errno = errno.map_or_else(String::new, |errno| format!(" (errno {errno})"));
    Failure { class: class.name().into(), message: format!("the verification phase of a stream failed{errno}") }
}
