//! What the file system tells about a file.

use std::time::{Duration, SystemTime};

/// What the file system tells about a file.
#[derive(Clone)]
pub struct Metadata(pub(super) libc::statx);

impl Metadata {
    /// Bytes in the file.
    #[expect(clippy::len_without_is_empty, reason = "as in std: a folder has a length and is never empty")]
    pub fn len(&self) -> u64 {
        self.0.stx_size
    }

    /// Bytes that the file takes on the disk: less than [`len`](Self::len) if it has holes.
    pub fn allocated(&self) -> u64 {
        self.0.stx_blocks * 512
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind() == libc::S_IFREG
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }

    fn kind(&self) -> libc::mode_t {
        libc::mode_t::from(self.0.stx_mode) & libc::S_IFMT
    }

    /// Who may do what: the lower twelve bits of the mode.
    pub fn mode(&self) -> u32 {
        u32::from(self.0.stx_mode) & 0o7777
    }

    /// The file's number in its file system.
    pub fn ino(&self) -> u64 {
        self.0.stx_ino
    }

    /// When its content was last changed.
    pub fn modified(&self) -> SystemTime {
        time(self.0.stx_mtime)
    }

    /// When it was last read, as far as the file system keeps count.
    pub fn accessed(&self) -> SystemTime {
        time(self.0.stx_atime)
    }

    /// When it was made, if the file system knows.
    pub fn created(&self) -> Option<SystemTime> {
        (self.0.stx_mask & libc::STATX_BTIME != 0).then(|| time(self.0.stx_btime))
    }
}

fn time(stamp: libc::statx_timestamp) -> SystemTime {
    let whole = Duration::from_secs(stamp.tv_sec.unsigned_abs());
    let second = if stamp.tv_sec < 0 { SystemTime::UNIX_EPOCH - whole } else { SystemTime::UNIX_EPOCH + whole };
    second + Duration::from_nanos(stamp.tv_nsec.into())
}

impl std::fmt::Debug for Metadata {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metadata")
            .field("len", &self.len())
            .field("mode", &self.mode())
            .field("modified", &self.modified())
            .finish_non_exhaustive()
    }
}
