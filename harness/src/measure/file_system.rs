//! What is known of the file system below a folder: its name, and the room it has.

use std::io;
use std::path::Path;

/// Names by the number that statfs(2) tells (`linux/magic.h`). The driver of ext4 serves ext2 and ext3 too.
const NAMES: [(u64, &str); 16] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0xca45_1a4e, "bcachefs"),
    (0x794c_7630, "overlay"),
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0x6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x4d44, "vfat"),
    (0x2011_bab0, "exfat"),
    (0x7366_746e, "ntfs3"),
];

/// A file system, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// `ext4`, `tmpfs`, …; the number in hexadecimal where it has no name here.
    pub name: String,
    /// Bytes that this process may still write.
    pub free_bytes: u64,
}

impl FileSystem {
    /// The one below `path`.
    ///
    /// # Errors
    /// The system's, among them that there is no such path.
    #[cfg(target_os = "linux")]
    pub fn of(path: &Path) -> io::Result<Self> {
        let found = rustix::fs::statfs(path)?;
        // The field is a signed word of the platform's own size; the number is one of 32 bits.
        let magic = u64::from(found.f_type as u32);
        let name = NAMES.iter().find(|(known, _)| *known == magic).map_or_else(|| format!("{magic:#x}"), |(_, name)| (*name).into());
        let room = rustix::fs::statvfs(path)?;
        Ok(Self { name, free_bytes: room.f_bavail.saturating_mul(room.f_frsize) })
    }

    /// The one below `path`.
    ///
    /// # Errors
    /// Always: not read on this platform.
    #[cfg(not(target_os = "linux"))]
    pub fn of(_path: &Path) -> io::Result<Self> {
        let _ = NAMES;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether its files are memory: then nothing ever comes from a device.
    pub fn is_memory(&self) -> bool {
        ["tmpfs", "ramfs"].contains(&self.name.as_str())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn known_mounts_have_their_names() {
        assert_eq!(FileSystem::of(Path::new("/proc")).expect("mounted").name, "0x9fa0");
        if let Ok(shared) = FileSystem::of(Path::new("/dev/shm")) {
            assert_eq!((shared.name.as_str(), shared.is_memory()), ("tmpfs", true));
        }
        assert!(FileSystem::of(Path::new("/no/such/folder")).is_err());
    }
}
