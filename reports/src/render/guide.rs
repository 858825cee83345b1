//! The table of the Zokio performance guide, made from results: what it printed, what that was, and what honest work of the kind gives.
//!
//! A row of the guide is found through the historical targets that the scenarios carry: figure, metric, and what was measured for it stand
//! there and nowhere else. This module knows the rows' names, their order, and the suite that measures each.

use std::fmt::Write as _;

use super::markdown::cell;
use super::view;
use crate::judge::compare::{find, is_rankable, paired_ratio};
use crate::schema::result::{CaseResult, RunResult, SubjectResult, TargetResult};
use crate::schema::validity::ValidityState;
use crate::units::{ABSENT, Ratio, Share, grouped, with_unit};

/// First and last line of the table, so that it can be replaced where it stands.
pub const MARKERS: (&str, &str) = ("<!-- guide-table: begin -->", "<!-- guide-table: end -->");

/// A row of the guide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GuideRow {
    /// Its name.
    pub name: &'static str,
    /// Its figure in the base unit of its metric; `None` where the guide prints infinity.
    pub figure: Option<f64>,
    /// A word of the historical target's source that names the row where there is no figure.
    pub word: &'static str,
    /// The suite that measures it.
    pub suite: &'static str,
}

const fn row(name: &'static str, figure: f64, suite: &'static str) -> GuideRow {
    GuideRow { name, figure: Some(figure), word: "", suite }
}

/// The rows in the guide's order: seven components, three stress tests, three network tests with the throughput beside each.
pub const ROWS: [GuideRow; 16] = [
    row("Task scheduling", 451_875_282.0, "scheduling"),
    row("Work stealing queue", 287_356_321.0, "stealing"),
    GuideRow { name: "Future polling", figure: None, word: "future polling", suite: "polling" },
    row("Memory allocation", 3_512_901.0, "memory"),
    row("Object pool", 112_220_850.0, "pool"),
    row("Atomic operations", 566_251_415.0, "atomics"),
    row("I/O operations", 632_111_251.0, "io"),
    row("Stress: task scheduling", 100_000_000.0, "stress"),
    row("Stress: memory allocation", 232_558.0, "stress"),
    row("Stress: I/O operations", 8_333_333.0, "stress"),
    row("TCP connections", 177_935.0, "tcp"),
    row("TCP throughput", 347e6, "tcp"),
    row("HTTP requests", 192_678.0, "http"),
    row("HTTP throughput", 94e6, "http"),
    row("File transfer", 6_622.0, "file"),
    row("File transfer, peak throughput", 646e6, "file"),
];

impl GuideRow {
    /// Whether a historical target is this row's: it is the guide's, and has the row's figure or, without one, its word.
    pub fn is_target(&self, value: f64, source: &str) -> bool {
        let is_row = match self.figure {
            Some(figure) => (value / figure - 1.0).abs() < 1e-9,
            None => source.contains(self.word),
        };
        is_row && source.contains(GUIDE)
    }
}

/// How the source of a historical target begins.
pub const GUIDE: &str = "Zokio performance guide";

/// The table over the newest result of each suite, as Markdown between its markers; rows without a result are named below it.
pub fn table(results: &[RunResult]) -> String {
    let newest = newest(results);
    let mut text = format!(
        "{}\n| row of the guide | the guide printed | what that was | measured here | ours | better tokio | ceiling | ours / tokio |\n",
        MARKERS.0
    );
    text.push_str("|---|--:|---|---|--:|--:|--:|--:|\n");
    let (mut used, mut absent) = (Vec::new(), Vec::new());
    for guide in &ROWS {
        let found = targets(&newest, guide);
        for (index, (result, case, target)) in found.iter().enumerate() {
            let name = if index == 0 { guide.name } else { "" };
            text.push_str(&line(name, guide, case, target));
            if !used.iter().any(|known: &&RunResult| known.run_id == result.run_id) {
                used.push(result);
            }
        }
        if found.is_empty() {
            absent.push(format!("{} (suite `{}`)", guide.name, guide.suite));
        }
    }
    text.push('\n');
    if !absent.is_empty() {
        let _ = writeln!(text, "Left out, because no result given measures them: {}.\n", absent.join(", "));
    }
    for result in used {
        let _ = writeln!(text, "- {}", provenance(result));
    }
    let _ = writeln!(text, "{}", MARKERS.1);
    text
}

/// `text` with what stands between its markers replaced by `table`; `None` where it has no markers.
pub fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(MARKERS.0)?;
    let (_, after) = rest.split_once(MARKERS.1)?;
    Some(format!("{before}{}{after}", table.trim_end()))
}

