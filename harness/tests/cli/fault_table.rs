//! The fault table: each way to a number that is none, told as a fake subject, is caught by its named guard, and the run ends with 5.
//!
//! `reports/src/judge/guards/README.md` holds the same table for the reader.

use std::hint::black_box;
use std::sync::Arc;

use serde_json::{Value, json};
use zokio_bench::load::{ClosedLoad, Load};
use zokio_bench::measure::doubling::Pieces;
use zokio_bench::measure::recorder::Recorder;
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::protocol::{Network, PROTOCOL, Phases, Role, Trial};
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::threads;
use zokio_bench::workload::{CustomWorkload, Workload};

use super::tale::{NAP, Tale, row};

/// A fault: its name as in the README, the workload table, what the fake does, and the guards that say `invalid`.
struct Fault {
    name: &'static str,
    workload: &'static str,
    subject: String,
    guards: &'static [&'static str],
}

const TCP: &str = "[scenario.tcp]\nmode = \"rr\"\nrequest = \"64B\"\nresponse = \"64B\"\n[scenario.load.closed]\nusers = 8";
const OPEN: &str = "[scenario.tcp]\nmode = \"rr\"\nrequest = \"64B\"\nresponse = \"64B\"\n[scenario.load.open]\nrate = \"6k/s\"\nusers = 8";
const IDLE: &str = "[scenario.scheduling]\nmode = \"idle-tasks\"\ntasks = 1000";
const CUSTOM: &str = "[scenario.custom]";
/// The window of every fake; a shell sleeps a little longer.
const WINDOW_NS: u64 = 50_000_000;

/// Ten batches as a clock of nanoseconds stamps them.
fn batches(operations: u64) -> Vec<(u64, u64)> {
    (0..10).map(|number| (operations / 10, WINDOW_NS / 10 + 1_237 * number)).collect()
}

/// 300 honest round trips of 128 bytes, but for `change`; the shell loops meanwhile, so that CPU time was used.
fn record(change: impl Fn(&mut Value)) -> String {
    let mut record = json!({
        "elapsed_ns": WINDOW_NS,
        "work": { "attempted": 300, "ok": 300, "bytes": 300 * 128, "verified": 300 },
        "batches": batches(300),
        "counters": { "connections_opened": 0, "connections_wanted": 0 },
        "driver": "none",
    });
    change(&mut record);
    json!({ "record": record }).to_string()
}

fn fake(change: impl Fn(&mut Value)) -> String {
    format!("phases; echo '{}'", record(change))
}

fn claim(record: &mut Value, operations: u64) {
    record["work"] = json!({ "attempted": operations, "ok": operations, "bytes": 128 * operations, "verified": operations });
    record["batches"] = json!(batches(operations));
}

fn computed(record: &mut Value, operations: u64) {
    claim(record, operations);
    record["work"]["bytes"] = json!(0);
    record["counters"] = json!({});
}

/// The same as an open loop: 6,000 a second for 50 ms, all begun when they were due, but for `change`.
fn open(change: impl Fn(&mut Value)) -> String {
    fake(|record| {
        let times = |id: &str, ns: u64| {
            let mut times = zokio_bench::measure::recorder::time_histogram();
            (0..300).for_each(|number| times.record(ns + number * 100).expect("in bounds"));
            zokio_bench::measure::tally::encode(id, &times)
        };
        record["histograms"] = json!([times("service_time", 80_000), times("response_time", 90_000)]);
        record["open"] =
            json!({ "offered_rate_per_s": 6_000.0, "intended": 300, "sent": 300, "late": 0, "lag_ns_p99": 50_000, "lag_ns_max": 60_000 });
        change(record);
    })
}

/// 900 wake-ups of 1,000 idle tasks that take 200 bytes each, but for `change`.
fn idle(change: impl Fn(&mut Value)) -> String {
    fake(|record| {
        computed(record, 900);
        record["counters"] =
            json!({ "idle_tasks": 1_000, "idle_bytes": 200_000, "doubling_once_ns": 2_000_000, "doubling_twice_ns": 4_000_000 });
        change(record);
    })
}

/// A distribution of `count` times of `ns` each.
fn times(ns: u64, count: u64) -> Value {
    let mut times = zokio_bench::measure::recorder::time_histogram();
    times.record_n(ns, count).expect("in bounds");
    json!([zokio_bench::measure::tally::encode("service_time", &times)])
}

/// A million operations of a body whose loop was removed: only their number is left.
fn removed(operations: u64) -> u64 {
    black_box(operations)
}

