//! What a gate compares, as git trees: a revision, and the working tree as it is.
//!
//! ```text
//!  REV, merge-base:BRANCH ──rev-parse──▶ commit ─▶ tree ─┐
//!                                                        ├─▶ Snapshot: one tree object, complete, by its hash
//!  files, uncommitted, untracked ──add to a copy ────────┘
//!                                  of the index, write-tree
//! ```
//!
//! `--base-rev REV` is the revision meant, nothing is guessed; the merge base has to be asked for by name (`merge-base:BRANCH`).
//! The working tree is read through a copy of its index: HEAD, index, stash, refs and files stay as they are. Files that git ignores are
//! not part of it, submodules are but a commit in it: their files are not written out.

use std::fs;
use std::io;
use std::path::Path;

use super::git::{Elsewhere, GitError, Repository};
use crate::error::CommandError;

/// How the form for the merge base begins.
const MERGE_BASE: &str = "merge-base:";
/// How the working tree is called.
pub const WORKING_TREE: &str = "working tree";
/// Letters of a commit that a person reads.
const SHORT: usize = 7;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Full hash.
    pub id: String,
    /// RFC 3339 date of the committer.
    pub committed_at: String,
    /// First line of its message.
    pub subject: String,
}

/// Source code at one point: all its files, by the hash of their tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As the user named it, or [`WORKING_TREE`].
    pub source: String,
    /// The tree object.
    pub tree: String,
    /// The commit it is, or, for the working tree, the one it started from.
    pub commit: Option<Commit>,
    /// The working tree differs from that commit; never for a revision.
    pub dirty: bool,
}

impl Snapshot {
    /// `base 1a2b3c4`, `working tree 1a2b3c4 with changes`: for progress and errors.
    pub fn label(&self) -> String {
        let short = self.commit.as_ref().map_or("", |commit| commit.id.get(..SHORT).unwrap_or(&commit.id));
        let name = if self.source == WORKING_TREE { WORKING_TREE } else { "base" };
        let changed = if self.dirty { " with changes" } else { "" };
        format!("{name} {short}{changed}").replace("  ", " ").trim_end().to_owned()
    }
}

/// The revision `named`: anything git understands, or `merge-base:BRANCH`.
///
/// # Errors
/// There is no such commit here; the message tells a shallow clone apart.
pub fn resolve(repository: &Repository, named: &str) -> Result<Snapshot, CommandError> {
    let commit = match named.strip_prefix(MERGE_BASE) {
        Some(branch) => {
            let tip = verify(repository, branch)?;
            repository.ask(["merge-base", &tip, "HEAD"]).map_err(|error| no_merge_base(repository, branch, error))?
        }
        None => verify(repository, named)?,
    };
    let (commit, tree) = describe(repository, &commit)?;
    Ok(Snapshot { source: named.to_owned(), tree, commit: Some(commit), dirty: false })
}

/// The working tree as it is now, with files not yet committed or added, as a tree in `objects`; `index` is scratch.
///
/// # Errors
/// A file cannot be read, or `objects` not be written to.
pub fn working_tree(repository: &Repository, objects: &Path, index: &Path) -> Result<Snapshot, CommandError> {
    // The copy knows what git knows of unchanged files, so that only changed ones are read.
    match fs::copy(&repository.index, index) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => drop(fs::remove_file(index)),
        Err(error) => {
            return Err(CommandError::could_not_run(format!("cannot copy git's index: {error}"), "make room in the cache folder"));
        }
        Ok(_) => {}
    }
    let place = Elsewhere { index, objects, files: None };
    let added = repository.ask_elsewhere(place, ["add", "--all", "--", "."]);
    let tree = added.and_then(|_| repository.ask_elsewhere(place, ["write-tree"]));
    let _ = fs::remove_file(index);
    let tree = tree.map_err(|error| match error {
        GitError::Failed(said) => CommandError::could_not_run(
            format!("git cannot take in the working tree: {said}"),
            "make the file readable, or name it in .gitignore",
        ),
        error => error.into(),
    })?;
    // A repository without a commit has files all the same.
    let head = verify(repository, "HEAD").ok().map(|head| describe(repository, &head)).transpose()?;
    let dirty = head.as_ref().is_none_or(|(_, committed)| *committed != tree);
    Ok(Snapshot { source: WORKING_TREE.into(), tree, commit: head.map(|(commit, _)| commit), dirty })
}

/// The full hash of a commit.
fn verify(repository: &Repository, named: &str) -> Result<String, CommandError> {
    let ask = |name: &str| repository.ask(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{name}^{{commit}}")]);
    match ask(named) {
        Ok(id) => Ok(id),
        Err(GitError::Failed(_)) => {
            let remote = format!("origin/{named}");
            let help = if is_shallow(repository) {
                "this clone is shallow: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout".to_owned()
            } else if ask(&remote).is_ok() {
                format!("did you mean `{remote}`?")
            } else {
                "`git fetch` it first, or look for its name with `git branch --all` and `git log`".to_owned()
            };
            Err(CommandError::could_not_run(format!("no revision `{named}` in this repository"), help))
        }
        Err(error) => Err(error.into()),
    }
}

fn describe(repository: &Repository, id: &str) -> Result<(Commit, String), CommandError> {
    let text = repository.ask(["show", "--no-patch", "--no-show-signature", "--format=%H%n%cI%n%T%n%s", id])?;
    let mut lines = text.lines().map(str::to_owned);
    let mut next = || lines.next().unwrap_or_default();
    let (id, committed_at, tree, subject) = (next(), next(), next(), next());
    Ok((Commit { id, committed_at, subject }, tree))
}

fn is_shallow(repository: &Repository) -> bool {
    repository.ask(["rev-parse", "--is-shallow-repository"]).is_ok_and(|answer| answer == "true")
}

fn no_merge_base(repository: &Repository, branch: &str, error: GitError) -> CommandError {
    match error {
        GitError::Failed(_) => {
            let help = if is_shallow(repository) {
                "this clone is shallow: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout"
            } else {
                "name a revision: --base-rev REV"
            };
            CommandError::could_not_run(format!("`{branch}` and HEAD have no commit in common here"), help)
        }
        error => error.into(),
    }
}
