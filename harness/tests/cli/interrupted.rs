//! Runs that end early: by Ctrl-C with a partial result that says so, by SIGKILL with a journal that `report` reads.

use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::tale::{Outcome, Tale, wait_until};

/// Two honest trials, then one that sleeps for a minute and writes its process id.
const THIRD_SLEEPS: &str =
    "case $request in *'\"id\":\"0002-'*) ready; echo $$ > sleeper.tmp; mv sleeper.tmp sleeper; exec sleep 60;; esac; phases; record";
const ARGUMENTS: [&str; 8] = ["run", "nap.toml", "--subject", "fake=./fake", "--trials", "6", "--out", "out"];

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the signal is sent");
}

fn is_gone(tale: &Tale) -> bool {
    let pid = std::fs::read_to_string(tale.path("sleeper")).expect("the sleeper's id");
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    status.is_empty() || status.contains("State:\tZ")
}

fn started_and_asleep(tale: &Tale) -> Child {
    tale.subject("fake", THIRD_SLEEPS);
    let child =
        tale.command(&ARGUMENTS).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("zokio-bench starts");
    wait_until("the third trial sleeps", || tale.path("sleeper").is_file());
    child
}

#[test]
fn ctrl_c_and_sigterm_leave_a_partial_result_and_no_process() {
    for signal in [Signal::INT, Signal::TERM] {
        let tale = Tale::new();
        let child = started_and_asleep(&tale);
        send(&child, signal);
        let outcome = Outcome::of(child.wait_with_output().expect("it ends")).exits(130).says("marked as partial");
        assert!(!outcome.stdout.is_empty(), "what was measured is shown");
        assert!(is_gone(&tale), "the trial was killed");
        let result = tale.result("out");
        assert_eq!((&result["complete"], &result["reportable"]), (&false.into(), &false.into()));
        assert_eq!(result["cases"][0]["subjects"][0]["work"]["ok"], 2 * 9);
        let journal = std::fs::read_to_string(tale.path("out/records.jsonl")).expect("the journal");
        assert!(journal.lines().last().is_some_and(|line| line.contains("\"end\"") && line.contains("\"interrupted\":true")));
    }
}

#[test]
fn a_killed_run_leaves_a_journal_that_report_reads_and_no_process() {
    let tale = Tale::new();
    let mut child = started_and_asleep(&tale);
    send(&child, Signal::KILL);
    child.wait().expect("it is gone");
    wait_until("the trial is gone too", || is_gone(&tale));
    assert!(!tale.path("out/result.json").exists());
    tale.run(&["report", "out", "--format", "html,json"]).exits(0).says("the run was killed");
    let result = tale.result("out");
    assert_eq!(result["complete"], false);
    assert!(result["duration_s"].is_null(), "nobody saw the end");
    assert_eq!(result["cases"][0]["subjects"][0]["work"]["ok"], 2 * 9);
}
