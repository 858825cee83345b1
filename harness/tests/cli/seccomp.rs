//! io_uring refused by a seccomp filter, as containers do it: the run goes on, on readiness, and says so.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use zokio_bench::measure::file_system::FileSystem;
use zokio_bench::measure::workdir;
use zokio_bench::workload::storage::{CacheState, Storage};

use super::tale::{Outcome, Tale, row};

/// `io_uring_setup`, the same number on every architecture.
const SYS_IO_URING_SETUP: u32 = 425;

/// Lets the command's process, and all it starts, get EPERM from `io_uring_setup`.
fn without_io_uring(command: &mut Command) -> &mut Command {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // `seccomp_data` begins with the number of the system call.
    let filter = [
        step(LOAD, 0, 0, 0),
        step(EQUAL, 0, 1, SYS_IO_URING_SETUP),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let mut filter = filter;
        let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: plain numbers; a process may always give up privileges.
        let no_new = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
        // SAFETY: `program` points to `filter`, and both live through the call, which copies them.
        let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        if no_new == 0 && set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec the closure makes two system calls on its own copy of the filter; it neither allocates nor locks.
    unsafe { command.pre_exec(install) }
}

#[test]
fn the_host_profile_says_that_io_uring_is_refused() {
    let tale = Tale::new();
    let output = without_io_uring(&mut tale.command(&["host", "--json"])).output().expect("zokio-bench starts");
    let outcome = Outcome::of(output).exits(0);
    let profile: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("a profile");
    let ring = &profile["kernel"]["io_uring"];
    assert_eq!(ring["available"], false, "{ring}");
    assert!(ring["reason"].as_str().is_some_and(|reason| reason.contains("EPERM")), "{ring}");
}

#[test]
fn a_run_goes_on_without_io_uring_and_says_so() {
    let tale = Tale::new();
    tale.file("rr.toml", &super::host::rr(64));
    let described = Outcome::of(tale.command(&["zokio-subject", "--describe"]).output().expect("a description"));
    let description: serde_json::Value = serde_json::from_str(&described.stdout).expect("a description");
    let has_tcp = |one: &&serde_json::Value| one["workloads"].as_array().is_some_and(|all| all.iter().any(|workload| workload == "tcp"));
    let described = description["subjects"].as_array().expect("subjects");
    let subjects: Vec<&str> = described.iter().filter(has_tcp).filter_map(|one| one["name"].as_str()).collect();
    let arguments = ["run", "rr.toml", "--subject", &subjects.join(","), "--trials", "2", "--out", "out"];
    let output = without_io_uring(&mut tale.command(&arguments)).output().expect("zokio-bench starts");
    // A busy machine may make a row invalid; who drove the I/O is told all the same.
    let outcome = Outcome::of(output);
    assert!(matches!(outcome.code, Some(0 | 5)), "{}", outcome.stderr);
    let result = tale.result("out");
    for subject in subjects {
        let row = row(&result, subject);
        // The ceiling then makes bare system calls, and waits with none.
        let expected = if subject == "ceiling" { "none" } else { "epoll" };
        assert_eq!(row["driver"], expected, "{subject}: {}", row["validity"]);
        assert!(row["work"]["ok"].as_u64().is_some_and(|ok| ok > 0), "{subject}");
        // tokio never wanted a ring, so it has nothing to explain.
        let explained = row["driver_reason"].as_str().is_some_and(|reason| reason.contains("EPERM"));
        assert_eq!(explained, !subject.starts_with("tokio"), "{subject}: {}", row["driver_reason"]);
    }
}

/// Checks of a row that tell about the work itself, not about how busy the machine was.
const OF_THE_WORK: [&str; 5] = ["finite", "work-done", "errors", "connections", "workers-observed"];

#[test]
fn every_built_in_suite_runs_without_io_uring() {
    let (mut worked, mut idle) = (0, Vec::new());
    for suite in zokio_bench::scenario::builtin_names() {
        let tale = Tale::new();
        let arguments = ["run", suite, "--subject", "zokio", "--quick", "--trials", "1", "--out", "out"];
        let outcome = Outcome::of(without_io_uring(&mut tale.command(&arguments)).output().expect("zokio-bench starts"));
        let result = tale.result("out");
        let is_in_memory =
            FileSystem::of(&workdir::parent(&Storage { dir: None, cache: CacheState::Warm })).expect("it exists").is_memory();
        let cases = result["cases"].as_array().expect("cases");
        let rows: Vec<_> = cases.iter().map(|case| (&case["id"], row_of(case))).collect();
        assert!(!rows.is_empty(), "{suite}: {}", outcome.stderr);
        for (id, row) in rows {
            let validity = &row["validity"];
            if validity["state"] == "skipped" {
                // What zokio does not do at all, it does not do on any driver; and files in memory are always in the page cache.
                let reason = validity["reason"].as_str().unwrap_or_default();
                let is_never_cold = is_in_memory && reason.contains("cache-state");
                assert!(reason.contains("unsupported") || is_never_cold, "{suite} {id}: {reason}");
                continue;
            }
            let work = &row["work"];
            let ok = work["ok"].as_u64().expect("a count");
            // On a busy machine the first round of a case may not end within its window; it then counts as under way, not as wrong.
            let is_under_way = work["attempted"] == 0 && work["in_flight_at_end"].as_u64().is_some();
            assert!(ok > 0 || is_under_way, "{suite} {id}: {work} {validity}");
            assert_eq!(work["errors"].as_object().map(serde_json::Map::len), Some(0), "{suite} {id}: {work}");
            if ok > 0 {
                worked += 1;
            } else {
                idle.push(format!("{suite} {id}"));
            }
            for check in validity["checks"].as_array().into_iter().flatten() {
                let is_wrong = ok > 0 && check["state"] == "invalid" && OF_THE_WORK.iter().any(|known| check["id"] == *known);
                assert!(!is_wrong, "{suite} {id}: {check}");
            }
            // A library that is measured alone has no driver.
            if row["driver"] != "none" {
                assert_eq!(row["driver"], "epoll", "{suite} {id}");
                let reason = row["driver_reason"].as_str().unwrap_or_default();
                assert!(reason.contains("EPERM"), "{suite} {id}: {reason:?}");
            }
        }
    }
    assert!(worked > 4 * idle.len(), "{worked} cases had a result, and these had none: {idle:?}");
}

/// The only row of a case.
fn row_of(case: &serde_json::Value) -> &serde_json::Value {
    &case["subjects"][0]
}
