//! The folder of a trial: made by it, and removed with what the trial made in it, however the trial ends.
//!
//! ```text
//!  zokio-bench-work-PID-TIME/          a name of its own, mode 0700, below the folder of the scenario's key `dir`
//!  ├── made.txt                        locked (flock) while its process lives; a line for each name, written before the file is made
//!  └── data-0, …                       what the lines name
//! ```
//! | the trial ends | who removes the folder |
//! |---|---|
//! | in peace, with an error, in a panic | its owner, when it is dropped |
//! | killed | [`sweep`]: by the orchestrator after a trial without a record, and before every run |
//!
//! Only names in the list are removed, none of them leads out of the folder, and nothing is removed recursively. A folder whose list is
//! locked belongs to a living process and is left alone; the lock ends with its process, so no process id is compared.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use zokio_report::schema::journal::Failure;

use super::file_system::FileSystem;
use crate::workload::storage::{FilesNeeded, Storage};

/// How the folders are named, before what makes each unique.
const PREFIX: &str = "zokio-bench-work-";
/// The list of what was made.
const LIST: &str = "made.txt";
/// A list is never longer: what is, was not written here.
const LIST_BYTES_MAX: u64 = 16 << 20;
/// Another process may sweep between two steps of making a folder; it then is made again.
const ATTEMPTS: u32 = 16;
/// Room that a file system needs beside the bytes of the files.
const SPARE_BYTES: u64 = 16 << 20;

/// The folder of a trial. Dropping it removes what was made in it, and itself.
#[derive(Debug)]
pub struct WorkFolder {
    path: PathBuf,
    file_system: FileSystem,
    list: Mutex<File>,
}

/// The folder that the scenario names, or the system's for temporary files.
pub fn parent(storage: &Storage) -> PathBuf {
    storage.dir.as_ref().map_or_else(temporary, PathBuf::from)
}

/// `TMPDIR`, else `/tmp`; on systems that keep `/tmp` in memory `/var/tmp`, which outlives a boot and so is on a disk.
fn temporary() -> PathBuf {
    let default = std::env::temp_dir();
    let is_in_memory = |folder: &Path| FileSystem::of(folder).is_ok_and(|found| found.is_memory());
    if std::env::var_os("TMPDIR").is_some() || !is_in_memory(&default) {
        return default;
    }
    let lasting = PathBuf::from("/var/tmp");
    if FileSystem::of(&lasting).is_ok_and(|found| !found.is_memory()) { lasting } else { default }
}

/// What is wrong with a place for files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace {
    /// `no-space`, or `work-folder` for the rest.
    pub class: &'static str,
    /// What is wrong.
    pub message: String,
    /// What would mend it.
    pub help: String,
}

impl From<NoPlace> for Failure {
    fn from(found: NoPlace) -> Self {
        Self { class: found.class.into(), message: format!("{}; {}", found.message, found.help) }
    }
}

/// Checks that the files a trial needs have room where they shall be; the file system there.
///
/// # Errors
/// There is no such folder, or too little room.
pub fn check(needed: FilesNeeded<'_>) -> Result<FileSystem, NoPlace> {
    let parent = parent(needed.storage);
    let help = "choose another folder with the key `dir` of the workload, or TMPDIR";
    let wrong = |class, message| NoPlace { class, message, help: help.into() };
    let found =
        FileSystem::of(&parent).map_err(|error| wrong("work-folder", format!("no files can be made in {}: {error}", parent.display())))?;
    let wanted = needed.bytes.saturating_add(SPARE_BYTES);
    if found.free_bytes < wanted {
        let (wanted, free) = (wanted >> 20, found.free_bytes >> 20);
        return Err(wrong("no-space", format!("the files need {wanted} MiB, {} has {free} MiB free", parent.display())));
    }
    Ok(found)
}

impl WorkFolder {
    /// Makes a folder where the scenario says, if there is room for what is needed.
    ///
    /// # Errors
    /// Class `no-space` or `work-folder`.
    pub fn create(needed: FilesNeeded<'_>) -> Result<Self, Failure> {
        let file_system = check(needed)?;
        let parent = parent(needed.storage);
        let mut last = io::Error::from(io::ErrorKind::Interrupted);
        for _ in 0..ATTEMPTS {
            let path = parent.join(unique_name());
            match make(&path) {
                Ok(Some(list)) => return Ok(Self { path, file_system, list: Mutex::new(list) }),
                Ok(None) => {}
                Err(error) => last = error,
            }
        }
        Err(failure(&format!("cannot make a folder in {}", parent.display()), &last))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file system it is on.
    pub fn file_system(&self) -> &FileSystem {
        &self.file_system
    }

    /// The path for a file of this plain name (letters, digits, `-`), which is noted before it is handed out.
    ///
    /// # Errors
    /// Class `work-folder`: the list cannot be written.
    ///
    /// # Panics
    /// On a name that is not plain.
    pub fn claim(&self, name: &str) -> Result<PathBuf, Failure> {
        assert!(is_plain(name), "`{name}` is not a plain name");
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.write_all(format!("{name}\n").as_bytes()).map_err(|error| failure("cannot note a file's name", &error))?;
        Ok(self.path.join(name))
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            eprintln!("warning: {} is left behind: {error}", self.path.display());
        }
    }
}

