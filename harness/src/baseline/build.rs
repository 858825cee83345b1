//! From a snapshot to an executable: written out at the one place, built, kept.
//!
//! Files that are the same in the tree before keep their times, so cargo builds again only what changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cache::{self, Cache, Kept, Locked};
use super::child::{self, Outputs};
use super::git::{Elsewhere, Repository};
use super::identity::{self, Subject};
use super::revision::{self, Snapshot};
use super::toolchain::{Features, Places, Toolchain};
use crate::error::CommandError;
use crate::orchestrate::progress::short_time;
use crate::subject::spawn::interrupt::Interrupt;

/// Lines of a compiler's error that are shown; the rest is in the log.
const ERROR_LINES_MAX: usize = 12;
/// Makes LLD keep what it links, for [`super::layout`]. It changes nothing about the executable, and other linkers do not know it.
pub(super) const KEEP_INPUTS: &str = "LLD_REPRODUCE";

/// What is built, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Cargo's name of the package.
    pub package: String,
    /// Its executable.
    pub binary: String,
    /// Its features.
    pub features: Features,
    /// The folder of all caches.
    pub cache: PathBuf,
}

impl Options {
    /// This program with its own features, kept where the environment says.
    ///
    /// # Errors
    /// There is no place to keep it.
    pub fn of_this_program() -> Result<Self, CommandError> {
        let name = env!("CARGO_PKG_NAME").to_owned();
        Ok(Self { package: name.clone(), binary: name, features: Features::of_this_program(), cache: cache::root()? })
    }
}

/// An executable made from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Where it is.
    pub executable: PathBuf,
    /// Its sha256: equal ones are the same program.
    pub sha256: String,
    /// What it was made from.
    pub snapshot: Snapshot,
    /// Seed of the order of its functions; `None`: as the linker left them.
    pub layout: Option<u32>,
    /// It was built now; otherwise the cache had it.
    pub is_fresh: bool,
}

impl Built {
    /// The subject `name` in it, described for the gate's result.
    ///
    /// # Errors
    /// It is no subject, or has no such one.
    pub fn subject(&self, name: &str, limit: Duration) -> Result<Subject, CommandError> {
        identity::of_build(&self.executable, &self.sha256, &self.snapshot, name, limit)
    }
}

/// What cargo made of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    /// In cargo's folder.
    pub(super) executable: PathBuf,
    /// It was linked now; otherwise cargo had it already.
    pub(super) is_linked: bool,
}

/// Builds the sides of a gate from one repository.
#[derive(Debug)]
pub struct Baseline<'a> {
    repository: Repository,
    pub(super) cache: Cache,
    pub(super) options: Options,
    pub(super) interrupt: &'a Interrupt,
}

