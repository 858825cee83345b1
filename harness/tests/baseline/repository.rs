//! A repository with a program of a few lines, in a folder with a space in its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use zokio_bench::baseline::toolchain::Features;
use zokio_bench::baseline::{Baseline, Options};
use zokio_bench::subject::spawn::interrupt::Interrupt;

const MANIFEST: &str =
    "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[features]\ndefault = [\"more\"]\nmore = []\n[workspace]\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"tiny\"\nversion = \"0.1.0\"\n";

/// A program that is a subject by name alone; `ANSWER` is its version.
pub(crate) fn program(answer: u32) -> String {
    let functions: String = (0..12)
        .map(|number| format!("#[inline(never)] fn part_{number}(x: u64) -> u64 {{ std::hint::black_box(x * {number} + 1) }}\n"))
        .collect();
    let calls: String = (0..12).map(|number| format!("part_{number}(x) + ")).collect();
    format!(
        "{functions}fn main() {{\n    let x = std::env::args().count() as u64;\n    if {calls} 0 == 0 {{ panic!(\"never\") }}\n    \
         println!(r#\"{{{{\"protocol\":1,\"name\":\"tiny\",\"version\":\"1\",\"subjects\":[{{{{\"name\":\"tiny\",\"version\":\"{{}}\",\
         \"workloads\":[]}}}}]}}}}\"#, {answer} + cfg!(feature = \"more\") as u32);\n}}\n"
    )
}

/// Time and content of every file; git marks objects that it needs again with the time, and that is all it may do to them.
pub(crate) type Look = BTreeMap<PathBuf, (Option<SystemTime>, Vec<u8>)>;

/// The repository, and a cache beside it.
pub(crate) struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    /// One commit: the program with the answer 1, a README, and a list of files to ignore.
    pub(crate) fn new() -> Self {
        let repo = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(repo.path().join("src")).expect("made");
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        for (name, text) in [("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("README.md", "Tiny.\n"), (".gitignore", "/target\n*.tmp\n")] {
            repo.write(name, text);
        }
        repo.write("src/main.rs", &program(1));
        repo.commit("first");
        repo
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("a repository")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("a cache")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("written");
    }

    /// Commits all there is; its hash.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.path(), arguments)
    }

    /// Every file of the repository, `.git` too, with its time and content.
    pub(crate) fn look(&self) -> Look {
        let mut seen = BTreeMap::new();
        let mut folders = vec![self.path()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let is_object = path.starts_with(self.path().join(".git/objects"));
                let modified = fs::symlink_metadata(&path).and_then(|found| found.modified()).ok().filter(|_| !is_object);
                seen.insert(path.clone(), (modified, fs::read(&path).unwrap_or_default()));
            }
        }
        seen
    }

    /// The files that differ from an earlier look.
    pub(crate) fn changed_since(&self, before: &Look) -> Vec<PathBuf> {
        let now = self.look();
        let names: BTreeSet<&PathBuf> = before.keys().chain(now.keys()).collect();
        names.into_iter().filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
    }

    pub(crate) fn baseline<'a>(&self, interrupt: &'a Interrupt) -> Baseline<'a> {
        baseline(&self.path(), &self.cache(), interrupt)
    }
}

pub(crate) fn options(cache: &Path) -> Options {
    let features = Features { default: true, named: Vec::new() };
    Options { package: "tiny".into(), binary: "tiny".into(), features, cache: cache.into() }
}

pub(crate) fn baseline<'a>(folder: &Path, cache: &Path, interrupt: &'a Interrupt) -> Baseline<'a> {
    Baseline::new(folder, options(cache), interrupt).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let author = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").current_dir(folder).args(author).args(arguments).output().expect("git");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What the program says.
pub(crate) fn answer(executable: &Path) -> String {
    let output = Command::new(executable).output().expect("it runs");
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
