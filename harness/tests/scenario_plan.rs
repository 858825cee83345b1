//! From a suite to a plan: placement, order, seeds, bounds; and the facts of the suite shipped.

use std::time::Duration;

use proptest::prelude::*;
use zokio_bench::plan::{Endpoints, Plan, PlanError, PlanOptions, estimate, network_for, plan};
use zokio_bench::scenario::{Source, Suite, builtin_names, builtin_text, json_schema, load, load_builtin, parse, targets};
use zokio_report::exit;
use zokio_report::render::guide;
use zokio_report::schema::journal::{CaseRole, TargetKind};

fn tcp() -> Suite {
    load_builtin("tcp")
}

fn planned(options: &PlanOptions) -> Plan {
    plan(&tcp(), &[0, 1], options).expect("two CPUs are enough")
}

fn placed(placement: &str, allowed: &[u32]) -> Result<Plan, PlanError> {
    let text = format!(
        "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n[[scenario]]\nid = \"a\"\n[scenario.tcp]\nmode = \"rr\"\n[scenario.placement]\n{placement}\n"
    );
    plan(&parse(Source::new("t", &text), "t", &[]).expect("good"), allowed, &PlanOptions::default())
}

#[test]
fn the_tcp_suite_has_its_rows_controls_and_targets() {
    let suite = tcp();
    let rows: Vec<(&str, CaseRole)> = suite.cases.iter().map(|case| (case.id.as_str(), case.role)).collect();
    let expected = [
        ("tcp-rr/load.closed.users=1", CaseRole::Measured),
        ("tcp-rr/load.closed.users=64", CaseRole::Measured),
        ("tcp-rr/load.closed.users=1000", CaseRole::Measured),
        ("tcp-rr-apart", CaseRole::Measured),
        ("tcp-crr", CaseRole::Measured),
        ("tcp-stream/tcp.connections=1", CaseRole::Measured),
        ("tcp-stream/tcp.connections=2", CaseRole::Measured),
        ("sleep-floor", CaseRole::Control),
        ("loopback-floor", CaseRole::Control),
    ];
    assert_eq!(rows, expected);
    assert!(suite.cases.iter().all(|case| case.thresholds.iter().any(|limit| limit.metric == "error_rate" && limit.value == 0.0)));
    let relative = |case: usize| -> Vec<(f64, &str)> {
        let kinds = suite.cases[case].targets.iter().map(|target| &target.kind);
        kinds
            .filter_map(|kind| if let TargetKind::Relative { at_least, of } = kind { Some((*at_least, of.as_str())) } else { None })
            .collect()
    };
    assert_eq!(relative(1), [(1.4, "tokio"), (1.1, "tokio-ct"), (0.85, "ceiling")]);
    assert_eq!(relative(2), [(0.95, "tokio"), (0.95, "tokio-ct"), (0.85, "ceiling")]);
    assert_eq!(relative(3), [(1.15, "tokio"), (1.15, "tokio-ct"), (0.85, "ceiling")]);
    let historical = suite.cases[4].targets.iter().filter_map(|target| match &target.kind {
        TargetKind::Historical { value, source } if source.contains("measured sleep(1 us), no socket") => {
            Some((target.metric.as_str(), *value))
        }
        _ => None,
    });
    assert_eq!(historical.collect::<Vec<_>>(), [("connections_per_s", 177_935.0), ("bytes_per_s", 347e6)]);
}

#[test]
fn the_suites_shipped_stay_within_their_time() {
    for name in builtin_names() {
        let suite = load_builtin(name);
        let full = estimate(&suite, 2, &PlanOptions::default());
        let quick = estimate(&suite, 2, &PlanOptions { quick: true, ..PlanOptions::default() });
        assert!(full < Duration::from_secs(300) && quick < Duration::from_secs(60), "{name}: {full:?}, quick {quick:?}");
        assert!(
            builtin_text(name).is_some_and(|text| text.lines().next().is_some_and(|line| line.starts_with("# ") && line.ends_with('?')))
        );
    }
}

