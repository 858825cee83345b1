//! One fake record per guard, caught by exactly that guard; and a clean row that passes all of them.

use std::collections::BTreeSet;

use crate::judge::calibration;
use crate::sample::Journal;
use crate::schema::histogram::{self, Histogram};
use crate::schema::journal::{Evidence, Failure, Outcome};
use crate::schema::record::TrialRecord;
use crate::schema::result::SubjectResult;
use crate::schema::validity::{CheckState, ValidityState};

const LIAR: &str = "tokio";

fn row(journal: &Journal) -> SubjectResult {
    let mut journal = journal.clone();
    journal.trials.retain(|trial| trial.subject == LIAR);
    let result = journal.summarize();
    result.cases[0].subjects.iter().find(|row| row.subject == LIAR).cloned().unwrap()
}

fn objections(row: &SubjectResult) -> BTreeSet<(String, CheckState)> {
    row.validity.checks.iter().filter(|check| check.state != CheckState::Pass).map(|check| (check.id.clone(), check.state)).collect()
}

fn bent(mut journal: Journal, change: impl Fn(&mut TrialRecord, &mut Evidence)) -> Journal {
    journal.each(LIAR, change);
    journal
}

fn scaled_work(record: &mut TrialRecord, factor: u64) {
    let work = &mut record.work;
    work.ok *= factor;
    work.attempted *= factor;
    work.verified *= factor;
    work.bytes *= factor;
    record.batches.iter_mut().for_each(|batch| batch.0 *= factor);
}

fn with_times(record: &mut TrialRecord, mean_ns: u64, count: u64) {
    let mut times = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    times.record_n(mean_ns, count).unwrap();
    record.histograms = vec![histogram::encode("service_time", "ns", &times).unwrap()];
}

/// Neighbours that are to take 90 % of each worker, and take so much.
fn with_load_beside(percent: u64) -> Journal {
    let mut journal = Journal::round_trips();
    journal.header.cases[0].effective["workload"]["latency"] = serde_json::json!({ "busy_percent": 90 });
    bent(journal, |record, _| {
        let workers = record.workers.len().max(1) as u64;
        record.counters.insert("beside_ns".into(), record.elapsed_ns * workers * percent / 100);
    })
}

#[test]
fn a_load_beside_that_was_there_is_told_and_objected_to_by_nobody() {
    let row = row(&with_load_beside(85));
    assert_eq!(objections(&row), BTreeSet::new());
    let told = row.validity.checks.iter().find(|check| check.id == "generator").unwrap();
    assert!(told.detail.starts_with("the tasks beside took 85"), "{}", told.detail);
}

#[test]
fn a_row_ranked_by_times_has_one_for_each_operation() {
    let mut ranked = Journal::sleeps();
    ranked.header.cases[0].primary_metric = "wake_latency_ns_p99".into();
    let waits = |journal: &Journal| {
        bent(journal.clone(), |record, _| record.histograms.iter_mut().for_each(|histogram| histogram.id = "wake_latency".into()))
    };
    assert_eq!(row(&waits(&ranked)).validity.state, ValidityState::Valid);
    let lies = [
        ("none", waits(&bent(ranked.clone(), |record, _| record.histograms.clear()))),
        ("other times", ranked.clone()),
        ("half of them", waits(&bent(ranked.clone(), |record, _| with_times(record, 100_000, record.work.ok / 2)))),
    ];
    for (lie, journal) in lies {
        assert!(objections(&row(&journal)).contains(&("work-done".into(), CheckState::Invalid)), "{lie}");
    }
}

#[test]
fn a_clean_row_passes_every_guard_that_applies() {
    for journal in [Journal::round_trips(), Journal::apart(), Journal::sleeps(), Journal::full()] {
        for case in journal.summarize().cases {
            for row in case.subjects {
                assert_eq!(objections(&row), BTreeSet::new(), "{} {}: {:#?}", case.id, row.subject, row.validity);
                assert_eq!(row.validity.state, ValidityState::Valid);
                assert_eq!(row.validity.reason, None);
            }
        }
    }
    let ids: Vec<String> = row(&Journal::apart()).validity.checks.into_iter().map(|check| check.id).collect();
    let design = "finite timer-floor physical-bound work-done errors connections littles-law wall-clock cpu-evidence kernel-counters generator \
                  coordinated-omission workers-observed steady noise throttle placement debug-build tail-support core-state";
    assert_eq!(ids.join(" "), design);
}

