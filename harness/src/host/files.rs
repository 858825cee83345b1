//! Reading a host's files below a root, and keeping account of what could not be read and why.
//!
//! Every reader of the profile goes through [`HostFiles`], so tests feed trees (a container, a board, a machine without `/sys`), and no
//! fact is missing without a note.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A file is read to here and no further: nothing we read of a kernel is longer.
const BYTES_MAX: u64 = 1 << 22;

/// The files of a host, with notes on what was not there.
#[derive(Debug)]
pub struct HostFiles {
    root: PathBuf,
    notes: Vec<String>,
    absent: BTreeSet<String>,
}

impl HostFiles {
    /// The files of this host.
    pub fn system() -> Self {
        Self::below(Path::new("/"))
    }

    /// The files of a tree laid out like `/`.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf(), notes: Vec::new(), absent: BTreeSet::new() }
    }

    /// Whether this is the host itself, so that system calls may be asked too.
    pub fn is_system(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Where `path` (written from `/`) lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The trimmed text of `path`; a note `fact: /path: reason` when it cannot be read.
    pub fn text(&mut self, fact: &str, path: &str) -> Option<String> {
        match self.read(path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.missing(fact, path, &error);
                None
            }
        }
    }

    /// As [`HostFiles::text`], parsed; a note too when the text is no such value.
    pub fn parsed<T: FromStr>(&mut self, fact: &str, path: &str) -> Option<T> {
        let text = self.text(fact, path)?;
        let value = text.parse().ok();
        if value.is_none() {
            self.note(format!("{fact}: {path}: not understood"));
        }
        value
    }

    /// The trimmed text of `path`, without a note: for one of several places a fact may be in.
    pub fn look(&self, path: &str) -> Option<String> {
        self.read(path).ok()
    }

    /// Whether `path` exists.
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The names in the folder `path`, sorted; empty when it cannot be read.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(path)).into_iter().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Adds a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Notes that `fact` is not in any of the `places` (paths, the first decides) it could be in.
    pub fn nowhere(&mut self, fact: &str, places: &str) {
        self.absent_below(fact, places);
        self.note(format!("{fact}: {places}: not found"));
    }

    /// Records that the host is known not to have `fact`, where that needs no note (a control group without a limit).
    pub fn known_absent(&mut self, fact: &str) {
        self.absent.insert(fact.to_owned());
    }

    /// The notes so far.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Facts this host is known not to have (a virtual machine has no governor), as opposed to facts that could not be read.
    pub fn absent(&self) -> &BTreeSet<String> {
        &self.absent
    }

    fn missing(&mut self, fact: &str, path: &str, error: &io::Error) {
        if error.kind() == io::ErrorKind::NotFound {
            self.absent_below(fact, path);
        }
        self.note(format!("{fact}: {path}: {}", reason(error)));
    }

    /// A file that is not there is knowledge only where its file system is.
    fn absent_below(&mut self, fact: &str, path: &str) {
        let file_system = path.split('/').nth(1).unwrap_or("");
        if !self.names(file_system).is_empty() {
            self.absent.insert(fact.to_owned());
        }
    }

    fn read(&self, path: &str) -> io::Result<String> {
        use std::io::Read;
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path))?.take(BYTES_MAX).read_to_end(&mut bytes)?;
        // The device tree ends its strings with a NUL.
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').trim().to_owned())
    }
}

/// An error in a word or two, without the path and number that the system's own text carries.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "not found".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// A tree of files for tests.
#[cfg(test)]
pub(crate) struct TestTree(tempfile::TempDir);

#[cfg(test)]
impl TestTree {
    /// A tree of `(path, text)`.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{text}\n")).unwrap();
        }
        tree
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn files(&self) -> HostFiles {
        HostFiles::below(self.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_noted_with_its_path_and_reason() {
        let tree = TestTree::new(&[("proc/version", "Linux"), ("proc/number", "seven")]);
        let mut files = tree.files();
        assert_eq!(files.text("version", "/proc/version").as_deref(), Some("Linux"));
        assert_eq!(files.text("governor", "/sys/devices/governor"), None);
        assert_eq!(files.text("boost", "/proc/boost"), None);
        assert_eq!(files.parsed::<u32>("number", "/proc/number"), None);
        assert_eq!(
            files.notes(),
            ["governor: /sys/devices/governor: not found", "boost: /proc/boost: not found", "number: /proc/number: not understood"]
        );
        // /sys is not there at all, so nothing is known of the governor; /proc is, so the host has no boost.
        assert_eq!(files.absent().iter().map(String::as_str).collect::<Vec<_>>(), ["boost"]);
        assert!(!files.is_system() && HostFiles::system().is_system());
    }

    #[test]
    fn a_note_holds_no_path_of_the_tree() {
        let tree = TestTree::new(&[("proc/dir/file", "")]);
        let mut files = tree.files();
        assert_eq!(files.text("folder", "/proc/dir"), None);
        assert!(!files.notes()[0].contains(tree.root().to_str().unwrap()), "{:?}", files.notes());
    }

    #[test]
    fn the_nul_of_a_device_tree_is_not_part_of_the_text() {
        let tree = TestTree::new(&[]);
        std::fs::write(tree.root().join("model"), b"Raspberry Pi 4 Model B Rev 1.4\0").unwrap();
        assert_eq!(tree.files().look("/model").as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
    }
}
