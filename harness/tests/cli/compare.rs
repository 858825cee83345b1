//! Two results side by side, from outside: what is paired, what has a ratio alone, what is refused, and with which exit code.

use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use super::tale::{Outcome, Tale};

/// A tale with a run of naps on two subjects, in `out`.
fn measured() -> Tale {
    let tale = Tale::new();
    tale.run(&["run", "nap.toml", "--subject", "zokio,tokio", "--trials", "7", "--out", "out"]);
    tale
}

/// The result of `out`, changed, in a folder of its own and without its records; on a host that is as fast as any other made so.
fn stored(tale: &Tale, folder: &str, change: impl Fn(&mut Value)) {
    let mut result = tale.result("out");
    for anchor in ["cpu", "memory", "syscall", "loopback"] {
        result["calibration"][format!("probe_{anchor}_ns")] = json!(100.0);
    }
    result["run_id"] = json!(folder);
    change(&mut result);
    std::fs::create_dir_all(tale.path(folder)).expect("a folder");
    tale.file(&format!("{folder}/result.json"), &result.to_string());
}

fn compared(tale: &Tale, arguments: &[&str]) -> Outcome {
    tale.run(&[&["compare"], arguments].concat())
}

#[test]
fn the_probe_is_in_every_result() {
    let tale = measured();
    let calibration = &tale.result("out")["calibration"];
    for anchor in ["cpu", "memory", "syscall", "loopback"] {
        let value = &calibration[format!("probe_{anchor}_ns")];
        assert!(value.is_null() || value.as_f64().is_some_and(|ns| ns > 0.0), "{calibration}");
        assert!(calibration.as_object().is_some_and(|keys| keys.contains_key(&format!("probe_{anchor}_ns"))), "{calibration}");
    }
}

#[test]
fn subjects_of_one_run_are_paired_and_runs_of_two_times_are_not() {
    let tale = measured();
    let paired = compared(&tale, &["out#zokio", "out#tokio"]).exits(0);
    assert!(paired.stdout.contains("trials interleaved") && paired.stdout.contains("zokio / tokio"), "{}", paired.stdout);
    stored(&tale, "one", |_| ());
    stored(&tale, "two", |result| result["cases"][0]["subjects"][0]["metrics"][0]["value"] = json!(1.0));
    let apart = compared(&tale, &["one", "two/result.json"]).exits(0);
    assert!(apart.stdout.contains("not interleaved: no verdict"), "{}", apart.stdout);
    for word in ["better", "worse"] {
        assert!(!apart.stdout.contains(word), "{word}: {}", apart.stdout);
    }
    let json = compared(&tale, &["one#zokio", "two", "--format", "json"]).exits(0);
    let value: Value = serde_json::from_str(&json.stdout).expect("JSON and nothing else");
    assert_eq!((&value["schema"], &value["paired"]), (&json!("zokio-bench/compare"), &json!(false)));
    let rows = value["rows"].as_array().expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["subject"] == "zokio" && row["verdict"] == "not_interleaved"), "{value}");
    let markdown = compared(&tale, &["one#zokio", "two#tokio", "--format", "md"]).exits(0);
    assert!(markdown.stdout.starts_with("## a / b") && markdown.stdout.contains("| zokio / tokio |"), "{}", markdown.stdout);
}

#[test]
fn what_is_not_comparable_says_why_and_is_exit_code_3() {
    let tale = measured();
    stored(&tale, "one", |_| ());
    stored(&tale, "elsewhere", |result| result["host"]["fingerprint"]["fields"]["cpu_model"] = json!("Another"));
    stored(&tale, "slower", |result| result["calibration"]["probe_memory_ns"] = json!(150.0));
    stored(&tale, "partial", |result| result["complete"] = json!(false));
    stored(&tale, "other-work", |result| result["cases"][0]["workload_sha256"] = json!("00"));
    let cases = [
        ("elsewhere", "the hosts are unlike: cpu_model"),
        ("slower", "the hosts are unlike: probe.memory"),
        ("partial", "run b is partial"),
        ("other-work", "other work: workload_sha256 differs"),
    ];
    for (other, reason) in cases {
        let outcome = compared(&tale, &["one", other]).exits(3).says("nothing is comparable");
        assert!(outcome.stdout.contains(reason) && outcome.stdout.contains("not comparable"), "{other}: {}", outcome.stdout);
    }
    let fields = compared(&tale, &["one", "elsewhere"]).stdout;
    assert!(fields.lines().any(|line| line.trim_start().starts_with("cpu_model ") && line.contains("Another")), "{fields}");
}

#[test]
fn what_is_no_result_is_told_and_never_waited_for() {
    let tale = measured();
    tale.file("noise.json", "noise");
    tale.file("cut.json", &tale.result("out").to_string()[..1_000]);
    tale.file("gate.json", r#"{"schema": "zokio-bench/gate", "schema_version": "1.0"}"#);
    std::fs::create_dir_all(tale.path("empty")).expect("a folder");
    std::fs::create_dir_all(tale.path("odd/result.json")).expect("a folder by the name of a file");
    symlink(tale.path("loop"), tale.path("loop")).expect("a link to itself");
    symlink(tale.path(""), tale.path("empty/up")).expect("a link to what holds it");
    std::fs::File::create(tale.path("huge.json")).and_then(|file| file.set_len(2 << 30)).expect("a sparse file");
    let cases = [
        ("absent", 3, "cannot read absent"),
        ("empty", 3, "no result.json in empty"),
        ("empty/up", 3, "no result.json in"),
        ("loop", 3, "cannot read loop"),
        ("noise.json", 2, "is not a result"),
        ("cut.json", 2, "is not a result"),
        ("gate.json", 2, "its schema is zokio-bench/gate"),
        ("odd", 2, "not a regular file"),
        ("/dev/zero", 2, "not a regular file"),
        ("huge.json", 2, "larger than"),
        ("out#tokoi", 2, "it has: tokio, zokio"),
        ("out", 2, "same run"),
        ("out#zokio", 2, "same run"),
    ];
    for (other, code, message) in cases {
        compared(&tale, &["out#zokio", other]).exits(code).says(message).says("help");
        compared(&tale, &[other, "out#zokio"]).exits(code);
    }
    compared(&tale, &["out"]).exits(2).says("Usage");
}

#[test]
fn a_baseline_of_an_unlike_host_is_told_field_by_field_and_fails_nothing() {
    let tale = measured();
    stored(&tale, "elsewhere", |result| result["host"]["fingerprint"]["fields"]["cpu_model"] = json!("Another"));
    let arguments = ["run", "nap.toml", "--subject", "zokio", "--trials", "1", "--out", "new", "--baseline", "elsewhere"];
    let outcome = tale.run(&arguments).exits(0);
    assert!(outcome.stdout.contains("warning: the hosts are unlike, so no ratio is shown"), "{}", outcome.stdout);
    assert!(outcome.stdout.lines().any(|line| line.contains("cpu_model") && line.contains("Another")), "{}", outcome.stdout);
}
