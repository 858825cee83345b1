//! What is built of it, and what is not built again.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use zokio_bench::baseline::toolchain::Features;
use zokio_bench::baseline::{Baseline, Built, identity};
use zokio_bench::error::CommandError;
use zokio_bench::subject::spawn::interrupt::Interrupt;

use crate::repository::{Repo, answer, baseline, git, options, program};

const LIMIT: Duration = Duration::from_secs(10);

fn built(result: Result<Built, CommandError>) -> Built {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_change_of_documents_gives_the_same_bytes_and_a_change_of_code_others() {
    let repo = Repo::new();
    // A generated file knows its own full path.
    let generated = "include!(concat!(env!(\"OUT_DIR\"), \"/generated.rs\"));\n";
    let generator = "std::env::var(\"OUT_DIR\").unwrap() + \"/generated.rs\", \"#[used] static PLACE: &str = file!();\"";
    repo.write("build.rs", &format!("fn main() {{ std::fs::write({generator}).unwrap() }}\n"));
    repo.write("src/main.rs", &format!("{generated}{}", program(1)));
    repo.commit("generated");
    repo.write("README.md", "Tiny, but well documented.\n");
    repo.commit("documents");
    repo.write("src/main.rs", &format!("{generated}{}", program(5)));
    repo.commit("code");
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let [first, documents, code] = ["HEAD~2", "HEAD~1", "HEAD"].map(|named| built(baseline.side_of_revision(named)));
    assert!(first.is_fresh && documents.is_fresh && code.is_fresh);
    assert_eq!(first.sha256, documents.sha256);
    assert_ne!(first.sha256, code.sha256);
    assert_eq!(answer(&first.executable), answer(&documents.executable));
    assert!(answer(&code.executable).contains("\"version\":\"6\""), "{}", answer(&code.executable));

    // And back: nothing of the build between is left in it.
    repo.git(&["checkout", "--quiet", "HEAD~2"]);
    repo.write("NOTES.md", "New.\n");
    let back = built(baseline.working_tree());
    assert!(back.is_fresh);
    assert_eq!(back.sha256, first.sha256);
    let bytes = fs::read(&back.executable).expect("read");
    let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(has("/target/release/build/tiny-"), "the path is there");
    assert!(!has(&repo.cache().to_string_lossy()), "the executable tells where it was built");
}

#[test]
fn the_working_tree_is_built_with_what_is_not_committed() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let base = built(baseline.side_of_revision("HEAD"));
    assert_eq!(built(baseline.working_tree()).sha256, base.sha256, "a clean tree is its commit");
    repo.write("src/main.rs", &format!("mod extra;\n{}", program(1).replace("1 + cfg!", "extra::EXTRA + cfg!")));
    repo.write("src/extra.rs", "pub const EXTRA: u32 = 40;\n");
    let before = repo.look();
    let candidate = built(baseline.working_tree());
    assert_eq!(repo.changed_since(&before), [""; 0].map(PathBuf::from));
    let subject = candidate.subject("tiny", LIMIT).unwrap_or_else(|error| panic!("{error}"));
    let side = subject.side;
    assert_eq!((side.source.as_str(), side.dirty, side.version.as_str()), ("working tree", Some(true), "41"));
    assert_eq!(side.revision, base.snapshot.commit.map(|commit| commit.id));
    assert_eq!(side.binary_sha256, identity::sha256(&candidate.executable).ok());
    // The file that is in no commit is gone from the cache's tree with the next build.
    built(baseline.side_of_revision("HEAD"));
    assert!(!baseline.cache().tree().join("src/extra.rs").exists());
}

#[test]
fn what_is_in_the_cache_is_not_built_again() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let first = built(repo.baseline(&interrupt).side_of_revision("HEAD"));
    let logs = repo.baseline(&interrupt).cache().logs();
    assert!(fs::read_dir(&logs).expect("logs").count() > 0);
    fs::remove_dir_all(&logs).expect("removed");
    // Of another working tree of the repository, under another name.
    let beside = repo.cache().with_file_name("beside");
    repo.git(&["worktree", "add", "--quiet", "--detach", beside.to_str().expect("UTF-8")]);
    let again = built(baseline(&beside, &repo.cache(), &interrupt).side_of_revision("main"));
    assert!(first.is_fresh && !again.is_fresh);
    assert_eq!((first.executable, first.sha256), (again.executable, again.sha256));
    assert_eq!(fs::read_dir(&logs).expect("made anew").count(), 0, "cargo was asked");
}

