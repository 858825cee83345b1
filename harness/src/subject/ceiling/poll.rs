//! The three calls of epoll.
#![expect(unsafe_code, reason = "epoll is called through libc")]

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// Events taken by one call.
const EVENTS: usize = 256;
/// An idle thread looks this often whether the trial has ended, in milliseconds.
const IDLE_MS: libc::c_int = 50;

/// An epoll instance.
#[derive(Debug)]
pub struct Poll {
    instance: OwnedFd,
}

impl Poll {
    /// A new instance.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        // SAFETY: the call takes no memory.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let instance = unsafe { OwnedFd::from_raw_fd(descriptor) };
        Ok(Self { instance })
    }

    /// Watches a socket until it is closed: both directions at their edges, or what can be read at its level.
    ///
    /// # Errors
    /// The system's.
    pub fn add(&self, descriptor: RawFd, token: u64, at_edges: bool) -> io::Result<()> {
        let events = if at_edges { libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET } else { libc::EPOLLIN };
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: `event` outlives the call.
        let result = unsafe { libc::epoll_ctl(self.instance.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits a moment for events; the tokens of those that came.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, tokens: &mut Vec<u64>) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        tokens.clear();
        // SAFETY: `events` has room for `EVENTS` entries and outlives the call.
        let count = unsafe { libc::epoll_wait(self.instance.as_raw_fd(), events.as_mut_ptr(), EVENTS as libc::c_int, IDLE_MS) };
        match usize::try_from(count) {
            Ok(count) => tokens.extend(events[..count].iter().map(|event| event.u64)),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
