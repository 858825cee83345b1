//! Where builds are made and kept, one folder per repository.
//!
//! ```text
//!  $ZOKIO_BENCH_CACHE, else $XDG_CACHE_HOME/zokio-bench, else ~/.cache/zokio-bench
//!  └── HASH of the repository's common folder/   all working trees of a repository share it
//!      ├── lock              one process at a time writes here
//!      ├── tree/ index       the source that is being built, always at this one path
//!      ├── target/           cargo's
//!      ├── objects/          git objects of files not yet committed
//!      ├── logs/             what cargo said last
//!      ├── links/SHA256.tar  what the linker was given for an executable
//!      └── bin/KEY/          an executable, its sha256, and when it was last used
//! ```
//!
//! An executable is written beside its place and renamed into it, and its hash is compared at each use: half a file is never run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::git::Repository;
use super::identity;
use crate::error::CommandError;
use crate::host::build::sha256_hex;
use crate::subject::spawn::interrupt::Interrupt;

/// Names the folder of all caches.
pub const VARIABLE: &str = "ZOKIO_BENCH_CACHE";
/// Executables kept for a repository.
const KEPT_MAX: usize = 20;
/// Inputs of the linker kept: they are large, and needed only until the layouts are made.
const LINKS_MAX: usize = 3;
/// Objects of uncommitted files are of use while they are being built.
const OBJECTS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often a waiting process tries the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);
/// Says to backup programs that all this can be made again (bford.info/cachedir).
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# Builds of zokio-bench gate; may be removed.\n";

/// The cache of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// A cache that no other process writes to.
#[derive(Debug)]
pub struct Locked<'a> {
    cache: &'a Cache,
    _lock: File,
}

/// An executable in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub executable: PathBuf,
    /// Its sha256.
    pub sha256: String,
}

/// The folder of all caches, from the environment.
///
/// # Errors
/// The environment names none.
pub fn root() -> Result<PathBuf, CommandError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The XDG specification ignores relative paths.
    let shared = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(variable("HOME")?.join(".cache")));
    variable(VARIABLE)
        .or_else(|| Some(shared?.join("zokio-bench")))
        .ok_or_else(|| CommandError::could_not_run("there is no home folder to keep builds in", format!("name a folder: {VARIABLE}=DIR")))
}

impl Cache {
    /// The cache of `repository` below `root`, made where it is missing.
    ///
    /// # Errors
    /// The folder cannot be made, or lies among the files to be judged.
    pub fn open(root: &Path, repository: &Repository) -> Result<Self, CommandError> {
        let root = std::path::absolute(root).map_err(|error| refused("find", root, &error))?;
        // git knows the repository by its real path.
        fs::create_dir_all(&root).map_err(|error| refused("make", &root, &error))?;
        let root = root.canonicalize().map_err(|error| refused("find", &root, &error))?;
        let is_inside = root.starts_with(&repository.root) && !root.starts_with(&repository.git_dir);
        if is_inside && repository.ask([Path::new("check-ignore"), Path::new("--quiet"), &root]).is_err() {
            return Err(CommandError::could_not_run(
                format!("the cache {} is among the files to be judged", root.display()),
                format!("name a folder outside of the repository, or one that git ignores: {VARIABLE}=DIR"),
            ));
        }
        let hash = sha256_hex(repository.common_dir.as_os_str().as_encoded_bytes());
        let cache = Self { folder: root.join(&hash[..16]) };
        for folder in [cache.tree(), cache.target(), cache.objects(), cache.logs(), cache.links(), cache.bin()] {
            fs::create_dir_all(&folder).map_err(|error| refused("make", &folder, &error))?;
        }
        let tag = root.join("CACHEDIR.TAG");
        if !tag.exists() {
            fs::write(&tag, TAG).map_err(|error| refused("write", &tag, &error))?;
        }
        Ok(cache)
    }

    /// What this repository's builds have for themselves.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The source that is being built.
    pub fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// git's index of [`Self::tree`].
    pub fn index(&self) -> PathBuf {
        self.folder.join("index")
    }

