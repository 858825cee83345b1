//! Two results side by side, on the sample run and on what may be wrong with either side.

use super::*;
use crate::judge::hosts::{CLASS_FIELDS, PROBES};
use crate::sample::{Journal, full_result};
use crate::schema::journal::{Failure, Outcome};

/// The result of a journal whose host tells all that a comparison needs.
fn on_known_host(mut result: RunResult) -> RunResult {
    let fields = &mut result.host.fingerprint.fields;
    fields.extend(CLASS_FIELDS.iter().map(|name| ((*name).to_owned(), Some("of the sample".to_owned()))));
    result.calibration.extend(PROBES.iter().map(|(_, key)| ((*key).to_owned(), Some(100.0))));
    result
}

fn sample() -> RunResult {
    on_known_host(Journal::round_trips().summarize())
}

fn all(result: &RunResult) -> Side<'_> {
    Side { result, subject: None }
}

/// The reasons of all rows of two runs, each once.
fn reasons(a: &RunResult, b: &RunResult) -> Vec<String> {
    let compared = between(all(a), all(b));
    assert!(compared.rows.iter().all(|row| row.verdict == CompareVerdict::NotComparable && row.ratio.is_none()), "{compared:#?}");
    let mut reasons: Vec<String> = compared.rows.into_iter().map(|row| row.reason.expect("a reason")).collect();
    reasons.dedup();
    reasons
}

#[test]
fn two_runs_have_ratios_with_intervals_and_never_a_verdict() {
    let (a, mut b) = (sample(), sample());
    for metric in b.cases[0].subjects.iter_mut().flat_map(|row| &mut row.metrics) {
        metric.value = metric.value.map(|value| value * 2.0);
        metric.trials.iter_mut().flatten().for_each(|value| *value *= 2.0);
    }
    let compared = between(all(&a), all(&b));
    assert!(!compared.paired && compared.unlike.is_empty());
    assert_eq!(compared.rows.len(), 8, "four subjects, the primary metric and CPU");
    for row in &compared.rows {
        assert_eq!((row.verdict, row.p), (CompareVerdict::NotInterleaved, None), "half as fast, and yet no verdict");
        let (ratio, ci) = (row.ratio.expect("a ratio"), row.ci.expect("an interval"));
        assert!((ratio - 0.5).abs() < 1e-9 && ci.lo <= ratio && ratio <= ci.hi && ci.lo < ci.hi, "{row:#?}");
        assert_eq!((row.n_a, row.n_b), (10, 10));
    }
    assert!(compared.notes.iter().any(|note| note.contains("interleave")), "{:?}", compared.notes);
}

#[test]
fn subjects_of_other_names_are_compared_where_they_were_asked_for() {
    let (a, b) = (sample(), sample());
    let compared = between(Side { result: &a, subject: Some("zokio") }, Side { result: &b, subject: Some("tokio") });
    assert_eq!(compared.rows.len(), 2);
    assert!(compared.rows.iter().all(|row| (row.subject.as_str(), row.against.as_str()) == ("zokio", "tokio")));
    let ratio = compared.rows[0].ratio.expect("a ratio");
    assert!((ratio / (252.0 / 121.0) - 1.0).abs() < 0.02, "{ratio}");
}

#[test]
fn every_row_that_is_not_compared_says_why() {
    let a = sample();
    let changed = |change: &dyn Fn(&mut RunResult)| {
        let mut b = sample();
        change(&mut b);
        b
    };
    let class = changed(&|b| drop(b.host.fingerprint.fields.insert("cpu_model".into(), Some("another".into()))));
    let silent = changed(&|b| drop(b.host.fingerprint.fields.remove("virt")));
    let slower = changed(&|b| b.calibration.insert("probe_cpu_ns".into(), Some(150.0)).map_or((), |_| ()));
    let partial = changed(&|b| b.complete = false);
    let other_work = changed(&|b| b.cases[0].workload_sha256 = "00".repeat(32));
    let other_version = changed(&|b| b.cases[0].workload_version = 2);
    let other_metric = changed(&|b| b.cases[0].primary_metric = "bytes_per_s".into());
    let other_place = changed(&|b| b.cases[0].cpus = [("all".to_owned(), vec![0])].into());
    let cases = [
        (&class, "the hosts are unlike: cpu_model"),
        (&silent, "the hosts are unlike: virt"),
        (&slower, "the hosts are unlike: probe.cpu"),
        (&partial, "run b is partial"),
        (&other_work, "other work: workload_sha256 differs"),
        (&other_version, "the workload changed its meaning: version 1 and 2"),
        (&other_metric, "another primary metric"),
        (&other_place, "another placement"),
    ];
    for (b, reason) in cases {
        assert_eq!(reasons(&a, b), [reason]);
    }
    assert_eq!(reasons(&partial, &a), ["run a is partial"]);
    let elsewhere = changed(&|b| b.cases[0].id = "elsewhere".into());
    assert_eq!(reasons(&a, &elsewhere), ["the case is only in a", "only in b"]);
}

