//! Subjects that break the protocol: each is a failed trial with its cause, soon, and nothing of it is left behind.
#![cfg(target_os = "linux")]

mod scripts;

use std::time::{Duration, Instant};

use scripts::{failure, limits, run_apart, run_script, script, trial};
use zokio_bench::subject::protocol::Role;
use zokio_bench::subject::spawn::describe::describe;
use zokio_bench::subject::spawn::interrupt::Interrupt;
use zokio_bench::subject::spawn::kernel;
use zokio_bench::subject::spawn::trial::{Part, Parts, run};
use zokio_report::schema::journal::Outcome;

#[test]
fn an_honest_script_is_recorded_with_evidence_of_our_own() {
    let run = run_script("phases; record");
    let Some(Outcome::Record(record)) = &run.outcome else { panic!("a record was expected: {run:?}") };
    assert_eq!(record.work.ok, 9);
    let evidence = &run.evidence;
    let measured = Duration::from_nanos(evidence.measure_wall_ns.expect("both phases were seen"));
    // 50 ms, but for a line that is read late on a busy host.
    assert!((Duration::from_millis(20)..Duration::from_secs(2)).contains(&measured), "{measured:?}");
    let [process] = &evidence.processes[..] else { panic!("one process: {evidence:?}") };
    assert_eq!((process.role.as_str(), process.exit.as_str()), ("both", "exit 0"));
    assert!(process.cpu_ns > 0 && process.rss_peak_bytes > 0 && process.cpu_measure_ns.is_some());
    assert_eq!(process.threads.len(), 1, "a shell has one thread: {:?}", process.threads);
    assert!(evidence.ready_ns.expect("it was ready") <= evidence.wall_ns);
}

#[test]
fn every_fault_ends_in_its_class() {
    let cases = [
        ("phases; kill -SEGV $$", "crash", "signal 11"),
        ("phases; echo 'the last words' >&2; exit 7", "crash", "the last words"),
        ("phases; exit 0", "no-record", "without a record"),
        ("exit 1", "crash", "exited with code 1"),
        ("echo hello", "junk", "hello"),
        (r"printf '\377\376\n'", "junk", "not UTF-8"),
        ("phases; record; record", "second-record", "answered twice"),
        ("phases; record; echo bye", "after-record", "bye"),
        ("phases; record | sed 's/{\"elapsed/{\"id\":\"0007-x\",\"elapsed/'", "foreign-record", "0007-x"),
        ("phases; record; exit 5", "wrong-exit", "code 5"),
        ("ready; record", "out-of-order", "measure"),
        ("echo '{\"failed\":{\"class\":\"port-in-use\",\"message\":\"127.0.0.1:80 is taken\"}}'; exit 3", "port-in-use", "taken"),
        ("ready; while :; do echo '{\"progress\":{\"ok\":1}}'; done", "flood", "lines"),
        ("ready; head -c 18000000 /dev/zero | tr '\\0' x; sleep 30", "line-too-long", "16 MiB"),
    ];
    for (body, class, part) in cases {
        let started = Instant::now();
        let run = run_script(body);
        let (found, message) = failure(&run);
        assert_eq!(found, class, "{body}: {message}");
        assert!(message.contains(part), "{body}: {message}");
        assert!(started.elapsed() < Duration::from_secs(6), "{body} took {:?}", started.elapsed());
    }
}

#[test]
fn silence_is_a_failure_within_its_limit_wherever_it_begins() {
    let cases = [
        ("sleep 60", "timeout", "did not become ready"),
        ("ready; sleep 60", "timeout", "silent past the planned phases"),
        ("ready; phase measure; sleep 60", "timeout", "measured longer than planned"),
        ("phases; sleep 60", "timeout", "did not end its drain"),
        ("phases; record; sleep 60", "no-exit", "did not exit"),
        ("phases; exec >&-; sleep 60", "closed-output", "closed its output"),
        ("phases; record; sleep 60 & exit 0", "output-kept-open", "keeps its output open"),
        ("phases; record; trap '' TERM INT HUP; sleep 60 & exit 0", "output-kept-open", "keeps its output open"),
    ];
    // Side by side: each only waits for its limit.
    let threads = cases.map(|case| std::thread::spawn(move || (case, Instant::now(), run_script(case.0))));
    for thread in threads {
        let ((body, class, part), started, run) = thread.join().expect("no panic");
        let (found, message) = failure(&run);
        assert_eq!(found, class, "{body}: {message}");
        assert!(message.contains(part), "{body}: {message}");
        assert!(started.elapsed() < Duration::from_secs(20), "{body} took {:?}", started.elapsed());
    }
}