    /// Cargo's output.
    pub fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// New git objects.
    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// What cargo said.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Where the linker leaves what it is given now.
    pub fn new_inputs(&self) -> PathBuf {
        self.links().join("new.tar")
    }

    /// What the linker was given for the executable of this hash.
    pub fn inputs(&self, sha256: &str) -> PathBuf {
        self.links().join(format!("{sha256}.tar"))
    }

    /// It exists where the linker of this executable does not tell what it is given.
    pub fn no_inputs(&self, sha256: &str) -> PathBuf {
        self.links().join(format!("{sha256}.none"))
    }

    /// Where the inputs are unpacked.
    pub fn unpacked(&self) -> PathBuf {
        self.folder.join("unpacked")
    }

    /// Keeps what the linker was given for the executable of this hash, if it told; `is_linked`: it has been asked just now.
    ///
    /// Only the newest few are kept.
    pub fn keep_inputs(&self, sha256: &str, is_linked: bool) {
        // No build fails for want of them. A linker that does not tell is not asked again.
        if fs::rename(self.new_inputs(), self.inputs(sha256)).is_err() && is_linked {
            let _ = fs::write(self.no_inputs(sha256), "");
        }
        let made = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut kept: Vec<(SystemTime, PathBuf)> = entries(&self.links()).map(|path| (made(&path), path)).collect();
        kept.sort();
        kept.iter().rev().skip(LINKS_MAX).for_each(|(_, path)| drop(fs::remove_file(path)));
    }

    /// Takes the executable out of cargo's folder, so that it is linked again.
    pub fn forget_linked(&self, binary: &str) {
        let target = self.target();
        // `build.target` of a configuration file moves the output a folder down.
        let releases = entries(&target).chain([target]).map(|folder| folder.join("release"));
        let file = format!("{}-", binary.replace('-', "_"));
        // Without an extension: libraries and lists of sources stay.
        let is_linked =
            |path: &Path| path.extension().is_none() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&file));
        for release in releases {
            let linked = entries(&release.join("deps")).filter(|path| is_linked(path));
            linked.chain([release.join(binary)]).for_each(|path| drop(fs::remove_file(path)));
        }
    }

    fn links(&self) -> PathBuf {
        self.folder.join("links")
    }

    fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Waits until no other process builds here; says so when it has to wait.
    ///
    /// # Errors
    /// Interrupted while waiting, or the folder may not be written to.
    pub fn lock(&self, interrupt: &Interrupt) -> Result<Locked<'_>, CommandError> {
        let path = self.folder.join("lock");
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| refused("open", &path, &error))?;
        let mut is_told = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Locked { cache: self, _lock: lock }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(refused("lock", &path, &error)),
            }
            if interrupt.is_raised() {
                return Err(CommandError::Interrupted);
            }
            if !is_told {
                eprintln!("waiting for another gate that builds this repository");
                is_told = true;
            }
            std::thread::sleep(LOCK_INTERVAL);
        }
    }
}

