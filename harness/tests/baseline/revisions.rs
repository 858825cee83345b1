//! Which source is meant, and what is said where there is none.

use std::fs;
use std::path::{Path, PathBuf};

use zokio_bench::baseline::Baseline;
use zokio_bench::baseline::git::Repository;
use zokio_bench::baseline::revision::{self, WORKING_TREE};
use zokio_bench::subject::spawn::interrupt::Interrupt;

use crate::repository::{Repo, git, options, program};

fn repository(folder: &Path) -> Repository {
    Repository::of(folder).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_revision_is_a_full_commit_with_date_and_message() {
    let repo = Repo::new();
    let first = repo.git(&["rev-parse", "HEAD"]);
    repo.write("README.md", "Tiny, again.\n");
    repo.commit("second");
    let snapshot = revision::resolve(&repository(&repo.path().join("src")), "HEAD~1").expect("it is there");
    let commit = snapshot.commit.as_ref().expect("a revision is a commit");
    assert_eq!((commit.id.as_str(), commit.subject.as_str(), snapshot.dirty), (first.as_str(), "first", false));
    assert_eq!(snapshot.tree, repo.git(&["rev-parse", "HEAD~1^{tree}"]));
    assert_eq!(commit.committed_at, repo.git(&["show", "-s", "--format=%cI", "HEAD~1"]));
    assert_eq!(snapshot.label(), format!("base {}", &first[..7]));
}

#[test]
fn the_merge_base_is_used_when_it_is_asked_for() {
    let repo = Repo::new();
    let forked = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["checkout", "--quiet", "-b", "topic"]);
    repo.write("README.md", "Topic.\n");
    repo.commit("topic");
    repo.git(&["checkout", "--quiet", "main"]);
    repo.write("README.md", "Main.\n");
    let main = repo.commit("main");
    repo.git(&["checkout", "--quiet", "topic"]);
    let id = |named| revision::resolve(&repository(&repo.path()), named).expect("it is there").commit.expect("a commit").id;
    assert_eq!((id("merge-base:main"), id("main")), (forked, main));

    repo.git(&["checkout", "--quiet", "--orphan", "alone"]);
    repo.commit("alone");
    let error = revision::resolve(&repository(&repo.path()), "merge-base:main").expect_err("nothing in common");
    assert!(error.to_string().contains("`main` and HEAD have no commit in common"), "{error}");
}

#[test]
fn the_working_tree_is_seen_as_it_is_and_nothing_of_it_changes() {
    let repo = Repo::new();
    let clean = repo.git(&["rev-parse", "HEAD^{tree}"]);
    repo.write("README.md", "Stashed.\n");
    repo.git(&["stash", "--quiet"]);
    // Another time on an unchanged file: git's index is out of date, and must stay so.
    repo.write("Cargo.lock", &fs::read_to_string(repo.path().join("Cargo.lock")).expect("read"));
    let hook = repo.path().join(".git/hooks/post-index-change");
    fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    fs::write(&hook, "#!/bin/sh\ntouch hook-ran\n").expect("written");
    let made_executable = std::process::Command::new("chmod").arg("+x").arg(&hook).status();
    assert!(made_executable.expect("chmod").success());

    let (objects, index) = (repo.cache().join("objects"), repo.cache().join("index"));
    fs::create_dir_all(&objects).expect("made");
    let take = || {
        let before = repo.look();
        let snapshot = revision::working_tree(&repository(&repo.path()), &objects, &index).expect("it is there");
        assert_eq!(repo.changed_since(&before), [""; 0].map(PathBuf::from));
        snapshot
    };
    let unchanged = take();
    assert_eq!((unchanged.tree.as_str(), unchanged.dirty, unchanged.source.as_str()), (clean.as_str(), false, WORKING_TREE));
    repo.write("built.tmp", "ignored");
    assert_eq!(take().tree, clean);

    // Staged one way, then edited another way: the file on the disk counts.
    repo.write("src/main.rs", &program(2));
    repo.git(&["add", "src/main.rs"]);
    repo.write("src/main.rs", &program(3));
    let edited = take();
    assert!(edited.dirty && edited.tree != clean);
    repo.write("src/untracked.rs", "// new\n");
    let with_untracked = take();
    assert_ne!(with_untracked.tree, edited.tree);
    fs::remove_file(repo.path().join("README.md")).expect("removed");
    assert_ne!(take().tree, with_untracked.tree);
    assert!(with_untracked.label().ends_with(" with changes"), "{}", with_untracked.label());
}

#[test]
fn a_repository_without_a_commit_has_a_working_tree() {
    let repo = Repo::new();
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    fs::remove_dir_all(repo.path().join(".git")).expect("removed");
    repo.git(&["init", "--quiet"]);
    let (objects, index) = (repo.cache().join("objects"), repo.cache().join("index"));
    fs::create_dir_all(&objects).expect("made");
    let snapshot = revision::working_tree(&repository(&repo.path()), &objects, &index).expect("files");
    assert_eq!((snapshot.tree, snapshot.commit, snapshot.dirty), (tree, None, true));
}

#[test]
fn a_revision_that_is_not_here_is_told_with_the_way_to_it() {
    let repo = Repo::new();
    repo.write("README.md", "Second.\n");
    repo.commit("second");
    repo.git(&["branch", "release"]);
    let told = |folder: &Path, named: &str| {
        let error = revision::resolve(&repository(folder), named).expect_err("it is not there");
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    for named in ["no-such-branch", "--all", "HEAD~7", ""] {
        let text = told(&repo.path(), named);
        assert!(text.starts_with(&format!("error: no revision `{named}` in this repository")) && text.contains("git fetch"), "{text}");
    }
    let elsewhere = tempfile::tempdir().expect("a folder");
    let source = format!("file://{}", repo.path().display());
    git(elsewhere.path(), &["clone", "--quiet", "--depth=1", &source, "shallow"]);
    git(elsewhere.path(), &["clone", "--quiet", &source, "whole"]);
    let shallow = told(&elsewhere.path().join("shallow"), "HEAD~1");
    assert!(shallow.contains("shallow") && shallow.contains("fetch-depth: 0") && shallow.contains("git fetch --unshallow"), "{shallow}");
    let remote = told(&elsewhere.path().join("whole"), "release");
    assert!(remote.contains("did you mean `origin/release`?"), "{remote}");
}

#[test]
fn where_there_is_no_working_tree_the_remedy_is_told() {
    let repo = Repo::new();
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "--quiet", "--bare", "bare"]);
    let cases = [
        (folder.path().to_owned(), "is not in a git repository"),
        (folder.path().join("bare"), "is a bare repository"),
        (repo.path().join(".git"), "inside a repository's own folder"),
    ];
    for (place, expected) in cases {
        let error = Repository::of(&place).expect_err("there is none");
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains("help: "), "{text}");
        assert_eq!(error.exit_code(), 3);
    }
}

#[test]
fn a_cache_among_the_files_to_be_judged_is_refused() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let refused = Baseline::new(&repo.path(), options(&repo.path().join("builds")), &interrupt).expect_err("among the files");
    assert!(refused.to_string().contains("among the files to be judged"), "{refused}");
    Baseline::new(&repo.path(), options(&repo.path().join("target/builds")), &interrupt).expect("git ignores it");
}
