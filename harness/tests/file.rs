//! Whole files on every subject: real files, judged whole, left behind by nobody.
#![cfg(target_os = "linux")]

mod support;

use std::path::Path;
use std::sync::Arc;

use support::{RunWith, RunningServer, alone, open_files, settles_at, spoilt, trial_of};
use zokio_bench::measure::file_set::FileSet;
use zokio_bench::measure::file_system::FileSystem;
use zokio_bench::measure::tally::Ledger;
use zokio_bench::subject::ceiling::run::run_unless;
use zokio_bench::subject::ceiling::{self, Ceiling};
use zokio_bench::subject::protocol::{Role, Trial};
use zokio_bench::subject::serve::{Session, Subject};
use zokio_bench::subject::tokio::{Tokio, TokioCt};
use zokio_bench::subject::zokio::Zokio;
use zokio_bench::workload::Workload;
use zokio_bench::workload::file::{FileMode, FileWorkload, Fsync, Via};
use zokio_bench::workload::storage::{CacheState, Storage};
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

const SUBJECTS: [(&str, &dyn Subject, RunWith); 4] = [
    ("zokio", &Zokio, Zokio::run_with),
    ("tokio", &Tokio, Tokio::run_with),
    ("tokio-ct", &TokioCt, TokioCt::run_with),
    ("ceiling", &Ceiling, ceiling::run::run),
];
/// No multiple of a page, of a word, or of a buffer.
const SIZE: u64 = 40_001;
const USERS: u32 = 3;

fn workload(dir: &Path, mode: FileMode, via: Option<Via>) -> FileWorkload {
    FileWorkload {
        mode,
        size: SIZE,
        files: 7,
        storage: Storage { dir: Some(dir.to_str().expect("UTF-8").into()), cache: CacheState::Warm },
        via,
        fsync: Fsync::None,
        connections: if mode == FileMode::Transfer { USERS } else { 0 },
    }
}

/// Every mode, with every way it has.
fn workloads(dir: &Path) -> Vec<FileWorkload> {
    let plain = |mode, via| workload(dir, mode, via);
    vec![
        plain(FileMode::Read, None),
        plain(FileMode::Write, None),
        FileWorkload { fsync: Fsync::End, ..plain(FileMode::Write, None) },
        plain(FileMode::Copy, Some(Via::ReadWrite)),
        plain(FileMode::Copy, Some(Via::CopyFileRange)),
        plain(FileMode::Transfer, Some(Via::ReadWrite)),
        plain(FileMode::Transfer, Some(Via::Splice)),
        plain(FileMode::Transfer, Some(Via::Sendfile)),
    ]
}

fn file_trial(name: &str, workload: &FileWorkload) -> Trial {
    trial_of(name, Workload::File(workload.clone()), USERS)
}

fn run(run_with: RunWith, trial: &Trial) -> Result<TrialRecord, Failure> {
    run_with(trial, &Session::detached(), &Arc::new(Ledger::default()))
}

fn check(name: &str, record: &TrialRecord, workload: &FileWorkload) {
    let work = &record.work;
    assert!(work.ok > 0, "{name}: nothing was done");
    assert_eq!((work.verified, work.attempted, work.errors.len()), (work.ok, work.ok, 0), "{name}: {:?}", work.errors);
    assert_eq!((work.bytes, work.in_flight_at_end), (work.ok * workload.size, 0), "{name}");
    assert_eq!(record.batches.iter().map(|batch| batch.0).sum::<u64>(), work.ok, "{name}: the slices are the window");
    assert!(record.histograms.iter().any(|times| times.id == "service_time"), "{name}: every file is timed");
    let via = record.config.get("via").and_then(|via| via.as_str());
    assert_eq!(via, workload.via.map(Via::name), "{name}");
    let connections = if workload.mode == FileMode::Transfer { u64::from(USERS) } else { 0 };
    assert_eq!((record.counters["connections_opened"], record.counters["connections_accepted"]), (connections, connections), "{name}");
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).expect("it exists").next().is_none()
}

#[test]
fn every_subject_does_every_mode_and_leaves_no_file() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _, run_with) in SUBJECTS {
        for workload in workloads(dir.path()) {
            let name = format!("{name} {workload:?}");
            let files = open_files();
            let record = run(run_with, &file_trial(&name, &workload)).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            check(&name, &record, &workload);
            let file_system = FileSystem::of(dir.path()).expect("it exists").name;
            assert_eq!(record.config["file_system"].as_str(), Some(file_system.as_str()), "{name}");
            assert!(is_empty(dir.path()), "{name}: files are left");
            assert!(settles_at(files, open_files), "{name}: {files} descriptors before, {} after", open_files());
        }
    }
}

