//! Changes of a folder's entries: make, rename, remove.

use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use io_uring::opcode;
use io_uring::types::Fd;

use super::{FileOperation, not_at_once};
use crate::op::{Interest, Operation, SharedSocket};

/// See the module page.
#[derive(Debug)]
pub(crate) enum FolderChange {
    /// Gives `from` the name `to`, which is replaced if it exists.
    Rename { from: CString, to: CString },
    /// Removes a file.
    RemoveFile(CString),
    /// Removes an empty folder.
    RemoveDir(CString),
    /// Makes a folder that anybody may use, less the process's umask.
    CreateDir(CString),
}

/// What anybody may do in a new folder, less the process's umask.
const FOLDER_MODE: libc::mode_t = 0o777;

const HERE: Fd = Fd(libc::AT_FDCWD);

fn as_path(path: &CString) -> &Path {
    OsStr::from_bytes(path.to_bytes()).as_ref()
}

impl Operation for FolderChange {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        match self {
            Self::Rename { from, to } => opcode::RenameAt::new(HERE, from.as_ptr(), HERE, to.as_ptr()).build(),
            Self::RemoveFile(path) => opcode::UnlinkAt::new(HERE, path.as_ptr()).build(),
            Self::RemoveDir(path) => opcode::UnlinkAt::new(HERE, path.as_ptr()).flags(libc::AT_REMOVEDIR).build(),
            Self::CreateDir(path) => opcode::MkDirAt::new(HERE, path.as_ptr()).mode(FOLDER_MODE).build(),
        }
    }

    fn attempt(&mut self) -> io::Result<u32> {
        not_at_once()
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}

impl FileOperation for FolderChange {
    fn code(&self) -> u8 {
        match self {
            Self::Rename { .. } => opcode::RenameAt::CODE,
            Self::RemoveFile(_) | Self::RemoveDir(_) => opcode::UnlinkAt::CODE,
            Self::CreateDir(_) => opcode::MkDirAt::CODE,
        }
    }

    fn block(self) -> Self::Output {
        match self {
            Self::Rename { from, to } => std::fs::rename(as_path(&from), as_path(&to)),
            Self::RemoveFile(path) => std::fs::remove_file(as_path(&path)),
            Self::RemoveDir(path) => std::fs::remove_dir(as_path(&path)),
            Self::CreateDir(path) => std::fs::create_dir(as_path(&path)),
        }
    }
}