impl<'a> Baseline<'a> {
    /// For the repository that `folder` is in; builds can be ended through `interrupt`.
    ///
    /// # Errors
    /// There is no repository, or no place for builds.
    pub fn new(folder: &Path, options: Options, interrupt: &'a Interrupt) -> Result<Self, CommandError> {
        let repository = Repository::of(folder)?;
        let cache = Cache::open(&options.cache, &repository)?;
        Ok(Self { repository, cache, options, interrupt })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The executable of a revision: anything git understands, or `merge-base:BRANCH`.
    ///
    /// # Errors
    /// No such revision, or it cannot be built; then the message has the compiler's first error and names the log.
    pub fn side_of_revision(&self, named: &str) -> Result<Built, CommandError> {
        let snapshot = revision::resolve(&self.repository, named)?;
        self.build(&self.cache.lock(self.interrupt)?, snapshot)
    }

    /// The executable of the files as they are, whether committed or not.
    ///
    /// # Errors
    /// They cannot be read or built.
    pub fn working_tree(&self) -> Result<Built, CommandError> {
        let locked = self.cache.lock(self.interrupt)?;
        let scratch = self.cache.folder().join("index-of-files");
        let snapshot = revision::working_tree(&self.repository, &self.cache.objects(), &scratch)?;
        self.build(&locked, snapshot)
    }

    fn build(&self, locked: &Locked<'_>, snapshot: Snapshot) -> Result<Built, CommandError> {
        let (inside, toolchain) = self.prepare(&snapshot)?;
        let key = toolchain.key(&snapshot.tree, &self.arguments());
        if let Some(Kept { executable, sha256 }) = locked.find(&key, &self.options.binary) {
            return Ok(Built { executable, sha256, snapshot, layout: None, is_fresh: false });
        }
        let compiled = self.compile(&snapshot, &inside, &toolchain)?;
        let Kept { executable, sha256 } = locked.keep(&key, &self.options.binary, &compiled.executable)?;
        self.cache.keep_inputs(&sha256, compiled.is_linked);
        Ok(Built { executable, sha256, snapshot, layout: None, is_fresh: true })
    }

    /// Writes the snapshot out; where cargo is to run, and what it would use there.
    pub(super) fn prepare(&self, snapshot: &Snapshot) -> Result<(PathBuf, Toolchain), CommandError> {
        self.write_out(&snapshot.tree)?;
        let tree = self.cache.tree();
        // A folder that the revision does not have yet is no reason not to build it.
        let inside = self.repository.inside.ancestors().map(|inside| tree.join(inside)).find(|folder| folder.is_dir());
        let inside = inside.unwrap_or_else(|| tree.clone());
        let toolchain = Toolchain::find(Places { tree: &tree, inside: &inside, target: &self.cache.target() })?;
        Ok((inside, toolchain))
    }

    /// Compiles what [`Self::prepare`] wrote out.
    pub(super) fn compile(&self, snapshot: &Snapshot, inside: &Path, toolchain: &Toolchain) -> Result<Compiled, CommandError> {
        let (tree, target) = (self.cache.tree(), self.cache.target());
        let label = snapshot.label();
        let name: String = label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let (messages, log) = (self.cache.logs().join("messages.json"), self.cache.logs().join(format!("{name}.log")));
        let mut command = toolchain.cargo("build", Places { tree: &tree, inside, target: &target });
        command.args(self.arguments()).arg("--message-format=json-render-diagnostics").env(KEEP_INPUTS, self.cache.new_inputs());
        let _ = fs::remove_file(self.cache.new_inputs());
        let started = Instant::now();
        let outputs = Outputs { messages: &messages, log: &log };
        let status = child::run(&mut command, outputs, &format!("building {label}"), self.interrupt)?;
        let said = fs::read_to_string(&log).unwrap_or_default();
        if !status.success() {
            return Err(broken(&label, &first_error(&said), &log));
        }
        let artifacts = fs::read_to_string(&messages).unwrap_or_default();
        let Some(compiled) = compiled(&artifacts, &self.options.binary) else {
            let message = format!("error: package `{}` has no executable `{}`", self.options.package, self.options.binary);
            return Err(broken(&label, &message, &log));
        };
        eprintln!("built {label} ({})", short_time(started.elapsed()));
        Ok(compiled)
    }

    fn arguments(&self) -> Vec<String> {
        let Options { package, binary, features, .. } = &self.options;
        [format!("--package={package}"), format!("--bin={binary}")].into_iter().chain(features.arguments()).collect()
    }

    /// Makes the cache's tree the tree object: changed files are written, files that are too many are removed, others keep their times.
    fn write_out(&self, tree: &str) -> Result<(), CommandError> {
        let (files, index, objects) = (self.cache.tree(), self.cache.index(), self.cache.objects());
        let place = Elsewhere { index: &index, objects: &objects, files: Some(&files) };
        // A process that was killed left it; nobody else is here.
        let _ = fs::remove_file(index.with_extension("lock"));
        self.repository.ask_elsewhere(place, ["-c", "core.sparseCheckout=false", "read-tree", "--reset", "-u", tree])?;
        let strays = self.repository.ask_elsewhere(place, ["ls-files", "--others", "-z"])?;
        for stray in strays.split('\0').filter(|stray| !stray.is_empty()) {
            let path = files.join(stray);
            let removed = if stray.ends_with('/') { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| cache::refused("remove", &path, &error))?;
        }
        Ok(())
    }
}

fn broken(label: &str, error: &str, log: &Path) -> CommandError {
    CommandError::could_not_run(
        format!("{label} cannot be built\n{error}"),
        format!("all that cargo said is in {}; choose a revision that builds", log.display()),
    )
}

/// The first error in cargo's words, without what follows from it.
fn first_error(log: &str) -> String {
    let is_error = |line: &&str| line.starts_with("error:") || line.starts_with("error[");
    let from = log.lines().skip_while(|line| !is_error(line));
    let lines: Vec<&str> = from.take(ERROR_LINES_MAX).take_while(|line| !line.is_empty()).collect();
    if lines.is_empty() { log.lines().last().unwrap_or("error: cargo said nothing").to_owned() } else { lines.join("\n") }
}

/// The executable that cargo's messages name.
fn compiled(messages: &str, binary: &str) -> Option<Compiled> {
    let values = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut of_binary = values.filter(|value| value["target"]["name"] == binary);
    of_binary.find_map(|value| Some(Compiled { executable: value["executable"].as_str()?.into(), is_linked: value["fresh"] == false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_shown_and_no_more() {
        let log = "   Compiling x v0.1.0\nwarning: unused\n\nerror[E0308]: mismatched types\n --> src/main.rs:1:1\n\nerror: aborting\n";
        assert_eq!(first_error(log), "error[E0308]: mismatched types\n --> src/main.rs:1:1");
        assert_eq!(first_error("killed"), "killed");
        assert_eq!(first_error(""), "error: cargo said nothing");
    }

    #[test]
    fn the_executable_is_where_cargo_says() {
        let messages = concat!(
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"it\"},\"executable\":null}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"build-script\"},\"executable\":\"/other\"}\n",
            "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"it\"},\"fresh\":false,\"executable\":\"/a b/it\"}\n",
            "{\"reason\":\"build-finished\",\"success\":true}\n",
        );
        assert_eq!(compiled(messages, "it"), Some(Compiled { executable: "/a b/it".into(), is_linked: true }));
        assert_eq!(compiled(&messages.replace("false", "true"), "it").map(|compiled| compiled.is_linked), Some(false));
        assert_eq!(compiled(messages, "that"), None);
    }
}
