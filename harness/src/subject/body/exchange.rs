//! Round trips and connections as asynchronous bodies, the same for every runtime.
//!
//! ```text
//!  user:    connect ─▶ [gate] ─▶ ( write request ─▶ read answer ─▶ verify ─▶ record )* ─▶ close
//!  server:  accept ─▶ ( read request ─▶ verify ─▶ write answer )* ─▶ end of stream ─▶ close
//! ```
//! Both ends verify every message. `crr` and `churn` connect and close inside the loop. The client closes first, after it has read its
//! answer: the connection waits in TIME_WAIT on the client's side, where source addresses and listener ports spread it thin.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint;
use super::stack::Stack;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::workload::tcp::payload::{Expectation, Payload, STAMP_BYTES, Stamp, write_stamp};
use crate::workload::tcp::{TcpMode, TcpWorkload};

/// A user whose connection failed waits this long before it tries again.
const BACK_OFF: Duration = Duration::from_millis(5);

/// What the users and servers of a trial share.
#[derive(Debug)]
pub struct Site {
    /// Phases and counts.
    pub control: Arc<Ledger>,
    /// The workload.
    pub workload: TcpWorkload,
    /// Its bytes.
    pub payload: Payload,
    /// Where clients connect from, in turn.
    pub sources: Vec<SocketAddr>,
    /// Whether this process is the server alone, which then counts what it has served.
    pub is_server: bool,
}

impl Site {
    /// The source address of a user's n-th connection.
    pub fn source(&self, user: u32, nth: u32) -> Option<SocketAddr> {
        let turn = user.wrapping_add(nth) as usize;
        (!self.sources.is_empty()).then(|| self.sources[turn % self.sources.len()])
    }
}

/// An operation that did not end well.
pub(super) struct Broken {
    class: ErrorClass,
    errno: Option<i32>,
}

impl Broken {
    pub(super) fn new(class: ErrorClass) -> Self {
        Self { class, errno: None }
    }

    pub(super) fn io(class: ErrorClass, error: &io::Error) -> Self {
        Self { class, errno: error.raw_os_error() }
    }

    pub(super) fn record(&self, control: &Arc<Ledger>) {
        recorder::with(control, |recorder| recorder.failure(self.class, self.errno));
    }
}

/// The two buffers of one end of a connection; empty while lent.
struct Buffers {
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    /// Bytes received and not yet used.
    filled: usize,
}

impl Buffers {
    fn new(payload: &Payload) -> Self {
        Self { outgoing: payload.buffer(), incoming: payload.buffer(), filled: 0 }
    }

    /// Reads until `len` bytes are there; false at an end of the stream before the first of them.
    async fn fill<S: Stack>(&mut self, stream: &mut S::Stream, len: usize) -> Result<bool, Broken> {
        while self.filled < len {
            let (read, buffer) = S::read(stream, std::mem::take(&mut self.incoming), self.filled).await;
            self.incoming = buffer;
            match read {
                Ok(0) if self.filled == 0 => return Ok(false),
                Ok(0) => return Err(Broken::new(ErrorClass::Read)),
                Ok(count) => self.filled += count,
                Err(error) => return Err(Broken::io(ErrorClass::Read, &error)),
            }
        }
        Ok(true)
    }

    async fn send<S: Stack>(&mut self, stream: &mut S::Stream, len: usize) -> Result<(), Broken> {
        let (written, buffer) = S::write_all(stream, std::mem::take(&mut self.outgoing), len).await;
        self.outgoing = buffer;
        written.map_err(|error| Broken::io(ErrorClass::Write, &error))
    }
}

/// Accepts until the runtime is shut down; each connection is served by a task of its own.
pub async fn accept_loop<S: Stack>(listener: S::Listener, site: Arc<Site>) {
    loop {
        match S::accept(&listener).await {
            Ok(stream) => {
                recorder::with(&site.control, recorder::Recorder::accepted);
                S::spawn(serve::<S>(stream, Arc::clone(&site)));
            }
            Err(error) => {
                recorder::with(&site.control, |recorder| recorder.failed_io(ErrorClass::Accept, &error));
                S::sleep(BACK_OFF).await;
            }
        }
    }
}

