//! Which way an operation without a readiness of its own goes from this thread: files block, and no poller tells when.
use super::context::{self, Current};
use super::remote::Remote;

/// Where an operation that may block is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By the ring; also where there is no driver at all, which then says so.
    Driver,
    /// There is no ring, or it does not know the operation: on a thread that may block, unless it can be done at once.
    Thread,
    /// As [`Way::Thread`], but this thread did enough at once: its driver must turn first.
    Later,
}

/// The way of operations with io_uring's `code`. With `at_once`, the caller means to try it on this thread, which is counted.
#[inline]
pub(crate) fn way_of(code: u8, at_once: bool) -> Way {
    context::with(|current| match current {
        Current::None => Way::Driver,
        Current::Remote(remote) => {
            if does(remote, code) {
                Way::Driver
            } else {
                Way::Thread
            }
        }
        Current::Local(driver) if does(driver.remote(), code) => Way::Driver,
        Current::Local(driver) if at_once => match driver.take_inline() {
            None => Way::Driver,
            Some(true) => Way::Thread,
            Some(false) => Way::Later,
        },
        Current::Local(_) => Way::Thread,
    })
}

/// Whether the driver of this thread is a ring; `None` outside a runtime.
pub(crate) fn is_ring() -> Option<bool> {
    context::with(|current| match current {
        Current::None => None,
        Current::Remote(remote) => Some(remote.waking().selector().is_none()),
        Current::Local(driver) => Some(driver.is_ring()),
    })
}

fn does(remote: &Remote, code: u8) -> bool {
    remote.supported().contains(code)
}
