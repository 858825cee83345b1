//! `zokio`: a work-stealing async runtime with one io_uring per worker.
//!
//! Tasks are `Send` and may move between workers, but live where their I/O is: an operation belongs to the ring of the worker that polled
//! it, and its completion wakes the task there. Where io_uring is refused, the same operations run on readiness polling (epoll, kqueue,
//! IOCP); [`Runtime::driver_report`] says which, and why.
//!
//! ```
//! use zokio::net::{TcpListener, TcpStream};
//!
//! let runtime = zokio::Builder::new().worker_threads(2).build()?;
//! runtime.block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     let server = zokio::spawn(async move {
//!         let (stream, _) = listener.accept().await?;
//!         let (read, mut buffer) = stream.read(vec![0; 64]).await;
//!         buffer.truncate(read?);
//!         stream.write_all(buffer).await.0
//!     });
//!     let stream = TcpStream::connect(address).await?;
//!     stream.write_all("ping").await.0?;
//!     let (read, answer) = stream.read(vec![0; 64]).await;
//!     assert_eq!(&answer[..read?], b"ping");
//!     server.await.expect("the server does not panic")
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Where next: [`Builder`] and [`config`] for what can be set, [`task`], [`time`], [`sync`] and [`net`] for what tasks do, [`pool`] and [`mem`] for what
//! they use again and again; on Linux also `fs` for files and `io` for what lies between files and sockets.
#![deny(unsafe_code)]
#![cfg_attr(zokio_shuttle, allow(dead_code, reason = "the model runs on its own driver instead of the two others"))]

mod blocking;
pub mod buf;
pub mod builder;
pub mod config;
mod driver;
#[cfg(target_os = "linux")]
pub mod fs;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
#[cfg(target_os = "linux")]
pub mod io;
pub mod mem;
pub mod metrics;
pub mod net;
mod op;
pub mod pool;
mod primitives;
pub mod runtime;
mod scheduler;
pub mod sync;
pub mod task;
pub mod time;
pub mod topology;

pub use builder::Builder;
pub use config::{IoDriver, MemoryStrategy, RuntimeConfig};
pub use driver::{DriverCounters, DriverKind, DriverReport};
pub use runtime::Runtime;

use std::future::Future;

use task::JoinHandle;

/// Spawns a task on the current runtime; on a worker, into the worker's own queue.
///
/// # Panics
/// Outside every runtime.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    scheduler::context::spawn(future)
}

/// Spawns tasks on the current runtime, all of them before the first wake-up; the handles come in the order of the futures.
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// let sum = runtime.block_on(async {
///     let mut sum = 0;
///     for handle in zokio::spawn_batch((0..100).map(|number| async move { number * 2 })) {
///         sum += handle.await.unwrap();
///     }
///     sum
/// });
/// assert_eq!(sum, 9_900);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Outside every runtime.
pub fn spawn_batch<F>(futures: impl IntoIterator<Item = F>) -> Vec<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // Collected first: the iterator may spawn as well.
    scheduler::context::spawn_batch(futures.into_iter().collect())
}

/// Runs `closure` on a thread that may block: system calls without an asynchronous form, long computations.
///
/// Threads are started as needed, up to `max_blocking_threads`, and end when idle for `thread_keep_alive_ms`. Aborting the handle prevents a
/// closure that has not begun, and has no effect on one that runs. A panic becomes the handle's error. Tasks can be spawned inside.
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// let text = runtime.block_on(async {
///     zokio::spawn_blocking(|| std::fs::read_to_string("Cargo.toml")).await
/// });
/// assert!(text.unwrap()?.contains("zokio"));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Outside every runtime, and when the system refuses the first thread.
pub fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    scheduler::context::spawn_blocking(closure)
}

/// Spawns a task that stays on the current worker: it is never stolen.
///
/// # Panics
/// Outside a task.
pub fn spawn_local_pinned<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    scheduler::context::spawn_pinned(future)
}

/// Runs `body` with the heap of the current worker, which is made for the key `memory_strategy` when it is first asked for.
///
/// A block may be freed with another worker's heap, or dropped anywhere. The heap is borrowed while `body` runs, so `body` does not poll.
///
/// ```
/// use zokio::{Builder, MemoryStrategy, with_heap};
///
/// let runtime = Builder::new().worker_threads(1).memory_strategy(MemoryStrategy::System).build()?;
/// let blocks = runtime.spawn(async {
///     let block = with_heap(|heap| heap.allocate(100)).expect("memory");
///     with_heap(|heap| {
///         heap.free(block);
///         heap.report().blocks_from_system
///     })
/// });
/// assert_eq!(runtime.block_on(blocks).unwrap(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
/// Outside a task, and inside another call of it.
pub fn with_heap<R>(body: impl FnOnce(&mut mem::Heap) -> R) -> R {
    scheduler::context::with_heap(body)
}
