//! The calls of a runtime that the TCP, HTTP and sleep bodies use: all that differs between two asynchronous subjects.
//!
//! Buffers are lent by value (a completion runtime needs to own them; for a readiness runtime the move is three words). One body, many
//! runtimes: a difference between two subjects can only come from these calls and from the runtime behind them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::site::{Broken, Buffers};
use super::tasks::Tasks;

/// A buffer that comes back with the result.
pub type Lent<T> = (io::Result<T>, Vec<u8>);

/// I/O of one runtime, beside its tasks.
pub trait Stack: Tasks + Sized {
    /// A connection.
    type Stream: Send + 'static;
    /// A listening socket.
    type Listener: Send + Sync + 'static;

    /// How late its timer may be: its resolution, and the time an idle worker takes to wake.
    const TIMER_LATENESS: Duration;

    /// Listens, inside the runtime; the address it got.
    fn listen(address: SocketAddr, backlog: u32, nodelay: bool) -> io::Result<(Self::Listener, SocketAddr)>;

    /// The next connection.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// A new connection, from `source` where one is given.
    fn connect(address: SocketAddr, source: Option<SocketAddr>, nodelay: bool) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Reads what is there into `buffer[from..]`; 0 at the end of the stream.
    fn read(stream: &mut Self::Stream, buffer: Vec<u8>, from: usize) -> impl Future<Output = Lent<usize>> + Send;

    /// Writes `buffer[..len]` whole.
    fn write_all(stream: &mut Self::Stream, buffer: Vec<u8>, len: usize) -> impl Future<Output = Lent<()>> + Send;

    /// Writes the first `len` bytes of the outgoing buffer whole, then reads once, behind what is there; 0 at the end of the stream. What a
    /// user of the runtime writes for a request and its answer: two calls, or one where it has one for both.
    fn exchange(stream: &mut Self::Stream, buffers: &mut Buffers, len: usize) -> impl Future<Output = Result<usize, Broken>> + Send {
        async move {
            buffers.send::<Self>(stream, len).await?;
            buffers.more::<Self>(stream).await
        }
    }

    /// Closes the connection in order; all data has been read.
    fn close(stream: Self::Stream) -> impl Future<Output = ()> + Send;

    /// Sleeps.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The worker threads of a runtime, as the driver of a trial sees them.
pub trait Fleet {
    /// How many.
    fn workers(&self) -> usize;

    /// Starts a task on this worker; where the runtime does not bind tasks, anywhere.
    fn spawn_on(&self, worker: usize, future: impl Future<Output = ()> + Send + 'static);

    /// Ends all workers, each having called [`crate::measure::recorder::finish_thread`]; what the record says of the runtime.
    fn shut_down(self) -> FleetReport;
}

/// What a runtime tells of itself at the end.
#[derive(Clone, Debug, Default)]
pub struct FleetReport {
    /// `io_uring`, `epoll`, …
    pub driver: String,
    /// Why not the preferred one.
    pub driver_reason: Option<String>,
    /// Effective configuration.
    pub config: serde_json::Map<String, serde_json::Value>,
    /// Polls by thread id, where the runtime counts them.
    pub polls: std::collections::BTreeMap<u32, u64>,
    /// Further counters of the record.
    pub counters: std::collections::BTreeMap<String, u64>,
}
