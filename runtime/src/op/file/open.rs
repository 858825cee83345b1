//! Opens a file by its path.
//!
//! A path whose parts are all in the kernel's cache is opened at once (openat2 with RESOLVE_CACHED); what creates or truncates never is.
#![expect(unsafe_code, reason = "openat2 is not in std; takes over the descriptor it returns")]

use std::ffi::CString;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{FileOperation, not_at_once};
use crate::op::{Interest, Operation, SharedSocket, uninterrupted};

/// `path` as the kernel takes it.
///
/// # Errors
/// It contains a zero byte.
pub(crate) fn to_c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the path contains a zero byte"))
}

/// See the module page.
#[derive(Debug)]
pub(crate) struct Open {
    path: CString,
    /// As for open(2).
    flags: libc::c_int,
    mode: libc::mode_t,
}

impl Open {
    /// Opens `path` with the flags and, should it be created, the mode of open(2).
    pub(crate) fn new(path: CString, flags: libc::c_int, mode: libc::mode_t) -> Self {
        Self { path, flags: flags | libc::O_CLOEXEC, mode }
    }
}

impl Operation for Open {
    type Output = io::Result<OwnedFd>;

    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let folder = io_uring::types::Fd(libc::AT_FDCWD);
        io_uring::opcode::OpenAt::new(folder, self.path.as_ptr()).flags(self.flags).mode(self.mode).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        if self.flags & (libc::O_CREAT | libc::O_TRUNC) != 0 {
            return not_at_once();
        }
        // Non-blocking, for a FIFO's or a device's open may wait too.
        let how = [(self.flags | libc::O_NONBLOCK) as u64, 0, libc::RESOLVE_CACHED];
        let opened = uninterrupted(|| {
            // SAFETY: path and structure (three 64-bit words: flags, mode, resolve) outlive the call.
            let fd = unsafe { libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, self.path.as_ptr(), how.as_ptr(), size_of_val(&how)) };
            u32::try_from(fd).map_err(|_| io::Error::last_os_error())
        });
        match opened {
            Ok(fd) => {
                // SAFETY: a descriptor of our own; takes no pointer. It cannot fail: the file was opened with these flags.
                unsafe { libc::fcntl(fd as libc::c_int, libc::F_SETFL, self.flags) };
                Ok(fd)
            }
            // The file is there or is not: the answer is the same on any way.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EACCES | libc::ENOTDIR | libc::EISDIR)) => Err(error),
            Err(_) => not_at_once(),
        }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        // SAFETY: the kernel made this descriptor for us; the result is completed once, so nobody else owns it.
        result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
    }
}

impl FileOperation for Open {
    fn code(&self) -> u8 {
        io_uring::opcode::OpenAt::CODE
    }

    fn block(self) -> Self::Output {
        let opened = uninterrupted(|| {
            // SAFETY: the path outlives the call.
            let fd = unsafe { libc::open(self.path.as_ptr(), self.flags, self.mode) };
            u32::try_from(fd).map_err(|_| io::Error::last_os_error())
        });
        self.complete(opened)
    }
}