/// What the harness itself records of that body, with its own clock, rounds and doubling.
fn record_of_a_removed_loop() -> Value {
    const OPERATIONS: u64 = 1_000_000;
    let trial = Trial {
        protocol: PROTOCOL,
        id: "dead".into(),
        subject: "dead".into(),
        role: Role::Both,
        connect: Vec::new(),
        workload: Workload::Custom(CustomWorkload { operations_per_round: OPERATIONS }),
        load: Load::Closed(ClosedLoad { users: 1 }),
        runtime: Default::default(),
        cpus: Vec::new(),
        network: Network::default(),
        phases: Phases { warmup_ms: 1, warmup_window_ms: None, measure_ms: WINDOW_NS / 1_000_000, drain_ms: 1_000, ..Phases::default() },
        seed: 7,
        gate: Default::default(),
    };
    let control = Arc::new(Ledger::default());
    let record = threads::run(&trial, &Session::detached(), &control, "dead", threads::report("dead", &trial), |users| {
        let double = |(): &mut (), pieces: Pieces<'_>| {
            pieces.for_each(|times| {
                black_box(removed(OPERATIONS.saturating_mul(times)));
            });
        };
        let round = |(): &mut (), recorder: &mut Recorder| recorder.round(removed(OPERATIONS), 0);
        threads::rounds(&control, users, |_| (), double, round, |(), _| ());
        Ok(())
    });
    let mut record = serde_json::to_value(record.expect("a record")).expect("JSON");
    // The threads were those of this process.
    (record["id"], record["workers"], record["cpu_ns"]) = (Value::Null, json!([]), json!({}));
    record
}

fn faults() -> Vec<Fault> {
    vec![
        Fault {
            name: "dead loop",
            workload: CUSTOM,
            subject: fake(|record| *record = record_of_a_removed_loop()),
            guards: &["doubling", "physical-bound", "empty-loop"],
        },
        Fault {
            name: "enqueue without execution",
            workload: CUSTOM,
            subject: fake(|record| {
                computed(record, 4_000_000_000);
                record["work"]["verified"] = json!(0);
            }),
            guards: &["work-done", "cpu-evidence"],
        },
        Fault {
            name: "millisecond clock",
            workload: TCP,
            // 300 round trips in 50 ms: the rates are plausible, and every stamp is a whole millisecond.
            subject: fake(|record| {
                record["batches"] = json!((0..10).map(|number| (30, 1_000_000 * [5, 5, 4, 6][number % 4])).collect::<Vec<_>>());
            }),
            guards: &["timer-floor"],
        },
        Fault {
            name: "nanoseconds out of nothing",
            workload: TCP,
            subject: fake(|record| {
                record["elapsed_ns"] = json!(1);
                record["batches"] = json!([[300, 1]]);
            }),
            guards: &["timer-floor", "wall-clock"],
        },
        Fault {
            name: "sleep instead of socket",
            workload: TCP,
            subject: fake(|record| {
                claim(record, 50_000);
                record["counters"] = json!({ "connections_opened": 64_000_000, "connections_wanted": 8 });
            }),
            guards: &["kernel-counters", "cpu-evidence"],
        },
        Fault {
            name: "errors counted as work",
            workload: TCP,
            subject: fake(|record| {
                record["work"]["errors"] = json!({ "read": 100 });
                record["work"]["attempted"] = json!(400);
            }),
            guards: &["errors"],
        },
        Fault {
            name: "attempts counted as work",
            workload: TCP,
            subject: fake(|record| record["work"]["errors"] = json!({ "read": 100 })),
            guards: &["work-done"],
        },
        Fault {
            name: "percentiles derived from a mean",
            workload: TCP,
            subject: fake(|record| {
                record["histograms"] = times(8 * WINDOW_NS / 300, 300);
                for (index, batch) in record["batches"].as_array_mut().expect("batches").iter_mut().enumerate() {
                    batch[0] = json!(if index % 2 == 0 { 20 } else { 40 });
                }
            }),
            guards: &["work-done"],
        },
        Fault {
            name: "times of another count",
            workload: TCP,
            subject: fake(|record| record["histograms"] = times(8 * WINDOW_NS / 300, 30)),
            guards: &["work-done"],
        },
        Fault {
            name: "requested instead of elapsed time",
            workload: TCP,
            subject: format!("ready; phase measure; sleep 0.3; phase drain; echo '{}'", record(|_| ())),
            guards: &["wall-clock"],
        },
        Fault {
            name: "workers that do not exist",
            workload: TCP,
            subject: fake(|record| record["workers"] = json!([{ "thread_id": 1, "cpus": [], "operations": 300 }])),
            guards: &["workers-observed"],
        },
        Fault {
            name: "idle workers",
            workload: TCP,
            // Two workers for eight users, both threads are there, and one of them has all the work.
            subject: format!(
                "phases; echo '{}' | sed \"s/4242/$$/g\"",
                record(|record| {
                    record["workers"] =
                        json!([{ "thread_id": 4242, "cpus": [], "operations": 300 }, { "thread_id": 4242, "cpus": [], "operations": 0 }])
                })
            ),
            guards: &["workers-observed"],
        },
        Fault {
            name: "starts left out while the subject stalls",
            workload: OPEN,
            subject: open(|record| record["open"]["intended"] = json!(150)),
            guards: &["coordinated-omission"],
        },
        Fault {
            name: "service times as response times",
            workload: OPEN,
            subject: open(|record| {
                let service = record["histograms"][0].clone();
                record["histograms"][1] = service;
                record["histograms"][1]["id"] = json!("response_time");
                record["histograms"][0] = times(900_000, 300)[0].clone();
            }),
            guards: &["coordinated-omission"],
        },
        Fault {
            name: "an open loop without its schedule",
            workload: OPEN,
            subject: open(|record| record["open"] = Value::Null),
            guards: &["coordinated-omission"],
        },
        Fault {
            name: "memory of tasks that are not there",
            workload: IDLE,
            subject: idle(|record| record["counters"]["idle_bytes"] = json!(63_999)),
            guards: &["work-done"],
        },
        Fault {
            name: "tasks counted that were never idle",
            workload: IDLE,
            subject: idle(|record| record["counters"]["idle_tasks"] = json!(500)),
            guards: &["work-done"],
        },
        Fault {
            name: "bytes that do not fit the operations",
            workload: TCP,
            subject: fake(|record| record["work"]["bytes"] = json!(300)),
            guards: &["work-done"],
        },
    ]
}

