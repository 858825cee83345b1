//! Closes a descriptor that nothing else uses.
//!
//! On the ring the close travels with the next batch, which saves its system call. The descriptor is the kernel's from the moment the
//! entry is made; should the entry be cancelled before it ran, it is ours again and is closed here.

use std::io;

use super::{Interest, Operation, SharedSocket};

/// What is closed.
#[cfg(unix)]
pub(crate) type Descriptor = std::os::fd::OwnedFd;
/// What is closed.
#[cfg(not(unix))]
pub(crate) type Descriptor = socket2::Socket;

/// See the module page.
#[derive(Debug)]
pub(crate) struct Close {
    /// `None` once an attempt closed it.
    descriptor: Option<Descriptor>,
    /// The entry was made: the descriptor is the kernel's.
    #[cfg(target_os = "linux")]
    entered: bool,
}

impl Close {
    /// Closes `descriptor`, which no poller knows any more.
    pub(crate) fn new(descriptor: impl Into<Descriptor>) -> Self {
        Self {
            descriptor: Some(descriptor.into()),
            #[cfg(target_os = "linux")]
            entered: false,
        }
    }
}

impl Operation for Close {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry {
        use std::os::fd::AsRawFd;
        self.entered = true;
        let fd = self.descriptor.as_ref().expect("an operation has one entry").as_raw_fd();
        io_uring::opcode::Close::new(io_uring::types::Fd(fd)).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        drop(self.descriptor.take());
        Ok(0)
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = self.descriptor
            && self.entered
            && !result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED))
        {
            // Closed by the kernel, also where close reports an error: the number may belong to another file by now.
            let _ = std::os::fd::IntoRawFd::into_raw_fd(descriptor);
        }
        result.map(drop)
    }
}
