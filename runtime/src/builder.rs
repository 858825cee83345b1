//! Building a runtime, key by key.

use std::io;
use std::time::Duration;

use crate::config::{IoDriver, MemoryStrategy, RuntimeConfig};
use crate::runtime::Runtime;

/// Builds a [`Runtime`]; every method sets its key in [`RuntimeConfig`].
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(2).thread_name("net").build()?;
/// assert_eq!(runtime.metrics().workers.len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    config: RuntimeConfig,
}

impl Builder {
    /// Every key at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key from `config`.
    pub fn from_config(config: RuntimeConfig) -> Self {
        Self { config }
    }

    /// Worker threads; by default one per CPU this process may use.
    pub fn worker_threads(mut self, count: usize) -> Self {
        self.config.worker_threads = Some(count);
        self
    }

    /// Pins the workers to these CPUs, one each, in turn; `None` leaves placement to the kernel.
    pub fn pin_workers(mut self, cpus: Option<Vec<u32>>) -> Self {
        self.config.pin_workers = cpus;
        self
    }

    /// Which driver the workers use; by default io_uring where it works, else readiness polling.
    pub fn io_driver(mut self, driver: IoDriver) -> Self {
        self.config.io_driver = driver;
        self
    }

    /// Entries of a worker's submission queue.
    pub fn io_queue_depth(mut self, entries: u32) -> Self {
        self.config.io_queue_depth = entries;
        self
    }

    /// Polls after which a worker looks at its driver at the latest.
    pub fn event_interval(mut self, polls: u32) -> Self {
        self.config.event_interval = polls;
        self
    }

    /// Whether a task woken by another task of its worker runs next.
    pub fn lifo_slot(mut self, enabled: bool) -> Self {
        self.config.lifo_slot = enabled;
        self
    }

    /// Where the workers' heaps ([`with_heap`](crate::with_heap)) take memory from; by default pooled.
    pub fn memory_strategy(mut self, strategy: MemoryStrategy) -> Self {
        self.config.memory_strategy = strategy;
        self
    }

    /// Name of the worker threads; the index is appended.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.config.thread_name = name.into();
        self
    }

    /// The most threads for [`spawn_blocking`](crate::spawn_blocking); by default 512.
    pub fn max_blocking_threads(mut self, count: usize) -> Self {
        self.config.max_blocking_threads = count;
        self
    }

    /// Time after which an idle blocking thread ends, in whole milliseconds (`thread_keep_alive_ms`); by default 10 s.
    pub fn thread_keep_alive(mut self, duration: Duration) -> Self {
        self.config.thread_keep_alive_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// `InvalidInput` for a key that cannot be used (the message names it); otherwise what the system said when it refused a thread, a
    /// pinning, or the driver that was asked for.
    pub fn build(self) -> io::Result<Runtime> {
        self.config.check().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Runtime::start(self.config)
    }
}
