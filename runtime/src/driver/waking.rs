//! How a sleeping driver is woken: an eventfd that its ring reads, or the poller's own notification.

use std::io;
use std::sync::Arc;

use super::poll::Selector;

/// See the module page.
#[derive(Debug)]
pub(super) enum Waking {
    /// The ring driver keeps a read of it in flight.
    #[cfg(target_os = "linux")]
    Event(EventFd),
    /// The polling driver waits in it.
    Poll(Arc<Selector>),
    /// The owner's thread of a model waits for it.
    #[cfg(zokio_shuttle)]
    Bell(super::mock::Bell),
}

impl Waking {
    /// The selector of a polling driver.
    pub(super) fn selector(&self) -> Option<&Arc<Selector>> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Event(_) => None,
            Self::Poll(selector) => Some(selector),
            #[cfg(zokio_shuttle)]
            Self::Bell(_) => None,
        }
    }

    /// Ends the owner's wait.
    pub(super) fn wake(&self) {
        let result = match self {
            #[cfg(target_os = "linux")]
            Self::Event(event) => event.write(),
            Self::Poll(selector) => selector.notify(),
            #[cfg(zokio_shuttle)]
            Self::Bell(bell) => {
                bell.ring();
                Ok(())
            }
        };
        // A counter that is full already, the only error left, wakes as well.
        debug_assert!(!matches!(&result, Err(error) if error.kind() != io::ErrorKind::WouldBlock), "cannot wake: {result:?}");
    }
}

#[cfg(target_os = "linux")]
pub(super) use event_fd::EventFd;

#[cfg(target_os = "linux")]
mod event_fd {
    #![expect(unsafe_code, reason = "eventfd(2) is not in std")]

    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::{AsRawFd, FromRawFd, RawFd};

    /// A counter in the kernel that a read waits for.
    #[derive(Debug)]
    pub(in crate::driver) struct EventFd(File);

    impl EventFd {
        /// `flags` besides close-on-exec: a ring wants it to block, epoll must not.
        pub(in crate::driver) fn new(flags: libc::c_int) -> io::Result<Self> {
            // SAFETY: takes no pointer.
            let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | flags) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: just made, and nobody else's.
            Ok(Self(unsafe { File::from_raw_fd(fd) }))
        }

        /// Adds one to the counter.
        pub(in crate::driver) fn write(&self) -> io::Result<()> {
            (&self.0).write_all(&1u64.to_ne_bytes())
        }

        /// The descriptor, for the ring or the poller.
        pub(in crate::driver) fn fd(&self) -> RawFd {
            self.0.as_raw_fd()
        }
    }
}
