//! Records of open loops that are not what they claim, each caught by its guard; and one that is.

use crate::sample::Journal;
use crate::schema::histogram::{self, Histogram};
use crate::schema::journal::{JournalTrial, Outcome};
use crate::schema::open::{OfferedLoad, OpenRecord, OverloadRecord, WindowRecord};
use crate::schema::record::TrialRecord;
use crate::schema::result::SubjectResult;
use crate::schema::validity::CheckState;

const RATE_PER_S: f64 = 20_000.0;
const SUBJECT: &str = "zokio";

fn times(id: &str, from_ns: u64, count: u64) -> crate::schema::record::HistogramPayload {
    let mut times = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("constant bounds");
    for number in 0..count {
        times.record(from_ns + number % 1_000 * 10).expect("in bounds");
    }
    histogram::encode(id, "ns", &times).expect("just recorded")
}

/// Round trips whose loop was an open one that kept its schedule, but for `change`.
fn journal(change: impl Fn(&mut TrialRecord)) -> Journal {
    let mut journal = Journal::round_trips();
    let case = &mut journal.header.cases[0];
    case.users = None;
    case.primary_metric = "response_time_ns_p99".into();
    case.open = Some(OfferedLoad { rate_per_s: RATE_PER_S, arrival: "poisson".into(), max_in_flight: 4_096 });
    journal.trials.retain(|trial: &JournalTrial| trial.subject == SUBJECT);
    for trial in &mut journal.trials {
        let Outcome::Record(record) = &mut trial.outcome else { continue };
        let due = (RATE_PER_S * record.elapsed_ns as f64 / 1e9) as u64;
        let work = &mut record.work;
        work.bytes = work.bytes / work.ok * due;
        (work.ok, work.attempted, work.verified) = (due, due, due);
        record.batches.iter_mut().for_each(|batch| batch.0 = due / 10);
        record.histograms = vec![times("service_time", 20_000, due), times("response_time", 25_000, due)];
        record.open = Some(OpenRecord {
            offered_rate_per_s: RATE_PER_S,
            intended: due,
            sent: due,
            late: 3,
            lag_ns_p99: Some(40_000),
            lag_ns_max: 900_000,
        });
        change(record);
    }
    journal
}

fn row(journal: &Journal) -> SubjectResult {
    let result = journal.summarize();
    result.cases[0].subjects.iter().find(|row| row.subject == SUBJECT).cloned().expect("the row")
}

fn state(row: &SubjectResult, guard: &str) -> (CheckState, String) {
    let check = row.validity.checks.iter().find(|check| check.id == guard);
    check.map(|check| (check.state, check.detail.clone())).unwrap_or_else(|| panic!("no {guard}"))
}

fn metric(row: &SubjectResult, id: &str) -> f64 {
    let metric = row.metrics.iter().find(|metric| metric.id == id).unwrap_or_else(|| panic!("no {id}"));
    metric.value.unwrap_or_else(|| panic!("{id} has no value"))
}

#[test]
fn an_open_loop_that_kept_its_schedule_is_believed_and_shown() {
    let row = row(&journal(|_| ()));
    for guard in ["generator", "coordinated-omission"] {
        assert_eq!(state(&row, guard).0, CheckState::Pass, "{:?}", state(&row, guard));
    }
    assert!(state(&row, "coordinated-omission").1.contains("from the schedule"));
    assert_eq!(metric(&row, "sent_ratio"), 1.0);
    assert!((metric(&row, "achieved_rate_per_s") / RATE_PER_S - 1.0).abs() < 0.01);
    assert!(row.metrics.iter().any(|metric| metric.id == "response_time_ns_p99" && metric.value.is_some()));
}

#[test]
fn times_that_leave_the_waiting_out_are_no_measurement() {
    type Change = fn(&mut TrialRecord);
    let lies: [(&str, Change); 6] = [
        ("no schedule in the record", |record| record.open = None),
        ("no response times", |record| record.histograms.retain(|times| times.id != "response_time")),
        ("service times under another name", |record| {
            let ok = record.work.ok;
            record.histograms = vec![times("service_time", 20_000, ok), times("response_time", 5_000, ok)];
        }),
        ("starts left out when the subject was slow", |record| {
            if let Some(open) = &mut record.open {
                open.intended = open.intended * 8 / 10;
            }
        }),
        ("more starts than were due", |record| {
            if let Some(open) = &mut record.open {
                open.intended = open.intended * 13 / 10;
            }
        }),
        ("another rate", |record| {
            if let Some(open) = &mut record.open {
                open.offered_rate_per_s = 10_000.0;
            }
        }),
    ];
    for (lie, change) in lies {
        let (state, detail) = state(&row(&journal(change)), "coordinated-omission");
        assert_eq!(state, CheckState::Invalid, "{lie}: {detail}");
    }
}

#[test]
fn a_generator_that_is_late_or_a_subject_that_does_not_follow_is_suspect() {
    let late = journal(|record| record.open.iter_mut().for_each(|open| open.lag_ns_p99 = Some(2_000_000)));
    let lost = journal(|record| record.open.iter_mut().for_each(|open| open.sent = open.sent * 9 / 10));
    for (journal, says) in [(late, "generator late"), (lost, "did not take the rate offered")] {
        let (state, detail) = state(&row(&journal), "generator");
        assert!(state == CheckState::Suspect && detail.contains(says), "{detail}");
    }
    let slow = journal(|record| {
        // Late, but by less than anybody would call it.
        record.open.iter_mut().for_each(|open| open.lag_ns_p99 = Some(999_000));
    });
    assert_eq!(state(&row(&slow), "generator").0, CheckState::Pass);
}

#[test]
fn an_overload_that_was_not_offered_is_suspect() {
    for (told, expected) in [(1.0, CheckState::Pass), (0.96, CheckState::Pass), (0.5, CheckState::Suspect)] {
        let mut journal = Journal::round_trips();
        journal.trials.retain(|trial| trial.subject == SUBJECT);
        for trial in &mut journal.trials {
            let Outcome::Record(record) = &mut trial.outcome else { continue };
            let rate = 1.5 * record.work.ok as f64 * 1e9 / record.elapsed_ns as f64;
            let intended = (rate * told / 10.0) as u64;
            let open = OpenRecord { offered_rate_per_s: rate, intended, sent: intended, ..OpenRecord::default() };
            let mut overload = WindowRecord { elapsed_ns: 100_000_000, open, ..WindowRecord::default() };
            overload.work.ok = intended / 2;
            overload.work.attempted = intended;
            overload.work.errors.insert("overload".into(), intended - intended / 2);
            record.overload = Some(OverloadRecord { overload, recovery: WindowRecord::default() });
        }
        let row = row(&journal);
        assert_eq!(state(&row, "generator").0, expected, "{told}: {:?}", state(&row, "generator"));
        assert!((metric(&row, "overload_success_rate") - 0.5).abs() < 0.001);
        let kept = &row.overload.as_ref().expect("an overload").overload;
        assert_eq!(kept.errors["overload"], kept.attempted - kept.ok, "error classes are kept");
    }
}