/// Name of the lie, the journal with it, the guard that must object, and how.
type Lie = (&'static str, Journal, &'static str, CheckState);

fn lies_of_the_record() -> Vec<Lie> {
    use CheckState::{Invalid, Suspect};
    let tcp = Journal::round_trips;
    vec![
        (
            "no work at all",
            bent(tcp(), |record, _| {
                scaled_work(record, 0);
                record.histograms.clear();
                record.workers.clear()
            }),
            "finite",
            Invalid,
        ),
        ("a third of the load beside", with_load_beside(30), "generator", Suspect),
        ("batches of 1 µs", bent(tcp(), |record, _| record.batches = (0..10).map(|n| (1, 1_000 + n)).collect()), "timer-floor", Invalid),
        ("batches of 10 µs", bent(tcp(), |record, _| record.batches = (0..10).map(|n| (1, 10_000 + n)).collect()), "timer-floor", Suspect),
        (
            "batches of 4 ms",
            bent(tcp(), |record, _| record.batches.iter_mut().enumerate().for_each(|(n, batch)| batch.1 = 4_000_000 + n as u64)),
            "timer-floor",
            Suspect,
        ),
        (
            "stamps of whole milliseconds",
            bent(tcp(), |record, _| record.batches.iter_mut().for_each(|batch| batch.1 = 30_000_000)),
            "timer-floor",
            Invalid,
        ),
        (
            "stamps of whole tenths of a millisecond",
            bent(tcp(), |record, _| {
                record.batches.iter_mut().enumerate().for_each(|(n, batch)| batch.1 = 29_900_000 + 100_000 * (n as u64 % 3))
            }),
            "timer-floor",
            Suspect,
        ),
        (
            "faster than the kernel",
            bent(tcp(), |record, evidence| {
                scaled_work(record, 10);
                let (ok, elapsed) = (record.work.ok, record.elapsed_ns);
                with_times(record, 64 * elapsed / ok, ok);
                evidence.processes[0].cpu_ns = 10_000_000_000;
            }),
            "physical-bound",
            Invalid,
        ),
        (
            "a loop that was removed",
            bent(tcp(), |record, _| {
                record.counters.extend([("doubling_once_ns".to_string(), 20), ("doubling_twice_ns".to_string(), 20)]);
            }),
            "doubling",
            Invalid,
        ),
        ("more operations than bytes", bent(tcp(), |record, _| record.work.bytes /= 2), "work-done", Invalid),
        ("attempts that add up to nothing", bent(tcp(), |record, _| record.work.attempted += 1), "work-done", Invalid),
        ("content not checked", bent(tcp(), |record, _| record.work.verified -= 1), "work-done", Invalid),
        (
            "times of a tenth of the operations",
            bent(tcp(), |record, _| {
                let (ok, elapsed) = (record.work.ok, record.elapsed_ns);
                with_times(record, 64 * elapsed / ok, ok / 10)
            }),
            "work-done",
            Invalid,
        ),
        (
            "a distribution made up from a mean",
            bent(tcp(), |record, _| {
                let (ok, elapsed) = (record.work.ok, record.elapsed_ns);
                with_times(record, 64 * elapsed / ok, ok);
                record.batches.iter_mut().step_by(2).for_each(|batch| batch.0 = batch.0 * 4 / 5)
            }),
            "work-done",
            Invalid,
        ),
        ("a distribution of junk", bent(tcp(), |record, _| record.histograms[0].payload = "junk".into()), "work-done", Invalid),
        (
            "five errors in a thousand",
            bent(tcp(), |record, _| {
                record.work.errors.insert("read".into(), record.work.ok / 200);
                record.work.attempted += record.work.ok / 200
            }),
            "errors",
            Suspect,
        ),
        (
            "errors counted",
            bent(tcp(), |record, _| {
                record.work.errors.insert("read".into(), record.work.ok / 20);
                record.work.attempted += record.work.ok / 20
            }),
            "errors",
            Invalid,
        ),
        (
            "fewer connections than asked for",
            bent(tcp(), |record, _| {
                record.counters.insert("connections_wanted".into(), 65);
            }),
            "connections",
            Invalid,
        ),
        (
            "times that leave out the waiting",
            bent(tcp(), |record, _| {
                let ok = record.work.ok;
                with_times(record, 100_000, ok)
            }),
            "littles-law",
            Suspect,
        ),
        ("a drifting window", bent(tcp(), |record, _| record.batches.iter_mut().skip(5).for_each(|batch| batch.0 /= 2)), "steady", Suspect),
        ("CPU time told wrongly", bent(tcp(), |record, _| record.cpu_ns.total = Some(300_000_000)), "cpu-evidence", Suspect),
        (
            "more CPU time than was charged",
            bent(tcp(), |record, evidence| {
                record.cpu_ns.total = Some(3_000_000_000);
                evidence.processes[0].cpu_measure_ns = None
            }),
            "cpu-evidence",
            Invalid,
        ),
        ("a worker that does not exist", bent(tcp(), |record, _| record.workers[0].thread_id = 1), "workers-observed", Invalid),
        ("a worker on other CPUs", bent(tcp(), |record, _| record.workers[0].cpus = vec![0, 1]), "workers-observed", Suspect),
        (
            "a worker without work",
            bent(tcp(), |record, _| (record.workers[0].operations, record.workers[0].polls) = (Some(0), Some(2))),
            "workers-observed",
            Invalid,
        ),
        (
            "an idle worker that does not exist",
            bent(tcp(), |record, _| (record.workers[0].operations, record.workers[0].thread_id) = (Some(0), 1)),
            "workers-observed",
            Invalid,
        ),
    ]
}

