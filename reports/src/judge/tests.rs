//! Whole runs through the judge: rates, pairs, verdicts, targets, exit codes.

use super::{compare, exit_code, verdict};
use crate::exit;
use crate::sample::Journal;
use crate::schema::journal::{Failure, Outcome, ThresholdSpec};
use crate::schema::result::{CaseResult, Comparison, RunResult, Severity, SubjectResult, TargetResult, Verdict};
use crate::schema::validity::ValidityState;

fn subject<'a>(case: &'a CaseResult, name: &str) -> &'a SubjectResult {
    case.subjects.iter().find(|row| row.subject == name).unwrap()
}

fn value(row: &SubjectResult, metric: &str) -> f64 {
    compare::find(row, metric).and_then(|metric| metric.value).unwrap_or(f64::NAN)
}

fn against<'a>(case: &'a CaseResult, metric: &str, other: &str) -> &'a Comparison {
    case.comparisons.iter().find(|comparison| comparison.metric == metric && comparison.against == other).unwrap()
}

fn target<'a>(case: &'a CaseResult, source: &str) -> &'a TargetResult {
    case.targets.iter().find(|target| target.source.contains(source)).unwrap()
}

fn failure(class: &str) -> Outcome {
    Outcome::Failed(Failure { class: class.into(), message: "as planned".into() })
}

#[test]
fn rates_are_successes_over_elapsed_and_never_attempts() {
    let mut journal = Journal::round_trips();
    journal.each("tokio", |record, _| {
        record.work.errors.insert("timeout".into(), record.work.ok);
        record.work.attempted = 2 * record.work.ok;
    });
    let result = journal.summarize();
    let row = subject(&result.cases[0], "tokio");
    assert!((value(row, "round_trips_per_s") / 120e3 - 1.0).abs() < 0.02, "{}", value(row, "round_trips_per_s"));
    assert_eq!((value(row, "success_rate"), value(row, "error_rate")), (0.5, 0.5));
    assert_eq!(row.validity.state, ValidityState::Invalid);
}

#[test]
fn one_error_in_one_trial_is_not_outvoted_by_the_others() {
    let mut journal = Journal::round_trips();
    let Outcome::Record(record) = &mut journal.trials[0].outcome else { unreachable!() };
    record.work.errors.insert("read".into(), 1);
    record.work.attempted += 1;
    let result = journal.summarize();
    let metric = compare::find(&result.cases[0].subjects[0], "error_rate").unwrap();
    assert!(metric.value.unwrap() > 0.0);
    let threshold = &result.cases[0].thresholds[0];
    assert_eq!((threshold.subject.as_str(), threshold.passed), ("zokio", Some(false)));
    assert_eq!(result.verdict.exit_code, exit::FAILED);
}

#[test]
fn costs_come_from_the_kernel_and_are_split_where_the_ends_are_apart() {
    let result = Journal::full().summarize();
    let together = subject(&result.cases[0], "zokio");
    assert_eq!((together.cpu.client_ns_per_op, together.cpu.server_ns_per_op), (None, None));
    let apart = subject(&result.cases[1], "zokio");
    let split = (apart.cpu.client_ns_per_op.unwrap(), apart.cpu.server_ns_per_op.unwrap());
    assert!((split.0 + split.1 - apart.cpu.total_ns_per_op.unwrap()).abs() < 1.0);
    assert!((together.cpu.total_ns_per_op.unwrap() - 1.96e9 / value(together, "round_trips_per_s")).abs() < 60.0);
    assert!((value(together, "syscalls_per_op") - 1.0 / 16.0).abs() < 1e-3);
    assert!((6 << 20..7 << 20).contains(&together.rss_peak_bytes.unwrap()));
}

#[test]
fn system_calls_that_the_kernel_counted_stand_before_those_a_subject_tells() {
    let mut journal = Journal::round_trips();
    journal.each("zokio", |record, _| {
        record.counters.insert("syscalls_sampled".into(), 300);
        record.counters.insert("operations_sampled".into(), 200);
    });
    let result = journal.summarize();
    assert!((value(subject(&result.cases[0], "zokio"), "syscalls_per_op") - 1.5).abs() < 1e-9);
}

#[test]
fn a_stream_is_ranked_by_its_bytes() {
    let result = Journal::full().summarize();
    let row = subject(&result.cases[3], "ceiling");
    assert_eq!(row.metrics[0].id, "bytes_per_s");
    assert!((value(row, "bytes_per_s") / (154e3 * 65_536.0) - 1.0).abs() < 0.02);
}

#[test]
fn quantiles_have_intervals_over_trials_or_come_from_all_samples() {
    let result = Journal::full().summarize();
    let many = subject(&result.cases[0], "zokio");
    let p99 = compare::find(many, "service_time_ns_p99").unwrap();
    assert!(p99.ci.unwrap().lo <= p99.value.unwrap() && p99.value.unwrap() <= p99.ci.unwrap().hi);
    // 300 ms of 30,000 connections per second: no trial alone has 10,000 samples, all of them together have 90,000.
    let few = compare::find(subject(&result.cases[2], "zokio"), "service_time_ns_p999").unwrap();
    assert_eq!((few.n, few.ci), (0, None));
    assert!(few.value.is_some());
    assert_eq!(few.value, subject(&result.cases[2], "zokio").histograms[0].percentiles.p999);
}

