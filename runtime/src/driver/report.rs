//! How a driver is chosen, and what came of it.

use std::fmt;
use std::time::Duration;

/// Which driver to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IoDriver {
    /// io_uring where the kernel lets us, else polling; the report says why.
    #[default]
    Auto,
    /// io_uring, or an error.
    IoUring,
    /// epoll, kqueue or IOCP.
    Polling,
}

/// Which driver runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverKind {
    /// Linux: completions by io_uring.
    IoUring,
    /// Linux: readiness by epoll.
    Epoll,
    /// macOS and the BSDs: readiness by kqueue.
    Kqueue,
    /// Windows: readiness over completion ports.
    Iocp,
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
            Self::Kqueue => "kqueue",
            Self::Iocp => "iocp",
        })
    }
}

/// What a driver is made from.
#[derive(Debug, Clone)]
pub(crate) struct DriverConfig {
    /// Which driver.
    pub(crate) choice: IoDriver,
    /// Submission entries of the ring, rounded up to a power of two. More operations than that may be in flight.
    pub(crate) queue_depth: u32,
    /// The rung of the set-up ladder to begin at; above 0 only for tests.
    pub(crate) first_rung: usize,
    /// Polling by the `polling` crate also where a selector of our own exists; only for tests.
    pub(crate) portable: bool,
    /// Ring operations to do without, as if the kernel did not know them; only for tests.
    pub(crate) hidden: &'static [u8],
}

impl DriverConfig {
    /// Submission entries unless said otherwise: a batch of 1,024 sends fits, for 64 KiB of entries a worker.
    pub(crate) const QUEUE_DEPTH: u32 = 1024;
}

impl DriverConfig {
    /// Makes later workers use the driver that the first one got: a socket is set up for one kind.
    pub(crate) fn follow(&mut self, first: &DriverReport) {
        self.choice = if first.kind == DriverKind::IoUring { IoDriver::IoUring } else { IoDriver::Polling };
    }
}

impl Default for DriverConfig {
    fn default() -> Self {
        Self { choice: IoDriver::Auto, queue_depth: Self::QUEUE_DEPTH, first_rung: 0, portable: false, hidden: &[] }
    }
}

/// What a driver turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriverReport {
    /// Which driver runs.
    pub kind: DriverKind,
    /// Why it is not io_uring although that was allowed: `io_uring: operation not permitted (EPERM); …`.
    pub reason: Option<String>,
    /// The flags that the kernel accepted, and the entries: `SINGLE_ISSUER|DEFER_TASKRUN|…, 1024 entries`; empty under polling.
    pub flags: String,
}

impl fmt::Display for DriverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match (&self.reason, self.flags.is_empty()) {
            (Some(reason), _) => write!(f, " ({reason})"),
            (None, false) => write!(f, " ({})", self.flags),
            (None, true) => Ok(()),
        }
    }
}

/// How long a turn may sleep when nothing has completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all.
    No,
    /// At most this long.
    For(Duration),
    /// Until something completes or the driver is unparked.
    Forever,
}
