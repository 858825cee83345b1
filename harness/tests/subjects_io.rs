//! Reads of files: every subject reads what is there, in the state of the page cache that was asked for, and leaves nothing behind.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use support::{RunWith, alone, open_files, settles_at, spoilt, trial_of};
use tempfile::TempDir;
use zokio_bench::measure::file_system::FileSystem;
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling;
use zokio_bench::subject::protocol::Trial;
use zokio_bench::subject::serve::Session;
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::io::{IoMode, IoWorkload};
use zokio_bench::workload::storage::{CacheState, Storage};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

/// zokio twice: once with whatever driver there is, once without a ring.
const SUBJECTS: [(&str, RunWith); 5] = [
    ("zokio", Zokio::run_with),
    ("zokio-polling", Zokio::run_with),
    ("tokio", Tokio::run_with),
    ("tokio-ct", TokioCt::run_with),
    ("ceiling", ceiling::run::run),
];
const MODES: [IoMode; 4] = [IoMode::Read, IoMode::Vectored, IoMode::Splice, IoMode::Batch];
const STATES: [CacheState; 3] = [CacheState::Warm, CacheState::Cold, CacheState::Direct];
const WIDTH: u32 = 4;

fn trial(subject: &str, folder: &Path, mode: IoMode, cache: CacheState, users: u32) -> Trial {
    let dir = Some(folder.to_str().expect("UTF-8").to_owned());
    let workload = IoWorkload {
        mode,
        storage: (mode != IoMode::Nop).then_some(Storage { dir, cache }),
        // Small enough for a cold user to come to its end and begin again.
        file_bytes: 1 << 20,
        block_bytes: 4096,
        width: if matches!(mode, IoMode::Vectored | IoMode::Batch) { WIDTH } else { 1 },
    };
    let mut trial = trial_of(subject, Workload::Io(workload), users);
    if subject == "zokio-polling" {
        trial.runtime.insert("io_driver".into(), json!("polling"));
    }
    trial
}

/// The record; a disk that is busy with others may let a whole window pass without an answer, but not three.
fn run(run: RunWith, trial: &Trial) -> Result<TrialRecord, Failure> {
    let once = || run(trial, &Session::detached(), &Arc::new(Ledger::default()));
    let mut outcome = once();
    for _ in 0..2 {
        if outcome.as_ref().is_ok_and(|record| record.work.ok == 0) {
            outcome = once();
        }
    }
    outcome
}

/// A folder on a disk; `None` where the folder for temporary files is memory.
fn on_disk() -> Option<TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let is_memory = FileSystem::of(folder.path()).expect("it exists").is_memory();
    (!is_memory).then_some(folder)
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("it exists").next().is_none()
}

fn check(name: &str, record: &TrialRecord, users: u32, bytes_per_operation: u64) {
    let work = &record.work;
    assert!(work.ok > 0, "{name}: nothing was read");
    assert_eq!((work.attempted, work.verified, work.errors.len()), (work.ok, work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!((work.bytes, work.in_flight_at_end), (work.ok * bytes_per_operation, 0), "{name}");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
    assert_eq!(record.workers.iter().filter_map(|worker| worker.operations).sum::<u64>(), work.ok, "{name}");
    // A runtime has its workers whoever is there; a bare thread without a user is none, and neither is a thread that blocks.
    let cpus = zokio_bench::measure::cpu::thread_cpus().len();
    let expected = if record.config.contains_key("variant") { cpus.min(users as usize) } else { cpus };
    assert_eq!(record.workers.len(), expected, "{name}");
}

#[test]
fn every_mode_reads_the_right_bytes_in_every_state() {
    let _alone = alone();
    let Some(folder) = on_disk() else { return };
    let files_before = open_files();
    for (name, run_with) in SUBJECTS {
        for mode in MODES {
            // Pages are spliced from the cache alone.
            let states = if mode == IoMode::Splice { &STATES[..1] } else { &STATES };
            for (state, users) in states.iter().copied().flat_map(|state| [(state, 1), (state, 5)]) {
                let name = format!("{name} {mode:?} {state:?} {users}");
                let trial = trial(name.split(' ').next().expect("a name"), folder.path(), mode, state, users);
                let record = run(run_with, &trial).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
                check(&name, &record, users, if mode == IoMode::Vectored { u64::from(WIDTH) * 4096 } else { 4096 });
                let counter = |id: &str| record.counters[id];
                assert_eq!(counter("asked_bytes"), counter("operations_ever") * trial.workload.bytes_per_operation().expect("bytes"));
                let (resident, device) = (counter("resident_permille_start"), counter("device_read_bytes"));
                match state {
                    CacheState::Warm => assert!(resident == 1000 && counter("resident_permille_end") == 1000, "{name}"),
                    _ => assert!(resident <= 10 && device * 100 >= counter("asked_bytes") * 95, "{name}: {device}"),
                }
                assert_eq!(record.config["page_cache"], state.name(), "{name}");
                assert!(record.config["file_system"].as_str().is_some_and(|name| !name.is_empty()));
                assert!(is_empty(folder.path()), "{name}: a folder is left");
            }
        }
    }
    assert!(settles_at(files_before, open_files), "descriptors are left");
}

#[test]
fn a_nop_goes_through_a_ring_or_not_at_all() {
    let _alone = alone();
    let has_ring = ceiling::ring::refusal().is_none();
    for (name, run_with) in SUBJECTS {
        for users in [1, 20] {
            let outcome = run(run_with, &trial(name, Path::new("/"), IoMode::Nop, CacheState::Warm, users));
            if has_ring && ["zokio", "ceiling"].contains(&name) {
                let record = outcome.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
                assert!(record.work.ok > 0 && record.work.errors.is_empty() && record.work.bytes == 0, "{name}: {:?}", record.work);
                assert_eq!(record.driver, "io_uring");
            } else {
                assert_eq!(outcome.expect_err("no ring").class, "unsupported", "{name}");
            }
        }
    }
}

#[test]
fn a_wrong_byte_is_a_mismatch_and_the_only_one() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, run_with) in SUBJECTS {
        for mode in MODES {
            let mut trial = trial(name, folder.path(), mode, CacheState::Warm, 3);
            trial.phases.measure_ms = 200;
            let record = spoilt(run_with, &trial, 1, 2).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            let errors: Vec<(&str, u64)> = record.work.errors.iter().map(|(class, count)| (class.as_str(), *count)).collect();
            assert_eq!(errors, [("mismatch", 1)], "{name} {mode:?}");
            assert_eq!(record.work.attempted, record.work.ok + 1);
        }
    }
}

