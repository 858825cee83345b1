//! Renderers on the sample run, and on rows that want to break them.

use super::{csv, json, junit, markdown, terminal};
use crate::judge::across::{Side, between, within};
use crate::sample::{Journal, full_result, scaling};
use crate::schema::journal::{Failure, Outcome};
use crate::schema::result::RunResult;

/// One valid row, one suspect, one invalid, one skipped with a hostile message.
fn troubled() -> RunResult {
    let mut journal = Journal::round_trips();
    journal.each("tokio", |_, evidence| evidence.steal_share = Some(0.5));
    journal.each("tokio-ct", |record, _| record.work.verified = 0);
    let message = "<script>alert(1)</script> | \"x\" & \u{1b}[31mred\nnext".to_string();
    journal.each_trial("ceiling", |trial| trial.outcome = Outcome::Failed(Failure { class: "crash".into(), message: message.clone() }));
    journal.summarize()
}

#[test]
fn every_line_fits_and_plain_output_is_ascii() {
    for result in [full_result(), &troubled(), &scaling::result(), &scaling::results_of(&[1, 2])] {
        for width in [60, 80, 120, 400] {
            let text = terminal::render(result, false, width);
            assert!(text.is_ascii());
            for line in text.lines() {
                assert!(line.len() <= width.min(120), "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_case_with_files_says_how_the_page_cache_held_them_and_where_they_were() {
    let mut journal = Journal::round_trips();
    journal.header.cases[0].page_cache = Some("cold".into());
    journal.each("tokio", |record, _| drop(record.config.insert("file_system".into(), "tmpfs".into())));
    let result = journal.summarize();
    for text in [terminal::render(&result, false, 120), markdown::render(&result)] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(", page cache cold on tmpfs"), "{text}");
    }
    assert!(!markdown::render(full_result()).contains("page cache"));
}

#[test]
fn two_sides_at_a_terminal_read_well() {
    let mut compared = within(full_result(), "zokio", "tokio");
    compared.rows.retain(|row| row.case == "tcp-crr");
    compared.rows[1].reason = Some("pairs left out for other core states: 2".into());
    let expected = "tcp: zokio and tokio of one run, trials interleaved\n\
        a: tcp, run 20261123-064500-7f3a of 2026-11-23T06:45:00Z, commit 5f0c9a1, subject zokio\n\
        b: tcp, run 20261123-064500-7f3a of 2026-11-23T06:45:00Z, commit 5f0c9a1, subject tokio\n\
        \n\
        tcp-crr\n";
    let text = terminal::compare(&compared, false, 120);
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\n  pairs left out for other core states: 2 (zokio / tokio cpu_ns_per_op)\n"), "{text}");
    let side = Side { result: full_result(), subject: None };
    let unlike = terminal::compare(&between(side, side), false, 120);
    assert!(unlike.contains("\n  cpu_model       not told  not told  not comparable\n"), "{unlike}");
    assert!(unlike.contains("not comparable because the hosts are unlike: arch, cpu_model"), "{unlike}");
    for text in [text, unlike] {
        assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 120), "{text}");
    }
    let narrow = terminal::compare(&compared, false, 60);
    assert!(!narrow.contains("95%") && narrow.contains("better"), "{narrow}");
}

#[test]
fn what_was_lost_stands_before_what_was_won() {
    let text = terminal::render(full_result(), false, 120);
    let place = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} is missing in\n{text}"));
    assert!(place("\nLost (") < place("\nWon ("));
    assert!(text.ends_with("exit code 0: passed\n"));
    assert!(text.contains("best tokio layout (tokio-ct)"));
    assert!(text.contains("/ the ceiling:"));
    assert!(text.contains("not comparable"));
    let markdown = markdown::render(full_result());
    assert!(markdown.find("**Lost**").unwrap() < markdown.find("### tcp-rr").unwrap());
}

#[test]
fn doubtful_rows_are_marked_and_give_their_reason() {
    let text = terminal::render(&troubled(), false, 120);
    assert!(text.contains("\n~ tokio "));
    assert!(text.contains("\n! tokio-ct "));
    assert!(text.contains("\n- ceiling "));
    assert!(text.contains("tokio is suspect: throttle:"));
    assert!(text.contains("tokio-ct is invalid: work-done:"));
    assert!(text.contains("Invalid, not ranked (1)"));
    let colored = terminal::render(&troubled(), true, 120);
    assert!(colored.contains("\u{1b}[9mtokio"));
    assert!(!colored.contains("\u{1b}[31mred"), "a subject's message must not steer the terminal");
}

#[test]
fn markup_in_a_message_stays_text() {
    let result = troubled();
    assert!(!markdown::render(&result).contains("<script"));
    let xml = junit::render(&result);
    assert!(!xml.contains("<script"));
    assert!(xml.contains("tests=\"4\" failures=\"0\" errors=\"1\" skipped=\"1\""));
}

#[test]
fn a_failed_threshold_is_a_failure_and_an_invalid_row_an_error() {
    let mut journal = Journal::round_trips();
    journal.header.cases[0].thresholds[0] = crate::schema::journal::ThresholdSpec {
        metric: "round_trips_per_s".into(),
        op: ">=".into(),
        value: 1e9,
        ..journal.header.cases[0].thresholds[0].clone()
    };
    let xml = junit::render(&journal.summarize());
    assert_eq!(xml.matches("<failure type=\"threshold\"").count(), 1, "the first subject's alone:\n{xml}");
    assert!(junit::render(&troubled()).contains("<error type=\"invalid\" message=\"work-done:"));
}

#[test]
fn csv_has_as_many_fields_on_every_line() {
    let text = csv::render(full_result());
    let fields = text.lines().next().unwrap().split(',').count();
    assert!(text.lines().all(|line| line.split(',').count() == fields));
    assert!(text.contains(",zokio,0.1.0,io_uring,valid,round_trips_per_s,1/s,higher,"));
}

#[test]
fn json_reads_back_as_the_same_result() {
    let result = troubled();
    assert_eq!(serde_json::from_str::<RunResult>(&json::to_string(&result)).unwrap(), result);
}

#[test]
fn a_section_on_workers_stands_in_every_form_for_people() {
    let result = scaling::results_of(&[1, 2]);
    let text = terminal::render(&result, false, 120);
    for needed in [
        "\nScaling\n",
        "At most 2 workers were measured",
        "proves little",
        "coherency 0 (fixed)",
        "zokio, tokio, tokio-ct, ceiling: two numbers",
    ] {
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(needed.trim()), "{needed} is missing in\n{text}");
    }
    let markdown = markdown::render(&result);
    assert!(
        markdown.contains("### Scaling") && markdown.contains("| zokio | 1: 8.97 M") && markdown.contains("cannot be told apart"),
        "{markdown}"
    );
    let page = super::html::page(&[scaling::result()]);
    assert!(page.contains("class=\"scaling\"") && page.contains("Peak at") && page.contains("extrapolated"));
    let alone = terminal::render(&scaling::results_of(&[1]), false, 120).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(alone.contains("speed-up -;") && alone.contains("nothing was fitted"), "{alone}");
    assert!(!page.contains("NaN") && !terminal::render(full_result(), false, 120).contains("Scaling"));
    assert_eq!(serde_json::from_str::<RunResult>(&json::to_string(&result)).unwrap(), result);
}
