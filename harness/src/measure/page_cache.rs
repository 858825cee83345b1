//! The page cache in the state that a scenario asks for, reached and then verified.
//!
//! | state | reached by | verified by |
//! |---|---|---|
//! | `warm` | one read of every byte, again where pages were reclaimed | all pages resident (mincore) before and after; the device read next to nothing |
//! | `cold` | fdatasync, posix_fadvise(DONTNEED), no read-ahead | no page resident before; the device read what was asked for |
//! | `direct` | as `cold`, and files opened with `O_DIRECT` | the flag read back from the descriptor; the device read what was asked for |
//!
//! What the device read is the kernel's own account of this process (`read_bytes` of /proc/self/io: what reached the block layer). A
//! state that was not reached, or did not last, is a failure of class `cache-state`, never another state.
//!
//! Invariants
//!  I1. A mapping made here is unmapped in the same function, and nothing but mincore looks at it.
#![expect(unsafe_code, reason = "mincore looks at a mapping, which std cannot make")]

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl};
use zokio_report::schema::journal::Failure;

use crate::workload::storage::{CacheState, Content};

/// A file is written and read in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// Least share of pages resident where all should be, in thousandths: the kernel may reclaim a page at any time.
const WARM_PERMILLE_MIN: u64 = 999;
/// So often files are read before the host is found unable to hold them.
const WARM_READS_MAX: u32 = 4;
/// Largest share resident where none should be: a page that is in use for a moment cannot be dropped.
const COLD_PERMILLE_MAX: u64 = 10;
/// Least share of the bytes asked for that the device read where it should read all, in thousandths: two users may share a page.
const DEVICE_PERMILLE_MIN: u64 = 950;
/// Largest share that it read where it should read nothing.
const CACHED_PERMILLE_MAX: u64 = 10;
/// Read besides by the process itself, as its own code on first use.
const BESIDE_BYTES: u64 = 8 << 20;

/// Files in a state, from before the first operation to after the last.
#[derive(Clone, Copy, Debug)]
pub struct CacheWatch {
    state: CacheState,
    resident_permille: u64,
    device_bytes: u64,
}

/// Makes a file that holds `content`, `bytes` long, and opens it for reading through the page cache.
///
/// # Errors
/// Class `work-folder`.
pub fn write_file(path: &Path, content: Content, bytes: u64) -> Result<File, Failure> {
    let written = || -> io::Result<File> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut offset = 0;
        while offset < bytes {
            let part = usize::try_from(bytes - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
            content.fill(&mut piece[..part], offset);
            file.write_all_at(&piece[..part], offset)?;
            offset += part as u64;
        }
        Ok(file)
    };
    written().map_err(|error| Failure { class: "work-folder".into(), message: format!("cannot write a file of {bytes} bytes: {error}") })
}

/// How the files of a state are opened for reading.
pub fn open_options(state: CacheState) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    if state == CacheState::Direct {
        options.custom_flags(libc::O_DIRECT);
    }
    options
}

/// Checks that a descriptor a subject reads from is opened as the state demands.
///
/// # Errors
/// Class `cache-state`.
pub fn check_descriptor(file: impl AsFd, state: CacheState) -> Result<(), Failure> {
    let flags = fcntl_getfl(file).map_err(|error| not_reached(state, &format!("the flags of a file cannot be read: {error}")))?;
    if flags.contains(OFlags::DIRECT) == (state == CacheState::Direct) {
        return Ok(());
    }
    Err(not_reached(state, &format!("a file was opened {} O_DIRECT", if state == CacheState::Direct { "without" } else { "with" })))
}

/// Tells the kernel that reads of this descriptor follow no order: no read-ahead.
///
/// # Errors
/// The system's.
pub fn expect_random(file: impl AsFd) -> io::Result<()> {
    fadvise(file, 0, None, Advice::Random).map_err(io::Error::from)
}

/// Writes back and drops the pages of a range; length 0: to the end of the file.
///
/// # Errors
/// The system's.
pub fn drop_range(file: impl AsFd, offset: u64, bytes: u64) -> io::Result<()> {
    fadvise(file, offset, std::num::NonZero::new(bytes), Advice::DontNeed).map_err(io::Error::from)
}

/// Share of the file's pages that are in the page cache, in thousandths.
///
/// # Errors
/// The system's.
pub fn resident_permille(file: &File) -> io::Result<u64> {
    let (resident, pages) = resident_pages(file)?;
    Ok((resident * 1000).checked_div(pages).unwrap_or(0))
}

