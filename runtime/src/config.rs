//! The configuration of a runtime: every key, its default and its effect.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::driver::IoDriver;

/// Where a [`Heap`](crate::mem::Heap) takes blocks of up to 64 KiB from; larger ones are the global allocator's with each strategy.
///
/// | strategy | measurable effect, read in a [`HeapReport`](crate::mem::HeapReport) |
/// |---|---|
/// | `system` | every block is the global allocator's: `blocks_from_system` counts all of them, nothing is mapped |
/// | `pooled` | chunks of 1 MiB, each for blocks of one size, are kept for that size until the heap is gone |
/// | `numa_aware` | as `pooled`, and each chunk is bound to the NUMA node of the CPU its heap is used on, before anybody touches it |
/// | `adaptive` | an empty chunk serves any size, or goes back after a second: `bytes_returned`; a free costs some 2 ns more |
///
/// ```
/// use zokio::MemoryStrategy;
///
/// assert_eq!("numa_aware".parse(), Ok(MemoryStrategy::NumaAware));
/// assert_eq!(MemoryStrategy::Adaptive.to_string(), "adaptive");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryStrategy {
    /// The global allocator, block by block.
    System,
    /// Size classes of the heap's own, kept until it ends.
    #[default]
    Pooled,
    /// Pooled, in memory of the NUMA node where it is used.
    NumaAware,
    /// Pooled, and what is not used goes back.
    Adaptive,
}

impl MemoryStrategy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::System, Self::Pooled, Self::NumaAware, Self::Adaptive];

    /// The word for it in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Pooled => "pooled",
            Self::NumaAware => "numa_aware",
            Self::Adaptive => "adaptive",
        }
    }
}

impl fmt::Display for MemoryStrategy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for MemoryStrategy {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        Self::ALL.into_iter().find(|strategy| strategy.as_str() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join("`, `");
            ConfigError { key: "memory_strategy", problem: format!("must be one of `{all}`, not `{text}`") }
        })
    }
}

/// Every key of a runtime, checked once when the runtime is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Worker threads; `None` is one per CPU this process may use (affinity and control group honoured).
    pub worker_threads: Option<usize>,
    /// CPUs the workers are pinned to, one each, in turn; `None` leaves placement to the kernel.
    pub pin_workers: Option<Vec<u32>>,
    /// Which driver the workers use.
    pub io_driver: IoDriver,
    /// Entries of a worker's submission queue; rounded up to a power of two.
    pub io_queue_depth: u32,
    /// A worker looks at its driver, timers, inbox and the injector after so many polls, or twice as many if none is left then;
    /// after 0.2 ms where polls have lately been long.
    pub event_interval: u32,
    /// Whether a task woken by another task of its worker runs next (a slot that is not stolen from), at most three times in a row.
    pub lifo_slot: bool,
    /// Where the workers' heaps ([`with_heap`](crate::with_heap)) take memory from; a worker that is never asked for its heap has none.
    pub memory_strategy: MemoryStrategy,
    /// Name of the worker threads; the index is appended.
    pub thread_name: String,
    /// The most threads for [`spawn_blocking`](crate::spawn_blocking); what exceeds them waits. Files have threads of their own.
    pub max_blocking_threads: usize,
    /// Milliseconds after which an idle blocking thread ends.
    pub thread_keep_alive_ms: u64,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            worker_threads: None,
            pin_workers: None,
            io_driver: IoDriver::Auto,
            io_queue_depth: 1024,
            // As tokio's default: about 61 polls of half a microsecond lie between two looks at the driver.
            event_interval: 61,
            lifo_slot: true,
            memory_strategy: MemoryStrategy::Pooled,
            thread_name: "zokio".into(),
            // Both as tokio's.
            max_blocking_threads: 512,
            thread_keep_alive_ms: 10_000,
        }
    }
}

/// A key with a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key.
    pub key: &'static str,
    /// What is wrong with its value, as a fragment.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` {}", self.key, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// More workers than this is a mistake, not a machine.
const WORKERS_MAX: usize = 1024;

impl RuntimeConfig {
    /// Checks every key.
    ///
    /// # Errors
    /// The first key that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: String| Err(ConfigError { key, problem });
        match self.worker_threads {
            Some(0) => return wrong("worker_threads", "must be at least 1".into()),
            Some(count) if count > WORKERS_MAX => return wrong("worker_threads", format!("must be at most {WORKERS_MAX}, not {count}")),
            _ => {}
        }
        if self.pin_workers.as_ref().is_some_and(Vec::is_empty) {
            return wrong("pin_workers", "names no CPU".into());
        }
        if !(1..=32_768).contains(&self.io_queue_depth) {
            return wrong("io_queue_depth", format!("must be between 1 and 32768, not {}", self.io_queue_depth));
        }
        if self.event_interval == 0 {
            return wrong("event_interval", "must be at least 1".into());
        }
        if self.max_blocking_threads == 0 {
            return wrong("max_blocking_threads", "must be at least 1".into());
        }
        if self.thread_name.contains('\0') {
            return wrong("thread_name", "must not contain a zero byte".into());
        }
        Ok(())
    }

    /// The number of workers this configuration gives here.
    pub fn workers(&self) -> usize {
        self.worker_threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).min(WORKERS_MAX)
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_unusable_value_names_its_key() {
        let base = RuntimeConfig::default;
        let cases = [
            (RuntimeConfig { worker_threads: Some(0), ..base() }, "worker_threads"),
            (RuntimeConfig { worker_threads: Some(5_000), ..base() }, "worker_threads"),
            (RuntimeConfig { pin_workers: Some(vec![]), ..base() }, "pin_workers"),
            (RuntimeConfig { io_queue_depth: 0, ..base() }, "io_queue_depth"),
            (RuntimeConfig { io_queue_depth: 65_536, ..base() }, "io_queue_depth"),
            (RuntimeConfig { event_interval: 0, ..base() }, "event_interval"),
            (RuntimeConfig { thread_name: "a\0b".into(), ..base() }, "thread_name"),
            (RuntimeConfig { max_blocking_threads: 0, ..base() }, "max_blocking_threads"),
        ];
        for (config, key) in cases {
            assert_eq!(config.check().unwrap_err().key, key);
        }
        assert_eq!(base().check(), Ok(()));
    }

    #[test]
    fn a_strategy_is_read_as_it_is_printed() {
        for strategy in MemoryStrategy::ALL {
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        let error = "numa".parse::<MemoryStrategy>().unwrap_err();
        assert_eq!(error.to_string(), "`memory_strategy` must be one of `system`, `pooled`, `numa_aware`, `adaptive`, not `numa`");
    }
}