/// Removes the folders below `parent` whose processes ended without removing them; how many.
pub fn sweep(parent: &Path) -> usize {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    let abandoned = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        entry.file_name().to_str()?.starts_with(PREFIX).then(|| entry.path()).filter(|path| is_ours(path))
    };
    entries.filter_map(abandoned).filter(|path| sweep_one(path).unwrap_or(false)).count()
}

fn unique_name() -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{PREFIX}{}-{time:x}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// Makes the folder and its locked list; `None`: another process swept it away at once.
fn make(path: &Path) -> io::Result<Option<File>> {
    create_private(path)?;
    let list = match OpenOptions::new().read(true).append(true).create_new(true).open(path.join(LIST)) {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A sweeper that was faster holds the lock, or has unlinked what is locked here.
    let is_kept = list.try_lock().is_ok() && fs::exists(path.join(LIST))?;
    Ok(is_kept.then_some(list))
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A folder, no link to one, that this user made.
fn is_ours(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    let is_own = std::os::unix::fs::MetadataExt::uid(&found) == rustix::process::geteuid().as_raw();
    #[cfg(not(unix))]
    let is_own = true;
    found.is_dir() && is_own
}

fn sweep_one(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().read(true).open(path.join(LIST)) {
        Ok(list) if list.try_lock().is_err() => return Ok(false),
        Ok(_list) => remove(path)?,
        // Its process ended between its first and its second step, or before its last: there is nothing in it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir(path)?,
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// Removes the files of the list, the list, and the folder; what others put there stays, and the folder with it.
fn remove(path: &Path) -> io::Result<()> {
    let mut names = String::new();
    File::open(path.join(LIST))?.take(LIST_BYTES_MAX).read_to_string(&mut names)?;
    for name in names.lines().filter(|name| is_plain(name)) {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_file(path.join(LIST))?;
    fs::remove_dir(path)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn failure(what: &str, error: &io::Error) -> Failure {
    Failure { class: "work-folder".into(), message: format!("{what}: {error}") }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::workload::storage::CacheState;

    fn storage(parent: &Path) -> Storage {
        Storage { dir: Some(parent.to_str().expect("UTF-8").into()), cache: CacheState::Warm }
    }

    fn folder(storage: &Storage) -> WorkFolder {
        WorkFolder::create(FilesNeeded { storage, bytes: 1 }).expect("there is room")
    }

    fn count(parent: &Path) -> usize {
        fs::read_dir(parent).expect("it exists").count()
    }

    #[test]
    fn only_what_was_claimed_is_removed() {
        let parent = tempfile::tempdir().expect("a folder");
        let storage = storage(parent.path());
        let work = folder(&storage);
        fs::write(work.claim("data-0").expect("noted"), "x").expect("written");
        let unused = work.claim("data-1").expect("noted");
        assert!(!unused.exists() && work.file_system().free_bytes > 0);
        drop(work);
        assert_eq!(count(parent.path()), 0);

        let work = folder(&storage);
        fs::write(work.claim("data-0").expect("noted"), "x").expect("written");
        fs::write(work.path().join("foreign"), "y").expect("written");
        let path = work.path().to_owned();
        drop(work);
        assert_eq!(fs::read_dir(&path).expect("still there").count(), 1, "what others put there stays");
    }

    #[test]
    fn a_living_folder_is_left_alone_and_a_dead_one_is_swept() {
        let parent = tempfile::tempdir().expect("a folder");
        let storage = storage(parent.path());
        let alive = folder(&storage);
        let dead = folder(&storage);
        fs::write(dead.claim("data-0").expect("noted"), "x").expect("written");
        // As when the process was killed: the lock goes with its descriptor, nobody tidies up.
        let path = dead.path().to_owned();
        let list = dead.list.lock().expect("not poisoned").try_clone().expect("a descriptor");
        list.unlock().expect("ours");
        std::mem::forget(dead);
        fs::create_dir(parent.path().join(format!("{PREFIX}unfinished"))).expect("made");
        fs::create_dir(parent.path().join("foreign")).expect("made");
        assert_eq!(sweep(parent.path()), 2);
        assert!(alive.path().exists() && !path.exists() && parent.path().join("foreign").exists());
        drop(alive);
        assert_eq!(count(parent.path()), 1);
    }

    #[test]
    fn a_list_cannot_lead_out_of_its_folder() {
        let parent = tempfile::tempdir().expect("a folder");
        let precious = parent.path().join("precious");
        fs::write(&precious, "x").expect("written");
        let forged = parent.path().join(format!("{PREFIX}forged"));
        fs::create_dir(&forged).expect("made");
        fs::write(forged.join(LIST), "../precious\n/etc/hostname\n..\n").expect("written");
        std::os::unix::fs::symlink(parent.path(), parent.path().join(format!("{PREFIX}link"))).expect("linked");
        assert_eq!(sweep(parent.path()), 1);
        assert!(precious.exists() && !forged.exists());
    }

    #[test]
    fn a_place_without_room_is_refused_with_the_way_out() {
        let parent = tempfile::tempdir().expect("a folder");
        let storage = storage(parent.path());
        let refused = check(FilesNeeded { storage: &storage, bytes: u64::MAX }).expect_err("too much");
        assert_eq!(refused.class, "no-space");
        assert!(refused.message.contains("MiB free") && refused.help.contains("`dir`"), "{refused:?}");
        let nowhere = Storage { dir: Some("/no/such/folder".into()), ..storage };
        assert_eq!(WorkFolder::create(FilesNeeded { storage: &nowhere, bytes: 1 }).expect_err("nowhere").class, "work-folder");
    }
}