fn what_the_evidence_tells() -> Vec<Lie> {
    use CheckState::{Invalid, Suspect};
    let tcp = Journal::round_trips;
    let debug = {
        let mut journal = tcp();
        journal.header.subjects[1].build.profile = "debug".into();
        journal
    };
    vec![
        ("a clock of its own", bent(tcp(), |_, evidence| evidence.measure_wall_ns = Some(600_000_000)), "wall-clock", Invalid),
        ("a clock a little off", bent(tcp(), |_, evidence| evidence.measure_wall_ns = Some(315_000_000)), "wall-clock", Suspect),
        (
            "no CPU time for the work",
            bent(tcp(), |record, evidence| {
                record.cpu_ns.total = None;
                evidence.processes[0].cpu_ns = 20_000_000
            }),
            "cpu-evidence",
            Invalid,
        ),
        ("connections the kernel never opened", bent(tcp(), |_, evidence| evidence.tcp_active_opens = Some(3)), "kernel-counters", Invalid),
        ("connections nobody told of", bent(tcp(), |_, evidence| evidence.tcp_active_opens = Some(90)), "kernel-counters", Invalid),
        (
            "connections the kernel never accepted",
            bent(tcp(), |_, evidence| evidence.tcp_passive_opens = Some(3)),
            "kernel-counters",
            Invalid,
        ),
        (
            "a saturated client",
            bent(Journal::apart(), |record, evidence| {
                record.cpu_ns.client = None;
                evidence.processes[0].cpu_measure_ns = Some(200_000_000);
                evidence.processes[1].cpu_measure_ns = Some(300_000_000);
            }),
            "generator",
            Suspect,
        ),
        ("others on the CPUs", bent(tcp(), |_, evidence| evidence.foreign_cpu_share = Some(0.2)), "noise", Suspect),
        ("a hypervisor that takes", bent(tcp(), |_, evidence| evidence.steal_share = Some(0.02)), "throttle", Suspect),
        (
            "a thread that strays",
            bent(tcp(), |_, evidence| {
                evidence.processes[0].threads.push(crate::schema::journal::ThreadEvidence {
                    thread_id: 5,
                    name: "stray".into(),
                    cpus: vec![2],
                })
            }),
            "placement",
            Suspect,
        ),
        ("a debug build", debug, "debug-build", Suspect),
        ("virtual CPUs that moved", bent(tcp(), |_, evidence| evidence.core_state_after_ns = Some(400.0)), "core-state", Suspect),
    ]
}

