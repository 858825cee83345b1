//! Other layouts of a build: the same answer, the functions elsewhere.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use zokio_bench::baseline::{Built, Layouts};
use zokio_bench::subject::spawn::interrupt::Interrupt;

use crate::repository::{Repo, answer};

/// The program's own functions by address.
fn order(executable: &Path) -> Vec<String> {
    let output = Command::new("nm").arg("--numeric-sort").arg(executable).output().expect("nm, which comes with every C compiler");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.split_whitespace().nth(2)).filter(|name| name.contains("part_"));
    names.map(str::to_owned).collect()
}

fn layouts(found: Layouts) -> Vec<Built> {
    match found {
        Layouts::Built(layouts) => layouts,
        Layouts::Unavailable(reason) => panic!("{reason}"),
    }
}

#[test]
fn layouts_differ_in_the_order_of_functions_alone() {
    let repo = Repo::new();
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let base = baseline.side_of_revision("HEAD").unwrap_or_else(|error| panic!("{error}"));
    let three = layouts(baseline.layouts(&base, 3).expect("the cache can be written to"));
    assert_eq!(three.iter().map(|layout| layout.layout).collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
    let all: Vec<&Built> = std::iter::once(&base).chain(&three).collect();
    let orders: BTreeSet<Vec<String>> = all.iter().map(|built| order(&built.executable)).collect();
    assert_eq!(orders.len(), 4, "{orders:?}");
    let sorted: BTreeSet<Vec<String>> = orders
        .into_iter()
        .map(|mut names| {
            names.sort();
            names
        })
        .collect();
    assert_eq!(sorted.len(), 1, "the functions are the same ones");
    assert!(sorted.first().is_some_and(|names| names.len() == 12), "{sorted:?}");
    for layout in &three {
        assert_eq!(answer(&layout.executable), answer(&base.executable));
    }

    // Kept by seed; what the linker was given can be had again.
    let again = layouts(baseline.layouts(&base, 2).expect("cached"));
    assert!(again.iter().all(|layout| !layout.is_fresh));
    assert_eq!(again[1].sha256, three[1].sha256);
    fs::remove_dir_all(baseline.cache().folder().join("links")).expect("removed");
    let four = layouts(repo.baseline(&interrupt).layouts(&base, 4).expect("linked anew"));
    assert_eq!(four.iter().map(|layout| layout.is_fresh).collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn a_build_by_another_linker_has_no_layouts_and_says_why() {
    let repo = Repo::new();
    fs::create_dir(repo.path().join(".cargo")).expect("made");
    repo.write(".cargo/config.toml", "[build]\nrustflags = [\"-Clink-arg=-fuse-ld=bfd\"]\n");
    let interrupt = Interrupt::default();
    let baseline = repo.baseline(&interrupt);
    let base = baseline.working_tree().unwrap_or_else(|error| panic!("{error}"));
    let log = baseline.cache().logs();
    fs::remove_dir_all(&log).and_then(|()| fs::create_dir(&log)).expect("made anew");
    let found = baseline.layouts(&base, 1).expect("no error");
    assert_eq!(fs::read_dir(&log).expect("logs").count(), 0, "it was built again in vain");
    match found {
        Layouts::Unavailable(reason) => assert!(reason.contains("not linked by LLD"), "{reason}"),
        Layouts::Built(layouts) => panic!("{layouts:?}"),
    }
}
