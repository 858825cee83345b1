//! Files as they are meant to be, beside what std says of them.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::executor::Executor;
use super::{for_each_driver, uring_without_files};
use crate::driver::DriverConfig;
use crate::fs::{self, File, OpenOptions};
use crate::io::nop;

for_each_driver! {
    what_is_written_is_read
    reads_end_with_the_file
    vectored_transfers_go_through_the_buffers_in_order
    many_reads_come_back_in_their_order
    an_empty_batch_is_done
    lengths_and_metadata_are_those_of_std
    whole_files_are_those_of_std
    folders_change
    errors_are_those_of_the_system
    an_opened_file_blocks_as_files_do
    a_file_may_be_cut_while_it_is_read
    a_cached_file_lets_its_driver_turn
}

/// A folder of its own and a path in it.
pub(super) fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    (folder, path)
}

/// Bytes that differ from their neighbours near and far.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn read_write(path: &PathBuf) -> File {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path).await.expect("a file")
}

fn what_is_written_is_read(config: &DriverConfig) {
    let (_folder, path) = place();
    let bytes = pattern(1 << 20);
    Executor::new(config).run(async {
        let file = read_write(&path).await;
        assert_eq!(file.write_all_at(bytes[..1000].to_vec(), 5000).await.0.expect("a write"), 1000);
        assert_eq!(std::fs::read(&path).expect("std")[5000..], bytes[..1000]);
        assert!(std::fs::read(&path).expect("std")[..5000].iter().all(|&byte| byte == 0));
        file.write_all_at(bytes.clone(), 0).await.0.expect("a write");
        file.sync_data().await.expect("a sync");
        file.sync_all().await.expect("a sync");
        assert_eq!(std::fs::read(&path).expect("std"), bytes);
        for (offset, length) in [(0, 1), (4095, 2), (77, 100_000), ((1 << 20) - 1, 1)] {
            let (count, read) = file.read_exact_at(vec![0; length], offset as u64).await;
            assert_eq!((count.expect("a read"), &read[..]), (length, &bytes[offset..offset + length]));
        }
        file.close().await.expect("a close");
    });
}

fn reads_end_with_the_file(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, "0123456789").expect("std");
    Executor::new(config).run(async {
        let file = File::open(&path).await.expect("a file");
        let (count, bytes) = file.read_at(Vec::with_capacity(64), 6).await;
        assert_eq!((count.expect("a read"), bytes), (4, b"6789".to_vec()));
        assert_eq!(file.read_at(vec![1; 8], 10).await.0.expect("the end"), 0);
        assert_eq!(file.read_at(vec![1; 8], 1 << 40).await.0.expect("far behind the end"), 0);
        let (result, bytes) = file.read_exact_at(vec![7; 6], 6).await;
        assert_eq!((result.expect_err("the end").kind(), &bytes[..]), (ErrorKind::UnexpectedEof, &b"6789\x07\x07"[..]));
        // To the ring this offset alone would mean "where the last read ended".
        for offset in [u64::MAX, 1 << 63] {
            assert_eq!(file.read_at(vec![1; 8], offset).await.0.expect_err("no such offset").kind(), ErrorKind::InvalidInput);
        }
    });
}

fn vectored_transfers_go_through_the_buffers_in_order(config: &DriverConfig) {
    let (_folder, path) = place();
    Executor::new(config).run(async {
        let file = read_write(&path).await;
        let (count, back) = file.writev_at(vec![b"ab".to_vec(), vec![], b"cdef".to_vec()], 1).await;
        assert_eq!((count.expect("a write"), back.len()), (6, 3));
        file.writev_at(("gh".to_owned(), &b"ij"[..]), 7).await.0.expect("a write of two types");
        assert_eq!(std::fs::read(&path).expect("std"), b"\0abcdefghij");
        let (count, buffers) = file.readv_at([vec![0; 3], vec![0; 5], vec![0; 9]], 1).await;
        assert_eq!((count.expect("a read"), buffers), (10, [b"abc".to_vec(), b"defgh".to_vec(), b"ij".to_vec()]));
        let (count, buffers) = file.readv_at([vec![0; 3], vec![0; 5]], 9).await;
        assert_eq!((count.expect("a short read"), buffers), (2, [b"ij".to_vec(), vec![]]));
    });
}

