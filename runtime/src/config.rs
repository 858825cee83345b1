//! The configuration of a runtime: every key, its default and its effect.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::driver::IoDriver;

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
}