#[test]
fn the_proof_that_work_doubles_is_in_the_estimate() {
    let time = |workload: &str, trials: u32| {
        let text = format!(
            "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n[[scenario]]\nid = \"a\"\nsubjects = [\"zokio\"]\n\
             [scenario.warmup]\ntime = \"50ms\"\n[scenario.measure]\ntime = \"100ms\"\n{workload}\n"
        );
        let suite = parse(Source::new("t", &text), "t", &[]).expect("good");
        estimate(&suite, 2, &PlanOptions { trials: Some(trials), ..PlanOptions::default() })
    };
    let trial = |workload: &str| time(workload, 11) - time(workload, 10);
    let plain = trial("[scenario.sleep]\nduration = \"1ms\"");
    let skew =
        |items: u32| format!("[scenario.stealing]\nmode = \"skew\"\nitems = {items}\nturns = 1000\n[scenario.load.closed]\nusers = 1");
    let cases = [
        // (workload, milliseconds more than a trial without rounds of its own)
        ("[scenario.latency]\nmode = \"wake\"".to_owned(), 0),
        ("[scenario.pool]\nhold = \"none\"".to_owned(), 20),
        ("[scenario.custom]".to_owned(), 20),
        // Rounds of 0.1, 3 and 10 ms.
        (skew(100), 20),
        (skew(3_000), 36),
        (skew(10_000), 120),
    ];
    for (workload, more_ms) in cases {
        assert_eq!(trial(&workload), plain + Duration::from_millis(more_ms), "{workload}");
    }
}