#[test]
fn a_setting_that_differs_is_told_and_forbids_nothing() {
    let (a, mut b) = (sample(), sample());
    b.host.fingerprint.fields.insert("governor".into(), Some("powersave".into()));
    let compared = between(all(&a), all(&b));
    assert_eq!(compared.unlike.len(), 1);
    assert!(compared.rows.iter().all(|row| row.verdict == CompareVerdict::NotInterleaved));
}

#[test]
fn rows_that_were_not_measured_are_not_compared() {
    let mut journal = Journal::round_trips();
    journal.each("tokio-ct", |record, _| record.work.verified = 0);
    let crash = Failure { class: "crash".into(), message: "gone".into() };
    journal.each_trial("ceiling", |trial| trial.outcome = Outcome::Failed(crash.clone()));
    let (a, mut b) = (sample(), on_known_host(journal.summarize()));
    b.cases[0].subjects.remove(1);
    let compared = between(all(&a), all(&b));
    let row = |subject: &str| compared.rows.iter().find(|row| row.subject == subject).expect("a row");
    assert_eq!(row("zokio").verdict, CompareVerdict::NotInterleaved);
    for (subject, reason) in [("tokio", "no subject tokio in b"), ("tokio-ct", "invalid in b: "), ("ceiling", " in b: ")] {
        let found = row(subject);
        assert_eq!((found.verdict, found.ratio), (CompareVerdict::NotComparable, None));
        assert!(found.reason.as_deref().expect("a reason").contains(reason), "{found:?}");
    }
}

#[test]
fn subjects_of_one_run_are_paired_as_the_run_pairs_them() {
    let result = full_result();
    let compared = within(result, "zokio", "tokio");
    assert!(compared.paired);
    let mut seen = 0;
    for row in &compared.rows {
        let case = result.cases.iter().find(|case| case.id == row.case).expect("its case");
        let Some(own) = case.comparisons.iter().find(|own| own.metric == row.metric && own.against == "tokio") else { continue };
        let verdict = match own.verdict {
            Verdict::Better => CompareVerdict::Better,
            Verdict::Same => CompareVerdict::Same,
            Verdict::Worse => CompareVerdict::Worse,
            Verdict::Inconclusive => CompareVerdict::Inconclusive,
        };
        assert_eq!((row.ratio, row.ci, row.p, row.n_a, row.verdict), (own.ratio, own.ci, own.p, own.n, verdict), "{}", row.case);
        seen += 1;
    }
    assert_eq!(seen, 8, "four measured cases, two metrics");
}

#[test]
fn the_sides_may_be_swapped() {
    let (one, other) = (within(full_result(), "zokio", "tokio"), within(full_result(), "tokio", "zokio"));
    for (row, mirrored) in one.rows.iter().zip(&other.rows) {
        assert!((row.ratio.expect("a ratio") * mirrored.ratio.expect("a ratio") - 1.0).abs() < 1e-9, "{}", row.case);
        assert_eq!(row.p, mirrored.p, "the test is two-sided, and the run's p is that of the pair");
        let opposite = match row.verdict {
            CompareVerdict::Better => CompareVerdict::Worse,
            CompareVerdict::Worse => CompareVerdict::Better,
            same => same,
        };
        assert_eq!(mirrored.verdict, opposite, "{}", row.case);
    }
    assert!(one.rows.iter().any(|row| row.verdict == CompareVerdict::Better), "the sample has a winner");
}

#[test]
fn pairs_that_the_run_did_not_judge_are_adjusted_over_the_rows_here() {
    let compared = within(full_result(), "tokio", "tokio-ct");
    let primary: Vec<&CompareRow> = compared.rows.iter().filter(|row| row.metric != CPU).collect();
    assert!(primary.iter().all(|row| row.p.is_some()), "{primary:#?}");
    let raw = compare::paired_ratio(&full_result().cases[0].subjects[1], &full_result().cases[0].subjects[2], &primary[0].metric);
    assert!(primary[0].p > raw.p, "five rows share the error: {:?} {:?}", primary[0].p, raw.p);
    assert_eq!(primary[0].verdict, CompareVerdict::Worse);
}

#[test]
fn a_subject_that_is_not_there_is_a_reason_not_a_panic() {
    let compared = within(full_result(), "zokio", "absent");
    assert!(!compared.rows.is_empty());
    assert!(compared.rows.iter().all(|row| row.reason.as_deref() == Some("no subject absent in b")), "{compared:#?}");
}

#[test]
fn the_interval_of_two_medians_keeps_its_promise() {
    assert_eq!(ratio_interval(&[1.0; 6], &[1.0; 20]), None, "six values cannot promise 97.5 %");
    // A repeatable walk over ratios of two samples of one distribution: 1 must be missed in at most 5 % of them.
    let mut state = 1_u64;
    let mut value = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        1.0 + (state >> 40) as f64 / (1_u64 << 24) as f64
    };
    let misses = (0..2_000)
        .filter(|_| {
            let sides: [Vec<f64>; 2] = std::array::from_fn(|_| (0..12).map(|_| value()).collect());
            let ci = ratio_interval(&sides[0], &sides[1]).expect("twelve trials");
            ci.lo > 1.0 || ci.hi < 1.0
        })
        .count();
    assert!(misses < 100, "{misses} of 2,000");
}