#[test]
fn zokio_does_every_mode_on_both_drivers() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for driver in ["io_uring", "polling"] {
        for workload in workloads(dir.path()) {
            let mut trial = file_trial("zokio", &workload);
            trial.runtime.insert("io_driver".into(), driver.into());
            match run(Zokio::run_with, &trial) {
                Ok(record) => {
                    assert_eq!(record.driver == "io_uring", driver == "io_uring", "{:?}", record.driver);
                    check(&format!("{driver} {workload:?}"), &record, &workload);
                }
                Err(failure) => assert!(driver == "io_uring" && failure.class == "runtime", "{driver}: {failure:?}"),
            }
        }
    }
}

#[test]
fn a_byte_changed_in_a_file_is_a_mismatch() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _, run_with) in SUBJECTS {
        for workload in workloads(dir.path()) {
            let mut trial = file_trial(name, &workload);
            trial.phases.measure_ms = if workload.fsync == Fsync::End { 1_000 } else { 300 };
            let record = spoilt(run_with, &trial, 1, 1).unwrap_or_else(|failure| panic!("{name} {workload:?}: {failure:?}"));
            let errors = &record.work.errors;
            assert_eq!(errors.get("mismatch"), Some(&1), "{name} {workload:?}: {errors:?}");
            assert_eq!(errors.len(), 1, "{name} {workload:?}: {errors:?}");
            assert!(record.work.ok > 0 && record.work.verified == record.work.ok);
        }
    }
}

#[test]
fn what_a_written_file_holds_at_the_end_is_read_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let workload = workload(dir.path(), FileMode::Write, None);
    let files = FileSet::make(&workload, 5).expect("there is room");
    let contents = files.contents();
    let write = |damage: Option<&dyn Fn(&Path)>| {
        let mut keeper = files.keeper(1, USERS);
        for _ in 0..workload.share(1, USERS).count() * 2 {
            let turn = keeper.begin();
            std::fs::write(files.target(turn.file), &contents[turn.written() as usize]).expect("there is room");
            keeper.judge_written(turn, false).expect("as it was written");
        }
        damage.inspect(|damage| damage(files.target(4)));
        keeper.finish()
    };
    write(None).expect("all files hold what was written last");
    let damages: [&dyn Fn(&Path); 4] = [
        &|path| std::fs::remove_file(path).expect("it is there"),
        &|path| std::fs::write(path, &contents[3][..100]).expect("there is room"),
        // What was written the round before.
        &|path| std::fs::write(path, &contents[5]).expect("there is room"),
        &|path| {
            let mut bytes = std::fs::read(path).expect("it is there");
            bytes[SIZE as usize - 1] ^= 1;
            std::fs::write(path, bytes).expect("there is room");
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let failure = write(Some(damage)).expect_err("damaged");
        assert_eq!(failure.class, "mismatch", "{number}");
        assert!(failure.message.contains("file 4 "), "{number}: {failure:?}");
    }
}

#[test]
fn cold_files_come_from_the_device_and_files_of_memory_are_never_cold() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let cold = |dir: &Path, mode, via| {
        let mut workload = workload(dir, mode, via);
        workload.storage.cache = CacheState::Cold;
        workload
    };
    if !FileSystem::of(dir.path()).expect("it exists").is_memory() {
        for (name, _, run_with) in SUBJECTS {
            for workload in [cold(dir.path(), FileMode::Read, None), cold(dir.path(), FileMode::Copy, Some(Via::CopyFileRange))] {
                let record = run(run_with, &file_trial(name, &workload)).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
                check(name, &record, &workload);
                assert!(record.counters["device_read_bytes"] >= record.work.bytes / 100 * 95, "{name}: {:?}", record.counters);
            }
        }
    }
    if let Ok(memory) = tempfile::tempdir_in("/dev/shm") {
        let trial = file_trial("zokio", &cold(memory.path(), FileMode::Read, None));
        assert_eq!(run(Zokio::run_with, &trial).expect_err("they are memory").class, "cache-state");
        assert!(is_empty(memory.path()));
    }
}