#[test]
fn a_state_that_cannot_be_reached_fails_and_leaves_nothing() {
    let _alone = alone();
    let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
    if !FileSystem::of(folder.path()).expect("it exists").is_memory() {
        return;
    }
    for (name, run_with) in SUBJECTS {
        for state in STATES {
            let outcome = run(run_with, &trial(name, folder.path(), IoMode::Read, state, 2));
            match state {
                CacheState::Warm => assert_eq!(outcome.expect("memory is warm").config["file_system"], "tmpfs", "{name}"),
                _ => assert_eq!(outcome.expect_err("memory is never cold").class, "cache-state", "{name} {state:?}"),
            }
            assert!(is_empty(folder.path()), "{name} {state:?}");
        }
    }
}

#[test]
fn without_room_or_a_folder_nothing_is_begun() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, run_with) in SUBJECTS {
        let mut too_large = trial(name, folder.path(), IoMode::Read, CacheState::Warm, 1);
        let Workload::Io(io) = &mut too_large.workload else { unreachable!("made above") };
        io.file_bytes = 1 << 60;
        assert_eq!(run(run_with, &too_large).expect_err("no disk is so large").class, "no-space", "{name}");
        let nowhere = trial(name, &folder.path().join("missing"), IoMode::Read, CacheState::Warm, 1);
        assert_eq!(run(run_with, &nowhere).expect_err("no folder").class, "work-folder", "{name}");
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn the_ceiling_names_its_loop_and_has_one_without_a_ring() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let cpus = u32::try_from(zokio_bench::measure::cpu::thread_cpus().len()).expect("few");
    let has_ring = ceiling::ring::refusal().is_none();
    let cases = [
        (IoMode::Read, cpus, "pread", 1),
        (IoMode::Read, cpus + 1, "ring-fixed", 1),
        (IoMode::Batch, 1, "ring-fixed", 1),
        (IoMode::Splice, cpus + 1, "splice-read", 2),
    ];
    for (mode, users, variant, calls_each) in cases {
        let trial = trial("ceiling", folder.path(), mode, CacheState::Warm, users);
        if has_ring {
            let record = run(ceiling::run::run, &trial).expect("a record");
            assert_eq!(record.config["variant"], variant, "{mode:?} {users}");
            // One call for each read, or for all that have ended meanwhile: a file system in memory ends them one by one, in kernel threads.
            let (calls, reads) = (record.counters["syscalls_measured"], record.work.ok);
            let is_bare = variant != "ring-fixed";
            let is_one_by_one = is_bare || FileSystem::of(folder.path()).expect("it exists").is_memory();
            let expected = calls_each * reads;
            assert!(if is_one_by_one { calls <= expected + 64 } else { calls < reads }, "{calls} calls for {reads} reads");
            assert!(!is_bare || calls + 64 > expected, "{calls} calls for {reads} reads");
        }
        let control = Arc::new(Ledger::default());
        let refused = ceiling::run::run_unless(Some("io_uring: EPERM".into()), &trial, &Session::detached(), &control);
        let record = refused.expect("plain calls do");
        check("without a ring", &record, users, 4096);
        let bare = if mode == IoMode::Splice { "splice-read" } else { "pread" };
        assert_eq!((record.config["variant"].as_str(), record.driver.as_str()), (Some(bare), "none"));
        assert_eq!(record.driver_reason.is_some(), variant == "ring-fixed", "a ring was wanted");
    }
}
