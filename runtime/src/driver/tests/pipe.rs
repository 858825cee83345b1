//! From a file into a pipe, and out of it.
#![expect(unsafe_code, reason = "posix_fadvise is not in std")]

use std::io::ErrorKind;
use std::os::fd::AsRawFd;

use super::executor::{Executor, poll_once};
use super::files::{pattern, place};
use super::{for_each_driver, uring_without_files};
use crate::driver::DriverConfig;
use crate::fs::File;
use crate::io::Pipe;

for_each_driver! {
    a_pipe_gives_what_the_file_holds
    what_was_dropped_from_the_cache_comes_all_the_same
    a_pipe_is_filled_when_it_is_empty
    a_fill_that_was_given_up_makes_the_pipe_useless
}

/// Fills and reads until `length` bytes or the end of the file.
async fn through(pipe: &mut Pipe, file: &File, offset: usize, length: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < length {
        let filled = pipe.fill(file, (offset + all.len()) as u64, length - all.len()).await.expect("a fill");
        assert_eq!(pipe.held(), filled);
        if filled == 0 {
            break;
        }
        let mut part = vec![0; filled];
        assert_eq!((pipe.read(&mut part).expect("a read"), pipe.held()), (filled, 0));
        all.extend(part);
    }
    all
}

fn a_pipe_gives_what_the_file_holds(config: &DriverConfig) {
    let (_folder, path) = place();
    let bytes = pattern(3 << 20);
    std::fs::write(&path, &bytes).expect("std");
    Executor::new(config).run(async {
        let (file, mut pipe) = (File::open(&path).await.expect("a file"), Pipe::new().expect("a pipe"));
        for (offset, length) in [(0, 1), (4_096, 4_096), (77, 100_000), (0, 3 << 20), ((3 << 20) - 10, 1_000), (4 << 20, 5), (9, 0)] {
            let end = bytes.len().min(offset + length);
            assert!(through(&mut pipe, &file, offset, length).await == bytes[offset.min(end)..end], "{length} from {offset} on");
        }
    });
}

fn what_was_dropped_from_the_cache_comes_all_the_same(config: &DriverConfig) {
    let (_folder, path) = place();
    let bytes = pattern(1 << 20);
    std::fs::write(&path, &bytes).expect("std");
    Executor::new(config).run(async {
        let (file, mut pipe) = (File::open(&path).await.expect("a file"), Pipe::new().expect("a pipe"));
        for offset in [0, 500_000] {
            file.sync_all().await.expect("a sync");
            // SAFETY: takes no pointer.
            assert_eq!(unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) }, 0);
            assert!(through(&mut pipe, &file, offset, 300_000).await == bytes[offset..offset + 300_000], "from {offset} on");
        }
    });
}

fn a_pipe_is_filled_when_it_is_empty(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(10_000)).expect("std");
    Executor::new(config).run(async {
        let (file, mut pipe) = (File::open(&path).await.expect("a file"), Pipe::new().expect("a pipe"));
        assert_eq!(pipe.read(&mut [0; 8]).expect("nothing"), 0, "an empty pipe is not waited for");
        assert_eq!(pipe.fill(&file, 0, 1_000).await.expect("a fill"), 1_000);
        assert_eq!(pipe.read(&mut [0; 600]).expect("a read"), 600);
        assert_eq!(pipe.fill(&file, 0, 1).await.expect_err("it holds bytes").kind(), ErrorKind::InvalidInput);
        let mut rest = [0; 600];
        assert_eq!(pipe.read(&mut rest).expect("a read"), 400);
        assert!(rest[..400] == pattern(10_000)[600..1_000]);
        assert_eq!(pipe.fill(&file, u64::MAX, 1).await.expect_err("no such offset").kind(), ErrorKind::InvalidInput);
        assert_eq!(pipe.fill(&file, 0, 7).await.expect("it goes on"), 7);
    });
}

fn a_fill_that_was_given_up_makes_the_pipe_useless(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(10_000)).expect("std");
    let executor = Executor::new(config);
    executor.run(async {
        let (file, mut pipe) = (File::open(&path).await.expect("a file"), Pipe::new().expect("a pipe"));
        // Without a turn of the driver there comes the one that is not done at once.
        let is_pending = (0..10_000).any(|_| {
            let is_pending = poll_once(&mut Box::pin(pipe.fill(&file, 0, 100))).is_pending();
            is_pending || pipe.read(&mut [0; 100]).expect("a read") != 100
        });
        assert!(is_pending);
        assert_eq!(pipe.fill(&file, 0, 1).await.expect_err("who knows").kind(), ErrorKind::InvalidInput);
        assert_eq!(pipe.read(&mut [0; 1]).expect_err("who knows").kind(), ErrorKind::InvalidInput);
    });
    executor.settle();
    assert_eq!(executor.in_flight(), 0);
}

#[test]
fn a_ring_that_cannot_splice_uses_a_thread() {
    a_pipe_gives_what_the_file_holds(&uring_without_files());
    what_was_dropped_from_the_cache_comes_all_the_same(&uring_without_files());
}
