//! The gate end to end: every exit code by a real run, the last line of standard output, and the files.

use std::os::unix::process::CommandExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::tale::{Outcome, Tale, wait_until};

/// Trials of a gate on scripts: what they claim is what they say, to the nanosecond.
const GATED: &str = r#"
[scenario.gate]
metrics = ["ops_per_s"]
"#;

/// A script whose trial does `ok` operations in 50 ms and some nanoseconds: a clock that knows no nanoseconds would be found out.
fn speed(ok: u32) -> String {
    let work = format!(r#""work":{{"attempted":{ok},"ok":{ok},"bytes":0,"verified":{ok}}}"#).replace('"', r#"\""#);
    let record = format!(r#"{{\"record\":{{\"elapsed_ns\":$ns,{work},\"batches\":[[{ok},$ns]],\"driver\":\"none\"}}}}"#);
    format!("ns=$((50000000 + $$ % 997))\nrecord() {{ echo \"{record}\"; }}\nphases; record")
}

/// A folder with a base of nine operations a trial and a candidate of `ok`.
fn tale(ok: u32) -> Tale {
    let tale = Tale::new();
    let nap = std::fs::read_to_string(tale.path("nap.toml")).expect("the scenario");
    tale.file("nap.toml", &format!("{nap}{GATED}"));
    tale.subject("base", &speed(9));
    tale.subject("candidate", &format!("{}\n# {ok}", speed(ok)));
    tale
}

const GATE: [&str; 7] = ["gate", "nap.toml", "--allow-debug", "--subject", "./candidate", "--out", "out"];

fn gate(tale: &Tale, more: &[&str]) -> Outcome {
    tale.run(&[&GATE[..], more].concat())
}

fn result(tale: &Tale) -> Value {
    let text = std::fs::read_to_string(tale.path("out/gate.json")).expect("gate.json");
    serde_json::from_str(&text).expect("JSON")
}

#[track_caller]
fn ends_with(outcome: &Outcome, line: &str) {
    let last = outcome.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with(line), "`{line}` is not how `{last}` begins\n{}\n{}", outcome.stdout, outcome.stderr);
    let code = outcome.code.expect("an exit code");
    assert!(last.ends_with(&format!("(exit {code})")), "`{last}` names another code than {code}");
}

#[test]
fn equal_sides_pass_and_the_same_file_is_not_measured() {
    let tale = tale(9);
    let outcome = gate(&tale, &["--base-bin", "./base", "--looks", "8"]).exits(0);
    ends_with(&outcome, "ZOKIO-GATE: PASSED 1/1");
    assert_eq!(result(&tale)["rows"][0]["verdict"], "same");
    let journal = std::fs::read_to_string(tale.path("out/records.jsonl")).expect("the journal");
    let trials = journal.lines().filter(|line| line.starts_with("{\"trial\"")).count();
    assert_eq!(trials, 2 * 8 + 2 * 10, "the pairs of the look, and those of the base against itself");
    let identical =
        tale.run(&["gate", "nap.toml", "--allow-debug", "--subject", "./base", "--base-bin", "./base", "--out", "same"]).exits(0);
    ends_with(&identical, "ZOKIO-GATE: PASSED 1/1, same (identical)");
    assert!(!std::fs::read_to_string(tale.path("same/records.jsonl")).expect("a journal").contains("\"trial\""));
}

#[test]
fn a_slower_candidate_is_named_in_every_form_and_fails() {
    let tale = tale(8);
    let files = ["--junit", "j.xml", "--markdown", "g.md", "--bmf", "b.json", "--gha-json", "gha", "--json", "g.json", "--html", "g.html"];
    let summary = tale.path("summary.md");
    let arguments = [&GATE[..], &["--base-bin", "old=./base", "--looks", "8", "--github"], &files].concat();
    let run = tale.command(&arguments).env("GITHUB_STEP_SUMMARY", &summary).output().expect("zokio-bench starts");
    let outcome = Outcome::of(run).exits(1);
    ends_with(&outcome, "ZOKIO-GATE: REGRESSED 1/1");
    assert!(outcome.stdout.contains("::error title="), "{}", outcome.stdout);
    let schema = serde_json::from_str(&tale.run(&["schema", "gate"]).exits(0).stdout).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a JSON Schema");
    let wrong: Vec<String> = validator.iter_errors(&result(&tale)).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let row = &result(&tale)["rows"][0];
    assert_eq!((&row["verdict"], &row["base"], &row["n"]), (&"worse".into(), &"old".into(), &8.into()));
    assert!((row["ratio"].as_f64().expect("a ratio") - 9.0 / 8.0).abs() < 1e-4, "{row}");
    let read = |name: &str| std::fs::read_to_string(tale.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(read("j.xml").contains("<failure"));
    assert!(read("g.md").starts_with("<!-- zokio-bench:gate"));
    assert!(read("summary.md").contains("ops_per_s"));
    assert!(read("gha/bigger-is-better.json").contains("ops_per_s") && read("gha/smaller-is-better.json").contains('['));
    for name in ["b.json", "g.json"] {
        serde_json::from_str::<Value>(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(read("g.html").contains("<html") && read("out/gate.html").contains("<html"));
}

#[test]
fn a_faster_candidate_passes_and_several_bases_are_judged_apart() {
    let tale = tale(9);
    tale.subject("older", &format!("{}\n#", speed(8)));
    tale.subject("newer", &format!("{}\n##", speed(10)));
    let outcome = gate(&tale, &["--base-bin", "./older", "--base-bin", "./newer", "--looks", "8,10"]).exits(1);
    ends_with(&outcome, "ZOKIO-GATE: REGRESSED 1/2");
    let rows = result(&tale);
    let verdict = |base: &str| rows["rows"].as_array().unwrap().iter().find(|row| row["base"] == base).unwrap()["verdict"].clone();
    assert_eq!((verdict("older"), verdict("newer")), ("better".into(), "worse".into()));
}

#[test]
fn bad_usage_is_2_and_says_what_would_be_right() {
    let tale = tale(9);
    for (more, says) in [
        (&["--base-bin", "./base", "--looks", "13"][..], "even number"),
        (&["--base-bin", "./base", "--alpha", "0.03"], "one over a whole number"),
        (&["--base-bin", "./base", "--metric", "opss"], "no metric `opss`"),
        (&["--base-bin", "./base", "--metric", "tasks_per_s"], "no trial of a gate has the metric `tasks_per_s`"),
        (&["--base-bin", "./base", "--metric", "service_time_ns_max"], "no trial of a gate has the metric `service_time_ns_max`"),
        (&["--base-bin", "./base", "--threshold", "5x"], "write 5% or 0.05"),
        (&["--base-bin", "./base", "--max-time", "soon"], "120s"),
    ] {
        let outcome = gate(&tale, more).exits(2).says(says);
        assert!(outcome.stdout.is_empty() || outcome.stdout.contains("ZOKIO-GATE: ERROR"), "{}", outcome.stdout);
    }
    let outcome = tale.run(&["gate", "absent.toml", "--allow-debug", "--base-bin", "./base"]).exits(2);
    ends_with(&outcome, "ZOKIO-GATE: ERROR 0/0");
}

#[test]
fn what_cannot_be_measured_is_3_and_nothing_is_passed() {
    let tale = tale(9);
    ends_with(&gate(&tale, &["--base-bin", "./absent"]).exits(3).says("absent"), "ZOKIO-GATE: ERROR");
    ends_with(&gate(&tale, &["--base-rev", "HEAD"]).exits(3).says("repository"), "ZOKIO-GATE: ERROR");
    ends_with(&gate(&tale, &["--baseline", "absent.json"]).exits(3).says("absent.json"), "ZOKIO-GATE: ERROR");
    tale.subject("candidate", "ready; echo 'out of luck' >&2; exit 9");
    let outcome = gate(&tale, &["--base-bin", "./base", "--looks", "8"]).exits(3);
    ends_with(&outcome, "ZOKIO-GATE: ERROR");
    assert!(outcome.stdout.contains("out of luck"), "{}", outcome.stdout);
    if cfg!(debug_assertions) {
        let refused = tale.run(&["gate", "nap.toml", "--subject", "./candidate", "--base-bin", "./base"]).exits(3).says("debug build");
        ends_with(&refused, "ZOKIO-GATE: ERROR");
    }
}

#[test]
fn undecided_rows_are_4_where_that_is_asked_for() {
    let tale = tale(9);
    let short = ["--base-bin", "./base", "--max-time", "100ms"];
    let outcome = gate(&tale, &short).exits(0);
    ends_with(&outcome, "ZOKIO-GATE: PASSED 0/1, 1 inconclusive");
    std::fs::remove_dir_all(tale.path("out")).expect("the folder");
    ends_with(&gate(&tale, &[&short[..], &["--strict"]].concat()).exits(4), "ZOKIO-GATE: INCONCLUSIVE 1/1");
    std::fs::remove_dir_all(tale.path("out")).expect("the folder");
    ends_with(&gate(&tale, &[&short[..], &["--max-inconclusive", "20%"]].concat()).exits(4), "ZOKIO-GATE: INCONCLUSIVE 1/1");
}

#[test]
fn a_candidate_that_claims_what_it_did_not_do_is_5() {
    let tale = tale(9);
    let lie = speed(8).replace(r#"attempted\":8"#, r#"attempted\":3"#);
    assert_ne!(lie, speed(8));
    tale.subject("candidate", &lie);
    let outcome = gate(&tale, &["--base-bin", "./base", "--looks", "8"]).exits(5);
    ends_with(&outcome, "ZOKIO-GATE: INVALID 1/1");
    assert!(result(&tale)["rows"][0]["reason"].as_str().expect("a reason").contains("work-done"));
}

#[test]
fn ctrl_c_is_130_and_leaves_what_was_measured() {
    let tale = tale(9);
    tale.subject(
        "candidate",
        "case $request in *'\"id\":\"00024-'*|*'\"id\":\"00025-'*) ready; echo > asleep; exec sleep 60;; esac; phases; record",
    );
    let arguments = [&GATE[..], &["--base-bin", "./base"]].concat();
    let child = tale.command(&arguments).process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("a trial sleeps", || tale.path("asleep").is_file());
    kill_process(Pid::from_child(&child), Signal::INT).expect("the signal is sent");
    let outcome = Outcome::of(child.wait_with_output().expect("it ends")).exits(130);
    ends_with(&outcome, "ZOKIO-GATE: ");
    assert_eq!(result(&tale)["complete"], false);
}

#[test]
fn limits_of_the_scenario_gate_without_a_base_and_may_forgive_some_trials() {
    let tale = tale(9);
    let nap = std::fs::read_to_string(tale.path("nap.toml")).expect("the scenario");
    let with = |limit: &str| tale.file("nap.toml", &format!("{nap}[[scenario.threshold]]\nmetric = \"ops_per_s\"\nop = \">=\"\n{limit}"));
    with("value = \"200/s\"\n");
    let outcome = gate(&tale, &[]).exits(1);
    ends_with(&outcome, "ZOKIO-GATE: REGRESSED");
    for (limit, code) in
        [("value = \"200/s\"\ngrace = 2\n", 0), ("value = \"200/s\"\nseverity = \"warn\"\n", 0), ("value = \"200/s\"\ngrace = 1\n", 1)]
    {
        std::fs::remove_dir_all(tale.path("out")).expect("the folder");
        with(limit);
        gate(&tale, &[]).exits(code);
    }
}

#[test]
fn a_stored_baseline_informs_and_an_unlike_host_is_refused_with_its_fields() {
    let tale = tale(9);
    tale.run(&["run", "nap.toml", "--subject", "fake=./base", "--out", "before"]).exits(0);
    let mut stored: Value = tale.result("before");
    let outcome = gate(&tale, &["--baseline", "before", "--on-unlike", "skip"]).exits(0);
    ends_with(&outcome, "ZOKIO-GATE: PASSED");
    let informed = result(&tale);
    let unlike = informed["bases"][0]["unlike"].as_array().expect("fields").clone();
    // This busy host may be faster or slower than a moment ago; but both results have to tell how fast it was.
    let probes: Vec<&Value> =
        unlike.iter().filter(|field| field["field"].as_str().is_some_and(|name| name.starts_with("probe."))).collect();
    assert!(probes.iter().all(|probe| probe["base"].is_string() && probe["here"].is_string()), "{probes:?}");
    let is_refused = unlike.iter().any(|field| field["refused"] == true);
    let rows = informed["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), usize::from(!is_refused), "{unlike:?}");
    if let Some(row) = rows.first() {
        assert_eq!((&row["base"], &row["verdict"]), (&"stored".into(), &"not_gated".into()));
    }
    std::fs::remove_dir_all(tale.path("out")).expect("the folder");
    stored["host"]["fingerprint"]["fields"]["cpu_model"] = "Another 9000".into();
    stored["host"]["fingerprint"]["class"] = "another".into();
    tale.file("other.json", &stored.to_string());
    let refused = gate(&tale, &["--baseline", "other.json"]).exits(3).says("cpu_model");
    assert!(refused.stderr.contains("Another 9000"), "{}", refused.stderr);
    ends_with(&refused, "ZOKIO-GATE: ERROR");
}
