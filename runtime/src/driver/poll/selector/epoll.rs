//! epoll by system calls: one registration a socket, one call a wait.
#![expect(unsafe_code, reason = "epoll is not in std")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::Socket;

use super::{EVENTS_PER_WAIT, Event};
use crate::driver::waking::EventFd;

/// The token of our own eventfd.
const NOTIFIED: u64 = u64::MAX;

/// Edge-triggered: one registration lasts as long as the socket.
const BOTH: i32 = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
/// A peer that has gone, or an error, is for readers and writers alike to find out.
const READABLE: i32 = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR;
const WRITABLE: i32 = libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR;

/// See the module page.
#[derive(Debug)]
pub(in crate::driver) struct Epoll {
    epoll: OwnedFd,
    notifier: EventFd,
    /// The kernel (before 5.11) or a filter refuses `epoll_pwait2`: limits are whole milliseconds.
    coarse: AtomicBool,
}

/// What the last wait found.
pub(in crate::driver::poll) struct EventList(Vec<libc::epoll_event>);

impl Epoll {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: just made, and nobody else's.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let this = Self { epoll, notifier: EventFd::new(libc::EFD_NONBLOCK)?, coarse: AtomicBool::new(false) };
        // Never read: each write is an edge, until the counter is full after 2^64 of them.
        this.control(libc::EPOLL_CTL_ADD, this.notifier.fd(), libc::EPOLLIN | libc::EPOLLET, NOTIFIED)?;
        Ok(this)
    }

    fn control(&self, operation: libc::c_int, fd: RawFd, events: i32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: `event` outlives the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) })?;
        Ok(())
    }

    pub(super) fn add(&self, socket: &Socket, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket.as_raw_fd(), BOTH, token as u64)
    }

    /// Nothing to do: edges come by themselves.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the same interface as where there is something to do")]
    pub(super) fn rearm(&self, _socket: &Socket, _event: Event) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn delete(&self, socket: &Socket) {
        // An error means that it is not registered, which is what is wanted.
        let _ = self.control(libc::EPOLL_CTL_DEL, socket.as_raw_fd(), 0, 0);
    }

    pub(super) fn notify(&self) -> io::Result<()> {
        self.notifier.write()
    }

    pub(super) fn wait(&self, EventList(events): &mut EventList, limit: Option<Duration>) -> io::Result<()> {
        events.clear();
        // Relaxed: a hint that only the owner sets.
        let count = if self.coarse.load(Ordering::Relaxed) { self.wait_ms(events, limit)? } else { self.wait_ns(events, limit)? };
        // SAFETY: the kernel wrote `count` events, at most the capacity.
        unsafe { events.set_len(count) };
        Ok(())
    }

    fn wait_ns(&self, events: &mut Vec<libc::epoll_event>, limit: Option<Duration>) -> io::Result<usize> {
        let limit_ns = limit.map(|limit| libc::timespec {
            tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: limit.subsec_nanos() as libc::c_long,
        });
        let limit_ns = limit_ns.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (fd, room) = (self.epoll.as_raw_fd(), EVENTS_PER_WAIT as libc::c_int);
        let no_mask = ptr::null::<libc::sigset_t>();
        // By number: the C library's wrapper is younger than the kernels and libraries that we run on.
        // SAFETY: `events` has that much room, `limit_ns` is null or outlives the call, no mask.
        let count = unsafe { libc::syscall(libc::SYS_epoll_pwait2, fd, events.as_mut_ptr(), room, limit_ns, no_mask, 8usize) };
        match check(count as libc::c_int) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                self.coarse.store(true, Ordering::Relaxed);
                self.wait_ms(events, limit)
            }
            count => count.map(|count| count as usize),
        }
    }

    fn wait_ms(&self, events: &mut Vec<libc::epoll_event>, limit: Option<Duration>) -> io::Result<usize> {
        // Rounded up: a wait that ends too early would be repeated at once.
        let limit_ms = limit.map_or(-1, |limit| limit.as_nanos().div_ceil(1_000_000).try_into().unwrap_or(libc::c_int::MAX));
        // SAFETY: `events` has that much room.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), EVENTS_PER_WAIT as libc::c_int, limit_ms) };
        check(count).map(|count| count as usize)
    }
}

impl EventList {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(EVENTS_PER_WAIT))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, index: usize) -> Event {
        let libc::epoll_event { events, u64: token } = self.0[index];
        let events = events as i32;
        Event { token: token as usize, readable: events & READABLE != 0, writable: events & WRITABLE != 0 }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl std::fmt::Debug for EventList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((0..self.len()).map(|index| self.get(index))).finish()
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn limits_are_kept_by_either_call() {
        let epoll = Epoll::new().expect("epoll");
        for coarse in [false, true] {
            epoll.coarse.store(coarse, Ordering::Relaxed);
            let mut events = EventList::new();
            let start = Instant::now();
            epoll.wait(&mut events, Some(Duration::from_micros(2_300))).expect("a wait");
            assert!(start.elapsed() >= Duration::from_micros(2_300), "coarse: {coarse}");
            assert_eq!(events.len(), 0);
        }
    }

    #[test]
    fn every_notification_ends_a_wait() {
        let epoll = Epoll::new().expect("epoll");
        let mut events = EventList::new();
        for _ in 0..3 {
            epoll.notify().expect("a notification");
            epoll.wait(&mut events, None).expect("a wait");
            assert_eq!(events.get(0).token, NOTIFIED as usize);
        }
    }
}