/// The server's end of one connection.
async fn serve<S: Stack>(mut stream: S::Stream, site: Arc<Site>) {
    let outcome = match site.workload.mode {
        TcpMode::Stream => super::stream::receive::<S>(&mut stream, &site).await,
        TcpMode::Rr | TcpMode::Crr | TcpMode::Churn => answer_all::<S>(&mut stream, &site).await,
    };
    if let Err(broken) = outcome {
        broken.record(&site.control);
    }
    S::close(stream).await;
    recorder::with(&site.control, recorder::Recorder::accepted_closed);
}

async fn answer_all<S: Stack>(stream: &mut S::Stream, site: &Site) -> Result<(), Broken> {
    let payload = &site.payload;
    let mut buffers = Buffers::new(payload);
    let mut expected = Expectation::default();
    let hello = payload.hello_bytes();
    if hello > 0 {
        if !buffers.fill::<S>(stream, hello).await? {
            return Ok(());
        }
        expected.stamp(&buffers.incoming[..hello]);
        buffers.incoming.copy_within(hello..buffers.filled, 0);
        buffers.filled -= hello;
    }
    // Without a hello every request holds a whole stamp, so the first one tells its connection.
    while buffers.fill::<S>(stream, if hello > 0 { 1 } else { STAMP_BYTES }).await? {
        let stamp = expected.stamp(&buffers.incoming[..buffers.filled]).ok_or(Broken::new(ErrorClass::Read))?;
        let len = payload.request_len(stamp);
        buffers.fill::<S>(stream, len).await?;
        // One operation is outstanding, so a byte too many is as wrong as one too few.
        if buffers.filled != len || !payload.verify(&buffers.incoming[..len], stamp) {
            return Err(Broken::new(ErrorClass::Mismatch));
        }
        buffers.filled = 0;
        expected.advance();
        let answer = payload.response_len(stamp);
        write_stamp(&mut buffers.outgoing[..answer], stamp);
        buffers.send::<S>(stream, answer).await?;
        if site.is_server {
            recorder::with(&site.control, |recorder| recorder.served((len + answer) as u64));
        }
    }
    Ok(())
}

/// One user of `rr`, `crr` or `churn`, from its first connection to its last.
pub async fn user<S: Stack>(site: Arc<Site>, number: u32, address: SocketAddr) {
    let mut user = User { site: &site, number, address, connections: 0, stamp: Stamp::first(number), buffers: Buffers::new(&site.payload) };
    if site.workload.mode == TcpMode::Rr {
        user.round_trips::<S>().await;
    } else {
        site.control.user_ready();
        site.control.gate().wait().await;
        user.connections::<S>().await;
    }
    site.control.user_done();
}

struct User<'a> {
    site: &'a Site,
    number: u32,
    address: SocketAddr,
    connections: u32,
    stamp: Stamp,
    buffers: Buffers,
}

