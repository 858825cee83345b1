//! Files of trials, from outside: killed trials and killed runs leave none, and a place without room is refused before the first process.

use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::tale::{Outcome, Tale, row, wait_until};

/// Warm reads below the folder `work` of the tale.
fn reads(tale: &Tale, size: &str, measure: &str) {
    std::fs::create_dir_all(tale.path("work")).expect("a folder");
    let dir = tale.path("work");
    let text = format!(
        "schema = 1\n[suite]\nname = \"reads\"\nquestion = \"How fast?\"\n[defaults]\nsubjects = [\"ceiling\"]\n[defaults.run]\ntrials = 1\n\
         [defaults.warmup]\ntime = \"1ms\"\n[defaults.measure]\ntime = \"{measure}\"\n[[scenario]]\nid = \"reads\"\n[scenario.io]\n\
         mode = \"read\"\ncache = \"warm\"\nsize = \"{size}\"\ndir = \"{}\"\n",
        dir.display()
    );
    tale.file("reads.toml", &text);
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).expect("it exists").map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// A run whose trial has made its file and goes on for a minute; the trial's process.
fn started(tale: &Tale) -> (Child, Pid) {
    reads(tale, "4MiB", "60s");
    let mut command = tale.command(&["run", "reads.toml", "--out", "out"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("zokio-bench starts");
    let work = tale.path("work");
    wait_until("the trial has its file", || names(&work).first().is_some_and(|name| work.join(name).join("data").is_file()));
    // zokio-bench-work-PID-TIME-COUNT
    let pid = names(&work)[0].split('-').nth(3).and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    (child, pid.expect("the folder names its process"))
}

#[test]
fn a_killed_trial_leaves_no_file() {
    let tale = Tale::new();
    let (child, trial) = started(&tale);
    kill_process(trial, Signal::KILL).expect("it runs");
    Outcome::of(child.wait_with_output().expect("it ends")).exits(3).says("signal 9");
    assert!(names(&tale.path("work")).is_empty(), "the orchestrator tidies up");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let tale = Tale::new();
    let (mut child, trial) = started(&tale);
    kill_process(Pid::from_child(&child), Signal::KILL).expect("it runs");
    child.wait().expect("it is gone");
    wait_until("the trial is gone too", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", trial.as_raw_nonzero())).unwrap_or_default();
        status.is_empty() || status.contains("State:\tZ")
    });
    assert_eq!(names(&tale.path("work")).len(), 1, "nobody could tidy up");
    reads(&tale, "4MiB", "20ms");
    let outcome = tale.run(&["run", "reads.toml", "--out", "next"]).says("removed 1 folders that killed trials had left");
    assert_ne!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(names(&tale.path("work")).is_empty());
}

#[test]
fn a_result_says_where_the_files_were_without_naming_the_folder() {
    let tale = Tale::new();
    reads(&tale, "1MiB", "20ms");
    tale.run(&["run", "reads.toml", "--out", "out", "--format", "json,html"]);
    let result = tale.result("out");
    assert_eq!(result["cases"][0]["page_cache"], "warm");
    let config = &row(&result, "ceiling")["config"];
    assert!(config["file_system"].as_str().is_some_and(|name| !name.is_empty()) && config["page_cache"] == "warm", "{config}");
    let place = tale.path("work").display().to_string();
    for file in ["result.json", "records.jsonl", "report.html"] {
        let text = std::fs::read_to_string(tale.path("out").join(file)).expect("a result");
        assert!(!text.contains(&place), "{file} names the folder");
    }
}

#[test]
fn too_little_room_is_exit_code_3_before_anything_is_started() {
    let tale = Tale::new();
    reads(&tale, "1024GiB", "20ms");
    // Where a disk has a tebibyte free, the refusal cannot be seen.
    let system = rustix::fs::statvfs(tale.path("work")).expect("it exists");
    if system.f_bavail * system.f_frsize < 1 << 40 {
        tale.run(&["run", "reads.toml", "--out", "out"]).exits(3).says("MiB free").says("`dir`");
        assert!(!tale.path("out").exists());
    }
    std::fs::remove_dir(tale.path("work")).expect("it is empty");
    tale.run(&["run", "reads.toml", "--out", "out"]).exits(3).says("no files can be made");
}
