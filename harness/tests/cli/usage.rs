//! What is asked for wrongly is told before anything starts: exit code 2, the mistake, the way out.

use super::tale::{Tale, example, row};

#[test]
fn a_slip_in_a_name_gets_the_near_one() {
    let tale = Tale::new();
    tale.run(&["run", "tpc"]).exits(2).says("`tcp`");
    tale.run(&["run", "nap.toml", "--subject", "tokoi"]).exits(2).says("did you mean `tokio`?");
    tale.run(&["run", "absent.toml"]).exits(2).says("absent.toml");
    tale.run(&["run"]).exits(2).says("Usage");
    tale.run(&["run", "nap.toml", "--formats", "html"]).exits(2).says("--format");
    assert!(!tale.path("zokio-results").exists(), "nothing was started");
}

#[test]
fn mistakes_of_all_files_are_told_at_once() {
    let tale = Tale::new();
    tale.file("one.toml", "schema = 1\nsede = 1\n");
    tale.file("two.toml", "schema = 1\n[suite]\nnmae = \"x\"\n");
    let outcome = tale.run(&["run", "one.toml", "two.toml"]).exits(2).says("one.toml:2").says("two.toml:3");
    assert!(outcome.stdout.is_empty(), "nothing but results goes to standard output: {}", outcome.stdout);
}

#[test]
fn what_is_no_subject_is_refused_before_the_run() {
    let tale = Tale::new();
    tale.run(&["run", "nap.toml", "--subject", "fake=./absent"]).exits(2).says("not-found");
    tale.run(&["run", "nap.toml", "--subject", "fake=/bin/true"]).exits(2).says("not-a-subject");
    tale.subject("many", "");
    tale.run(&["run", "nap.toml", "--subject", "other=./many#absent"]).exits(2).says("unknown-subject");
}

#[test]
fn a_result_is_never_overwritten() {
    let tale = Tale::new();
    tale.subject("fake", "phases; record");
    let arguments = ["run", "nap.toml", "--subject", "fake=./fake", "--trials", "1", "--out", "out"];
    tale.run(&arguments);
    let first = std::fs::read(tale.path("out/result.json")).expect("a result");
    tale.run(&arguments).exits(2).says("never overwritten").says("--out");
    assert_eq!(std::fs::read(tale.path("out/result.json")).expect("a result"), first);
    tale.run(&["report", "out", "--format", "json"]).exits(2).says("never overwritten");
}

#[test]
fn a_users_own_program_runs_beside_ours() {
    let tale = Tale::new();
    let Some(example) = example() else { return eprintln!("skipped: the example was not built") };
    let mine = format!("mine={}", example.display());
    let outcome = tale.run(&["run", "nap.toml", "--subject", &mine, "--out", "out", "--format", "html,md,junit,csv"]).exits(0);
    assert!(outcome.stdout.contains("mine"), "{}", outcome.stdout);
    let result = tale.result("out");
    assert_eq!(result["complete"], true);
    let ops = row(&result, "mine")["metrics"].as_array().expect("metrics").iter().find(|metric| metric["id"] == "ops_per_s");
    let rate = ops.and_then(|metric| metric["value"].as_f64()).expect("a rate");
    assert!((10.0..1000.0).contains(&rate), "a nap of 1 ms cannot be taken {rate} times a second");
    for file in ["report.html", "report.md", "junit.xml", "trials.csv", "records.jsonl"] {
        assert!(tale.path("out").join(file).metadata().is_ok_and(|file| file.len() > 0), "{file}");
    }
    let shown = std::fs::read_to_string(tale.path("out/result.json")).expect("a result");
    let folder = tale.path("").display().to_string();
    assert!(!shown.contains(folder.trim_end_matches('/')), "no absolute path is in a result");
}

#[test]
fn the_example_in_python_answers_the_protocol() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        return eprintln!("skipped: no python3 on this machine");
    }
    let tale = Tale::new();
    let mine = format!("mine={}/examples/custom_subject.py", env!("CARGO_MANIFEST_DIR"));
    tale.run(&["run", "nap.toml", "--subject", &mine, "--out", "out"]).exits(0);
    assert_eq!(row(&tale.result("out"), "mine")["work"]["errors"], serde_json::json!({}));
}

#[test]
fn results_have_a_folder_of_their_own_and_a_link_to_the_newest() {
    let tale = Tale::new();
    tale.subject("fake", "phases; record");
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--trials", "1"]).says("zokio-results/nap-");
    let latest = std::fs::read_link(tale.path("zokio-results/latest")).expect("the link");
    assert!(latest.to_string_lossy().starts_with("nap-") && tale.path("zokio-results/latest/result.json").is_file());
    tale.run(&["report", "zokio-results/latest"]).exits(0);
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--trials", "1", "--baseline", "zokio-results/latest"]);
    tale.run(&["run", "nap.toml", "--subject", "fake=./fake", "--baseline", "absent.json"]).exits(2).says("absent.json");
}