fn resident_pages(file: &File) -> io::Result<(u64, u64)> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length == 0 {
        return Ok((0, 0));
    }
    let mut pages = vec![0_u8; length.div_ceil(rustix::param::page_size())];
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
    let mapping = unsafe { libc::mmap(std::ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
    if mapping == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is `length` long, and the vector has a byte for each of its pages (I1).
    let seen = unsafe { libc::mincore(mapping, length, pages.as_mut_ptr()) };
    let seen = if seen == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    // SAFETY: made above, and nothing refers to it (I1).
    unsafe { libc::munmap(mapping, length) };
    seen?;
    Ok((pages.iter().filter(|page| **page & 1 == 1).count() as u64, pages.len() as u64))
}

/// Bytes that this process had the block layer read so far; `None` where the kernel does not account for it.
fn device_read_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("read_bytes:"))?.trim().parse().ok()
}

impl CacheWatch {
    /// Brings files into the state and verifies it.
    ///
    /// # Shape
    /// `files` go through the page cache, whatever the state: the subject opens its own.
    ///
    /// # Errors
    /// Class `cache-state`.
    pub fn start(state: CacheState, files: &[File]) -> Result<Self, Failure> {
        let failed = |error: io::Error| not_reached(state, &error.to_string());
        let mut resident_permille = 0;
        for _ in 0..WARM_READS_MAX {
            files.iter().try_for_each(|file| bring(state, file)).map_err(failed)?;
            resident_permille = all_resident_permille(files).map_err(failed)?;
            if state != CacheState::Warm || resident_permille >= WARM_PERMILLE_MIN {
                break;
            }
        }
        judge_resident(state, resident_permille)?;
        let device_bytes = device_read_bytes().ok_or_else(|| not_reached(state, "the kernel does not tell what the device reads"))?;
        Ok(Self { state, resident_permille, device_bytes })
    }

    /// Verifies that the state lasted while the subject read `asked_bytes` of the files, and notes the evidence: `resident_permille_start`,
    /// `resident_permille_end`, `device_read_bytes`, `asked_bytes`.
    ///
    /// # Errors
    /// Class `cache-state`.
    pub fn finish(self, files: &[File], asked_bytes: u64, counters: &mut BTreeMap<String, u64>) -> Result<(), Failure> {
        let resident = all_resident_permille(files).map_err(|error| not_reached(self.state, &error.to_string()))?;
        let device_bytes = device_read_bytes().unwrap_or(0).saturating_sub(self.device_bytes);
        judge_device(self.state, device_bytes, asked_bytes)?;
        if self.state == CacheState::Warm {
            judge_resident(self.state, resident)?;
        }
        let noted = [
            ("resident_permille_start", self.resident_permille),
            ("resident_permille_end", resident),
            ("device_read_bytes", device_bytes),
            ("asked_bytes", asked_bytes),
        ];
        counters.extend(noted.map(|(name, value)| (name.to_owned(), value)));
        Ok(())
    }
}

fn bring(state: CacheState, file: &File) -> io::Result<()> {
    if state != CacheState::Warm {
        // Only what was written back can be dropped. What is warm stays in memory and need never see the disk: a trial is over long before
        // the kernel writes back by itself.
        file.sync_data()?;
        // Read-ahead would bring in pages that nobody asked for.
        expect_random(file)?;
        return drop_range(file, 0, 0);
    }
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset)? {
            0 => return Ok(()),
            count => offset += count as u64,
        }
    }
}

fn all_resident_permille(files: &[File]) -> io::Result<u64> {
    let (mut resident, mut pages) = (0, 0);
    for file in files {
        let (some, of) = resident_pages(file)?;
        (resident, pages) = (resident + some, pages + of);
    }
    Ok((resident * 1000).checked_div(pages).unwrap_or(0))
}

fn judge_resident(state: CacheState, permille: u64) -> Result<(), Failure> {
    let is_reached = if state == CacheState::Warm { permille >= WARM_PERMILLE_MIN } else { permille <= COLD_PERMILLE_MAX };
    let share = permille as f64 / 10.0;
    if is_reached { Ok(()) } else { Err(not_reached(state, &format!("{share} % of the pages are in the page cache"))) }
}

fn judge_device(state: CacheState, device_bytes: u64, asked_bytes: u64) -> Result<(), Failure> {
    let share = |permille: u64| (u128::from(asked_bytes) * u128::from(permille) / 1000) as u64;
    let is_kept = match state {
        CacheState::Warm => device_bytes <= share(CACHED_PERMILLE_MAX) + BESIDE_BYTES,
        CacheState::Cold | CacheState::Direct => device_bytes >= share(DEVICE_PERMILLE_MIN),
    };
    if is_kept {
        return Ok(());
    }
    Err(not_reached(state, &format!("{asked_bytes} bytes were asked for, and the device read {device_bytes}")))
}

