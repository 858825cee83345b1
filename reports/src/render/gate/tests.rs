//! Every renderer on gates with all verdicts, many rows, hostile text and numbers that are none.
//!
//! To accept a change of words: `UPDATE_SNAPSHOTS=1 cargo test -p zokio-report --lib gate`, then review the diff.

use std::path::Path;

use serde_json::Value;

use super::{bmf, gha_json, github, html, junit, markdown, terminal};
use crate::sample::gate::{self, HOSTILE};
use crate::schema::gate::{GateResult, GateVerdict, GateWord};
use crate::schema::result::{Better, Interval};

/// Compares with a kept file beside this one.
fn is_as_kept(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/gate/kept").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    // A checkout may have turned the ends of lines round.
    assert_eq!(kept.replace("\r\n", "\n"), text, "{name} differs; see the head of this file");
}

/// No number of it is one.
fn absurd() -> GateResult {
    let mut gate = gate::gate();
    for row in &mut gate.rows {
        (row.ratio, row.base_value, row.candidate_value) = (Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY));
        row.ci = Some(Interval { level: 0.99, lo: 0.0, hi: f64::INFINITY });
        (row.p, row.p_adjusted, row.sees) = (Some(f64::NAN), Some(f64::NAN), Some(f64::INFINITY));
        for pair in &mut row.pairs {
            (pair.base, pair.candidate) = (Some(0.0), Some(f64::INFINITY));
        }
    }
    (gate.duration_s, gate.outcome.sees, gate.rule.max_time_s) = (Some(f64::NAN), Some(f64::NAN), Some(f64::INFINITY));
    gate
}

fn all_text(gate: &GateResult) -> Vec<(&'static str, String)> {
    let gha = gha_json::render(gate);
    vec![
        ("terminal", terminal::render(gate, false, 120)),
        ("markdown", markdown::render(gate)),
        ("junit", junit::render(gate)),
        ("annotations", github::annotations(gate)),
        ("bmf", bmf::render(gate)),
        ("smaller", gha.smaller_is_better),
        ("bigger", gha.bigger_is_better),
        ("html", html::render(gate)),
    ]
}

#[test]
fn the_words_are_those_that_were_reviewed() {
    let gate = gate::gate();
    is_as_kept("terminal.txt", &terminal::render(&gate, false, 120));
    is_as_kept("comment.md", &markdown::render(&gate));
    is_as_kept("annotations.txt", &github::annotations(&gate));
}