/// The newest result of each suite.
fn newest(results: &[RunResult]) -> Vec<&RunResult> {
    let mut newest: Vec<&RunResult> = Vec::new();
    for result in results {
        match newest.iter_mut().find(|known| known.suite.name == result.suite.name) {
            // RFC 3339 in UTC: the later text is the later time.
            Some(known) if known.started_at < result.started_at => *known = result,
            Some(_) => {}
            None => newest.push(result),
        }
    }
    newest
}

/// The row's targets in its own suite or, where that was not run, in others that carry it.
fn targets<'a>(results: &[&'a RunResult], guide: &GuideRow) -> Vec<(&'a RunResult, &'a CaseResult, &'a TargetResult)> {
    let is_own = |target: &TargetResult| target.kind == "historical" && guide.is_target(target.value, &target.source);
    let mut found = Vec::new();
    for result in results {
        for case in &result.cases {
            found.extend(case.targets.iter().filter(|target| is_own(target)).map(|target| (*result, case, target)));
        }
    }
    if found.iter().any(|(result, ..)| result.suite.name == guide.suite) {
        found.retain(|(result, ..)| result.suite.name == guide.suite);
    }
    found
}

fn line(name: &str, guide: &GuideRow, case: &CaseResult, target: &TargetResult) -> String {
    let named = |name: &str| case.subjects.iter().find(|row| row.subject == name);
    let ours = named("zokio").or(case.subjects.first());
    let tokio = view::better_tokio(case, &target.metric);
    let ratio = ours.zip(tokio).filter(|(ours, _)| is_rankable(ours)).map(|(ours, tokio)| paired_ratio(ours, tokio, &target.metric));
    let ratio = ratio.and_then(|paired| Some((paired.ratio?, paired.ci)));
    let cells = [
        cell(name),
        figure(guide, case, target),
        cell(&what_it_was(&target.source)),
        cell(&case.id),
        ours.map_or_else(|| ABSENT.into(), |row| value(row, &target.metric, "zokio")),
        tokio.map_or_else(|| ABSENT.into(), |row| value(row, &target.metric, "")),
        named("ceiling").map_or_else(|| ABSENT.into(), |row| value(row, &target.metric, "ceiling")),
        ratio.map_or_else(
            || ABSENT.into(),
            |(ratio, ci)| format!("{}{}", Ratio(ratio), ci.map_or_else(String::new, |ci| format!(" {}", cell(&view::interval(ci))))),
        ),
    ];
    format!("| {} |\n", cells.join(" | "))
}

/// As the guide prints it: to the digit where it is a count, with its unit otherwise.
fn figure(guide: &GuideRow, case: &CaseResult, target: &TargetResult) -> String {
    match guide.figure {
        None => "infinity".into(),
        Some(figure) if target.metric.starts_with("bytes") => with_unit(figure, "B/s"),
        Some(figure) => {
            let unit = case.subjects.iter().find_map(|row| find(row, &target.metric)).map_or("1/s", |metric| metric.unit.as_str());
            format!("{}{}", grouped(figure as u64), if unit == "1/s" { " /s" } else { "" })
        }
    }
}

/// The source without the guide's name, the row's name and the guide's host: what was measured.
fn what_it_was(source: &str) -> String {
    let rest = source.split_once(GUIDE).map_or(source, |(_, rest)| rest).trim_start_matches(", ");
    let said = rest.split_once("Apple M1 Pro; ").map(|(_, said)| said).or_else(|| rest.split_once(", ").map(|(_, said)| said));
    said.unwrap_or(rest).trim_start_matches("measured ").to_owned()
}

/// `12.3 M/s ±1.2 %`, struck through where it is suspect, with the subject where it is not the one that the column names.
fn value(row: &SubjectResult, id: &str, column: &str) -> String {
    let subject = if row.subject == column { String::new() } else { format!(" ({})", cell(&row.subject)) };
    match row.validity.state {
        ValidityState::Invalid => return format!("invalid{subject}"),
        ValidityState::Skipped => return format!("not run{subject}"),
        ValidityState::Valid | ValidityState::Suspect => {}
    }
    let Some((metric, number)) = find(row, id).and_then(|metric| Some((metric, metric.value?))) else {
        return format!("{ABSENT}{subject}");
    };
    let spread = view::half_width(metric).map_or_else(String::new, |share| format!(" ±{}", Share(share)));
    let strike = if row.validity.state == ValidityState::Suspect { "~~" } else { "" };
    format!("{strike}{}{spread}{strike}{subject}", with_unit(number, &metric.unit))
}