#[test]
fn a_real_difference_is_found_and_an_equal_subject_is_the_same() {
    let result = Journal::full().summarize();
    let case = &result.cases[0];
    let ceiling = against(case, "round_trips_per_s", "ceiling");
    assert_eq!(ceiling.verdict, Verdict::Worse);
    assert!((ceiling.ratio.unwrap() - 252.0 / 267.0).abs() < 0.01);
    let tokio = against(case, "round_trips_per_s", "tokio-ct");
    assert_eq!(tokio.verdict, Verdict::Better);
    assert!(tokio.p.unwrap() < 0.05 && tokio.ci.unwrap().lo > 1.35);
    // One worker is saturated in every trial, so CPU per operation is the other side of the rate.
    assert_eq!(against(case, "cpu_ns_per_op", "tokio-ct").verdict, Verdict::Better);
    assert_eq!(against(case, "cpu_ns_per_op", "tokio-ct").p, None);
    let mut twins = Journal::round_trips();
    let copies: Vec<_> =
        twins.trials.iter().filter(|trial| trial.subject == "zokio").map(|trial| (trial.outcome.clone(), trial.evidence.clone())).collect();
    twins
        .trials
        .iter_mut()
        .filter(|trial| trial.subject == "tokio")
        .zip(copies)
        .for_each(|(trial, copy)| (trial.outcome, trial.evidence) = copy);
    assert_eq!(against(&twins.summarize().cases[0], "round_trips_per_s", "tokio").verdict, Verdict::Same);
}

#[test]
fn pairs_of_unlike_core_states_are_left_out_and_counted() {
    let mut journal = Journal::round_trips();
    journal.each_trial("tokio", |trial| {
        if trial.block < 2 {
            (trial.evidence.core_state_before_ns, trial.evidence.core_state_after_ns) = (Some(390.0), Some(400.0));
        }
    });
    let result = journal.summarize();
    let comparison = against(&result.cases[0], "round_trips_per_s", "tokio");
    assert_eq!((comparison.n, comparison.pairs_left_out), (6, 4));
    assert_eq!(against(&result.cases[0], "round_trips_per_s", "ceiling").pairs_left_out, 0);
}

#[test]
fn attempts_that_do_not_count_are_not_counted() {
    let mut journal = Journal::round_trips();
    let mut flipped = journal.trials[0].clone();
    flipped.counted = false;
    if let Outcome::Record(record) = &mut flipped.outcome {
        record.work.ok = 1;
    }
    journal.trials.insert(0, flipped);
    let result = journal.summarize();
    assert_eq!(result.noise.repeated_trials, 1);
    assert_eq!(result.cases, Journal::round_trips().summarize().cases);
}

#[test]
fn five_trials_give_a_value_but_no_interval_and_no_verdict() {
    let mut journal = Journal::round_trips();
    journal.trials.truncate(20);
    let result = journal.summarize();
    let metric = &result.cases[0].subjects[0].metrics[0];
    assert_eq!((metric.n, metric.ci), (5, None));
    assert!(metric.value.is_some());
    let comparison = against(&result.cases[0], "round_trips_per_s", "tokio");
    assert_eq!((comparison.verdict, comparison.p, comparison.ci), (Verdict::Inconclusive, None, None));
    assert_eq!(exit_code(&result, true, false), exit::INCONCLUSIVE);
}

#[test]
fn only_relative_targets_can_be_reached() {
    let result = Journal::full().summarize();
    let case = &result.cases[0];
    let historical = target(case, "Apple M1 Pro");
    assert_eq!((historical.comparable, historical.reached), (false, None));
    assert!((historical.ratio.unwrap() - 1.4).abs() < 0.05);
    let ceiling = target(case, "of ceiling");
    assert_eq!((ceiling.comparable, ceiling.reached), (true, Some(true)));
    assert!(ceiling.ratio_unfavourable.unwrap() <= ceiling.ratio.unwrap());
    let lost = target(&result.cases[2], "of tokio-ct");
    assert_eq!(lost.reached, Some(false));
    assert_eq!(result.verdict.exit_code, exit::PASSED, "a missed target is shown, and fails no run");
}

#[test]
fn invalid_rows_are_neither_ranked_nor_held_against_targets() {
    let mut journal = Journal::round_trips();
    journal.each("zokio", |record, _| record.work.verified = 0);
    let result = journal.summarize();
    let case = &result.cases[0];
    assert!(case.comparisons.iter().all(|comparison| comparison.ratio.is_none() && comparison.verdict == Verdict::Inconclusive));
    assert!(case.targets.iter().all(|target| target.ratio.is_none() && target.reached.is_none()));
    assert!(case.thresholds.iter().filter(|threshold| threshold.subject == "zokio").all(|threshold| threshold.passed.is_none()));
    assert_eq!(result.verdict.exit_code, exit::INVALID);
}

