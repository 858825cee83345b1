//! One driver a worker: takes operations, talks to the kernel, says who is to be woken.
//!
//! ```text
//!   future ──first poll──▶ context ──▶ LocalDriver ──▶ cell + entry in the queue      no system call
//!                                          │
//!   scheduler ──────────── turn(wait) ─────┴─▶ one io_uring_enter: submit, wait, reap ──▶ wakers
//!   other threads ──▶ Remote: mailbox, unpark
//! ```
//!
//! Where to read on: [`state`] (who may touch an operation's cell), [`park`] (when waking costs a system call), [`cell`] (what the
//! kernel borrows), `uring/` and `poll/` (the two drivers), [`submission`] (the future).
//!
//! A driver belongs to the thread that made it (I7). An operation stays with the driver that took it, even if its task moves: the
//! result lies in shared memory, and the wake-up happens on the driver's thread.

mod cell;
pub(crate) mod context;
mod core;
mod counters;
mod erased;
mod local;
#[cfg(zokio_shuttle)]
mod mock;
mod park;
mod poll;
mod remote;
mod report;
mod state;
mod submission;
mod supported;
mod sync;
#[cfg(target_os = "linux")]
mod uring;
mod waking;
#[cfg(target_os = "linux")]
mod way;

#[cfg(all(test, zokio_loom))]
mod models;
#[cfg(all(test, not(zokio_loom)))]
mod tests;

use std::io;
use std::sync::Arc;
use std::task::Waker;

use self::core::Core;
pub use counters::DriverCounters;
pub(crate) use local::LocalDriver;
pub(crate) use remote::Remote;
pub(crate) use report::DriverConfig;
pub(crate) use report::Wait;
pub use report::{DriverKind, DriverReport, IoDriver};
pub(crate) use submission::Submission;
#[cfg(target_os = "linux")]
pub(crate) use way::{Way, is_ring, way_of};

/// The driver of one worker. Neither `Send` nor `Sync`.
#[derive(Debug)]
pub(crate) struct Driver {
    local: LocalDriver,
}

impl Driver {
    /// Makes the driver of the calling thread, and the half of it that other threads use.
    ///
    /// # Errors
    /// io_uring was demanded and the kernel refuses it; the message names the remedy. Or no poller could be made.
    pub(crate) fn new(config: &DriverConfig) -> io::Result<(Self, Arc<Remote>)> {
        let (core, remote, report) = open(config)?;
        let local = LocalDriver::new(core, remote.clone(), report);
        Ok((Self { local }, remote))
    }

    /// Which driver it is, and why.
    pub(crate) fn report(&self) -> &DriverReport {
        self.local.report()
    }

    /// The handle by which operations started on this thread find it.
    fn local(&self) -> LocalDriver {
        self.local.clone()
    }

    /// Submits everything queued and reaps what completed; sleeps, as long as `wait` allows, if nothing has. Pushes the wakers of
    /// completed operations and never calls them. Returns the number of completions.
    ///
    /// # Errors
    /// The kernel lost completions or refuses the ring altogether: the driver cannot go on.
    pub(crate) fn turn(&mut self, wait: Wait, wakers: &mut Vec<Waker>) -> io::Result<usize> {
        self.local.turn(wait, wakers)
    }

    /// Whether a turn would have something to do, as far as can be told without a system call.
    pub(crate) fn needs_turn(&self) -> bool {
        self.local.needs_turn()
    }

    /// Operations taken and not completed.
    pub(crate) fn in_flight(&self) -> usize {
        self.local.in_flight()
    }

    /// Cancels everything in flight and reaps until nothing is, at most five seconds; wakes the futures that still wait. Returns the
    /// operations that the kernel did not give back, whose memory is then never freed. Later operations are refused.
    pub(crate) fn shut_down(&mut self) -> usize {
        let mut wakers = Vec::new();
        let left = self.local.shut_down(&mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        left
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// The driver that `config` asks for, or the one to fall back to.
#[cfg(all(target_os = "linux", not(zokio_shuttle)))]
fn open(config: &DriverConfig) -> io::Result<(Core, Arc<Remote>, DriverReport)> {
    if config.choice == IoDriver::Polling {
        return open_poll(config, None);
    }
    match uring::open(config) {
        Ok((ring, flags, supported)) => {
            let remote = Remote::new(waking::Waking::Event(waking::EventFd::new(0)?), supported);
            let report = DriverReport { kind: DriverKind::IoUring, reason: None, flags };
            Ok((Core::Uring(ring), remote, report))
        }
        Err(error) if config.choice == IoDriver::IoUring => Err(error.into()),
        Err(error) => open_poll(config, Some(error.to_string())),
    }
}

/// Elsewhere there is only polling.
#[cfg(not(any(target_os = "linux", zokio_shuttle)))]
fn open(config: &DriverConfig) -> io::Result<(Core, Arc<Remote>, DriverReport)> {
    match config.choice {
        IoDriver::IoUring => Err(io::Error::new(io::ErrorKind::Unsupported, "io_uring: only on Linux; choose `auto` or `polling`")),
        IoDriver::Auto | IoDriver::Polling => open_poll(config, None),
    }
}

/// The mock that shuttle's model runs on, whatever `config` asks for.
#[cfg(zokio_shuttle)]
fn open(_config: &DriverConfig) -> io::Result<(Core, Arc<Remote>, DriverReport)> {
    let remote = Remote::new(waking::Waking::Bell(mock::Bell::default()), supported::Supported::default());
    let report = DriverReport { kind: DriverKind::IoUring, reason: None, flags: String::new() };
    Ok((Core::Mock(mock::MockCore::default()), remote, report))
}

fn open_poll(config: &DriverConfig, reason: Option<String>) -> io::Result<(Core, Arc<Remote>, DriverReport)> {
    let selector = Arc::new(poll::Selector::new(config.portable)?);
    let remote = Remote::new(waking::Waking::Poll(selector), supported::Supported::default());
    let report = DriverReport { kind: poll::KIND, reason, flags: String::new() };
    Ok((Core::Poll(poll::PollCore::new(remote.clone())), remote, report))
}