#[test]
fn every_server_sends_to_the_ceilings_client_and_counts_the_same() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for (name, subject, _) in SUBJECTS {
        for via in [Via::ReadWrite, Via::Splice, Via::Sendfile] {
            let workload = workload(dir.path(), FileMode::Transfer, Some(via));
            let mut trial = file_trial(name, &workload);
            trial.role = Role::Server;
            if name == "ceiling" && via != Via::ReadWrite {
                let refused = subject.run(&trial, &Session::detached()).expect_err("one thread has both ends");
                assert_eq!(refused.class, "unsupported");
                continue;
            }
            let server = RunningServer::start(subject, trial.clone());
            let mut client = Trial { role: Role::Client, ..trial };
            client.connect = server.addresses.iter().map(ToString::to_string).collect();
            for refusal in [None, Some("io_uring: EPERM".to_owned())] {
                let ledger = Arc::new(Ledger::default());
                let record = run_unless(refusal, &client, &Session::detached(), &ledger).expect("a record");
                assert!(record.work.ok > 0 && record.work.errors.is_empty(), "{name} {via:?}: {:?}", record.work);
                assert_eq!(record.work.bytes, record.work.ok * SIZE);
            }
            let served = server.end();
            assert!(served.work.ok > 0 && served.work.errors.is_empty(), "{name} {via:?}: {:?}", served.work.errors);
            assert_eq!(served.work.bytes, served.work.ok * SIZE, "{name} {via:?}");
        }
    }
    assert!(is_empty(dir.path()));
}

#[test]
fn files_longer_than_any_buffer_arrive_whole() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    for (name, _, run_with) in SUBJECTS {
        for via in [Via::ReadWrite, Via::Splice, Via::Sendfile] {
            let workload = FileWorkload { size: (5 << 20) + 3, files: 3, ..workload(dir.path(), FileMode::Transfer, Some(via)) };
            let mut trial = file_trial(name, &workload);
            trial.phases.measure_ms = 400;
            let record = run(run_with, &trial).unwrap_or_else(|failure| panic!("{name} {via:?}: {failure:?}"));
            check(&format!("{name} {via:?}"), &record, &workload);
        }
    }
}

#[test]
fn the_ceilings_loop_is_fixed_by_the_case_and_the_work_is_the_same_without_a_ring() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let variants = [
        (FileMode::Read, None, "bare-syscalls", "bare-syscalls"),
        (FileMode::Write, None, "thread-per-user", "thread-per-user"),
        (FileMode::Copy, Some(Via::ReadWrite), "thread-per-user", "thread-per-user"),
        (FileMode::Transfer, Some(Via::Sendfile), "bare-syscalls", "bare-syscalls"),
    ];
    for (mode, via, variant, without) in variants {
        let workload = workload(dir.path(), mode, via);
        for (refusal, expected) in [(None, variant), (Some("io_uring: EPERM".to_owned()), without)] {
            let trial = file_trial("ceiling", &workload);
            let record = run_unless(refusal, &trial, &Session::detached(), &Arc::new(Ledger::default())).expect("a record");
            check(expected, &record, &workload);
            assert_eq!(record.config["variant"], expected, "{mode:?}");
            assert_eq!(record.driver_reason.is_some(), variant != without && expected == without, "{mode:?}");
        }
    }
}

#[test]
fn a_place_that_takes_no_files_is_told_with_the_way_out() {
    let _alone = alone();
    let dir = tempfile::tempdir().expect("a folder");
    let plain = workload(dir.path(), FileMode::Read, None);
    let absurd = FileWorkload { size: 1 << 40, files: 1_000_000, ..plain.clone() };
    let nowhere = workload(Path::new("/no/such/folder"), FileMode::Write, None);
    let read_only = workload(Path::new("/proc/self"), FileMode::Read, None);
    for (name, _, run_with) in SUBJECTS {
        let class = |workload: &FileWorkload| {
            let failure = run(run_with, &file_trial(name, workload)).expect_err("no place");
            assert!(failure.message.len() > 20, "{failure:?}");
            failure.class
        };
        assert_eq!(class(&absurd), "no-space", "{name}");
        assert_eq!(class(&nowhere), "work-folder", "{name}");
        // A file system without room and without write access.
        assert!(["no-space", "work-folder"].contains(&class(&read_only).as_str()), "{name}");
    }
    assert!(is_empty(dir.path()));
}
