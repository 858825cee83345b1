//! What a wrong scenario shows, word for word: each `scenario_mistakes/NAME.toml` beside its `NAME.stderr`.
//!
//! To accept a change of words: `UPDATE_SNAPSHOTS=1 cargo test -p zokio-bench --test scenario_mistakes`, then review the diff.

use std::path::Path;

use zokio_bench::scenario::{Source, parse, render};

fn shows(name: &str, sets: &[&str]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario_mistakes");
    let file = name.split('+').next().expect("a name");
    let text = std::fs::read_to_string(folder.join(format!("{file}.toml"))).expect("the scenario is readable");
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    let found = parse(Source::new(format!("{file}.toml"), &text), "file", &sets).expect_err("the scenario is wrong");
    let seen = render(&found);
    let expected = folder.join(format!("{name}.stderr"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&expected, &seen).expect("the snapshot is writable");
    }
    let expected = std::fs::read_to_string(&expected).unwrap_or_default();
    assert!(seen == expected, "{name}: seen\n{seen}\nexpected\n{expected}");
}

#[test]
fn every_misspelt_key_is_named_with_its_nearest_neighbour() {
    shows("typo", &[]);
}

#[test]
fn every_wrong_or_missing_unit_is_named_with_the_right_ones() {
    shows("units", &[]);
}

#[test]
fn a_scenario_has_one_workload_of_this_version_and_an_id_of_its_own() {
    shows("workloads", &[]);
}

#[test]
fn a_matrix_has_axes_that_exist_and_values() {
    shows("matrix", &[]);
}

#[test]
fn thresholds_and_targets_name_what_can_be_measured() {
    shows("goals", &[]);
}

#[test]
fn mistakes_in_toml_itself_look_like_all_others() {
    shows("syntax", &[]);
}

#[test]
fn values_that_contradict_each_other_are_both_named() {
    shows("agreement", &[]);
}

#[test]
fn a_key_of_another_kind_of_wait_is_named() {
    shows("latency", &[]);
}

#[test]
fn a_key_of_another_meeting_of_tasks_is_named() {
    shows("sync", &[]);
}

#[test]
fn a_key_of_another_way_to_end_is_named() {
    shows("lifecycle", &[]);
}

#[test]
fn workers_are_counted_doubled_or_left_to_the_host() {
    shows("workers", &[]);
}

#[test]
fn files_have_a_state_of_the_page_cache_and_room_for_every_user() {
    shows("io", &[]);
}

#[test]
fn work_in_rounds_is_made_of_whole_turns_batches_and_handfuls() {
    shows("rounds", &[]);
}

#[test]
fn the_head_of_a_file_is_judged_as_strictly_as_its_scenarios() {
    shows("header", &[]);
}

#[test]
fn an_argument_of_set_is_shown_like_a_file() {
    let sets = [
        "scenario.b.sleep.duration=1",
        "scenario.a.tcp.conections=3",
        "scenario.c.run.trials=3",
        "scenario.a.measure.time=300ms",
        "scenario.a.tcp.request=[1",
        "scenarios.a.run.trials=3",
        "no path",
        "defaults.run.trials=many",
    ];
    shows("units+set", &sets);
}

#[test]
fn what_a_gate_cannot_measure_is_named() {
    shows("gate", &[]);
}