#[test]
fn each_lie_is_caught_by_exactly_its_guard() {
    for (name, journal, guard, state) in lies_of_the_record().into_iter().chain(what_the_evidence_tells()) {
        let row = row(&journal);
        let mut expected = BTreeSet::from([(guard.to_string(), state)]);
        if name == "no work at all" {
            // Without work there is nothing to attempt, to time or to compare.
            expected.extend(["errors", "littles-law", "workers-observed", "steady"].map(|id| (id.to_string(), CheckState::Skipped)));
        }
        if name == "a distribution of junk" {
            expected.insert(("littles-law".into(), CheckState::Skipped));
        }
        assert_eq!(objections(&row), expected, "{name}: {:#?}", row.validity);
        let invalid = state == CheckState::Invalid;
        assert_eq!(row.validity.state, if invalid { ValidityState::Invalid } else { ValidityState::Suspect }, "{name}");
        assert!(row.validity.reason.unwrap().starts_with(guard), "{name}");
    }
}

#[test]
fn labels_say_what_the_numbers_are() {
    let mut journal = bent(Journal::apart(), |record, evidence| {
        record.cpu_ns.client = None;
        evidence.processes.iter_mut().for_each(|process| process.cpu_measure_ns = Some(299_000_000));
    });
    journal.each(LIAR, |record, _| {
        record.work = crate::schema::record::Work { attempted: 50, ok: 50, verified: 50, bytes: 50 * 128, ..Default::default() };
        record.batches = vec![(5, record.elapsed_ns / 10); 10];
        with_times(record, 64 * record.elapsed_ns / 50, 50)
    });
    let row = row(&journal);
    let detail = |id: &str| row.validity.checks.iter().find(|check| check.id == id).unwrap().detail.clone();
    assert!(detail("generator").starts_with("client saturated: the row is bound by the client as much as by the server"));
    assert!(detail("coordinated-omission").contains("service times, not response times"));
    assert!(detail("tail-support").contains("p99 (needs 1,000), p99.9 (needs 10,000); there are 500"));
    assert_eq!(row.validity.state, ValidityState::Valid);
}

#[test]
fn a_sleep_cannot_end_early() {
    let mut journal = Journal::sleeps();
    journal.header.cases[0].effective = serde_json::json!({ "sleep": { "duration_ns": 200_000 } });
    assert_eq!(objections(&row(&journal)), BTreeSet::from([("physical-bound".to_string(), CheckState::Invalid)]));
}

#[test]
fn what_was_not_measured_is_skipped_and_never_passed() {
    let mut journal = Journal::round_trips();
    journal.header.calibration.clear();
    journal.each(LIAR, |record, evidence| {
        record.histograms.clear();
        *evidence = Evidence::default();
    });
    let skipped: BTreeSet<String> = objections(&row(&journal)).into_iter().map(|(id, _)| id).collect();
    let expected = [
        "core-state",
        "cpu-evidence",
        "kernel-counters",
        "littles-law",
        "noise",
        "physical-bound",
        "placement",
        "throttle",
        "timer-floor",
        "wall-clock",
        "workers-observed",
    ];
    assert_eq!(skipped, expected.map(String::from).into());
    assert_eq!(row(&journal).validity.state, ValidityState::Valid);
}

#[test]
fn lost_trials_make_a_row_doubtful_and_then_worthless() {
    for (lost, state) in [(1, ValidityState::Suspect), (5, ValidityState::Invalid), (10, ValidityState::Skipped)] {
        let mut journal = Journal::round_trips();
        for trial in journal.trials.iter_mut().filter(|trial| trial.subject == LIAR).take(lost) {
            trial.outcome = Outcome::Failed(Failure { class: "crash".into(), message: "signal 11".into() });
        }
        let validity = row(&journal).validity;
        assert_eq!(validity.state, state, "{lost} lost");
        assert!(validity.reason.unwrap().contains("crash: signal 11"), "{lost} lost");
    }
}

#[test]
fn the_loopback_bound_falls_back_on_system_calls() {
    let mut journal = Journal::round_trips();
    journal.header.calibration.insert(calibration::LOOPBACK_WRITE_READ_NS.into(), None);
    journal.header.calibration.insert(calibration::SYSCALL_NS.into(), Some(20_000.0));
    let states: Vec<CheckState> = objections(&row(&journal)).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [CheckState::Invalid, CheckState::Invalid], "physical-bound and cpu-evidence");
}
