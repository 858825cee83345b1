//! Files under the whole runtime, on both drivers: many tasks, several workers.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use zokio::fs::File;
use zokio::{Builder, IoDriver, Runtime};

fn on_each_driver(story: impl Fn(&Runtime)) {
    for io_driver in [IoDriver::Auto, IoDriver::Polling] {
        for workers in [1, 2] {
            story(&Builder::new().worker_threads(workers).io_driver(io_driver).build().expect("a runtime"));
        }
    }
}

#[test]
fn cached_reads_never_stop_a_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    std::fs::write(&path, vec![7; 1 << 16]).expect("std");
    on_each_driver(|runtime| {
        let path = path.clone();
        runtime.block_on(async {
            let reader = zokio::spawn(async move {
                let file = File::open(&path).await.expect("a file");
                for round in 0..20_000_u64 {
                    let (count, _) = file.read_at(Vec::with_capacity(64), round % 1000).await;
                    assert_eq!(count.expect("a read"), 64);
                }
                let reads = (0..1_000).map(|index| (vec![0; 64], index)).collect();
                assert!(file.read_many_at(reads).await.iter().all(|(count, bytes)| matches!(count, Ok(64)) && bytes == &[7; 64]));
            });
            let ticks = zokio::spawn(async {
                for _ in 0..10 {
                    zokio::time::sleep(Duration::from_millis(1)).await;
                }
            });
            reader.await.expect("the reads end");
            ticks.await.expect("and others run beside");
        });
    });
}

#[test]
fn tasks_write_their_parts_of_one_file() {
    const TASKS: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    on_each_driver(|runtime| {
        let path = folder.path().join("parts");
        runtime.block_on(async {
            let file = Arc::new(File::create(&path).await.expect("a file"));
            let tasks: Vec<_> = (0..TASKS)
                .map(|index| {
                    let file = file.clone();
                    zokio::spawn(async move { file.write_all_at(vec![index as u8; 1000], (index * 1000) as u64).await.0 })
                })
                .collect();
            for task in tasks {
                assert_eq!(task.await.expect("no panic").expect("a write"), 1000);
            }
            // From this thread, which has no driver of its own.
            file.sync_all().await.expect("a sync");
            let content = zokio::fs::read(&path).await.expect("a read");
            assert!(content.len() == TASKS * 1000 && content.iter().enumerate().all(|(at, &byte)| byte == (at / 1000) as u8));
        });
    });
}

#[test]
fn a_runtime_ends_with_file_operations_in_flight() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    on_each_driver(|runtime| {
        let path = path.clone();
        drop(runtime.spawn(async move {
            loop {
                zokio::fs::write(&path, vec![1; 100_000]).await.expect("a write");
                File::create(&path).await.expect("a file").write_all_at(vec![2; 100_000], 0).await.0.expect("a write");
            }
        }));
        std::thread::sleep(Duration::from_millis(20));
    });
}
