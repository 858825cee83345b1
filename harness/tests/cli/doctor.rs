//! The doctor, from outside: it says what it found, changes nothing, and its exit code follows from what blocks a gate.

use std::process::Command;

use serde_json::Value;

use super::tale::{Outcome, Tale};

fn examined(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).expect("JSON and nothing else")
}

/// The state of one check.
fn state<'a>(examined: &'a Value, id: &str) -> &'a str {
    let checks = examined["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id} in {examined}"));
    check["state"].as_str().expect("a state")
}

#[test]
fn the_exit_code_follows_from_what_blocks_a_gate() {
    let tale = Tale::new();
    let outcome = tale.run(&["doctor", "--json"]);
    let value = examined(&outcome);
    assert_eq!(value["schema"], "zokio-bench/doctor");
    let checks = value["checks"].as_array().expect("checks");
    let blocks = checks.iter().any(|check| check["state"] == "blocks-gate");
    assert_eq!((&value["blocks_gate"], outcome.code), (&Value::from(blocks), Some(if blocks { 3 } else { 0 })));
    for check in checks {
        assert!(check["found"].as_str().is_some_and(|found| !found.is_empty()) && check["why"].is_string(), "{check}");
        let is_bad = ["warn", "blocks-gate"].contains(&check["state"].as_str().expect("a state"));
        assert_eq!(check["mend"].is_string(), is_bad, "{check}");
    }
    assert_eq!(state(&value, "loopback"), "ok");
    let is_debug = cfg!(debug_assertions);
    assert_eq!(state(&value, "build"), if is_debug { "blocks-gate" } else { "ok" });
    let text = tale.run(&["doctor"]);
    assert!(text.stdout.contains("  loopback ") && text.stdout.contains("nothing was changed"), "{}", text.stdout);
    assert!(!is_debug || text.stdout.contains("mend: cargo build --release"), "{}", text.stdout);
}

#[test]
fn limits_of_its_own_process_are_seen() {
    let tale = Tale::new();
    let low = tale.below("ulimit -n 256; exec \"$0\" \"$@\"", &["doctor", "--json"]).output().expect("a shell");
    assert_eq!(state(&examined(&Outcome::of(low)), "open-files"), "warn");
}

#[test]
fn a_host_without_loopback_blocks_a_gate() {
    if !Command::new("unshare").args(["-n", "true"]).output().is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: needs root and unshare");
    }
    let tale = Tale::new();
    let output = tale.below("exec unshare -n \"$0\" \"$@\"", &["doctor", "--json"]).output().expect("a shell");
    let outcome = Outcome::of(output).exits(3);
    assert_eq!(state(&examined(&outcome), "loopback"), "blocks-gate");
}

#[test]
fn it_takes_no_option_that_would_change_the_host() {
    Tale::new().run(&["doctor", "--apply"]).exits(2).says("--apply");
}
