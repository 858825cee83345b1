//! Defaults, `--set` and the matrix: what a scenario really is when it runs.

use std::time::Duration;

use zokio_bench::load::{ClosedLoad, Load};
use zokio_bench::scenario::{CaseSpec, Cpus, Placement, Source, Suite, Warmup, parse, render};
use zokio_bench::workload::Workload;
use zokio_bench::workload::tcp::{SizeDistribution, TcpMode, TcpWorkload};

const HEAD: &str = "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n";

fn try_suite(body: &str, sets: &[&str]) -> Result<Suite, String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    parse(Source::new("test.toml", &format!("{HEAD}{body}")), "test.toml", &sets).map_err(|found| render(&found))
}

fn cases(body: &str, sets: &[&str]) -> Vec<CaseSpec> {
    try_suite(body, sets).unwrap_or_else(|shown| panic!("{shown}")).cases
}

fn tcp(case: &CaseSpec) -> &TcpWorkload {
    match &case.workload {
        Workload::Tcp(tcp) => tcp,
        other => panic!("{other:?} is not tcp"),
    }
}

fn users(case: &CaseSpec) -> u32 {
    let Load::Closed(ClosedLoad { users }) = case.load else { panic!("a closed loop") };
    users
}

fn ids(cases: &[CaseSpec]) -> Vec<&str> {
    cases.iter().map(|case| case.id.as_str()).collect()
}

const RR: &str = "[[scenario]]\nid = \"rr\"\n[scenario.tcp]\nmode = \"rr\"\n";

#[test]
fn a_scenario_of_two_lines_has_a_meaning_for_everything_else() {
    let case = &cases(RR, &[])[0];
    assert_eq!(case.id, "rr");
    assert_eq!(case.subjects, ["zokio", "tokio", "tokio-ct", "ceiling"]);
    assert_eq!((case.trials, case.measure, case.drain_max), (10, Duration::from_millis(300), Duration::from_secs(1)));
    assert_eq!(case.warmup, Warmup::Steady { window: Duration::from_millis(100), max: Duration::from_millis(300) });
    assert_eq!(case.placement, Placement::Together { cpus: Cpus::Auto, workers: None });
    let expected = TcpWorkload {
        mode: TcpMode::Rr,
        request: SizeDistribution::Fixed(64),
        response: SizeDistribution::Fixed(64),
        connections: 1,
        operations_per_connection: 1,
        nodelay: true,
    };
    assert_eq!(tcp(case), &expected);
    assert!(case.primary_metric == "round_trips_per_s" && !case.witness.is_empty());
}

#[test]
fn the_scenario_wins_over_defaults_key_by_key() {
    let defaults = "[defaults.run]\ntrials = 7\n[defaults.placement]\nendpoints = \"apart\"\nserver_cpus = [1]\n[defaults.tcp]\nrequest = \"1KiB\"\nresponse = \"2kB\"\n";
    let case = &cases(&format!("{defaults}{RR}response = \"5B\"\n[scenario.placement]\nclient_cpus = \"free\"\n"), &[])[0];
    assert_eq!(case.trials, 7);
    assert_eq!((&tcp(case).request, &tcp(case).response), (&SizeDistribution::Fixed(1024), &SizeDistribution::Fixed(5)));
    assert_eq!(case.placement, Placement::Apart { server: Cpus::List(vec![1]), client: Cpus::Free });
}

#[test]
fn another_alternative_replaces_the_default_one_and_the_same_one_is_completed() {
    let steady = "[defaults.warmup.steady]\nwindow = \"10ms\"\nmax = \"50ms\"\n";
    let warmup = |scenario: &str| cases(&format!("{steady}{RR}{scenario}"), &[])[0].warmup;
    assert_eq!(warmup("[scenario.warmup]\ntime = \"5ms\"\n"), Warmup::Time(Duration::from_millis(5)));
    assert_eq!(
        warmup("[scenario.warmup.steady]\nmax = \"90ms\"\n"),
        Warmup::Steady { window: Duration::from_millis(10), max: Duration::from_millis(90) }
    );
    let time = "[defaults.warmup]\ntime = \"5ms\"\n";
    let replaced = cases(&format!("{time}{RR}[scenario.warmup.steady]\nwindow = \"1ms\"\nmax = \"9ms\"\n"), &[])[0].warmup;
    assert_eq!(replaced, Warmup::Steady { window: Duration::from_millis(1), max: Duration::from_millis(9) });
    let none = "[[scenario]]\nid = \"rr\"\nwarmup = \"none\"\n[scenario.tcp]\nmode = \"rr\"\n";
    assert_eq!(cases(&format!("{steady}{none}"), &[])[0].warmup, Warmup::None);
    let set = cases(&format!("{steady}{RR}"), &["scenario.rr.warmup.time=3ms"])[0].warmup;
    assert_eq!(set, Warmup::Time(Duration::from_millis(3)));
    assert_eq!(cases(&format!("{steady}{RR}"), &["defaults.warmup=none"])[0].warmup, Warmup::None);
}