#[test]
fn a_killed_trial_leaves_no_process_behind() {
    // A process group has the id of its leader; the script writes its own, and that of a child that ignores polite signals.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pids = folder.path().join("pids");
    let body = format!("sh -c 'trap \"\" TERM HUP; echo $$ >> {0}; sleep 61' & echo $$ >> {0}; ready; sleep 62", pids.display());
    let executable = script(folder.path(), &body);
    let part = Part { executable: &executable, trial: trial(Role::Both) };
    let run = run(Parts::Together(part), folder.path(), &limits(), &Interrupt::default());
    assert_eq!(failure(&run).0, "timeout");
    let pids = std::fs::read_to_string(&pids).expect("both wrote their ids");
    assert_eq!(pids.lines().count(), 2);
    let deadline = Instant::now() + Duration::from_secs(5);
    let is_alive = |pid: &str| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        !status.is_empty() && !status.contains("State:\tZ")
    };
    while pids.lines().any(is_alive) {
        assert!(Instant::now() < deadline, "{pids} still run");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_cannot_be_started_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "no program").expect("a file");
    let class = |executable: &std::path::Path, cpus: &[u32]| {
        let part = Part { executable, trial: zokio_bench::subject::protocol::Trial { cpus: cpus.to_vec(), ..trial(Role::Both) } };
        failure(&run(Parts::Together(part), folder.path(), &limits(), &Interrupt::default())).0.to_string()
    };
    assert_eq!(class(&folder.path().join("absent"), &[]), "not-found");
    assert_eq!(class(&plain, &[]), "not-executable");
    let honest = script(folder.path(), "phases; record");
    assert_eq!(class(&honest, &[1000]), "placement", "no machine of ours has a CPU 1000");
}

#[test]
fn a_subject_is_pinned_before_it_runs_and_one_that_breaks_out_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (own, _) = kernel::cpus_and_peak_memory(std::process::id()).expect("own CPUs");
    let [first, second, ..] = own[..] else { return eprintln!("skipped: needs two CPUs") };
    let on = |executable: &std::path::Path| {
        let part = Part { executable, trial: zokio_bench::subject::protocol::Trial { cpus: vec![first], ..trial(Role::Both) } };
        run(Parts::Together(part), folder.path(), &limits(), &Interrupt::default())
    };
    let pinned = on(&script(folder.path(), "phases; record"));
    assert!(matches!(pinned.outcome, Some(Outcome::Record(_))), "{pinned:?}");
    assert_eq!(pinned.evidence.processes[0].threads[0].cpus, [first]);
    if std::process::Command::new("taskset").arg("--version").output().is_err() {
        return eprintln!("skipped: taskset is missing");
    }
    let loose = on(&script(folder.path(), &format!("taskset -cp {second} $$ >/dev/null; phases; record")));
    assert_eq!(failure(&loose).0, "placement");
}

#[test]
fn apart_the_server_is_the_subject_and_the_client_measures() {
    let server = "listen; cat >/dev/null; echo '{\"record\":{\"elapsed_ns\":1,\"work\":{\"attempted\":9,\"ok\":9,\"bytes\":0,\"verified\":8},\"driver\":\"epoll\"}}'";
    let run = run_apart(server, "case $request in *'\"connect\":[\"127.0.0.1:9\"]'*) phases; record;; esac");
    let Some(Outcome::Record(record)) = &run.outcome else { panic!("a record was expected: {run:?}") };
    assert_eq!((record.driver.as_str(), record.work.ok, record.counters["server_verified"]), ("epoll", 9, 8));
    assert!(record.cpu_ns.server.is_some() && record.cpu_ns.client.is_some());
    let roles: Vec<&str> = run.evidence.processes.iter().map(|process| process.role.as_str()).collect();
    assert_eq!(roles, ["server", "client"]);
}

#[test]
fn apart_the_one_that_broke_is_named() {
    let good_server = "listen; cat >/dev/null; record";
    let cases = [
        ("ready", "phases; record", "no-address", "does not say where"),
        ("listen; kill -KILL $$", "ready; phase measure; sleep 5; phase drain; record", "crash", "signal 9"),
        ("listen; sleep 0.2; record", "ready; phase measure; sleep 5; phase drain; record", "ended-early", "before its input had ended"),
        ("listen; sleep 0.1; kill -KILL $$", "phases; sleep 0.1; exit 1", "crash", "signal 9"),
        (good_server, "phases; exit 4", "crash", "the client: "),
        (good_server, "echo '{\"failed\":{\"class\":\"connect\",\"message\":\"refused\"}}'; exit 3", "connect", "the client: refused"),
        ("listen; cat >/dev/null; sleep 60", "phases; record", "timeout", "after its input had ended"),
    ];
    for (server, client, class, part) in cases {
        let run = run_apart(server, client);
        let (found, message) = failure(&run);
        assert_eq!(found, class, "{server} | {client}: {message}");
        assert!(message.contains(part), "{server} | {client}: {message}");
    }
}

#[test]
fn an_interrupt_ends_a_trial_at_once_and_is_no_failure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let executable = script(folder.path(), "ready; sleep 60");
    let interrupt = Interrupt::default();
    let raiser = interrupt.clone();
    let started = Instant::now();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        raiser.raise();
    });
    let part = Part { executable: &executable, trial: trial(Role::Both) };
    let run = run(Parts::Together(part), folder.path(), &limits(), &interrupt);
    thread.join().expect("the raiser");
    assert!(run.outcome.is_none(), "{run:?}");
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
}

#[test]
fn a_description_is_asked_for_with_a_time_limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let honest = describe(&script(folder.path(), ""), Duration::from_secs(5)).expect("a description");
    assert_eq!(honest.subjects[0].name, "fake");
    let class = |path: &str| describe(std::path::Path::new(path), Duration::from_millis(300)).expect_err("no description").class;
    assert_eq!(class("/bin/true"), "not-a-subject");
    assert_eq!(class("/does/not/exist"), "not-found");
}
