//! Changes of an open file that are no reads or writes: its length, its room on the disk, what of it is safe.
#![expect(unsafe_code, reason = "fallocate is not in std")]

use std::io;

use io_uring::opcode;
use io_uring::types::{Fd, FsyncFlags};

use super::{FileOperation, SharedFile, not_at_once};
use crate::op::{Interest, Operation, SharedSocket, uninterrupted};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Change {
    file: SharedFile,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    SyncAll,
    SyncData,
    SetLen(u64),
    Allocate { offset: u64, length: u64 },
}

impl Change {
    /// Waits until data and metadata are on the disk.
    pub(crate) fn sync_all(file: SharedFile) -> Self {
        Self { file, what: What::SyncAll }
    }

    /// Waits until the data is on the disk, and of the metadata what reading it needs.
    pub(crate) fn sync_data(file: SharedFile) -> Self {
        Self { file, what: What::SyncData }
    }

    /// Cuts or extends the file.
    pub(crate) fn set_len(file: SharedFile, length: u64) -> Self {
        Self { file, what: What::SetLen(length) }
    }

    /// Reserves room on the disk, and extends the file if it ends before.
    pub(crate) fn allocate(file: SharedFile, offset: u64, length: u64) -> Self {
        Self { file, what: What::Allocate { offset, length } }
    }
}

impl Operation for Change {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let fd = Fd(self.file.fd());
        match self.what {
            What::SyncAll => opcode::Fsync::new(fd).build(),
            What::SyncData => opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(),
            What::SetLen(length) => opcode::Ftruncate::new(fd, length).build(),
            What::Allocate { offset, length } => opcode::Fallocate::new(fd, length).offset(offset).build(),
        }
    }

    fn attempt(&mut self) -> io::Result<u32> {
        not_at_once()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}

impl FileOperation for Change {
    fn code(&self) -> u8 {
        match self.what {
            What::SyncAll | What::SyncData => opcode::Fsync::CODE,
            What::SetLen(_) => opcode::Ftruncate::CODE,
            What::Allocate { .. } => opcode::Fallocate::CODE,
        }
    }

    fn block(self) -> Self::Output {
        match self.what {
            What::SyncAll => self.file.get().sync_all(),
            What::SyncData => self.file.get().sync_data(),
            What::SetLen(length) => self.file.get().set_len(length),
            What::Allocate { offset, length } => uninterrupted(|| {
                // SAFETY: takes no pointer.
                let result = unsafe { libc::fallocate64(self.file.fd(), 0, offset as libc::off64_t, length as libc::off64_t) };
                if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
            }),
        }
    }
}
