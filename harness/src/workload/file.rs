//! Whole files: read, written, copied, and sent over TCP.
//!
//! | mode | one operation | `via` |
//! |---|---|---|
//! | `read` | a file opened, read whole, closed | – |
//! | `write` | a file made or emptied, written whole, closed | – |
//! | `copy` | a file made or emptied, filled from another one | `read-write`, `copy-file-range` |
//! | `transfer` | a file asked for over a kept connection, opened, sent, closed by the server; received whole by the client | `read-write`, `splice`, `sendfile` |
//!
//! The files of a trial are dealt out to its users ([`Share`]), so nobody reads what another one writes. The content of a file follows from
//! the seed and a number; what is written or copied has another number in each round, so content left from the round before is no success.

use serde::{Deserialize, Serialize};

use super::storage::Storage;

/// Of so many written or copied files one is read back in the window; all that there are, at the end.
pub const READ_BACK_EVERY: u64 = 64;
/// Contents that written files have in turn.
pub const CONTENTS: u32 = 16;
/// Bytes that a request for a file takes: the file's number, little endian.
pub const REQUEST_BYTES: usize = 8;

/// The table `[scenario.file]`, as the subject gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWorkload {
    /// What an operation is.
    pub mode: FileMode,
    /// Bytes of each file.
    pub size: u64,
    /// Files of the trial; copies come on top.
    pub files: u32,
    /// Where they are, and how the page cache holds them.
    pub storage: Storage,
    /// How the bytes of a copy or a transfer go; `None` for the other modes.
    pub via: Option<Via>,
    /// What is certain when a write has ended.
    pub fsync: Fsync,
    /// `transfer`: connections open at the same time, one per user; 0 for the other modes.
    pub connections: u32,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileMode {
    /// Open, read whole, close.
    Read,
    /// Make or empty, write whole, close.
    Write,
    /// From file to file.
    Copy,
    /// From a file over TCP to a client.
    Transfer,
}

/// How bytes go from a file to where they are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// Read into memory and written from there.
    ReadWrite,
    /// From file to file inside the kernel.
    CopyFileRange,
    /// Through a pipe.
    Splice,
    /// From file to socket inside the kernel.
    Sendfile,
}

impl Via {
    /// The word in scenarios and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWrite => "read-write",
            Self::CopyFileRange => "copy-file-range",
            Self::Splice => "splice",
            Self::Sendfile => "sendfile",
        }
    }
}

/// What is certain when a write has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fsync {
    /// Other programs see it.
    None,
    /// It is on the disk: fsync before the close.
    End,
}

impl FileWorkload {
    /// The metric that is compared.
    pub const PRIMARY_METRIC: &'static str = "files_per_s";

    /// How we know that the work happened.
    pub fn witness(&self) -> &'static str {
        match self.mode {
            FileMode::Read => "every read gives the file's length and, byte for byte, the content that the seed gives it",
            FileMode::Write => {
                "content differs in each round; one write in 64 is read back and compared whole in the window, every file at the end"
            }
            FileMode::Copy => {
                "the source differs in each round; one copy in 64 is read back and compared whole in the window, every copy at the end"
            }
            FileMode::Transfer => {
                "the receiver compares every byte with the file's content; before the window it hashes what it receives of each file and \
                 compares with the file's own hash"
            }
        }
    }

    /// Bytes that all files need which exist at a time.
    pub fn bytes_needed(&self) -> u64 {
        let sets = if self.mode == FileMode::Copy { 2 } else { 1 };
        self.size.saturating_mul(self.files.into()).saturating_mul(sets)
    }

    /// The least CPU time of an operation, as [`Workload::floor`](super::Workload::floor) has it: its bytes are copied once at least by the one
    /// who reads or writes them, and twice by the one who does both. What the kernel copies may share its blocks, and costs a call.
    pub fn floor(&self) -> Vec<(&'static str, f64)> {
        let kib = self.size as f64 / 1024.0;
        let copies = match (self.mode, self.via) {
            (FileMode::Read | FileMode::Write, _) => 1.0,
            (FileMode::Copy, Some(Via::ReadWrite)) => 2.0,
            (FileMode::Copy, _) => return vec![("syscall_ns", 1.0)],
            // Judged by its connections: an exchange over loopback, and each byte copied once.
            (FileMode::Transfer, _) => return Vec::new(),
        };
        // A ring saves entries into the kernel; one for each operation is less than any loop here needs.
        vec![("memcpy_ns_per_kib", kib * copies)]
    }

    /// The files of one user.
    pub fn share(&self, user: u32, users: u32) -> Share {
        Share { user, users: users.max(1), files: self.files.max(1) }
    }
}

/// The files of one user: every so manieth of all, its own alone where there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    user: u32,
    users: u32,
    files: u32,
}

/// What the n-th operation of a user is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The file, from 0.
    pub file: u32,
    /// Its place among the files of the user.
    pub place: usize,
    /// How often the user has been through all of its files.
    pub round: u64,
    /// The file that a copy is made from: another one in each round, where the user has more than one.
    pub source: u32,
    /// A write or a copy: it is read back at once.
    pub is_read_back: bool,
}

impl Share {
    /// How many they are.
    pub fn count(self) -> u32 {
        (self.files - self.first()).div_ceil(self.users)
    }

    fn first(self) -> u32 {
        self.user % self.files
    }

    /// The file at a place.
    pub fn file(self, place: usize) -> u32 {
        self.first() + u32::try_from(place).unwrap_or(u32::MAX) * self.users
    }

    /// The n-th operation, from 0: one file after the other, round after round.
    pub fn turn(self, nth: u64) -> Turn {
        let count = u64::from(self.count());
        let place = usize::try_from(nth % count).unwrap_or(0);
        let round = nth / count;
        let source = self.file(usize::try_from((nth + round) % count).unwrap_or(0));
        Turn { file: self.file(place), place, round, source, is_read_back: nth % READ_BACK_EVERY == READ_BACK_EVERY - 1 }
    }
}

impl Turn {
    /// The content that a write gives its file.
    pub fn written(self) -> u32 {
        ((u64::from(self.file) + 1 + self.round) % u64::from(CONTENTS)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_belongs_to_one_user_and_comes_once_a_round() {
        for (files, users) in [(1, 1), (7, 1), (7, 3), (64, 64), (256, 32), (5, 5)] {
            let mut seen = vec![0; files as usize];
            for user in 0..users {
                let share = Share { user, users, files };
                let round = u64::from(share.count());
                for nth in 0..round {
                    seen[share.turn(nth).file as usize] += 1;
                    assert_eq!(share.turn(nth).round, 0);
                    assert_eq!(share.turn(nth + round).round, 1);
                    assert_eq!(share.turn(nth).file, share.turn(nth + round).file);
                }
            }
            assert!(seen.iter().all(|count| *count == 1), "{files} files, {users} users: {seen:?}");
        }
    }

    #[test]
    fn what_is_written_or_copied_differs_from_round_to_round() {
        let share = Share { user: 1, users: 2, files: 8 };
        for nth in 0..100 {
            let (now, next) = (share.turn(nth), share.turn(nth + u64::from(share.count())));
            assert_eq!(now.file, next.file);
            assert_ne!(now.written(), next.written());
            assert_ne!(now.source, next.source);
        }
    }

    #[test]
    fn one_operation_in_so_many_is_read_back() {
        let share = Share { user: 0, users: 1, files: 3 };
        assert_eq!((0..READ_BACK_EVERY * 5).filter(|nth| share.turn(*nth).is_read_back).count(), 5);
    }
}