#[test]
fn what_is_worse_stands_first_and_the_last_line_is_left_to_the_command() {
    let text = terminal::render(&gate::gate(), false, 120);
    let places: Vec<usize> = ["> tcp-rr", "! chain", "? tcp-rr", "  yield", "  spawn-join", "- spawn-join"]
        .iter()
        .map(|needle| text.find(&format!("\n{needle}")).unwrap_or_else(|| panic!("{needle} is missing in\n{text}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!text.contains("ZOKIO-GATE"));
    let unmeasured = GateResult { rows: Vec::new(), ..gate::gate() };
    assert!(terminal::render(&unmeasured, false, 120).contains("\ncompared\n"));
}

#[test]
fn a_terminal_gets_lines_that_fit_and_nothing_that_steers_it() {
    for gate in [gate::gate(), gate::passed(), gate::many(40, GateVerdict::Worse), absurd()] {
        for width in [90, 120, 400] {
            let text = terminal::render(&gate, false, width);
            assert!(text.is_ascii());
            for line in text.lines() {
                assert!(line.len() <= width.min(120), "{width}: {line}");
            }
        }
        let colored = terminal::render(&gate, true, 120);
        assert!(!colored.contains("\u{1b}[31mred") && !colored.contains('\0'));
    }
    let colored = terminal::render(&gate::gate(), true, 120);
    assert!(colored.contains("\u{1b}[31mworse") && colored.contains("\u{1b}[33minconclusive"));
}

#[test]
fn a_comment_has_its_marker_its_order_and_no_markup_of_others() {
    let text = markdown::render(&gate::gate());
    assert!(text.starts_with("<!-- zokio-bench:gate:scheduling+tcp -->\n## Gate scheduling+tcp: REGRESSED\n"));
    let place = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} is missing in\n{text}"));
    assert!(place("| **worse**") < place("| inconclusive") && place("| inconclusive") < place("| better"));
    assert!(place("| better") < place("<details><summary>The rest: 1 same, 2 not gated, 1 identical</summary>"));
    assert!(place("<details>") < place("| same |"));
    assert!(!text.contains("<script") && !text.contains("\n::error"));
    let tables = text.lines().filter(|line| line.starts_with('|'));
    assert!(tables.clone().count() > 10);
    for line in tables {
        assert_eq!(line.replace("\\|", "").matches('|').count(), 11, "{line}");
    }
}

#[test]
fn a_comment_of_any_size_fits_and_counts_what_it_left_out() {
    for (gate, bytes) in [
        (gate::many(4_000, GateVerdict::Worse), markdown::COMMENT_MAX),
        (gate::many(4_000, GateVerdict::Same), markdown::COMMENT_MAX),
        (gate::many(4_000, GateVerdict::Inconclusive), 20_000),
    ] {
        let text = markdown::render_within(&gate, bytes);
        assert!(text.len() <= bytes && text.len() > bytes * 9 / 10, "{} of {bytes}", text.len());
        let shown = text.lines().filter(|line| line.starts_with("| tcp-rr")).count();
        assert!(text.contains(&format!("\n… and {} more that do not fit here: {} ", 4_000 - shown, 4_000 - shown)), "{shown} are shown");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert!(text.contains("**Next**") || gate.rows[0].verdict == GateVerdict::Same);
    }
    let everything = gate::many(4_000, GateVerdict::Worse);
    assert!(github::summary(&everything).matches("\n| tcp-rr").count() == 4_000, "a summary has more room than a comment");
    let notes = GateResult { notes: vec![HOSTILE.repeat(50); 900], ..gate::gate() };
    for bytes in [100, 3_000, markdown::COMMENT_MAX] {
        assert!(markdown::render_within(&notes, bytes).len() <= bytes);
    }
}

#[test]
fn junit_is_xml_whatever_things_are_called() {
    let mut gate = gate::gate();
    for row in &mut gate.rows {
        (row.case, row.scenario, row.metric) = (format!("{}{HOSTILE}", row.case), HOSTILE.into(), HOSTILE.into());
    }
    (gate.suites[0].name, gate.candidate.revision) = (HOSTILE.into(), Some(HOSTILE.into()));
    for gate in [gate, absurd(), gate::gate()] {
        let text = junit::render(&gate);
        let tree = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error} in\n{text}"));
        let count = |name: &str| tree.descendants().filter(|node| node.has_tag_name(name)).count();
        assert_eq!((count("failure"), count("error"), count("skipped"), count("testcase")), (2, 1, 4, 12));
        let attribute = |name| tree.root_element().attribute(name).and_then(|value| value.parse().ok());
        assert_eq!(attribute("tests"), Some(count("testcase")));
        assert_eq!(attribute("failures").zip(attribute("errors")).zip(attribute("skipped")), Some(((2, 1), 4)));
    }
}

#[test]
fn junit_tells_a_regression_from_a_threshold_and_a_guard() {
    let text = junit::render(&gate::gate());
    let tree = roxmltree::Document::parse(&text).unwrap();
    let of = |name: &str| tree.descendants().filter(|node| node.has_tag_name(name)).collect::<Vec<_>>();
    let worse = of("failure").into_iter().find(|node| node.attribute("type") == Some("regression")).expect("the regression");
    assert_eq!(worse.parent().unwrap().attribute("name"), Some("tcp-rr/load.closed.users=64 round_trips_per_s vs origin/main"));
    let message = worse.attribute("message").unwrap();
    assert!(message.starts_with("worse by 1.080× [1.072, 1.088] (99 %), 252 k/s → 233 k/s, 24 pairs, adjusted p = 0.0012"), "{message}");
    let mut names: Vec<&str> = of("testcase").iter().filter_map(|node| node.attribute("name")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 12, "names are unique");
    let property =
        |name| of("property").into_iter().find(|node| node.attribute("name") == Some(name)).and_then(|node| node.attribute("value"));
    assert_eq!((property("seed"), property("sees")), (Some("42"), Some("9.3 %")));
    assert_eq!(property("base_revision"), Some("origin/main: 5f0c9a1be07d2c4a6b8091a2b3c4d5e6f7081920"));
    assert!(text.contains("time=\"97.400\"") && text.contains("time=\"32.200\"") && text.contains("timestamp=\"2026-11-23T10:15:00Z\""));
}

#[test]
fn a_gate_that_could_not_run_is_an_error_everywhere() {
    let mut gate = GateResult { rows: Vec::new(), thresholds: Vec::new(), notes: Vec::new(), bases: Vec::new(), ..gate::gate() };
    (gate.outcome.word, gate.outcome.exit_code) = (GateWord::Error, crate::exit::COULD_NOT_RUN);
    gate.outcome.line = "ZOKIO-GATE: ERROR 0/0 (exit 3)".into();
    assert!(junit::render(&gate).contains("<error type=\"could-not-run\" message=\"ZOKIO-GATE: ERROR 0/0 (exit 3)\"/>"));
    assert_eq!(github::annotations(&gate), "::error title=gate%3A ERROR::ZOKIO-GATE: ERROR 0/0 (exit 3)\n");
    assert!(markdown::render(&gate).contains("could not be run") && html::render(&gate).contains("Nothing was measured"));
    assert_eq!(github::annotations(&gate::passed()), "");
}

#[test]
fn ten_annotations_of_a_kind_are_shown_and_the_rest_is_counted() {
    let lines = |count, verdict| {
        let mut gate = gate::many(count, verdict);
        (gate.thresholds, gate.notes, gate.bases) = (Vec::new(), Vec::new(), Vec::new());
        github::annotations(&gate).lines().map(String::from).collect::<Vec<String>>()
    };
    assert_eq!(lines(10, GateVerdict::Worse).len(), 10);
    let eleven = lines(11, GateVerdict::Worse);
    assert_eq!(
        (eleven.len(), eleven[9].as_str()),
        (10, "::error title=gate%3A not shown::… 2 more of this kind; the summary of the step has them all")
    );
    assert!(eleven[0].contains("users=10 "), "the worst first: {}", eleven[0]);
    let undecided = lines(1_500, GateVerdict::Inconclusive);
    assert_eq!(undecided.iter().filter(|line| line.starts_with("::warning title=")).count(), 10);
    assert!(undecided.iter().any(|line| line.contains("1,491 more")));
}

#[test]
fn an_annotation_is_one_line_whatever_it_says() {
    let mut gate = gate::gate();
    gate.rows[2].case = HOSTILE.into();
    let text = github::annotations(&gate);
    assert!(text.lines().all(|line| line.starts_with("::error title=") || line.starts_with("::warning title=")), "{text}");
    for line in text.lines() {
        let title = line.split_once("title=").and_then(|(_, rest)| rest.split_once("::")).expect("a title and a message").0;
        assert!(!title.contains([':', ',']) && !title.replace("%25", "").replace("%3A", "").replace("%2C", "").contains('%'), "{line}");
    }
}

#[test]
fn tracked_values_stand_once_and_are_numbers() {
    let written: Value = serde_json::from_str(&bmf::render(&gate::gate())).unwrap();
    let rate = &written["tcp/tcp-rr/load.closed.users=64/round_trips_per_s"]["throughput"];
    let number = |key: &str| rate[key].as_f64().unwrap_or_else(|| panic!("{key} in {rate}"));
    assert!(number("lower_value") < number("value") && number("value") < number("upper_value"));
    assert!(number("value") < 240e3, "what was measured, not what an older result says");
    assert!(written["tcp/tcp-rr/load.closed.users=64/service_time_ns_p99"]["latency"]["value"].is_number());
    assert_eq!(written.as_object().unwrap().len(), 4, "the invalid row is none of them");
    let none: Value = serde_json::from_str(&bmf::render(&absurd())).unwrap();
    assert_eq!(none, serde_json::json!({}));
}

#[test]
fn smaller_and_bigger_go_to_files_of_their_own() {
    let gate = gate::gate();
    let files = gha_json::render(&gate);
    let read = |text: &str| serde_json::from_str::<Vec<Value>>(text).unwrap();
    let (smaller, bigger) = (read(&files.smaller_is_better), read(&files.bigger_is_better));
    assert_eq!((smaller.len(), bigger.len()), (1, 3));
    for (entries, better) in [(smaller, Better::Lower), (bigger, Better::Higher)] {
        for entry in entries {
            let name = entry["name"].as_str().unwrap();
            assert!(gate.rows.iter().any(|row| name.ends_with(&format!("{}/{}", row.case, row.metric)) && row.better == better), "{name}");
            assert!(entry["value"].is_number() && entry["unit"].is_string() && entry["range"].as_str().unwrap().starts_with("± "));
        }
    }
    assert_eq!(gha_json::render(&absurd()).smaller_is_better, "[]\n");
}

#[test]
fn the_page_shows_every_row_and_needs_no_network() {
    let page = html::render(&gate::gate());
    for needed in [
        "REGRESSED",
        "exit 1: regression or failed threshold",
        "class=\"limit\"",
        "a slow-down of 5 %",
        "worse by 1.080×",
        "5f0c9a1be07d",
        "2026-11-22T18:03:11Z",
        "stored result: informs, never fails",
        "value of every trial in the order they ran",
        "how much worse the candidate was in every pair",
        "hwloc 2.9.0",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(needed), "{needed}");
    }
    for forbidden in ["http://", "https://", "src=", "@import", "url(", "<script", "<link", "NaN", "Infinity", "\0"] {
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains(forbidden), "{forbidden}");
    }
    let measured = gate::gate().rows.iter().filter(|row| !row.pairs.is_empty()).count();
    assert_eq!(page.matches(": value of every trial").count(), measured);
    assert_eq!(
        page.matches("class=\"ring s1").count(),
        gate::gate().rows.iter().flat_map(|row| &row.pairs).filter(|pair| !pair.base_first).count() - 1
    );
    let mut late = gate::gate();
    late.rows[2].n = 14;
    assert_eq!(html::render(&late).matches(" late\"").count(), 30, "ten pairs more, two values and a ratio each");
}

#[test]
fn what_is_no_number_is_never_printed_as_one() {
    for (name, text) in all_text(&absurd()) {
        for word in ["NaN", "nan,", "inf ", "inf\"", "inf]", "∞", "Infinity"] {
            assert!(!text.contains(word), "{name} has {word}");
        }
    }
}