#[test]
fn a_default_workload_table_completes_but_never_chooses() {
    let body = "[defaults.tcp]\nmode = \"crr\"\n[defaults.sleep]\nduration = \"7us\"\n[[scenario]]\nid = \"a\"\n[scenario.tcp]\n[[scenario]]\nid = \"b\"\n[scenario.sleep]\n";
    let cases = cases(body, &[]);
    assert_eq!(tcp(&cases[0]).mode, TcpMode::Crr);
    assert!(matches!(&cases[1].workload, Workload::Sleep(sleep) if sleep.duration_ns == 7_000));
    let none = try_suite("[defaults.tcp]\nmode = \"rr\"\n[[scenario]]\nid = \"a\"\n", &[]).expect_err("no workload");
    assert!(none.contains("no workload table"), "{none}");
}

#[test]
fn users_and_connections_default_to_each_other_and_the_nearer_one_wins() {
    let both = |body: &str, sets: &[&str]| {
        let case = &cases(body, sets)[0];
        (tcp(case).connections, users(case))
    };
    assert_eq!(both(&format!("{RR}connections = 5\n"), &[]), (5, 5));
    assert_eq!(both(&format!("{RR}[scenario.load.closed]\nusers = 6\n"), &[]), (6, 6));
    assert_eq!(both(&format!("[defaults.load.closed]\nusers = 9\n{RR}connections = 5\n"), &[]), (5, 5));
    assert_eq!(both(&format!("{RR}[scenario.load.closed]\nusers = 6\n"), &["scenario.rr.tcp.connections=128"]), (128, 128));
    let stream = "[[scenario]]\nid = \"rr\"\n[scenario.tcp]\nmode = \"stream\"\n";
    assert_eq!(both(&format!("[defaults.load.closed]\nusers = 9\n{stream}"), &[]), (1, 1));
    let axis = format!("{RR}[scenario.matrix]\n\"load.closed.users\" = [1, 2]\n");
    let shown = try_suite(&axis, &["scenario.rr.tcp.connections=128"]).expect_err("which of them?");
    assert!(shown.contains("128 connections and 1 users") && shown.contains("replaces an axis"), "{shown}");
}

#[test]
fn the_matrix_multiplies_in_file_order_and_exclude_takes_points_out() {
    let body = format!(
        "{RR}[scenario.matrix]\n\"tcp.nodelay\" = [true, false]\n\"load.closed.users\" = [1, 64]\n\"placement.endpoints\" = [\"together\", \"apart\"]\n\
         [[scenario.exclude]]\n\"placement.endpoints\" = \"apart\"\n\"load.closed.users\" = [1]\n[[scenario.exclude]]\n\"tcp.nodelay\" = false\n"
    );
    let cases = cases(&body, &[]);
    let expected = [
        "rr/tcp.nodelay=true,load.closed.users=1,placement.endpoints=together",
        "rr/tcp.nodelay=true,load.closed.users=64,placement.endpoints=together",
        "rr/tcp.nodelay=true,load.closed.users=64,placement.endpoints=apart",
    ];
    assert_eq!(ids(&cases), expected);
    assert_eq!(cases[2].placement.endpoints(), "apart");
    assert_eq!(cases[2].params["load.closed.users"], 64);
}

#[test]
fn a_matrix_may_vary_what_only_the_runtime_knows() {
    let body = format!("{RR}[scenario.runtime]\nlifo = true\n[scenario.matrix]\n\"runtime.sq_entries\" = [64, 256]\n");
    let cases = cases(&body, &[]);
    assert_eq!(ids(&cases), ["rr/runtime.sq_entries=64", "rr/runtime.sq_entries=256"]);
    assert_eq!((&cases[1].runtime["lifo"], &cases[1].runtime["sq_entries"]), (&true.into(), &256.into()));
}

#[test]
fn set_reaches_every_part_of_the_file_and_replaces_an_axis() {
    let body = format!("seed = 1\n{}{RR}[scenario.matrix]\n\"load.closed.users\" = [1, 64]\n", HEAD.replace("schema = 1\n", ""));
    let load = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        parse(Source::new("t", &format!("schema = 1\n{body}")), "t", &sets).unwrap_or_else(|found| panic!("{}", render(&found)))
    };
    let suite = load(&["seed=7", "suite.name=nightly", "defaults.measure.time=1.5s", "scenario.rr.load.closed.users=[2, 3]"]);
    assert_eq!((suite.seed, suite.name.as_str()), (Some(7), "nightly"));
    assert_eq!(suite.cases[0].measure, Duration::from_millis(1_500));
    assert_eq!(ids(&suite.cases), ["rr/load.closed.users=2", "rr/load.closed.users=3"]);
    assert_eq!(ids(&load(&["scenario.rr.load.closed.users=9"]).cases), ["rr/load.closed.users=9"]);
    for axis in ["scenario.rr.matrix.load.closed.users=[4]", "scenario.rr.matrix.\"load.closed.users\"=[4]"] {
        assert_eq!(ids(&load(&[axis]).cases), ["rr/load.closed.users=4"]);
    }
    let later = load(&["scenario.rr.load.closed.users=9", "scenario.rr.load.closed.users=10"]);
    assert_eq!(ids(&later.cases), ["rr/load.closed.users=10"], "the last one wins");
}