impl User<'_> {
    async fn connect<S: Stack>(&mut self) -> io::Result<S::Stream> {
        let source = self.site.source(self.number, self.connections);
        self.connections = self.connections.wrapping_add(1);
        let stream = S::connect(self.address, source, self.site.workload.nodelay).await?;
        recorder::with(&self.site.control, recorder::Recorder::opened);
        Ok(stream)
    }

    async fn round_trips<S: Stack>(&mut self) {
        let control = &self.site.control;
        let mut stream = match self.connect::<S>().await {
            Ok(stream) => stream,
            Err(error) => {
                control.fail(endpoint::setup_failure("connect", &format!("cannot connect to {}", self.address), &error));
                control.user_ready();
                return;
            }
        };
        control.user_ready();
        control.gate().wait().await;
        let mut start = now_ns();
        let mut is_first = true;
        while !control.is_draining() {
            match self.round_trip::<S>(&mut stream, is_first).await {
                Ok(bytes) => {
                    let end = now_ns();
                    recorder::with(control, |recorder| recorder.success(end - start, bytes));
                    start = end;
                    is_first = false;
                }
                Err(broken) => {
                    broken.record(control);
                    S::close(stream).await;
                    let Some(fresh) = self.reconnect::<S>().await else { return };
                    stream = fresh;
                    start = now_ns();
                    is_first = true;
                }
            }
        }
        S::close(stream).await;
    }

    /// A new connection for one that failed; `None` when the trial drains.
    async fn reconnect<S: Stack>(&mut self) -> Option<S::Stream> {
        while !self.site.control.is_draining() {
            match self.connect::<S>().await {
                Ok(stream) => return Some(stream),
                Err(error) => {
                    Broken::io(ErrorClass::Connect, &error).record(&self.site.control);
                    S::sleep(BACK_OFF).await;
                }
            }
        }
        None
    }

    async fn connections<S: Stack>(&mut self) {
        let control = &self.site.control;
        let mut start = now_ns();
        while !control.is_draining() {
            match self.connection::<S>(start).await {
                Ok(bytes) => {
                    let end = now_ns();
                    recorder::with(control, |recorder| recorder.success(end - start, bytes));
                    start = end;
                }
                Err(broken) => {
                    broken.record(control);
                    S::sleep(BACK_OFF).await;
                    start = now_ns();
                }
            }
        }
    }

    /// Connect, exchange, close; the payload bytes of it.
    async fn connection<S: Stack>(&mut self, start: u64) -> Result<u64, Broken> {
        let mut stream = self.connect::<S>().await.map_err(|error| Broken::io(ErrorClass::Connect, &error))?;
        let connect_ns = now_ns() - start;
        recorder::with(&self.site.control, |recorder| recorder.connected(connect_ns));
        let mut bytes = 0;
        for operation in 0..self.site.workload.operations_per_connection.max(1) {
            bytes += self.round_trip::<S>(&mut stream, operation == 0).await?;
        }
        S::close(stream).await;
        Ok(bytes)
    }

    /// One request and its answer, verified; the payload bytes of both.
    async fn round_trip<S: Stack>(&mut self, stream: &mut S::Stream, is_first: bool) -> Result<u64, Broken> {
        let payload = &self.site.payload;
        let stamp = self.stamp;
        self.stamp = stamp.next();
        let (request, answer) = (payload.request_len(stamp), payload.response_len(stamp));
        let hello = if is_first { payload.hello_bytes() } else { 0 };
        let outgoing = &mut self.buffers.outgoing;
        if hello > 0 {
            outgoing[..hello].copy_from_slice(&stamp.to_bytes());
            payload.fill(&mut outgoing[hello..hello + request], stamp);
        } else if payload.hello_bytes() > 0 {
            // The buffer held a hello and a shifted message before.
            payload.fill(&mut outgoing[..request], stamp);
        } else {
            write_stamp(&mut outgoing[..request], stamp);
        }
        let corrupts = self.site.control.takes_corruption(self.number);
        if corrupts {
            outgoing[hello + request - 1] ^= 1;
        }
        self.buffers.send::<S>(stream, hello + request).await?;
        if corrupts {
            self.buffers.outgoing[hello + request - 1] ^= 1;
        }
        if !self.buffers.fill::<S>(stream, answer).await? {
            return Err(Broken::new(ErrorClass::Read));
        }
        let filled = std::mem::take(&mut self.buffers.filled);
        if filled != answer || !payload.verify(&self.buffers.incoming[..answer], stamp) {
            return Err(Broken::new(ErrorClass::Mismatch));
        }
        Ok((request + answer) as u64)
    }
}
