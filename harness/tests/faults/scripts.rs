//! Fake subjects as shell scripts, and the trials they are given.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use zokio_bench::load::{ClosedLoad, Load};
use zokio_bench::subject::protocol::{PROTOCOL, Phases, Role, Trial};
use zokio_bench::subject::spawn::Limits;
use zokio_bench::subject::spawn::interrupt::Interrupt;
use zokio_bench::subject::spawn::trial::{Part, Parts, TrialRun, run};
use zokio_bench::workload::{SleepWorkload, Workload};
use zokio_report::schema::journal::Outcome;

/// What every script begins with: the request is read, the lines of an honest trial have names.
const PRELUDE: &str = r#"#!/bin/sh
if [ "$2" = --describe ]; then
    echo '{"protocol":1,"name":"fake","version":"1","subjects":[{"name":"fake","version":"1","workloads":["sleep","tcp"]}]}'
    exit 0
fi
read -r request
ready() { echo "{\"ready\":{\"addresses\":[],\"pid\":$$}}"; }
listen() { echo "{\"ready\":{\"addresses\":[\"127.0.0.1:9\"],\"pid\":$$}}"; }
phase() { echo "{\"phase\":{\"name\":\"$1\"}}"; }
phases() { ready; phase warmup; phase measure; sleep 0.05; phase drain; }
record() { echo '{"record":{"elapsed_ns":50000000,"work":{"attempted":9,"ok":9,"bytes":0,"verified":9},"driver":"none"}}'; }
"#;

/// Writes an executable script into `folder`.
///
/// Another process does the writing: a file that this one has open for writing could be inherited by a concurrent test's child,
/// and then its execution is refused ("text file busy").
pub(crate) fn script(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("fake");
    let mut writer =
        Command::new("sh").args(["-c", "cat > \"$0\" && chmod +x \"$0\""]).arg(&path).stdin(Stdio::piped()).spawn().expect("a shell");
    let mut stdin = writer.stdin.take().expect("its input");
    stdin.write_all(PRELUDE.as_bytes()).and_then(|()| stdin.write_all(body.as_bytes())).expect("the script");
    drop(stdin);
    assert!(writer.wait().expect("the shell").success());
    assert_ne!(path.metadata().expect("the script").permissions().mode() & 0o100, 0);
    path
}

/// Limits short enough for a test and long enough for a loaded machine.
pub(crate) fn limits() -> Limits {
    Limits {
        ready: Duration::from_secs(2),
        margin: Duration::from_millis(1500),
        exit: Duration::from_millis(700),
        describe: Duration::from_secs(2),
    }
}

/// A short trial.
pub(crate) fn trial(role: Role) -> Trial {
    Trial {
        protocol: PROTOCOL,
        id: "0001-fake".into(),
        subject: "fake".into(),
        role,
        connect: Vec::new(),
        workload: Workload::Sleep(SleepWorkload { duration_ns: 1000 }),
        load: Load::Closed(ClosedLoad { users: 1 }),
        runtime: Default::default(),
        cpus: Vec::new(),
        network: Default::default(),
        phases: Phases { warmup_ms: 0, warmup_window_ms: None, measure_ms: 50, drain_ms: 50, ..Phases::default() },
        seed: 7,
        gate: Default::default(),
    }
}

/// Runs a script as the one process of a trial.
pub(crate) fn run_script(body: &str) -> TrialRun {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let executable = script(folder.path(), body);
    let part = Part { executable: &executable, trial: trial(Role::Both) };
    run(Parts::Together(part), folder.path(), &limits(), &Interrupt::default())
}

/// Runs two scripts as server and client.
pub(crate) fn run_apart(server: &str, client: &str) -> TrialRun {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (server, client) = (script(one.path(), server), script(two.path(), client));
    let server = Part { executable: &server, trial: trial(Role::Server) };
    let client = Part { executable: &client, trial: trial(Role::Client) };
    run(Parts::Apart { server, client }, one.path(), &limits(), &Interrupt::default())
}

/// The class and message of a trial that must have failed.
pub(crate) fn failure(run: &TrialRun) -> (&str, &str) {
    match &run.outcome {
        Some(Outcome::Failed(failure)) => (&failure.class, &failure.message),
        other => panic!("a failure was expected, not {other:?}"),
    }
}