fn not_reached(state: CacheState, why: &str) -> Failure {
    let message = format!(
        "the page cache is not in the state `{}`: {why}; choose a folder on a disk with the key `dir` of the workload, or TMPDIR",
        state.name()
    );
    Failure { class: "cache-state".into(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 8 << 20;

    fn file(folder: &Path, name: &str) -> File {
        write_file(&folder.join(name), Content::new(1, 0), BYTES).expect("there is room")
    }

    fn read(file: &File, bytes: u64) {
        let mut buffer = vec![0; 4096];
        for block in 0..bytes / 4096 {
            file.read_exact_at(&mut buffer, block * 4096 % BYTES).expect("it is as long");
            assert!(Content::new(1, 0).holds(&buffer, block * 4096 % BYTES));
        }
    }

    #[test]
    fn warm_and_cold_are_reached_and_verified() {
        let folder = tempfile::tempdir().expect("a folder");
        if super::super::file_system::FileSystem::of(folder.path()).expect("it exists").is_memory() {
            return;
        }
        let files = [file(folder.path(), "one"), file(folder.path(), "two")];
        let mut counters = BTreeMap::new();
        let warm = CacheWatch::start(CacheState::Warm, &files).expect("they are read");
        read(&files[0], BYTES);
        warm.finish(&files, BYTES, &mut counters).expect("nothing left the cache");
        assert!(counters["resident_permille_start"] >= WARM_PERMILLE_MIN && counters["resident_permille_end"] >= WARM_PERMILLE_MIN);

        let cold = CacheWatch::start(CacheState::Cold, &files).expect("they are dropped");
        read(&files[0], BYTES / 2);
        cold.finish(&files, BYTES / 2, &mut counters).expect("each page came from the device");
        // A quarter of the two files was read; a host short of memory may have taken some of its pages back.
        assert!(counters["resident_permille_start"] <= COLD_PERMILLE_MAX);
        assert!((200..=250).contains(&counters["resident_permille_end"]), "{counters:?}");
        // Tests beside this one read from the device too.
        assert!((BYTES / 2..=BYTES / 2 + BESIDE_BYTES).contains(&counters["device_read_bytes"]), "{counters:?}");
        drop_range(&files[0], 0, 0).expect("dropped");
        assert!(resident_permille(&files[0]).expect("seen") <= COLD_PERMILLE_MAX);
    }

    #[test]
    fn a_state_that_was_not_reached_or_did_not_last_is_told() {
        let cases = [
            (CacheState::Warm, 998, false),
            (CacheState::Warm, 1000, true),
            (CacheState::Cold, 10, true),
            (CacheState::Cold, 11, false),
            (CacheState::Direct, 500, false),
        ];
        for (state, permille, is_reached) in cases {
            assert_eq!(judge_resident(state, permille).is_ok(), is_reached, "{state:?} {permille}");
        }
        let cases = [
            (CacheState::Warm, 0, 1 << 30, true),
            (CacheState::Warm, 1 << 29, 1 << 30, false),
            (CacheState::Cold, 1 << 30, 1 << 30, true),
            (CacheState::Cold, 900 << 20, 1 << 30, false),
            (CacheState::Direct, 0, 1 << 30, false),
        ];
        for (state, device, asked, is_kept) in cases {
            let judged = judge_device(state, device, asked);
            assert_eq!(judged.is_ok(), is_kept, "{state:?} {device} of {asked}");
            assert!(judged.err().is_none_or(|failure| failure.class == "cache-state"));
        }
    }

    #[test]
    fn files_of_memory_cannot_be_cold() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        let files = [file(folder.path(), "one")];
        let failure = CacheWatch::start(CacheState::Cold, &files).expect_err("they are memory");
        assert_eq!(failure.class, "cache-state");
        CacheWatch::start(CacheState::Warm, &files).expect("they are always warm");
    }

    #[test]
    fn the_flag_of_direct_files_is_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let through_the_cache = file(folder.path(), "one");
        check_descriptor(&through_the_cache, CacheState::Warm).expect("no flag");
        assert_eq!(check_descriptor(&through_the_cache, CacheState::Direct).expect_err("no flag").class, "cache-state");
        if let Ok(direct) = open_options(CacheState::Direct).open(folder.path().join("one")) {
            check_descriptor(&direct, CacheState::Direct).expect("the flag is set");
            assert_eq!(check_descriptor(&direct, CacheState::Cold).expect_err("the flag is set").class, "cache-state");
        }
    }
}
