//! Subjects that fail inside a run: the cause is in the result, the others go on, and nothing is made up.

use super::tale::{NAP, Tale, row};

#[test]
fn a_subject_that_fails_alone_is_exit_code_3_with_its_cause() {
    let cases = [
        ("phases; kill -SEGV $$", "signal 11"),
        ("echo hello", "hello"),
        ("phases; record; record", "answered twice"),
        ("echo '{\"failed\":{\"class\":\"port-in-use\",\"message\":\"127.0.0.1:80 is taken; free it\"}}'; exit 3", "free it"),
    ];
    for (body, cause) in cases {
        let tale = Tale::new();
        tale.subject("fake", body);
        tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "out"]).exits(3).says(cause);
        let result = tale.result("out");
        let row = row(&result, "fake");
        assert_eq!(row["validity"]["state"], "skipped", "{row}");
        assert!(row["validity"]["reason"].as_str().is_some_and(|reason| reason.contains(cause)), "{row}");
        let values: Vec<_> = row["metrics"].as_array().expect("metrics").iter().filter(|metric| !metric["value"].is_null()).collect();
        assert!(values.is_empty(), "no number without a record: {values:?}");
    }
}

#[test]
fn the_others_go_on_beside_one_that_crashes_and_it_is_given_up_after_three() {
    let tale = Tale::new();
    tale.subject("good", "phases; record");
    tale.subject("bad", "echo started >> bad.log; phases; exit 9");
    let subjects = "good=./good,bad=./bad";
    let outcome = tale.run(&["run", "nap.toml", "--subject", subjects, "--trials", "6", "--out", "out"]);
    assert_ne!(outcome.code, Some(3), "the first subject ran: {}", outcome.stderr);
    let outcome = outcome.says("failed 3 times in a row");
    assert_eq!(outcome.stderr.matches("exited with code 9").count(), 3, "{}", outcome.stderr);
    let result = tale.result("out");
    assert_eq!(row(&result, "good")["work"]["ok"], 6 * 9);
    assert!(row(&result, "bad")["validity"]["reason"].as_str().is_some_and(|reason| reason.contains("code 9")));
    let journal = std::fs::read_to_string(tale.path("out/records.jsonl")).expect("the journal");
    assert_eq!(journal.lines().filter(|line| line.contains("\"subject\":\"bad\"") && line.contains("\"failed\"")).count(), 6);
}

#[test]
fn more_operations_than_the_bytes_allow_are_invalid() {
    let tale = Tale::new();
    let tcp = NAP.replace(
        "id = \"nap\"\n[scenario.sleep]\nduration = \"1ms\"",
        "id = \"rr\"\n[scenario.tcp]\nmode = \"rr\"\nrequest = \"64B\"\nresponse = \"64B\"\n[scenario.load.closed]\nusers = 1",
    );
    tale.file("rr.toml", &tcp);
    let claim = r#"{"record":{"elapsed_ns":50000000,"work":{"attempted":900000000,"ok":900000000,"bytes":1280,"verified":900000000},"batches":[[900000000,50000000]],"driver":"none"}}"#;
    tale.subject("fake", &format!("phases; echo '{claim}'"));
    tale.run(&["run", "rr.toml", "--subject", "fake=./fake", "--out", "out"]).exits(5);
    assert_eq!(row(&tale.result("out"), "fake")["validity"]["state"], "invalid");
}

#[test]
fn a_subject_that_cannot_run_here_is_skipped_with_its_reason() {
    let tale = Tale::new();
    tale.subject("good", "phases; record");
    tale.subject("bad", "echo '{\"failed\":{\"class\":\"unsupported\",\"message\":\"needs a newer kernel\"}}'; exit 3");
    let outcome = tale.run(&["run", "nap.toml", "--subject", "good=./good,bad=./bad", "--out", "out"]).says("skipped: bad");
    assert_ne!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(tale.result("out")["complete"].as_bool().expect("complete"), "a skipped subject does not make a run partial");
    tale.run(&["run", "nap.toml", "--subject", "bad=./bad,good=./good", "--out", "first"]).exits(3);
}

#[test]
fn a_trial_that_the_host_disturbed_is_repeated_and_one_that_always_is_counts_as_it_is() {
    let tale = Tale::new();
    let stalls = "ready; phase measure; sleep 0.3; phase drain; record";
    tale.subject("fake", &format!("if [ -e stalled ]; then phases; record; else touch stalled; {stalls}; fi"));
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "once"]).exits(0).says("disturbed");
    let result = tale.result("once");
    assert!(result["noise"]["repeated_trials"].as_u64().is_some_and(|repeated| repeated >= 1), "{}", result["noise"]);
    assert_ne!(row(&result, "fake")["validity"]["state"], "invalid");
    let reclaimed = r#"echo '{"failed":{"class":"cache-state","message":"pages were reclaimed"}}'; exit 3"#;
    tale.subject("fake", &format!("if [ -e reclaimed ]; then phases; record; else touch reclaimed; {reclaimed}; fi"));
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "cache"]).exits(0).says("disturbed");
    assert_eq!(row(&tale.result("cache"), "fake")["work"]["ok"], 2 * 9, "both trials count in the end");
    tale.subject("fake", stalls);
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--out", "always"]).exits(5);
    assert_eq!(row(&tale.result("always"), "fake")["validity"]["state"], "invalid");
}