#[test]
fn other_features_are_another_build() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let with = built(repo.baseline(&interrupt).side_of_revision("HEAD"));
    let bare = zokio_bench::baseline::Options { features: Features { default: false, named: Vec::new() }, ..options(&repo.cache()) };
    let without = built(Baseline::new(&repo.path(), bare, &interrupt).expect("a repository").side_of_revision("HEAD"));
    assert!(answer(&with.executable).contains("\"version\":\"2\"") && answer(&without.executable).contains("\"version\":\"1\""));
}

#[test]
fn a_revision_that_does_not_build_is_told_and_nothing_is_lost() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let good = built(baseline.side_of_revision("HEAD"));
    repo.write("src/main.rs", "fn main() { let x: u32 = \"text\"; }\n");
    let broken = repo.commit("broken");
    let error = baseline.side_of_revision("HEAD").expect_err("it does not build");
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3);
    assert!(text.starts_with(&format!("error: base {} cannot be built\nerror[E0308]: mismatched types", &broken[..7])), "{text}");
    let log = text.rsplit_once(" is in ").and_then(|(_, rest)| rest.split_once(';')).expect("the log is named").0;
    assert!(fs::read_to_string(log).expect("the log").contains("E0308"));
    let again = built(baseline.side_of_revision("HEAD~1"));
    assert_eq!((again.is_fresh, again.sha256), (false, good.sha256));

    let other = zokio_bench::baseline::Options { package: "gone".into(), ..options(&repo.cache()) };
    let error =
        Baseline::new(&repo.path(), other, &interrupt).expect("a repository").side_of_revision("HEAD~1").expect_err("no such package");
    assert!(error.to_string().contains("`gone`"), "{error}");
}

#[test]
fn a_build_that_hangs_is_ended_by_the_interrupt() {
    let repo = Repo::new();
    repo.write("build.rs", "fn main() { std::fs::write(\"hanging\", \"\").unwrap(); loop { std::thread::park() } }\n");
    repo.commit("hangs");
    let interrupt = Interrupt::default();
    let raise = interrupt.clone();
    let baseline = repo.baseline(&interrupt);
    let hanging = baseline.cache().tree().join("hanging");
    let raiser = std::thread::spawn(move || {
        while !hanging.exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        raise.raise();
    });
    let error = baseline.side_of_revision("HEAD").expect_err("it hangs");
    raiser.join().expect("raised");
    assert!(matches!(error, CommandError::Interrupted) && error.exit_code() == 130, "{error}");
    // The lock is free, and what the killed build left does not disturb.
    assert!(baseline.cache().tree().join("hanging").exists());
    built(repo.baseline(&Interrupt::default()).side_of_revision("HEAD~1"));
    assert!(!baseline.cache().tree().join("hanging").exists(), "a file of another build lies among the source");
}

#[test]
fn two_builds_at_once_wait_for_each_other() {
    let repo = Repo::new();
    repo.write("src/main.rs", &program(7));
    repo.commit("second");
    let both = std::thread::scope(|scope| {
        let build = |named: &'static str| {
            let repo = &repo;
            scope.spawn(move || built(repo.baseline(&Interrupt::default()).side_of_revision(named)))
        };
        [build("HEAD"), build("HEAD~1"), build("HEAD")].map(|thread| thread.join().expect("built"))
    });
    let versions = both.each_ref().map(|built| answer(&built.executable).contains("\"version\":\"8\""));
    assert_eq!(versions, [true, false, true]);
    assert_eq!(both.iter().filter(|built| built.is_fresh).count(), 2, "the third finds what the first built");
}

#[test]
fn an_executable_that_is_given_is_described_without_its_folders() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let base = built(repo.baseline(&interrupt).side_of_revision("HEAD"));
    let given = format!("{}#tiny", base.executable.display());
    let side = identity::of_executable(&given, "zokio", LIMIT).unwrap_or_else(|error| panic!("{error}")).side;
    assert_eq!((side.source.as_str(), side.subject.as_str(), side.version.as_str()), ("tiny", "tiny", "2"));
    assert_eq!((side.binary_sha256, side.revision, side.dirty), (Some(base.sha256.clone()), None, None));
    let strange = identity::of_executable(&format!("{}#other", base.executable.display()), "zokio", LIMIT).expect_err("no such subject");
    assert!(strange.exit_code() == 3 && strange.to_string().contains("no subject `other`"), "{strange}");
    assert!(base.subject("other", LIMIT).expect_err("no such subject").to_string().contains("was built, but cannot be measured"));
}

#[test]
fn files_that_git_writes_differently_are_built_as_git_says() {
    let repo = Repo::new();
    git(&repo.path(), &["config", "core.autocrlf", "true"]);
    repo.write("src/main.rs", &program(1).replace('\n', "\r\n"));
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let candidate = built(baseline.working_tree());
    assert!(!candidate.snapshot.dirty, "line ends are no change");
    assert_eq!(candidate.sha256, built(baseline.side_of_revision("HEAD")).sha256);
}