impl Locked<'_> {
    /// The executable of this key, if it is there and whole; marks it as used.
    pub fn find(&self, key: &str, name: &str) -> Option<Kept> {
        let folder = self.cache.bin().join(key);
        let executable = folder.join(name);
        let sha256 = identity::sha256(&executable).ok()?;
        let is_whole = fs::read_to_string(folder.join("sha256")).is_ok_and(|noted| noted == sha256);
        is_whole.then(|| touch(&folder))?.ok()?;
        Some(Kept { executable, sha256 })
    }

    /// Keeps a copy of an executable under this key, and removes the longest unused beyond the limit.
    ///
    /// # Errors
    /// The file system refused.
    pub fn keep(&self, key: &str, name: &str, built: &Path) -> Result<Kept, CommandError> {
        let folder = self.cache.bin().join(key);
        let unfinished = self.cache.bin().join(".unfinished");
        let written = replace(&unfinished, &folder, name, built);
        let sha256 = written.map_err(|error| refused("write", &folder, &error))?;
        self.prune();
        Ok(Kept { executable: folder.join(name), sha256 })
    }

    /// Removes what has not been used for long. What cannot be removed takes up room, no more.
    fn prune(&self) {
        let used = |folder: &Path| fs::metadata(folder.join("used")).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let mut kept: Vec<(SystemTime, PathBuf)> = entries(&self.cache.bin()).map(|folder| (used(&folder), folder)).collect();
        kept.sort();
        kept.iter().rev().skip(KEPT_MAX).for_each(|(_, folder)| drop(fs::remove_dir_all(folder)));
        // Git writes the time of an object anew each time it needs it.
        let is_old = |path: &Path| {
            let age = fs::metadata(path).and_then(|found| found.modified()).map(|time| time.elapsed().unwrap_or_default());
            age.is_ok_and(|age| age > OBJECTS_AGE_MAX)
        };
        let objects = entries(&self.cache.objects()).flat_map(|folder| entries(&folder));
        objects.filter(|object| is_old(object)).for_each(|object| drop(fs::remove_file(object)));
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn replace(unfinished: &Path, folder: &Path, name: &str, built: &Path) -> io::Result<String> {
    for old in [unfinished, folder] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::create_dir(unfinished)?;
    let executable = unfinished.join(name);
    fs::copy(built, &executable)?;
    let sha256 = identity::sha256(&executable)?;
    fs::write(unfinished.join("sha256"), &sha256)?;
    touch(unfinished)?;
    fs::rename(unfinished, folder)?;
    Ok(sha256)
}

fn touch(folder: &Path) -> io::Result<()> {
    File::create(folder.join("used"))?.set_modified(SystemTime::now())
}

/// The file system refused something in the cache.
pub fn refused(operation: &str, path: &Path, error: &io::Error) -> CommandError {
    CommandError::could_not_run(
        format!("cannot {operation} {}: {error}", path.display()),
        format!("builds are kept in a folder that can be written to and has room: {VARIABLE}=DIR"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("made");
        let cache = Cache { folder: folder.path().into() };
        (folder, cache)
    }

    #[test]
    fn the_newest_are_kept_and_a_use_makes_new() {
        let (folder, cache) = cache();
        let built = folder.path().join("built");
        fs::write(&built, "x").expect("written");
        let locked = cache.lock(&Interrupt::default()).expect("free");
        for number in 0..KEPT_MAX {
            locked.keep(&format!("key-{number}"), "it", &built).expect("kept");
        }
        assert!(locked.find("key-0", "it").is_some());
        locked.keep("one-more", "it", &built).expect("kept");
        assert_eq!(entries(&cache.bin()).count(), KEPT_MAX);
        assert!(locked.find("key-0", "it").is_some(), "used a moment ago");
        assert!(locked.find("key-1", "it").is_none(), "the longest unused");
    }

    #[test]
    fn a_damaged_executable_is_not_found() {
        let (folder, cache) = cache();
        let built = folder.path().join("built");
        fs::write(&built, "x").expect("written");
        let locked = cache.lock(&Interrupt::default()).expect("free");
        let kept = locked.keep("key", "it", &built).expect("kept");
        assert_eq!(locked.find("key", "it"), Some(kept.clone()));
        fs::write(&kept.executable, "y").expect("written");
        assert_eq!(locked.find("key", "it"), None);
        assert_eq!(locked.keep("key", "it", &built).expect("kept anew"), kept);
    }

    #[test]
    fn whoever_waits_for_the_lock_can_be_interrupted() {
        let (_folder, cache) = cache();
        let held = cache.lock(&Interrupt::default()).expect("free");
        let interrupt = Interrupt::default();
        interrupt.raise();
        assert!(matches!(cache.lock(&interrupt), Err(CommandError::Interrupted)));
        drop(held);
        assert!(cache.lock(&interrupt).is_ok());
    }
}