fn many_reads_come_back_in_their_order(config: &DriverConfig) {
    const READS: usize = 1_000;
    let (_folder, path) = place();
    let bytes = pattern(READS * 100);
    std::fs::write(&path, &bytes).expect("std");
    Executor::new(config).run(async {
        let file = File::open(&path).await.expect("a file");
        // In an order that is not the file's, and one of them behind its end.
        let offset = |index: usize| (index * 7919 % READS) * 100;
        let reads = (0..READS).map(|index| (vec![0; 100], offset(index) as u64)).chain([(vec![0; 100], 1 << 30)]).collect();
        let results = file.read_many_at(reads).await;
        assert_eq!(results.len(), READS + 1);
        for (index, (count, read)) in results.iter().enumerate().take(READS) {
            assert_eq!((count.as_ref().expect("a read"), &read[..]), (&100, &bytes[offset(index)..offset(index) + 100]));
        }
        assert!(matches!(results[READS], (Ok(0), _)));
        let writer = read_write(&path).await;
        let writes = (0..50_u64).map(|index| (vec![index as u8; 10], index * 10)).collect();
        assert!(writer.write_many_at(writes).await.iter().all(|(count, _)| matches!(count, Ok(10))));
        assert_eq!(std::fs::read(&path).expect("std"), (0..500).map(|index| (index / 10) as u8).collect::<Vec<_>>());
    });
}

fn an_empty_batch_is_done(config: &DriverConfig) {
    let (_folder, path) = place();
    Executor::new(config).run(async {
        let none: Vec<(Vec<u8>, u64)> = Vec::new();
        assert!(read_write(&path).await.read_many_at(none).await.is_empty());
    });
}

fn lengths_and_metadata_are_those_of_std(config: &DriverConfig) {
    let (folder, path) = place();
    Executor::new(config).run(async {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&path).await.expect("a file");
        file.write_all_at("0123456789", 0).await.0.expect("a write");
        file.set_len(4).await.expect("a cut");
        assert_eq!(std::fs::read(&path).expect("std"), b"0123");
        file.set_len(6).await.expect("an extension");
        assert_eq!(std::fs::read(&path).expect("std"), b"0123\0\0");
        file.allocate(0, 100_000).await.expect("room");
        let (ours, std) = (file.metadata().await.expect("metadata"), std::fs::metadata(&path).expect("std"));
        assert_eq!((ours.len(), ours.is_file(), ours.is_dir()), (100_000, true, false));
        assert!(ours.allocated() >= 100_000, "{}", ours.allocated());
        assert_eq!((std.len(), std.permissions().mode() & 0o7777), (ours.len(), ours.mode()));
        assert_eq!((std.modified().ok(), std.created().ok()), (Some(ours.modified()), ours.created()));
        let of_folder = fs::metadata(folder.path()).await.expect("metadata");
        assert!(of_folder.is_dir() && of_folder.ino() != ours.ino());
        assert_eq!(file.set_len(u64::MAX).await.expect_err("too long").kind(), ErrorKind::InvalidInput);
    });
}

fn whole_files_are_those_of_std(config: &DriverConfig) {
    let (folder, path) = place();
    let other = folder.path().join("other");
    Executor::new(config).run(async {
        for length in [0, 1, 4095, 4096, 4097, 100 << 10, 3 << 20] {
            let bytes = pattern(length);
            fs::write(&path, bytes.clone()).await.expect("a write");
            assert_eq!(std::fs::read(&path).expect("std"), bytes);
            assert_eq!(fs::read(&path).await.expect("a read"), bytes);
            assert_eq!(fs::copy(&path, &other).await.expect("a copy"), length as u64);
            assert_eq!(std::fs::read(&other).expect("std"), bytes);
        }
        // A file that does not know its length.
        assert!(fs::read_to_string("/proc/self/status").await.expect("a read").contains("\nThreads:"));
        fs::write(&path, vec![0xff]).await.expect("a write");
        assert_eq!(fs::read_to_string(&path).await.expect_err("no text").kind(), ErrorKind::InvalidData);
    });
}

