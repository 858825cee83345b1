//! The style guide as a test: file size, module docs, layer order, exit codes, scenarios, links.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file, tests included.
const LINES_MAX: usize = 400;
/// Longest `main.rs`.
const MAIN_LINES_MAX: usize = 60;
/// Longest `bench` script.
const SCRIPT_LINES_MAX: usize = 80;

/// The modules of each crate, bottom up: a module imports only from lines above its own (or its own line).
const LAYERS: [(&str, &[&[&str]]); 3] = [
    (
        "runtime/src",
        &[
            &["primitives", "topology"],
            &["buf", "sync"],
            &["op", "driver"],
            &["config"],
            &["pool"],
            &["metrics", "mem"],
            // A task is queued by the scheduler, a queue holds tasks, and a worker fires timers: one knot, kept in this line.
            &["task", "time", "scheduler", "blocking"],
            &["fs"],
            &["io"],
            &["net"],
            &["runtime", "builder", "internals"],
        ],
    ),
    ("reports/src", &[&["units", "exit"], &["schema"], &["stats"], &["judge", "sample"], &["render"]]),
    (
        "harness/src",
        &[
            &["error"],
            &["load", "workload"],
            // The host profile measures its clock, the measuring code calibrates the host.
            &["measure", "host"],
            &["subject"],
            // A case of the plan is what the scenario means.
            &["plan", "scenario"],
            &["orchestrate", "baseline"],
            &["doctor"],
            &["command"],
            &["cli"],
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "zokio-results" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Size, module doc, and marks of unfinished work in one Rust file.
fn judge_file(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let limit = if name.ends_with("src/main.rs") { MAIN_LINES_MAX } else { LINES_MAX };
    if text.lines().count() > limit {
        findings.push(format!("{name}:{}: longer than {limit} lines", limit + 1));
    }
    if !text.starts_with("//!") {
        findings.push(format!("{name}:1: starts without a module doc"));
    }
    for (number, line) in text.lines().enumerate() {
        // Spelt apart so that this file passes its own check.
        for mark in [concat!("dbg", "!("), concat!("todo", "!("), concat!("unimplemented", "!("), concat!("```", "ignore")] {
            if line.contains(mark) {
                findings.push(format!("{name}:{}: `{mark}` is left", number + 1));
            }
        }
    }
    findings
}

/// Imports against the layer order in one file of a crate; `module` is its top-level module.
fn judge_layers(name: &str, module: &str, text: &str, layers: &[&[&str]]) -> Vec<String> {
    let rank = |module: &str| layers.iter().position(|line| line.contains(&module));
    let Some(own) = rank(module) else {
        return vec![format!("{name}:1: module `{module}` is in no layer; add it to LAYERS in {}", file!())];
    };
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for part in line.split("crate::").skip(1) {
            let used: String = part.chars().take_while(|&letter| letter.is_alphanumeric() || letter == '_').collect();
            if rank(&used).is_some_and(|used| used > own) {
                findings.push(format!("{name}:{}: layer `{module}` must not use `{used}`", number + 1));
            }
        }
    }
    findings
}

#[test]
fn rust_files_are_short_documented_and_finished() {
    let mut findings = Vec::new();
    for folder in ["runtime", "reports", "harness"] {
        for path in files_below(&root().join(folder), "rs") {
            findings.extend(judge_file(&name(&path), &read(&path)));
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn modules_import_only_from_below() {
    let mut findings = Vec::new();
    for (source, layers) in LAYERS {
        let source = root().join(source);
        for path in files_below(&source, "rs") {
            let inside = path.strip_prefix(&source).expect("below").to_string_lossy().into_owned();
            let module = inside.split(['/', '.']).next().unwrap_or_default().to_owned();
            // Tests may look at anything.
            let is_test = inside.contains("/tests/") || inside.ends_with("/tests.rs");
            if !is_test && !["lib", "main"].contains(&module.as_str()) {
                findings.extend(judge_layers(&name(&path), &module, &read(&path), layers));
            }
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn planted_faults_are_found() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LINES_MAX));
    assert_eq!(judge_file("a.rs", &long), [format!("a.rs:{}: longer than {LINES_MAX} lines", LINES_MAX + 1)]);
    assert_eq!(judge_file("b.rs", "fn f() {}\n"), ["b.rs:1: starts without a module doc"]);
    let unfinished = format!("//! B.\nfn f() {{ {} }}\n", concat!("todo", "!()"));
    assert_eq!(judge_file("c.rs", &unfinished).len(), 1);
    let layers: &[&[&str]] = &[&["stats"], &["judge"]];
    let upward = judge_layers("d.rs", "stats", "use crate::judge::verdict;\n", layers);
    assert_eq!(upward, ["d.rs:1: layer `stats` must not use `judge`"]);
    assert!(judge_layers("d.rs", "judge", "use crate::stats::median;\n", layers).is_empty());
    assert_eq!(judge_layers("d.rs", "stray", "", layers).len(), 1);
}

#[test]
fn every_scenario_begins_with_its_question_and_names_its_witness() {
    let scenarios = files_below(&root().join("scenarios"), "toml");
    assert!(!scenarios.is_empty());
    for path in scenarios {
        let text = read(&path);
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("# ") && first.contains('?'), "{}:1: begins without a question", name(&path));
        assert!(text.contains("question = "), "{}: `[suite] question` is missing", name(&path));
    }
}

#[test]
fn the_readme_tells_the_exit_codes_as_they_are() {
    let readme = read(&root().join("README.md"));
    let told: BTreeMap<u8, &str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| **")?.split_once("** | "))
        .filter_map(|(code, rest)| Some((code.parse().ok()?, rest.trim_end_matches('|').trim())))
        .collect();
    let known: BTreeMap<u8, &str> = zokio_report::exit::MEANINGS.into_iter().collect();
    assert_eq!(told, known);
}

#[test]
fn links_between_files_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files_below(&root(), "md") {
        let folder = path.parent().expect("a folder");
        for part in read(&path).split("](").skip(1) {
            let target = part.split([')', '#', ' ']).next().unwrap_or_default();
            let is_elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !folder.join(target).exists() {
                broken.push(format!("{}: {target}", name(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_script_is_short_posix_shell() {
    let script = read(&root().join("bench"));
    assert!(script.starts_with("#!/bin/sh\n"));
    assert!(script.lines().count() < SCRIPT_LINES_MAX, "the script has {} lines", script.lines().count());
}

#[test]
fn lints_that_guard_the_style_stay_on() {
    let manifest = read(&root().join("Cargo.toml"));
    for lint in ["missing_docs", "unsafe_op_in_unsafe_fn", "undocumented_unsafe_blocks"] {
        assert!(manifest.contains(lint), "Cargo.toml: `{lint}` is gone");
    }
    for crate_folder in ["runtime", "reports", "harness"] {
        let text = read(&root().join(crate_folder).join("src/lib.rs"));
        assert!(text.contains("#![deny(unsafe_code)]"), "{crate_folder}: `deny(unsafe_code)` is gone");
        let manifest = read(&root().join(crate_folder).join("Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{crate_folder}: the workspace's lints are off");
    }
}
