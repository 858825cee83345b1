//! git as a child process that reads a repository and changes nothing in it.
//!
//! What a caller's hook or shell says about other repositories is not passed on, no hook of the repository runs, and no lock is taken
//! where git can do without. New objects go to a folder of the cache, with the repository's own as alternates: a checkout that may not be
//! written to can be gated.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::CommandError;

/// Settings that would run programs of the repository, write beside the index, or leave files out.
const SETTINGS: [&str; 7] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "advice.addEmbeddedRepo=false",
    "gc.auto=0",
];

/// The repository of a working folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Top of the working tree.
    pub root: PathBuf,
    /// The working folder, from there.
    pub inside: PathBuf,
    /// What is this working tree's own: HEAD, index.
    pub git_dir: PathBuf,
    /// What all working trees share.
    pub common_dir: PathBuf,
    /// Where its objects are.
    pub objects: PathBuf,
    /// Its index; there may be none yet.
    pub index: PathBuf,
}

/// Index, objects and files of another place, for one command.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere<'a> {
    /// The index to read and write.
    pub index: &'a Path,
    /// Where new objects go.
    pub objects: &'a Path,
    /// The files; `None`: those of the working tree.
    pub files: Option<&'a Path>,
}

/// Why git did not answer.
#[derive(Debug)]
pub enum GitError {
    /// It could not be started.
    Start(io::Error),
    /// It failed, and said this.
    Failed(String),
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        match error {
            GitError::Start(error) if error.kind() == io::ErrorKind::NotFound => Self::could_not_run(
                "git is not installed, and a revision is read with it",
                "install git, or compare with an executable: --base-bin PATH",
            ),
            GitError::Start(error) => Self::could_not_run(format!("cannot start git: {error}"), "check that `git --version` works here"),
            GitError::Failed(said) => {
                Self::could_not_run(format!("git failed: {said}"), "check with `git status` that the repository is sound")
            }
        }
    }
}

impl Repository {
    /// The repository that `folder` is in.
    ///
    /// # Errors
    /// No git, no repository, one without a working tree, one that git does not trust.
    pub fn of(folder: &Path) -> Result<Self, CommandError> {
        let ask = |question: &[&str]| run(command(folder).arg("rev-parse").args(question));
        let is_bare = ask(&["--is-bare-repository"]).map_err(|error| no_repository(folder, error))?;
        if is_bare == "true" {
            return Err(CommandError::could_not_run(
                format!("{} is a bare repository: there is no working tree to be judged", folder.display()),
                "run the gate in a clone with files",
            ));
        }
        let answer = ask(&["--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"])
            .and_then(|places| {
                Ok(format!("{places}\n{}", ask(&["--path-format=absolute", "--git-path", "objects", "--git-path", "index"])?))
            })
            .map_err(|error| no_repository(folder, error))?;
        let inside = ask(&["--show-prefix"]).map_err(|error| no_repository(folder, error))?;
        let mut lines = answer.lines().map(PathBuf::from);
        let mut next = || lines.next().ok_or_else(|| CommandError::from(GitError::Failed("it did not tell its folders".into())));
        Ok(Self { root: next()?, inside: PathBuf::from(inside), git_dir: next()?, common_dir: next()?, objects: next()?, index: next()? })
    }

    /// What git says to `arguments`, without the line end.
    ///
    /// # Errors
    /// It cannot be started or fails.
    pub fn ask<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(&self, arguments: I) -> Result<String, GitError> {
        run(command(&self.root).args(arguments))
    }

    /// The same with index, objects and files of another place.
    ///
    /// # Errors
    /// It cannot be started or fails.
    pub fn ask_elsewhere<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(
        &self,
        place: Elsewhere<'_>,
        arguments: I,
    ) -> Result<String, GitError> {
        let files = place.files.unwrap_or(&self.root);
        let mut command = command(files);
        command.arg("--git-dir").arg(&self.git_dir).arg("--work-tree").arg(files);
        command.env("GIT_INDEX_FILE", place.index);
        command.env("GIT_OBJECT_DIRECTORY", place.objects).env("GIT_ALTERNATE_OBJECT_DIRECTORIES", list_entry(&self.objects));
        run(command.args(arguments))
    }
}

/// git in `folder`, reading that folder's repository alone.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    forget_repository(&mut command);
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").current_dir(folder).arg("--no-optional-locks");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
}

/// Takes the variables away by which a hook or a shell points git to another repository; settings (`safe.directory`) stay.
pub fn forget_repository(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("GIT_") && !text.starts_with("GIT_CONFIG") {
            command.env_remove(&name);
        }
    }
}

fn run(command: &mut Command) -> Result<String, GitError> {
    let output = command.output().map_err(GitError::Start)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.starts_with("fatal: ") || line.starts_with("error: ")).unwrap_or(said.trim());
    Err(GitError::Failed(if line.is_empty() { output.status.to_string() } else { line.to_owned() }))
}

/// A path as an entry of a list of paths: quoted, where the list's separator is in it.
fn list_entry(path: &Path) -> std::ffi::OsString {
    let text = path.to_string_lossy();
    if text.contains([':', '"', '\n']) { format!("{text:?}").into() } else { path.into() }
}

fn no_repository(folder: &Path, error: GitError) -> CommandError {
    match error {
        GitError::Failed(said) if said.contains("dubious ownership") => CommandError::could_not_run(
            format!("git does not trust {}: another user owns it", folder.display()),
            format!("git config --global --add safe.directory {}", folder.display()),
        ),
        GitError::Failed(said) if said.contains("not a git repository") => CommandError::could_not_run(
            format!("{} is not in a git repository, so it has no revisions", folder.display()),
            "run the gate inside the repository, or compare with an executable: --base-bin PATH",
        ),
        GitError::Failed(said) if said.contains("must be run in a work tree") => CommandError::could_not_run(
            format!("{} is inside a repository's own folder, not in its working tree", folder.display()),
            "run the gate where the files are",
        ),
        error => error.into(),
    }
}
