//! Full queues, overflowing queues, and resources that must come back.

use std::future::poll_fn;
use std::process::Command;
use std::task::Poll;

use super::echo::{echo, pair};
use super::executor::{Executor, open_descriptors, poll_once};
use super::{epoll, for_each_driver, portable, uring};
use crate::driver::{DriverConfig, Submission, Wait};
use crate::net::{TcpListener, TcpStream};
use crate::op::Nop;

for_each_driver! {
    more_operations_than_the_queue_has_entries
    a_busy_socket_lets_its_driver_turn
    an_empty_turn_costs_no_call
}

fn more_operations_than_the_queue_has_entries(config: &DriverConfig) {
    const OPERATIONS: usize = 100;
    let executor = Executor::new(&DriverConfig { queue_depth: 4, ..config.clone() });
    executor.run(async {
        let (accepted, connecting) = pair().await;
        let mut reads: Vec<_> = (0..OPERATIONS).map(|_| Box::pin(accepted.read(vec![0; 1]))).collect();
        for read in &mut reads {
            assert!(poll_once(read).is_pending());
        }
        assert_eq!(executor.in_flight(), OPERATIONS);
        connecting.write_all(vec![7; OPERATIONS]).await.0.expect("a write");
        for read in reads {
            let (count, byte) = read.await;
            assert_eq!((count.expect("a read"), byte), (1, vec![7]));
        }
    });
    assert_eq!(executor.in_flight(), 0);
}

#[test]
fn completions_beyond_the_queue_are_fetched_later() {
    const OPERATIONS: usize = 1_000;
    // One entry, and so four completions.
    let executor = Executor::new(&DriverConfig { queue_depth: 1, ..uring() });
    executor.enter(|| {
        let mut nops: Vec<_> = (0..OPERATIONS).map(|_| Submission::new(Nop)).collect();
        for nop in &mut nops {
            assert!(poll_once(nop).is_pending());
        }
        let mut completed = 0;
        for _ in 0..OPERATIONS {
            completed += executor.turn(Wait::No);
        }
        assert_eq!(completed, OPERATIONS);
        for nop in &mut nops {
            assert!(matches!(poll_once(nop), Poll::Ready(Ok(()))));
        }
    });
}

fn a_busy_socket_lets_its_driver_turn(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (accepted, connecting) = pair().await;
        let mut pending = 0;
        for _ in 0..1_000 {
            let mut write = Box::pin(connecting.write(vec![1]));
            poll_fn(|context| {
                let poll = write.as_mut().poll(context);
                pending += u32::from(poll.is_pending());
                poll.map(|(sent, _)| assert_eq!(sent.expect("a write"), 1))
            })
            .await;
        }
        assert!(pending >= 5, "{pending} of 1,000 operations came through a turn");
        accepted.read_exact(vec![0; 1_000]).await.0.expect("a read");
    });
}

fn an_empty_turn_costs_no_call(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async { drop(pair().await) });
    executor.settle();
    executor.turn(Wait::No);
    let before = executor.counters().enters;
    assert!(!executor.driver().needs_turn());
    for _ in 0..10 {
        assert_eq!(executor.turn(Wait::No), 0);
    }
    assert_eq!(executor.counters().enters, before);
}

/// Connects, talks and closes on every driver; some reads are dropped.
fn some_traffic() {
    for config in [uring(), epoll(), portable()] {
        let executor = Executor::new(&config);
        executor.run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
            for round in 0..50 {
                let stream = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
                executor.spawn(echo(listener.accept().await.expect("a connection").0));
                if round % 2 == 0 {
                    assert!(poll_once(&mut Box::pin(stream.read(vec![0; 8]))).is_pending());
                    assert!(poll_once(&mut Box::pin(listener.accept())).is_pending());
                }
                stream.write_all("hello").await.0.expect("a write");
                stream.read_exact(vec![0; 5]).await.0.expect("a read");
                if round % 3 == 0 {
                    stream.close().await.expect("a close");
                }
            }
        });
        executor.run_all();
    }
}

/// Descriptors are counted for the whole process, so this test has a process of its own.
#[test]
fn every_descriptor_comes_back() {
    const ALONE: &str = "ZOKIO_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "driver::tests::limits::every_descriptor_comes_back";
        let test = Command::new(std::env::current_exe().expect("a path")).args([name, "--exact"]).env(ALONE, "1").output();
        let test = test.expect("a child");
        assert!(test.status.success(), "{}{}", String::from_utf8_lossy(&test.stdout), String::from_utf8_lossy(&test.stderr));
        assert!(String::from_utf8_lossy(&test.stdout).contains("1 passed"), "the child found the test");
        return;
    }
    some_traffic();
    let before = open_descriptors();
    for _ in 0..3 {
        some_traffic();
    }
    assert_eq!(open_descriptors(), before);
}