fn folders_change(config: &DriverConfig) {
    let (folder, path) = place();
    let (deep, moved) = (folder.path().join("a/b/c"), folder.path().join("moved"));
    Executor::new(config).run(async {
        fs::create_dir_all(&deep).await.expect("folders");
        fs::create_dir(deep.join("d")).await.expect("a folder");
        assert_eq!(fs::remove_dir(&deep).await.expect_err("not empty").kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_dir(deep.join("d")).await.expect("it is empty");
        fs::write(&path, "content").await.expect("a write");
        fs::rename(&path, deep.join("file")).await.expect("a new name");
        fs::rename(folder.path().join("a"), &moved).await.expect("a new name");
        assert_eq!(fs::read(moved.join("b/c/file")).await.expect("a read"), b"content");
        fs::remove_file(moved.join("b/c/file")).await.expect("a removal");
        fs::remove_dir_all(&moved).await.expect("a removal");
        assert_eq!(std::fs::read_dir(folder.path()).expect("std").count(), 0);
    });
}

fn errors_are_those_of_the_system(config: &DriverConfig) {
    let (folder, path) = place();
    Executor::new(config).run(async {
        let kind = |result: io::Result<File>| result.expect_err("refused").kind();
        assert_eq!(kind(File::open(&path).await), ErrorKind::NotFound);
        assert_eq!(kind(File::open("zero\0byte").await), ErrorKind::InvalidInput);
        assert_eq!(kind(OpenOptions::new().open(&path).await), ErrorKind::InvalidInput);
        assert_eq!(kind(OpenOptions::new().read(true).create(true).open(&path).await), ErrorKind::InvalidInput);
        fs::write(&path, "x").await.expect("a write");
        assert_eq!(kind(OpenOptions::new().write(true).create_new(true).open(&path).await), ErrorKind::AlreadyExists);
        assert_eq!(kind(File::open(path.join("below")).await), ErrorKind::NotADirectory);
        assert_eq!(fs::create_dir(folder.path()).await.expect_err("it exists").kind(), ErrorKind::AlreadyExists);
        let file = File::open(&path).await.expect("a file");
        assert_eq!(file.write_all_at("y", 0).await.0.expect_err("read only").raw_os_error(), Some(libc::EBADF));
        let full = OpenOptions::new().write(true).open("/dev/full").await.expect("a device");
        let (result, back) = full.write_all_at("y".repeat(9000), 0).await;
        assert_eq!((result.expect_err("it is full").kind(), back.len()), (ErrorKind::StorageFull, 9000));
    });
}

/// Opening at once asks for a file that does not block; a ring would answer EAGAIN to its reads if it stayed so.
fn an_opened_file_blocks_as_files_do(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, "x").expect("std");
    Executor::new(config).run(async {
        for options in
            [OpenOptions::new().read(true), OpenOptions::new().read(true).write(true), OpenOptions::new().write(true).create(true)]
        {
            let file = options.open(&path).await.expect("a file");
            let status = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).expect("/proc");
            let flags = status.lines().find_map(|line| line.strip_prefix("flags:")).expect("a line of flags");
            let flags = libc::c_int::from_str_radix(flags.trim(), 8).expect("octal figures");
            assert_eq!((flags & libc::O_NONBLOCK, flags & libc::O_CLOEXEC), (0, libc::O_CLOEXEC), "{options:?}");
        }
    });
}

fn a_file_may_be_cut_while_it_is_read(config: &DriverConfig) {
    const BYTES: usize = 1 << 20;
    let (_folder, path) = place();
    let bytes = pattern(BYTES);
    Executor::new(config).run(async {
        for round in 0..20 {
            std::fs::write(&path, &bytes).expect("std");
            let file = File::open(&path).await.expect("a file");
            let cutting = path.clone();
            let cut = std::thread::spawn(move || {
                (0..round * 2000).for_each(|_| std::hint::spin_loop());
                std::fs::OpenOptions::new().write(true).open(cutting).and_then(|file| file.set_len(4096)).expect("std");
            });
            let results = file.read_many_at((0..256).map(|index| (vec![0; 4096], index * 4096)).collect()).await;
            cut.join().expect("no panic");
            for (index, (count, read)) in results.iter().enumerate() {
                let count = *count.as_ref().expect("less, and no error");
                // A page that is cut away while it is copied may show zeros.
                let same = read[..count] == bytes[index * 4096..][..count];
                assert!(same || read.ends_with(&[0]), "page {index}");
            }
            assert_eq!(*results[0].0.as_ref().expect("it stays"), 4096);
            assert_eq!(fs::read(&path).await.expect("a read"), bytes[..4096]);
        }
    });
}

fn a_cached_file_lets_its_driver_turn(config: &DriverConfig) {
    let (_folder, path) = place();
    std::fs::write(&path, pattern(4096)).expect("std");
    let executor = Executor::new(config);
    executor.run(async {
        let file = File::open(&path).await.expect("a file");
        let mut pending = 0;
        for _ in 0..1_000 {
            let mut read = Box::pin(file.read_at(Vec::with_capacity(64), 0));
            std::future::poll_fn(|context| {
                let poll = read.as_mut().poll(context);
                pending += u32::from(poll.is_pending());
                poll.map(|(count, _)| assert_eq!(count.expect("a read"), 64))
            })
            .await;
        }
        // How many more depends on the file system: tmpfs does nothing at once and sends every read on its way.
        assert!(pending >= 5, "{pending} of 1,000 reads came through a turn");
    });
}

#[test]
fn a_ring_that_knows_no_file_operation_does_without() {
    for story in [what_is_written_is_read, many_reads_come_back_in_their_order, lengths_and_metadata_are_those_of_std, folders_change] {
        story(&uring_without_files());
    }
}

#[test]
fn a_nop_goes_through_a_ring_or_is_refused() {
    let executor = Executor::new(&super::uring());
    executor.run(nop()).expect("a NOP");
    assert_eq!(executor.counters().completed, 1);
    let error = Executor::new(&super::epoll()).run(nop()).expect_err("no ring");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn files_outside_a_runtime_are_refused() {
    let mut open = Box::pin(File::open("/"));
    let poll = open.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    let std::task::Poll::Ready(Err(error)) = poll else { panic!("refused at once") };
    assert!(error.to_string().contains("outside a zokio runtime"), "{error}");
}