#[test]
fn a_disabled_scenario_is_judged_and_not_run() {
    let off = RR.replace("id = \"rr\"", "id = \"off\"\nenabled = false");
    assert_eq!(ids(&cases(&format!("{off}{RR}"), &[])), ["rr"]);
    assert!(try_suite(&format!("{off}reqest = \"1B\"\n{RR}"), &[]).expect_err("wrong all the same").contains("did you mean `request`?"));
    assert!(try_suite(&off, &[]).expect_err("nothing to run").contains("no scenario is enabled"));
}

#[test]
fn sizes_may_vary() {
    let case =
        &cases(&format!("{RR}request = {{ range = [\"1B\", \"1KiB\"] }}\nresponse = {{ split = [[\"64B\", 9], [\"4KiB\", 1]] }}\n"), &[])
            [0];
    assert_eq!(tcp(case).request, SizeDistribution::Range(1, 1024));
    assert_eq!(tcp(case).response, SizeDistribution::Split(vec![(64, 9), (4096, 1)]));
    let shown =
        try_suite(&format!("{RR}request = {{ range = [\"2B\", \"1B\"] }}\nresponse = {{ split = [[\"64B\", 0], [\"x\"]] }}\n"), &[])
            .expect_err("wrong");
    assert_eq!(shown.matches("error: ").count(), 3, "{shown}");
}

#[test]
fn the_hash_names_the_meaning_and_not_the_letters() {
    let hash = |body: &str| try_suite(body, &[]).expect("good").sha256;
    assert_eq!(hash(RR), hash(&format!("# a remark\n{RR}request = \"64B\"\n")));
    assert_ne!(hash(RR), hash(&format!("{RR}request = \"65B\"\n")));
}

#[test]
fn a_mistake_in_defaults_is_told_once() {
    let body = format!("[defaults.warmup.steady]\nwindow = \"1s\"\nmax = \"1s\"\n{RR}{}", RR.replace("\"rr\"\n[", "\"rs\"\n["));
    let shown = try_suite(&body, &[]).expect_err("wrong");
    assert_eq!(shown.matches("error: ").count(), 1, "{shown}");
}

#[test]
fn the_shipped_suite_takes_any_number_of_users_on_its_axis() {
    let suite = zokio_bench::scenario::load("tcp", &["scenario.tcp-rr.load.closed.users=128".to_string()]);
    let suite = suite.unwrap_or_else(|mistakes| panic!("{}", zokio_bench::scenario::render(&mistakes)));
    let plan = zokio_bench::plan::plan(&suite, &[0, 1], &zokio_bench::plan::PlanOptions::default()).expect("a plan");
    let ids: Vec<&str> = plan.cases.iter().map(|case| case.header.id.as_str()).filter(|id| id.starts_with("tcp-rr/")).collect();
    assert_eq!(ids, ["tcp-rr/load.closed.users=128"]);
    // A ratio that is promised at 64 users is not asked of 128.
    let targets = &plan.cases.iter().find(|case| case.header.id == ids[0]).expect("the case").header.targets;
    assert!(targets.iter().all(|target| !format!("{target:?}").contains("1.4")), "{targets:?}");
}

#[test]
fn a_point_of_the_matrix_has_its_own_count_of_trials_until_the_command_line_says_otherwise() {
    let counts = "[scenario.run]\ntrials = 7\n[[scenario.run.at]]\nwhen = { \"load.closed.users\" = [64, 65] }\ntrials = 90\n";
    let body = format!("{RR}{counts}[scenario.matrix]\n\"load.closed.users\" = [1, 64, 65]\n");
    let trials = |sets: &[&str]| cases(&body, sets).iter().map(|case| case.trials).collect::<Vec<_>>();
    assert_eq!(trials(&[]), [7, 90, 90]);
    assert_eq!(trials(&["scenario.rr.run.trials=8"]), [8, 8, 8]);
    assert_eq!(trials(&["defaults.run.trials=8"]), [7, 90, 90], "the scenario wins over defaults");
    let without_else = body.replace("[scenario.run]\ntrials = 7\n", "");
    assert_eq!(cases(&without_else, &[]).iter().map(|case| case.trials).collect::<Vec<_>>(), [10, 90, 90]);
}