#[test]
fn controls_are_guarded_and_never_ranked() {
    let mut journal = Journal::full();
    let before = journal.summarize();
    assert!(before.cases[4].comparisons.is_empty());
    assert!(!before.cases[4].subjects[0].validity.checks.is_empty());
    journal.trials.retain(|trial| trial.case != "sleep-floor");
    assert_eq!(journal.summarize().cases[0].comparisons, before.cases[0].comparisons, "a control takes no part in the family of tests");
}

/// Name, what is done to the journal, code without and with `strict`.
type Ending = (&'static str, fn(&mut Journal), u8, u8);

#[test]
fn exit_codes_follow_their_precedence() {
    let limit = |journal: &mut Journal| {
        let metric = "round_trips_per_s".into();
        journal.header.cases[0].thresholds =
            vec![ThresholdSpec { metric, op: ">=".into(), value: 1e9, severity: Severity::Fail, grace: None }];
    };
    let endings: [Ending; 9] = [
        ("clean", |_| (), exit::PASSED, exit::PASSED),
        ("suspect", |journal| journal.each("tokio", |_, evidence| evidence.steal_share = Some(0.5)), exit::PASSED, exit::INCONCLUSIVE),
        ("invalid", |journal| journal.each("tokio", |record, _| record.work.bytes = 0), exit::INVALID, exit::INVALID),
        (
            "peer cannot run",
            |journal| journal.each_trial("tokio", |trial| trial.outcome = failure("unsupported")),
            exit::PASSED,
            exit::INCONCLUSIVE,
        ),
        (
            "first cannot run",
            |journal| journal.each_trial("zokio", |trial| trial.outcome = failure("crash")),
            exit::COULD_NOT_RUN,
            exit::COULD_NOT_RUN,
        ),
        ("nothing ran", |journal| journal.trials.clear(), exit::COULD_NOT_RUN, exit::COULD_NOT_RUN),
        (
            "killed",
            |journal| {
                journal.end = None;
                journal.trials.truncate(39)
            },
            exit::PASSED,
            exit::INCONCLUSIVE,
        ),
        ("debug tool", |journal| journal.header.tool.profile = "debug".into(), exit::PASSED, exit::PASSED),
        ("too slow", |_| (), exit::FAILED, exit::FAILED),
    ];
    for (name, bend, relaxed, strict) in endings {
        let mut journal = Journal::round_trips();
        bend(&mut journal);
        if name == "too slow" {
            limit(&mut journal);
        }
        let result = journal.summarize();
        assert_eq!(exit_code(&result, false, false), relaxed, "{name}");
        assert_eq!(exit_code(&result, true, false), strict, "{name}, strict");
        assert_eq!(exit_code(&result, true, true), exit::INTERRUPTED, "{name}, interrupted");
        assert_eq!(result.verdict.exit_code, relaxed, "{name}");
    }
}

#[test]
fn a_slow_peer_fails_no_threshold_of_the_subject_under_test() {
    let mut journal = Journal::round_trips();
    let metric = "round_trips_per_s".to_string();
    journal.header.cases[0].thresholds =
        vec![ThresholdSpec { metric, op: ">=".into(), value: 200e3, severity: Severity::Fail, grace: None }];
    let result = journal.summarize();
    let missed: Vec<&str> = result.cases[0]
        .thresholds
        .iter()
        .filter(|threshold| threshold.passed == Some(false))
        .map(|threshold| threshold.subject.as_str())
        .collect();
    assert_eq!(missed, ["tokio", "tokio-ct"]);
    assert_eq!(result.verdict.exit_code, exit::PASSED);
}

#[test]
fn what_may_be_quoted_is_decided_in_one_place() {
    let reportable = |bend: fn(&mut Journal)| -> RunResult {
        let mut journal = Journal::round_trips();
        bend(&mut journal);
        journal.summarize()
    };
    assert!(reportable(|_| ()).reportable);
    let bends: [fn(&mut Journal); 5] = [
        |journal| journal.header.quick = true,
        |journal| journal.header.tool.dirty = Some(true),
        |journal| journal.header.tool.profile = "debug".into(),
        |journal| journal.end = None,
        |journal| journal.each("tokio", |_, evidence| evidence.steal_share = Some(0.5)),
    ];
    for bend in bends {
        let result = reportable(bend);
        assert_eq!((result.reportable, result.not_reportable_because.len()), (false, 1), "{:?}", result.not_reportable_because);
    }
}

#[test]
fn a_row_that_was_never_reached_is_no_failure_of_its_subject() {
    let mut journal = Journal::full();
    journal.end = None;
    journal.trials.truncate(40);
    let result = journal.summarize();
    assert!(!verdict::could_not_run(&result.cases[1].subjects[0]));
    assert_eq!(result.cases[1].subjects[0].validity.state, ValidityState::Skipped);
    assert_eq!((result.complete, result.verdict.exit_code), (false, exit::PASSED));
}
