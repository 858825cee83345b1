//! What the file system knows of a file.
#![expect(unsafe_code, reason = "statx is not in std")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

use super::{DirectAlignment, FileOperation, SharedFile, not_at_once};
use crate::op::{Interest, Operation, SharedSocket, uninterrupted};

/// See the module page.
#[derive(Debug)]
pub(crate) struct Stat {
    place: Place,
    answer: Box<MaybeUninit<libc::statx>>,
}

#[derive(Debug)]
enum Place {
    File(SharedFile),
    Path(CString),
}

/// Everything that std tells, and the alignment of direct I/O.
const MASK: libc::c_uint = libc::STATX_BASIC_STATS | libc::STATX_BTIME | libc::STATX_DIOALIGN;

impl Place {
    /// Folder, path and flags of the call.
    fn arguments(&self) -> (libc::c_int, &CStr, libc::c_int) {
        match self {
            Self::File(file) => (file.fd(), c"", libc::AT_EMPTY_PATH),
            Self::Path(path) => (libc::AT_FDCWD, path, 0),
        }
    }

    fn stat(&self, flags: libc::c_int, answer: &mut MaybeUninit<libc::statx>) -> io::Result<u32> {
        let (folder, path, own_flags) = self.arguments();
        let answer = answer.as_mut_ptr();
        uninterrupted(|| {
            // SAFETY: path and answer outlive the call.
            let result = unsafe { libc::statx(folder, path.as_ptr(), flags | own_flags, MASK, answer) };
            if result == 0 { Ok(0) } else { Err(io::Error::last_os_error()) }
        })
    }
}

impl Stat {
    /// Of an open file.
    pub(crate) fn of_file(file: SharedFile) -> Self {
        Self { place: Place::File(file), answer: Box::new(MaybeUninit::zeroed()) }
    }

    /// Of the file that `path` leads to.
    pub(crate) fn of_path(path: CString) -> Self {
        Self { place: Place::Path(path), answer: Box::new(MaybeUninit::zeroed()) }
    }

    /// Bytes in `file` as this host knows it, without asking the server of a network file system; 0 if it knows nothing.
    pub(crate) fn length_hint(file: &SharedFile) -> u64 {
        let mut answer = MaybeUninit::zeroed();
        match Place::File(file.clone()).stat(libc::AT_STATX_DONT_SYNC, &mut answer) {
            // SAFETY: zeroed before, and filled by the call.
            Ok(_) => unsafe { answer.assume_init() }.stx_size,
            Err(_) => 0,
        }
    }
}

/// What direct I/O demands according to `answer`. A kernel before 6.1 does not say; 512 bytes are the least that any disk demands, and
/// it refuses itself what is not enough.
pub(crate) fn direct_alignment(answer: &libc::statx) -> DirectAlignment {
    let told = answer.stx_mask & libc::STATX_DIOALIGN != 0 && answer.stx_dio_offset_align > 0;
    match told {
        true => DirectAlignment { memory: answer.stx_dio_mem_align.into(), offset: answer.stx_dio_offset_align.into() },
        false => DirectAlignment { memory: 512, offset: 512 },
    }
}

impl Operation for Stat {
    type Output = io::Result<libc::statx>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let (folder, path, flags) = self.place.arguments();
        let answer = self.answer.as_mut_ptr().cast();
        io_uring::opcode::Statx::new(io_uring::types::Fd(folder), path.as_ptr(), answer).flags(flags).mask(MASK).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        not_at_once()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        // SAFETY: zeroed before, and filled by the kernel.
        result.map(|_| *unsafe { self.answer.assume_init() })
    }
}

impl FileOperation for Stat {
    fn code(&self) -> u8 {
        io_uring::opcode::Statx::CODE
    }

    fn block(mut self) -> Self::Output {
        let result = self.place.stat(0, &mut self.answer);
        self.complete(result)
    }
}
