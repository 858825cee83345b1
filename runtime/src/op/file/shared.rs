//! A file shared by its handle and by its operations in flight: closed when the last of them is done.
#![expect(unsafe_code, reason = "preadv2 and pwritev2 with the flag that std does not offer")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::not_at_once;
use crate::op::{counted, uninterrupted};

/// What direct I/O demands of a file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DirectAlignment {
    /// Of a buffer's address.
    pub(crate) memory: u64,
    /// Of offset and length.
    pub(crate) offset: u64,
}

/// A counted reference to a file.
#[derive(Debug, Clone)]
pub(crate) struct SharedFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    direct: Option<DirectAlignment>,
    /// Whether the file system answers at once what it can. Learnt from its first refusal; Relaxed: only a hint.
    reads_at_once: AtomicBool,
    writes_at_once: AtomicBool,
}

impl SharedFile {
    /// Takes over `file`; with an alignment if it was opened for direct I/O.
    pub(crate) fn new(file: File, direct: Option<DirectAlignment>) -> Self {
        // "At once" would wait for the device: the kernel only refuses to wait for locks and allocation there.
        let at_once = || AtomicBool::new(direct.is_none());
        Self(Arc::new(Inner { file, direct, reads_at_once: at_once(), writes_at_once: at_once() }))
    }

    pub(crate) fn get(&self) -> &File {
        &self.0.file
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.file.as_raw_fd()
    }

    pub(crate) fn direct(&self) -> Option<DirectAlignment> {
        self.0.direct
    }

    /// The descriptor alone, if no operation and no other handle shares it.
    pub(crate) fn into_sole(self) -> Option<OwnedFd> {
        Arc::into_inner(self.0).map(|inner| inner.file.into())
    }

    /// Reads what is in memory already.
    ///
    /// # Safety
    /// The vectors lead to memory that may be written and is nobody else's.
    pub(super) unsafe fn read_cached(&self, vectors: &[libc::iovec], offset: u64) -> io::Result<u32> {
        // SAFETY: the caller's promise.
        self.at_once(&self.0.reads_at_once, || unsafe { transfer(libc::SYS_preadv2, self.fd(), vectors, offset) })
    }

    /// Writes what needs neither the disk nor a lock.
    ///
    /// # Safety
    /// The vectors lead to initialized memory.
    pub(super) unsafe fn write_cached(&self, vectors: &[libc::iovec], offset: u64) -> io::Result<u32> {
        // SAFETY: the caller's promise.
        self.at_once(&self.0.writes_at_once, || unsafe { transfer(libc::SYS_pwritev2, self.fd(), vectors, offset) })
    }

    fn at_once(&self, offered: &AtomicBool, call: impl FnMut() -> io::Result<u32>) -> io::Result<u32> {
        if !offered.load(Ordering::Relaxed) {
            return not_at_once();
        }
        match uninterrupted(call) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
                offered.store(false, Ordering::Relaxed);
                not_at_once()
            }
            result => result,
        }
    }
}

/// preadv2 or pwritev2 with RWF_NOWAIT.
///
/// # Safety
/// The vectors are fit for the call.
unsafe fn transfer(call: libc::c_long, fd: RawFd, vectors: &[libc::iovec], offset: u64) -> io::Result<u32> {
    let (low, high) = (offset as libc::c_ulong, (offset >> 32) as libc::c_ulong);
    // The kernel takes the offset in two registers, of which it ignores the second where one holds 64 bits.
    // SAFETY: the caller's promise; the slice outlives the call.
    counted(unsafe { libc::syscall(call, fd, vectors.as_ptr(), vectors.len(), low, high, libc::RWF_NOWAIT) } as libc::ssize_t)
}
