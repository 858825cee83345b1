//! Real results against the JSON Schema made from the types, and broken ones.

use serde_json::{Value, json};

use super::{gate_schema, result_schema};
use crate::sample::{Journal, full_result, gate};
use crate::schema::journal::{JournalLine, Outcome};

fn errors(result: &Value) -> Vec<String> {
    errors_by(&result_schema(), result)
}

fn errors_by(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(value).map(|error| error.instance_path().to_string()).collect()
}

fn sample() -> Value {
    serde_json::to_value(full_result()).unwrap()
}

#[test]
fn a_whole_result_keeps_to_the_schema() {
    assert_eq!(errors(&sample()), Vec::<String>::new());
    let mut scaled = serde_json::to_value(crate::sample::scaling::results_of(&[1, 2, 4, 8])).unwrap();
    assert_eq!(errors(&scaled), Vec::<String>::new());
    scaled["scaling"]["curves"][0]["model"]["alpha"]["value"] = json!("much");
    assert_eq!(errors(&scaled).len(), 1, "the section is part of the schema");
}

#[test]
fn a_broken_result_is_named_by_its_place() {
    let mut broken = sample();
    broken["cases"][0]["subjects"][0]["metrics"][0]["better"] = json!("bigger");
    broken["cases"][1]["subjects"][1]["rss_peak_bytes"] = json!(-5);
    broken["verdict"].as_object_mut().unwrap().remove("exit_code");
    let mut places = errors(&broken);
    places.sort();
    assert_eq!(places, ["/cases/0/subjects/0/metrics/0/better", "/cases/1/subjects/1/rss_peak_bytes", "/verdict"]);
}

#[test]
fn no_record_however_absurd_makes_an_infinite_number() {
    let mut journal = Journal::full();
    journal.header.calibration.insert("timer_resolution_ns".into(), Some(f64::NAN));
    journal.each("zokio", |record, evidence| {
        record.elapsed_ns = 0;
        evidence.core_state_before_ns = Some(0.0);
        evidence.core_state_after_ns = Some(0.0);
    });
    journal.each("tokio", |record, evidence| {
        record.work.ok = u64::MAX;
        record.work.bytes = u64::MAX;
        record.work.errors.insert("read".into(), u64::MAX);
        evidence.foreign_cpu_share = Some(f64::INFINITY);
    });
    journal.each("tokio-ct", |record, evidence| {
        record.work = crate::schema::record::Work::default();
        evidence.steal_share = Some(f64::NAN);
    });
    journal.end = Some(crate::schema::journal::RunEnd { complete: true, interrupted: false, duration_s: f64::INFINITY });
    let result = journal.summarize();
    // serde_json writes what is not finite as null, which the schema refuses wherever a number must stand …
    let written = serde_json::to_value(&result).unwrap();
    assert_eq!(errors(&written), Vec::<String>::new());
    // … and reading it back shows whether a null took the place of a number that was there.
    assert_eq!(serde_json::from_value::<crate::schema::result::RunResult>(written).unwrap(), result);
}

#[test]
fn a_journal_line_survives_its_file() {
    let journal = Journal::round_trips();
    let lines = [
        JournalLine::Header(Box::new(journal.header.clone())),
        JournalLine::Trial(Box::new(journal.trials[0].clone())),
        JournalLine::End(journal.end.clone().unwrap()),
    ];
    for line in lines {
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<JournalLine>(&text).unwrap(), line);
    }
    assert!(matches!(journal.trials[0].outcome, Outcome::Record(_)));
}

#[test]
fn an_older_result_without_the_later_fields_can_be_read() {
    let mut older = sample();
    for case in older["cases"].as_array_mut().unwrap() {
        case.as_object_mut().unwrap().remove("users");
        for subject in case["subjects"].as_array_mut().unwrap() {
            subject.as_object_mut().unwrap().remove("trials");
        }
    }
    let read: crate::schema::result::RunResult = serde_json::from_value(older).unwrap();
    assert_eq!(read.cases[0].users, None);
}

#[test]
fn the_example_result_is_current() {
    let text = include_str!("../../examples/result.json");
    let written: Value = serde_json::from_str(text).unwrap();
    assert_eq!(errors(&written), Vec::<String>::new());
    let result: crate::schema::result::RunResult = serde_json::from_value(written).unwrap();
    assert_eq!(result.schema_version, super::SCHEMA_VERSION);
    // No folder of the machine it was made on.
    for folder in ["/root/", "/home/", "/tmp/", "/usr/"] {
        assert!(!text.contains(folder), "the example names {folder}");
    }
    let page = crate::render::html::page(&[result]);
    let kept = include_str!("../../examples/report.html");
    assert!(kept.starts_with("<!DOCTYPE html>") && page.starts_with("<!DOCTYPE html>"));
    assert!(
        !kept.contains("http://") || kept.matches("http://").count() == kept.matches("http://www.w3.org").count(),
        "the page needs no network"
    );
}

#[test]
fn a_gate_keeps_to_its_schema_and_reads_back_as_itself() {
    for gate in [gate::gate(), gate::passed()] {
        let written = serde_json::to_value(&gate).unwrap();
        assert_eq!(errors_by(&gate_schema(), &written), Vec::<String>::new());
        assert_eq!(serde_json::from_value::<super::gate::GateResult>(written).unwrap(), gate);
    }
}

#[test]
fn a_broken_gate_is_named_by_its_place() {
    let mut broken = serde_json::to_value(gate::gate()).unwrap();
    broken["rows"][0]["verdict"] = json!("slower");
    broken["bases"][1]["kind"] = json!(null);
    broken["outcome"]["word"] = json!("Passed");
    broken["rule"].as_object_mut().unwrap().remove("alpha");
    let mut places = errors_by(&gate_schema(), &broken);
    places.sort();
    assert_eq!(places, ["/bases/1/kind", "/outcome/word", "/rows/0/verdict", "/rule"]);
}