#[test]
fn the_targets_built_in_name_their_source_and_no_host() {
    let figures: Vec<(&str, f64)> = targets::all()
        .iter()
        .map(|known| &known.target)
        .map(|target| match &target.kind {
            TargetKind::Published { value, source, hardware: None, .. } if source.contains("no host given") => {
                (target.metric.as_str(), *value)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(figures.len(), 7);
    assert!(figures.contains(&("tasks_per_s", 5e6)) && figures.contains(&("polls_per_s", 1e7)) && figures.contains(&("steals_per_s", 1e6)));
    assert_eq!(targets::published("polling", "polls_per_s").len(), 1);
    assert!(targets::published("tcp", "round_trips_per_s").is_empty());
    // A mutex is acquired too, and nobody published how often.
    assert_eq!(["pool", "scheduling"].map(|workload| targets::published(workload, "acquires_per_s").len()), [1, 0]);
}

#[test]
fn every_figure_of_the_guide_is_a_row_of_its_table() {
    let mut carried = std::collections::BTreeSet::new();
    for name in builtin_names() {
        for (case, target) in load_builtin(name).cases.iter().flat_map(|case| case.targets.iter().map(move |target| (case, target))) {
            let TargetKind::Historical { value, source } = &target.kind else { continue };
            let row = guide::ROWS.iter().find(|row| row.is_target(*value, source));
            assert!(row.is_some() || !source.contains(guide::GUIDE), "{name}, {}: {value} is no figure of the guide: {source}", case.id);
            carried.extend(row.map(|row| row.name));
        }
    }
    let of_these = ["Task scheduling", "Work stealing queue", "Future polling", "Memory allocation", "Object pool", "Atomic operations"];
    let and_these = ["Stress: task scheduling", "TCP connections", "TCP throughput", "HTTP requests", "HTTP throughput"];
    assert!(of_these.iter().chain(&and_these).all(|name| carried.contains(name)), "{carried:?}");
}

#[test]
fn the_json_schema_accepts_what_is_shipped_and_refuses_what_is_not_known() {
    let validator = jsonschema::validator_for(&json_schema()).expect("a valid schema");
    let json = |text: &str| -> serde_json::Value { toml::from_str(text).expect("TOML") };
    for name in builtin_names() {
        let text = builtin_text(name).expect("built in");
        let errors: Vec<String> = validator.iter_errors(&json(text)).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
    let good = builtin_text("tcp").expect("built in");
    let wrong = [
        ("mode = \"crr\"", "mode = \"cr\""),
        ("users = 64\n[scenario.placement]", "user = 64\n[scenario.placement]"),
        ("max = \"1s\"", "max = 1"),
        ("\"64KiB\"", "\"64KB\""),
        ("\"load.closed.users\" = [1, 64, 1000]", "\"load.closed.users\" = []"),
        ("\"load.closed.users\" = [1, 64, 1000]", "\"load.closed.usrs\" = [1]"),
        ("schema = 1", "schema = 2"),
        ("metric = \"error_rate\"", "metric = \"eror_rate\""),
        ("[scenario.load.closed]", "[scenario.load.search]"),
        ("[scenario.sleep]\nduration = \"1us\"", ""),
    ];
    for (from, to) in wrong {
        let text = good.replacen(from, to, 1);
        assert!(text != good && !validator.is_valid(&json(&text)), "{from} -> {to}");
        assert!(parse(Source::new("t", &text), "t", &[]).is_err(), "{from} -> {to}");
    }
}

#[test]
fn endpoints_get_the_cpus_that_the_scenario_and_the_host_agree_on() {
    let together = |cpus: &[u32]| Endpoints::Together { cpus: cpus.to_vec() };
    let apart = |server: u32, client: u32| Endpoints::Apart { server_cpus: vec![server], client_cpus: vec![client] };
    let cases = [
        ("", &[0, 1, 5][..], together(&[0, 1, 5])),
        ("cpus = [5]", &[0, 1, 5], together(&[5])),
        ("cpus = \"free\"", &[0, 1], together(&[])),
        ("endpoints = \"apart\"", &[2, 3, 4], apart(2, 3)),
        ("endpoints = \"apart\"", &[2], apart(2, 2)),
        ("endpoints = \"apart\"\nclient_cpus = [2]", &[2, 3], apart(3, 2)),
        ("endpoints = \"apart\"\nserver_cpus = [3]", &[2, 3], apart(3, 2)),
    ];
    for (placement, allowed, expected) in cases {
        assert_eq!(placed(placement, allowed).expect("possible").cases[0].endpoints, expected, "{placement} of {allowed:?}");
    }
    let shared = placed("endpoints = \"apart\"", &[2]).expect("possible");
    assert_eq!(shared.notes, ["`a`: server and client share a CPU: only one CPU is allowed"]);
    let refused = placed("cpus = [0, 9]", &[0, 1]).expect_err("no CPU 9");
    assert_eq!(refused.exit_code(), exit::COULD_NOT_RUN);
    assert_eq!(refused.to_string(), "`a` is placed on CPU 9, which this process may not use (allowed: [0, 1])");
    assert_eq!(placed("", &[]), Err(PlanError::NoCpu));
}

#[test]
fn workers_get_as_many_cpus_in_the_order_given_and_double_up_to_all_of_them() {
    let ids = |plan: &Plan| plan.cases.iter().map(|case| case.header.id.clone()).collect::<Vec<_>>();
    let cpus = |plan: &Plan| plan.cases.iter().map(|case| case.header.cpus["all"].clone()).collect::<Vec<_>>();
    let axis = |values: &str, allowed: &[u32]| placed(&format!("[scenario.matrix]\n\"placement.workers\" = {values}"), allowed);
    // CPUs 0 and 1 are threads of one core, as are 2 and 3: the order in which they are given out keeps them apart.
    let doubled = axis("[\"doubling\"]", &[0, 2, 1, 3]).expect("possible");
    assert_eq!(ids(&doubled), ["a/placement.workers=1", "a/placement.workers=2", "a/placement.workers=4"]);
    assert_eq!(cpus(&doubled), [vec![0], vec![0, 2], vec![0, 1, 2, 3]]);
    assert_eq!(doubled.cases[1].header.params["placement.workers"], 2);
    assert_eq!(doubled.cases[1].header.effective["placement"]["workers"], 2);
    let sets: std::collections::BTreeSet<&str> = doubled.cases.iter().map(|case| case.header.workload_sha256.as_str()).collect();
    assert_eq!(sets.len(), 1, "the same work at every point");
    assert_eq!(ids(&axis("[1, \"doubling\", 2, 3]", &[4, 5, 6]).expect("possible")).len(), 3, "no point twice");
    assert_eq!(cpus(&placed("workers = 1", &[3, 1]).expect("possible")), [vec![3]]);
    assert_eq!(cpus(&placed("workers = 2\ncpus = [5, 4, 3]", &[3, 4, 5]).expect("possible")), [vec![5, 4]]);
    assert_eq!(
        cpus(&placed("cpus = [5, 4]\n[scenario.matrix]\n\"placement.workers\" = [\"doubling\"]", &[3, 4, 5]).expect("possible")),
        [vec![5], vec![5, 4]]
    );
    let refused = axis("[1, 4]", &[0, 1]).expect_err("two CPUs");
    assert_eq!((refused.exit_code(), refused.to_string().contains("wants 4 workers")), (exit::COULD_NOT_RUN, true));
    let suite = load_builtin("scaling");
    let time = |cpus| estimate(&suite, cpus, &PlanOptions::default());
    assert!(time(1) < time(2) && time(2) < time(64) && time(64) < Duration::from_secs(300), "{:?}", time(64));
    assert_eq!(time(2), plan(&suite, &[0, 1], &PlanOptions::default()).expect("possible").estimate);
}

#[test]
fn headers_say_all_that_a_judge_needs() {
    let plan = planned(&PlanOptions::default());
    let header = |id: &str| &plan.cases.iter().find(|case| case.header.id == id).expect("the case").header;
    let rr = header("tcp-rr/load.closed.users=64");
    assert_eq!((rr.users, rr.bytes_per_operation, rr.operations_per_connection), (Some(64), Some(128), None));
    assert_eq!((rr.endpoints.as_str(), &rr.cpus["all"]), ("together", &vec![0, 1]));
    let apart = header("tcp-rr-apart");
    assert_eq!((&apart.cpus["server"], &apart.cpus["client"]), (&vec![0], &vec![1]));
    assert_eq!(apart.workload_sha256, rr.workload_sha256, "the same work, placed otherwise");
    let crr = header("tcp-crr");
    assert_eq!((crr.bytes_per_operation, crr.operations_per_connection), (Some(2_048), Some(1)));
    let stream = header("tcp-stream/tcp.connections=2");
    assert_eq!((stream.users, stream.bytes_per_operation, stream.primary_metric.as_str()), (None, Some(65_536), "bytes_per_s"));
    assert_eq!(header("sleep-floor").primary_metric, "ops_per_s");
    assert!(plan.cases.iter().all(|case| case.header.workload_sha256.len() == 64 && !case.header.witness.is_empty()));
    assert!(plan.nofile_needed["tcp-rr/load.closed.users=1000"] > 2_000 && plan.nofile_needed["tcp-rr-apart"] < 300);
    assert!(plan.ports_needed > 10_000 && plan.ports_needed < 28_000, "{}", plan.ports_needed);
}

#[test]
fn options_change_trials_phases_and_subjects_of_the_real_rows() {
    let full = planned(&PlanOptions::default());
    assert_eq!(full.trials.len(), 4 * (104 + 2 * 24 + 4 * 16) + 2 * 6);
    let quick = planned(&PlanOptions { quick: true, ..PlanOptions::default() });
    assert_eq!(quick.trials.len(), 7 * 4 * 6 + 2 * 6);
    let phases = &quick.cases[0].phases;
    assert_eq!((phases.warmup_ms, phases.warmup_window_ms, phases.measure_ms), (100, Some(25), 120));
    let subjects = Some(vec!["smol".to_owned(), "zokio".to_owned()]);
    let other = planned(&PlanOptions { subjects, trials: Some(3), ..PlanOptions::default() });
    assert_eq!(other.cases[0].header.subjects, ["smol", "zokio"]);
    assert_eq!(other.cases.last().expect("a control").header.subjects, ["ceiling"]);
    assert_eq!(other.cases[0].header.effective["subjects"], serde_json::json!(["smol", "zokio"]));
    for options in [
        PlanOptions { trials: Some(0), ..PlanOptions::default() },
        PlanOptions { subjects: Some(vec![]), ..PlanOptions::default() },
        PlanOptions { subjects: Some(vec!["zokio".into(), "zokio".into()]), ..PlanOptions::default() },
    ] {
        assert_eq!(plan(&tcp(), &[0], &options).expect_err("no sense").exit_code(), exit::USAGE);
    }
}

#[test]
fn the_seed_comes_from_the_option_then_the_file_then_the_suite_itself() {
    assert_eq!(planned(&PlanOptions { seed: Some(9), ..PlanOptions::default() }).seed, 9);
    assert_eq!(planned(&PlanOptions::default()).seed, 42);
    let without = builtin_text("tcp").expect("built in").replace("seed = 42\n", "");
    let suite = parse(Source::new("t", &without), "t", &[]).expect("good");
    let seed = |suite: &Suite| plan(suite, &[0], &PlanOptions::default()).expect("possible").seed;
    assert_eq!(seed(&suite), seed(&suite.clone()));
}

#[test]
fn short_lived_connections_have_source_addresses_and_kept_ones_have_none() {
    let suite = load("tcp", &[]).expect("built in");
    let sources = |id: &str| network_for(&suite.cases.iter().find(|case| case.id == id).expect("the case").workload, 3).sources.len();
    assert_eq!(sources("tcp-rr-apart"), 0);
    assert_eq!(sources("tcp-crr"), if cfg!(target_os = "linux") { 8 } else { 0 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_same_seed_gives_the_same_plan_and_all_subjects_of_a_half_the_same_work(seed: u64) {
        let options = PlanOptions { seed: Some(seed), ..PlanOptions::default() };
        let one = planned(&options);
        prop_assert_eq!(&one, &planned(&options));
        for pair in one.trials.windows(2).filter(|pair| (pair[0].case_index, pair[0].block, pair[0].half) == (pair[1].case_index, pair[1].block, pair[1].half)) {
            prop_assert_eq!(pair[0].seed, pair[1].seed);
        }
        let mut seeds: Vec<u64> = one.trials.iter().map(|trial| trial.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        prop_assert_eq!(seeds.len(), 104 + 2 * 24 + 4 * 16 + 2 * 6);
        prop_assert!(one.trials.is_sorted_by_key(|trial| (trial.case_index, trial.block, trial.half, trial.position)));
        let other = planned(&PlanOptions { seed: Some(seed ^ 1), ..PlanOptions::default() });
        prop_assert_ne!(one.trials, other.trials);
    }
}
