//! The same on this repository, at its real size. Takes minutes: `cargo nextest run -p zokio-bench --test baseline --run-ignored only`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use zokio_bench::baseline::{Baseline, Built, Layouts, Options, cache};
use zokio_bench::error::CommandError;
use zokio_bench::subject::spawn::interrupt::Interrupt;

use crate::repository::git;

const LIMIT: Duration = Duration::from_secs(10);

fn timed(what: &str, result: impl FnOnce() -> Result<Built, CommandError>) -> Built {
    let started = Instant::now();
    let built = result().unwrap_or_else(|error| panic!("{what}: {error}"));
    println!("{what}: {:.1} s, {}, {}", started.elapsed().as_secs_f64(), if built.is_fresh { "built" } else { "kept" }, built.sha256);
    built
}

#[test]
#[ignore = "builds this repository twice or more"]
fn documents_make_no_difference_and_layouts_answer_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    git(folder.path(), &["clone", "--quiet", here.to_str().expect("UTF-8"), "clone"]);
    let clone = folder.path().join("clone");
    let interrupt = Interrupt::default();
    let at = if std::env::var_os(cache::VARIABLE).is_some() { cache::root().expect("named") } else { folder.path().join("cache") };
    let options = Options { cache: at, ..Options::of_this_program().expect("a home") };
    let baseline = Baseline::new(&clone, options, &interrupt).expect("a repository");

    let base = timed("base", || baseline.side_of_revision("HEAD"));
    for name in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "runtime/src/scheduler/README.md"] {
        let text = fs::read_to_string(clone.join(name)).expect("it is there");
        fs::write(clone.join(name), format!("{text}\nOne more line.\n")).expect("written");
    }
    let documents = timed("documents changed", || baseline.working_tree());
    assert!(documents.snapshot.dirty);
    assert_eq!(documents.sha256, base.sha256);
    let older = std::env::var("ZOKIO_TEST_OLDER").unwrap_or_else(|_| "HEAD~1".into());
    let old = timed(&older, || baseline.side_of_revision(&older));
    println!("{:?}", old.subject("zokio", LIMIT).unwrap_or_else(|error| panic!("{error}")).side);
    let again = timed("base again", || baseline.side_of_revision("HEAD"));
    assert_eq!((again.is_fresh, &again.sha256), (false, &base.sha256));

    let side = base.subject("zokio", LIMIT).unwrap_or_else(|error| panic!("{error}")).side;
    println!("{side:?}");
    let started = Instant::now();
    match baseline.layouts(&base, 3).expect("the cache can be written to") {
        Layouts::Unavailable(reason) => {
            println!("no layouts: {reason}");
            let is_lld_default = cfg!(all(target_os = "linux", target_arch = "x86_64"));
            assert!(!is_lld_default, "{reason}");
        }
        Layouts::Built(layouts) => {
            println!("3 layouts: {:.1} s", started.elapsed().as_secs_f64());
            for layout in &layouts {
                let other = layout.subject("zokio", LIMIT).unwrap_or_else(|error| panic!("{error}")).side;
                assert_ne!(other.binary_sha256, side.binary_sha256);
                assert_eq!((other.version, other.build.flags), (side.version.clone(), side.build.flags.clone()));
            }
        }
    }
    // A file that git does not know makes a new build as well, and no trace of it is left after it.
    fs::write(clone.join("runtime/src/stray.rs"), "//! Not part of the crate.\n").expect("written");
    let stray = timed("a stray file", || baseline.working_tree());
    assert_eq!(stray.sha256, base.sha256);
}
