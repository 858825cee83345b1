//! What the ends of a trial's connections share, whatever goes over them, and what a workload has to say of its own.

use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use zokio_report::schema::journal::Failure;

use super::endpoint;
use super::stack::Stack;
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::tally::Ledger;
use crate::subject::protocol::{Role, Trial};

/// A user whose connection failed waits this long before it tries again.
pub const BACK_OFF: Duration = Duration::from_millis(5);

/// Phases, addresses and socket options of a trial.
#[derive(Debug)]
pub struct Site {
    /// Phases and counts.
    pub control: Arc<Ledger>,
    /// Where clients connect from, in turn.
    pub sources: Vec<SocketAddr>,
    /// TCP_NODELAY on both ends.
    pub nodelay: bool,
    /// Whether this process is the server alone, which then counts what it has served.
    pub is_server: bool,
}

impl Site {
    /// The site of a trial.
    ///
    /// # Errors
    /// Class `bad-request`.
    pub fn new(trial: &Trial, nodelay: bool, control: &Arc<Ledger>) -> Result<Self, Failure> {
        let (control, sources) = (Arc::clone(control), endpoint::sources(trial)?);
        Ok(Self { control, sources, nodelay, is_server: trial.role == Role::Server })
    }

    /// The source address of a user's n-th connection.
    pub fn source(&self, user: u32, nth: u32) -> Option<SocketAddr> {
        let turn = user.wrapping_add(nth) as usize;
        (!self.sources.is_empty()).then(|| self.sources[turn % self.sources.len()])
    }
}

/// Both ends of a workload's connections as tasks of a runtime.
pub trait Ends<S: Stack>: Deref<Target = Site> + Send + Sync + Sized + 'static {
    /// One user, from its first connection to its last.
    fn user(self: Arc<Self>, number: u32, address: SocketAddr) -> impl Future<Output = ()> + Send + 'static;

    /// The server's end of one connection, to the end of the stream.
    fn serve(&self, stream: &mut S::Stream) -> impl Future<Output = Result<(), Broken>> + Send;
}

/// Accepts until the runtime is shut down; each connection is served by a task of its own.
pub async fn accept_loop<S: Stack, E: Ends<S>>(listener: S::Listener, ends: Arc<E>) {
    loop {
        match S::accept(&listener).await {
            Ok(stream) => {
                recorder::with(&ends.control, recorder::Recorder::accepted);
                drop(S::spawn(serve(stream, Arc::clone(&ends))));
            }
            Err(error) => {
                recorder::with(&ends.control, |recorder| recorder.failed_io(ErrorClass::Accept, &error));
                S::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn serve<S: Stack, E: Ends<S>>(mut stream: S::Stream, ends: Arc<E>) {
    if let Err(broken) = ends.serve(&mut stream).await {
        broken.record(&ends.control);
    }
    S::close(stream).await;
    recorder::with(&ends.control, recorder::Recorder::accepted_closed);
}

/// An operation that did not end well.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    class: ErrorClass,
    errno: Option<i32>,
}

impl Broken {
    /// One that the system does not know of.
    pub fn new(class: ErrorClass) -> Self {
        Self { class, errno: None }
    }

    /// One with the number of an I/O error.
    pub fn io(class: ErrorClass, error: &io::Error) -> Self {
        Self { class, errno: error.raw_os_error() }
    }

    /// Writes it down on the calling thread.
    pub fn record(&self, control: &Arc<Ledger>) {
        recorder::with(control, |recorder| recorder.failure(self.class, self.errno));
    }
}

/// The buffers of one end of a connection; empty while lent.
#[derive(Debug)]
pub struct Buffers {
    /// What goes out.
    pub outgoing: Vec<u8>,
    /// What comes in.
    pub incoming: Vec<u8>,
    /// Bytes received and not yet used.
    pub filled: usize,
}

impl Buffers {
    /// With nothing received.
    pub fn new(outgoing: Vec<u8>, incoming: Vec<u8>) -> Self {
        Self { outgoing, incoming, filled: 0 }
    }

    /// Reads once, behind what is there; 0 at the end of the stream.
    pub async fn more<S: Stack>(&mut self, stream: &mut S::Stream) -> Result<usize, Broken> {
        let (read, buffer) = S::read(stream, std::mem::take(&mut self.incoming), self.filled).await;
        self.incoming = buffer;
        let count = read.map_err(|error| Broken::io(ErrorClass::Read, &error))?;
        self.filled += count;
        Ok(count)
    }

    /// Reads until `len` bytes are there; false at an end of the stream before the first of them.
    pub async fn fill<S: Stack>(&mut self, stream: &mut S::Stream, len: usize) -> Result<bool, Broken> {
        while self.filled < len {
            if self.more::<S>(stream).await? == 0 {
                return if self.filled == 0 { Ok(false) } else { Err(Broken::new(ErrorClass::Read)) };
            }
        }
        Ok(true)
    }

    /// Forgets the first bytes received.
    pub fn consume(&mut self, count: usize) {
        self.incoming.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    /// Writes the first bytes of the outgoing buffer.
    pub async fn send<S: Stack>(&mut self, stream: &mut S::Stream, len: usize) -> Result<(), Broken> {
        let (written, buffer) = S::write_all(stream, std::mem::take(&mut self.outgoing), len).await;
        self.outgoing = buffer;
        written.map_err(|error| Broken::io(ErrorClass::Write, &error))
    }
}

/// Opens the connections of one user.
#[derive(Debug)]
pub struct Caller {
    /// The user.
    pub number: u32,
    address: SocketAddr,
    connections: u32,
}

impl Caller {
    /// The user with this number, who calls this address.
    pub fn new(number: u32, address: SocketAddr) -> Self {
        Self { number, address, connections: 0 }
    }

    /// The next connection.
    pub async fn connect<S: Stack>(&mut self, site: &Site) -> io::Result<S::Stream> {
        let source = site.source(self.number, self.connections);
        self.connections = self.connections.wrapping_add(1);
        let stream = S::connect(self.address, source, site.nodelay).await?;
        recorder::with(&site.control, recorder::Recorder::opened);
        Ok(stream)
    }

    /// The connection that must be there before the trial starts; without it the trial fails.
    pub async fn connect_or_fail<S: Stack>(&mut self, site: &Site) -> Option<S::Stream> {
        let connected = self.connect::<S>(site).await;
        if let Err(error) = &connected {
            site.control.fail(endpoint::setup_failure("connect", &format!("cannot connect to {}", self.address), error));
        }
        site.control.user_ready();
        connected.ok()
    }

    /// A new connection for one that failed; `None` when the trial drains.
    pub async fn reconnect<S: Stack>(&mut self, site: &Site) -> Option<S::Stream> {
        while !site.control.is_draining() {
            match self.connect::<S>(site).await {
                Ok(stream) => return Some(stream),
                Err(error) => {
                    Broken::io(ErrorClass::Connect, &error).record(&site.control);
                    S::sleep(BACK_OFF).await;
                }
            }
        }
        None
    }
}
