//! File operations that nobody waits for any more, and limits of the system.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::executor::{CountedBuffer, Executor, count_alive, open_descriptors, poll_once};
use super::files::{pattern, place};
use super::{epoll, for_each_driver, uring, uring_without_files};
use crate::buf::AlignedBuf;
use crate::driver::DriverConfig;
use crate::fs::{File, OpenOptions};

for_each_driver! {
    reads_dropped_in_flight_leave_nothing
    a_dropped_batch_leaves_nothing
    a_dropped_open_closes_its_file
    direct_transfers_demand_alignment
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opened for direct I/O where the file system offers it, so that reads are not done at once.
async fn slow_file(path: &std::path::Path) -> File {
    match OpenOptions::new().read(true).direct(true).open(path).await {
        Ok(file) => file,
        Err(_) => File::open(path).await.expect("a file"),
    }
}

fn reads_dropped_in_flight_leave_nothing(config: &DriverConfig) {
    const READS: usize = 1_000;
    let (_folder, path) = place();
    let bytes = pattern(READS * 4096);
    std::fs::write(&path, &bytes).expect("std");
    let alive = Arc::new(());
    let executor = Executor::new(config);
    executor.run(async {
        let file = slow_file(&path).await;
        let read = |index: usize| {
            let buffer = CountedBuffer::aligned(4096, &alive);
            Box::pin(file.read_at(buffer, (index * 4096) as u64))
        };
        let mut reads: Vec<_> = (0..READS).map(|index| Some(read(index))).collect();
        for slot in &mut reads {
            // What is done already, on a file system that refuses direct I/O, is not polled again.
            if poll_once(slot.as_mut().expect("there")).is_ready() {
                *slot = None;
            }
        }
        reads.iter_mut().step_by(2).for_each(|slot| drop(slot.take()));
        for (index, slot) in reads.into_iter().enumerate() {
            let Some(read) = slot else { continue };
            let (count, buffer) = read.await;
            assert_eq!((count.expect("a read"), buffer.bytes()), (4096, &bytes[index * 4096..][..4096]));
        }
        let (count, buffer) = file.read_at(AlignedBuf::zeroed(8192, 4096), 4096).await;
        assert_eq!((count.expect("the next read"), &buffer[..]), (8192, &bytes[4096..3 * 4096]));
    });
    executor.settle();
    wait_until("every buffer comes back", || count_alive(&alive) == 0);
}

fn a_dropped_batch_leaves_nothing(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(1 << 20)).expect("std");
    let alive = Arc::new(());
    let executor = Executor::new(config);
    executor.run(async {
        let file = slow_file(&path).await;
        let reads = |count: u64| (0..count).map(|index| (CountedBuffer::aligned(4096, &alive), index * 4096)).collect();
        let mut batch = Box::pin(file.read_many_at(reads(200)));
        let _ = poll_once(&mut batch);
        drop(batch);
        assert!(file.read_many_at(reads(100)).await.iter().all(|(count, _)| matches!(count, Ok(4096))));
    });
    executor.settle();
    wait_until("every buffer comes back", || count_alive(&alive) == 0);
}

fn a_dropped_open_closes_its_file(config: &DriverConfig) {
    const ALONE: &str = "ZOKIO_TEST_ALONE_OPEN";
    // Descriptors are counted for the whole process, so this story has a process of its own.
    if std::env::var_os(ALONE).is_none() {
        let name = std::thread::current().name().expect("the test's").to_owned();
        return alone(&name, ALONE);
    }
    let (_folder, path) = place();
    let executor = Executor::new(config);
    executor.run(async { drop(OpenOptions::new().write(true).create(true).open(&path).await.expect("a file")) });
    let before = open_descriptors();
    for _ in 0..100 {
        executor.enter(|| {
            let options = OpenOptions::new().write(true).create(true);
            let mut open = Box::pin(options.open(&path));
            // A thread may have been that fast; the file is dropped then.
            let _ = poll_once(&mut open);
            executor.turn(crate::driver::Wait::No);
        });
    }
    executor.settle();
    wait_until("every descriptor comes back", || open_descriptors() == before);
}

/// Runs the test `name` in a process that has `mark` set.
fn alone(name: &str, mark: &str) {
    let test = Command::new(std::env::current_exe().expect("a path")).args([name, "--exact"]).env(mark, "1").output().expect("a child");
    let said = format!("{}{}", String::from_utf8_lossy(&test.stdout), String::from_utf8_lossy(&test.stderr));
    assert!(test.status.success() && said.contains("1 passed"), "{said}");
}

fn direct_transfers_demand_alignment(config: &DriverConfig) {
    let (_folder, path) = place();
    let bytes = pattern(1 << 16);
    std::fs::write(&path, &bytes).expect("std");
    Executor::new(config).run(async {
        let file = match OpenOptions::new().read(true).write(true).direct(true).open(&path).await {
            Ok(file) => file,
            Err(error) => return eprintln!("skipped: this file system refuses direct I/O ({error})"),
        };
        let (memory, offset) = file.direct_alignment().expect("it is direct");
        let buffer = || AlignedBuf::zeroed(4 * offset, memory.max(offset));
        let (count, read) = file.read_at(buffer(), offset as u64).await;
        assert_eq!((count.expect("aligned"), &read[..]), (4 * offset, &bytes[offset..5 * offset]));
        use crate::buf::IoBuf;
        // (what is off by one, the attempt)
        let refused = [
            ("the offset", file.read_at(buffer(), 1).await.0),
            ("the length", file.write_at(buffer().slice(..offset - 1), 0).await.0),
            ("the buffer's address", file.write_at(buffer().slice(1..=offset), 0).await.0),
            ("the length", file.readv_at((buffer(), AlignedBuf::zeroed(offset + 1, offset)), 0).await.0),
        ];
        for (what, result) in refused {
            let error = result.expect_err(what);
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
            assert!(error.to_string().starts_with(&format!("direct I/O: {what} ")), "{error}");
        }
        let mut written = buffer();
        written.fill(9);
        file.write_all_at(written, 0).await.0.expect("aligned");
        assert!(std::fs::read(&path).expect("std")[..4 * offset].iter().all(|&byte| byte == 9));
    });
}

/// The limit is the whole process's, so this test has one of its own.
#[test]
fn a_file_beyond_the_limit_of_its_size_is_an_error() {
    const ALONE: &str = "ZOKIO_TEST_ALONE_FSIZE";
    if std::env::var_os(ALONE).is_none() {
        return alone("driver::tests::files_lost::a_file_beyond_the_limit_of_its_size_is_an_error", ALONE);
    }
    limit::file_size(8192);
    for config in [uring(), epoll(), uring_without_files()] {
        let (_folder, path) = place();
        Executor::new(&config).run(async {
            let file = File::create(&path).await.expect("a file");
            assert_eq!(file.write_at(vec![1; 10_000], 0).await.0.expect("a first part"), 8192);
            let error = file.write_all_at(vec![1; 10_000], 0).await.0.expect_err("the rest");
            assert_eq!(error.raw_os_error(), Some(libc::EFBIG), "{error}");
        });
    }
}

mod limit {
    #![expect(unsafe_code, reason = "sets a limit of the process and ignores its signal")]

    pub(super) fn file_size(bytes: libc::rlim_t) {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: no handler of ours; ignoring is inherited by nobody.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        // SAFETY: the structure outlives the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) }, 0);
    }
}