fn state(row: &Value, guard: &str) -> String {
    let checks = row["validity"]["checks"].as_array().expect("checks");
    let check = checks.iter().find(|check| check["id"] == guard);
    check.map_or("absent".into(), |check| check["state"].as_str().expect("a state").into())
}

fn run(tale: &Tale, workload: &str, subject: &str) -> (Option<i32>, Value) {
    tale.file("suite.toml", &NAP.replace("[scenario.sleep]\nduration = \"1ms\"", workload));
    tale.subject("fake", subject);
    let outcome = tale.run(&["run", "suite.toml", "--subject", "fake=./fake", "--out", "out"]);
    (outcome.code, row(&tale.result("out"), "fake").clone())
}

/// Runs a fault; again, with a fake made anew, where a guard does not say `invalid`: what a removed loop costs is a few nanoseconds, which
/// are lost among interruptions on a busy host.
fn run_until_caught(number: usize, mut fault: Fault) -> (Fault, Option<i32>, Value) {
    let mut attempts = 0;
    loop {
        let (code, row) = run(&Tale::new(), fault.workload, &fault.subject);
        attempts += 1;
        if attempts == 5 || fault.guards.iter().all(|guard| state(&row, guard) == "invalid") {
            return (fault, code, row);
        }
        fault = faults().swap_remove(number);
    }
}

#[test]
fn every_fault_is_caught_by_its_guard_and_ends_in_5() {
    let table = include_str!("../../../reports/src/judge/guards/README.md");
    for (number, fault) in faults().into_iter().enumerate() {
        let (fault, code, row) = run_until_caught(number, fault);
        for guard in fault.guards {
            assert_eq!(state(&row, guard), "invalid", "{}: {guard}: {row:#}", fault.name);
        }
        assert_eq!(code, Some(5), "{}", fault.name);
        let line = table.lines().find(|line| line.starts_with(&format!("| {} |", fault.name)));
        let line = line.unwrap_or_else(|| panic!("{} is not in the table of the guards' README", fault.name));
        for guard in fault.guards {
            assert!(line.contains(&format!("`{guard}`")), "{}: the table does not name {guard}: {line}", fault.name);
        }
        assert!(line.ends_with("| 5 |"), "{line}");
    }
}

#[test]
fn an_honest_record_of_the_same_shape_is_not_invalid() {
    for (workload, subject) in
        [(TCP, fake(|_| ())), (CUSTOM, fake(|record| computed(record, 900))), (OPEN, open(|_| ())), (IDLE, idle(|_| ()))]
    {
        let (code, row) = run(&Tale::new(), workload, &subject);
        assert_ne!(row["validity"]["state"], "invalid", "{row:#}");
        assert_eq!(code, Some(0), "{row:#}");
    }
}

#[test]
fn a_generator_that_is_late_is_suspect_and_does_not_pass_strictly() {
    let late = open(|record| record["open"]["lag_ns_p99"] = json!(5_000_000));
    let (code, row) = run(&Tale::new(), OPEN, &late);
    assert_eq!((state(&row, "generator").as_str(), code), ("suspect", Some(0)), "{row:#}");
}

#[test]
fn the_readme_of_the_guards_names_each_of_them() {
    let (_, row) = run(&Tale::new(), CUSTOM, &fake(|record| computed(record, 900)));
    let readme = include_str!("../../../reports/src/judge/guards/README.md");
    for check in row["validity"]["checks"].as_array().expect("checks") {
        let id = check["id"].as_str().expect("an id");
        assert!(readme.contains(&format!("`{id}`")), "{id} is not in the README of the guards");
    }
}