fn provenance(result: &RunResult) -> String {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    let quotable = match result.not_reportable_because.first() {
        None if result.reportable => String::new(),
        reason => format!("; **not to be quoted**: {}", cell(reason.map_or("no reason given", String::as_str))),
    };
    format!(
        "{}: run {} of {}, {}, {} CPUs, kernel {}{quotable}",
        cell(&result.suite.name),
        cell(&result.run_id),
        cell(&result.started_at),
        cell(&known(&result.host.cpu.model)),
        result.host.cpu.allowed.len(),
        cell(&known(&result.host.kernel.release)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Journal, full_result};
    use crate::schema::journal::{Failure, Outcome};

    #[test]
    fn a_row_shows_what_the_guide_printed_what_it_was_and_the_better_layout_of_tokio() {
        let text = table(std::slice::from_ref(full_result()));
        let row = text.lines().find(|line| line.starts_with("| TCP connections |")).unwrap_or_else(|| panic!("no row in\n{text}"));
        assert!(row.contains("| 177,935 /s | sleep(1 us), no socket | tcp-rr/load.closed.users=64 |"), "{row}");
        assert!(row.contains("(tokio-ct)") && !row.contains("(zokio)"), "{row}");
        let ratio = full_result().cases[0].comparisons.iter().find(|comparison| comparison.against == "tokio-ct").unwrap();
        assert!(row.contains(&Ratio(ratio.ratio.unwrap()).to_string()), "{row}");
        assert!(text.starts_with(MARKERS.0) && text.trim_end().ends_with(MARKERS.1));
        assert!(text.contains("Left out, because no result given measures them: Task scheduling (suite `scheduling`), "), "{text}");
        assert!(text.contains("- tcp: run 20261123-064500-7f3a of 2026-11-23T06:45:00Z, AMD EPYC 7B13, 2 CPUs"), "{text}");
        let widths: Vec<usize> = text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches(" | ").count()).collect();
        assert!(widths.iter().filter(|width| **width > 0).all(|width| *width == 7), "{text}");
    }

    #[test]
    fn rows_that_are_not_believed_show_no_number() {
        let mut journal = Journal::round_trips();
        journal.each("zokio", |record, _| record.work.verified = 0);
        journal.each_trial("tokio", |trial| trial.outcome = Outcome::Failed(Failure { class: "crash".into(), message: "x".into() }));
        journal.each("ceiling", |_, evidence| evidence.steal_share = Some(0.5));
        let text = table(&[journal.summarize()]);
        let row = text.lines().find(|line| line.starts_with("| TCP connections |")).expect("the row");
        assert!(row.contains("| invalid |") && row.contains("| ~~") && row.ends_with("| – |"), "{row}");
        assert!(text.contains("**not to be quoted**"), "{text}");
    }

    #[test]
    fn the_newest_result_of_a_suite_counts_and_no_result_is_no_row() {
        let (old, mut new) = (full_result().clone(), full_result().clone());
        (new.run_id, new.started_at) = ("newer".into(), "2026-11-24T00:00:00Z".into());
        assert!(table(&[new.clone(), old.clone()]).contains("run newer of"));
        assert!(!table(&[old, new]).contains("run 20261123-064500-7f3a of"));
        let empty = table(&[]);
        assert!(ROWS.iter().all(|row| empty.contains(row.name)) && empty.lines().filter(|line| line.starts_with('|')).count() == 2);
    }

    #[test]
    fn the_table_replaces_an_older_one_where_it_stands() {
        let page = format!("above\n\n{}\n| old |\n{}\nbelow\n", MARKERS.0, MARKERS.1);
        let table = table(&[]);
        let once = replaced(&page, &table).expect("markers");
        assert!(once.starts_with("above\n\n<!--") && once.ends_with("-->\nbelow\n") && !once.contains("old"), "{once}");
        assert_eq!(replaced(&once, &table).as_ref(), Some(&once));
        assert_eq!(replaced("no markers", &table), None);
    }

    #[test]
    fn what_was_measured_is_cut_out_of_the_source() {
        let cases = [
            ("Zokio performance guide, object pool, Apple M1 Pro; measured one object, twice", "one object, twice"),
            ("Zokio performance guide, TCP throughput, Apple M1 Pro; 177,935 times 2,048 bytes", "177,935 times 2,048 bytes"),
            ("Zokio performance guide, future polling, prints infinity: no time passed", "prints infinity: no time passed"),
            ("Zokio performance guide", ""),
        ];
        for (source, said) in cases {
            assert_eq!(what_it_was(source), said);
        }
        assert!(ROWS[2].is_target(2.5e13, cases[2].0) && !ROWS[2].is_target(2.5e13, cases[0].0));
        assert!(ROWS[0].is_target(451_875_282.0, GUIDE) && !ROWS[0].is_target(451_875_282.0, "elsewhere"));
    }
}
