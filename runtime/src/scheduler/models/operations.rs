//! Operations in flight: completed in any order, moved with their tasks, dropped anywhere, cancelled late. Every buffer comes back once.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use super::{Ledger, Receive, check, poll_once, runtime};
use crate::driver::Submission;
use crate::primitives::executor::{below, one_in, thread};
use crate::sync::oneshot;
use crate::task::yield_now;

fn receive(ledger: &Ledger, ends: bool) -> Submission<Receive> {
    Submission::new(Receive { buffer: ledger.buffer(), ends })
}

/// A connection: several operations, one after the other.
async fn connection(ledger: Ledger) -> u32 {
    let mut received = 0;
    for _ in 0..1 + below(3) {
        let (result, buffer) = receive(&ledger, true).await;
        received += result.unwrap_or(0);
        drop(buffer);
        if one_in(3) {
            yield_now().await;
        }
    }
    received
}

#[test]
fn operations_complete_in_any_order_and_wake_their_tasks() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), runtime());
        let tasks = runtime.spawn_batch((0..4).map(|_| connection(ledger.clone())));
        runtime.block_on(async {
            // Without a driver of its own, this thread has its operations done by mail.
            connection(ledger.clone()).await;
            for task in tasks {
                task.await.expect("it is not cancelled");
            }
        });
        drop(runtime);
        ledger.assert_balanced();
    });
}

#[test]
fn a_dropped_operation_gives_its_buffer_back_once() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), runtime());
        let tasks = runtime.spawn_batch((0..3).map(|_| {
            let ledger = ledger.clone();
            async move {
                let (mut stuck, mut other) = (receive(&ledger, false), receive(&ledger, true));
                let _ = poll_once(&mut stuck).await;
                let done = poll_once(&mut other).await;
                if one_in(2) {
                    yield_now().await;
                }
                drop(stuck);
                if done.is_none() && one_in(2) {
                    drop(other.await);
                }
            }
        }));
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("it is not cancelled");
            }
            let mut here = receive(&ledger, one_in(2));
            let _ = poll_once(&mut here).await;
        });
        drop(runtime);
        ledger.assert_balanced();
    });
}

#[test]
fn an_operation_outlives_the_move_of_its_future_to_another_worker() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), runtime());
        let mut handles = Vec::new();
        for worker in 0..2 {
            let ends = !one_in(3);
            let (sender, receiver) = oneshot::channel();
            let ledger = ledger.clone();
            handles.push(runtime.spawn_on(worker, async move {
                let mut operation = receive(&ledger, ends);
                if poll_once(&mut operation).await.is_none() {
                    let _ = sender.send(operation);
                }
            }));
            handles.push(runtime.spawn_on(worker + 1, async move {
                let Ok(mut operation) = receiver.await else { return };
                if ends && one_in(2) {
                    drop(operation.await);
                } else if one_in(2) {
                    let _ = poll_once(&mut operation).await;
                }
            }));
        }
        runtime.block_on(async move {
            for handle in handles {
                handle.await.expect("it is not cancelled");
            }
        });
        drop(runtime);
        ledger.assert_balanced();
    });
}

#[test]
fn tasks_with_operations_in_flight_are_stolen_and_aborted() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), runtime());
        let parent = runtime.spawn({
            let ledger = ledger.clone();
            async move {
                let two = |ledger: Ledger| async move {
                    let (mut first, mut second) = (receive(&ledger, true), receive(&ledger, !one_in(4)));
                    // The first to end; the other is cancelled.
                    std::future::poll_fn(|cx| match Pin::new(&mut second).poll(cx) {
                        Poll::Ready(done) => Poll::Ready(done),
                        Poll::Pending => Pin::new(&mut first).poll(cx),
                    })
                    .await
                };
                let handles = crate::spawn_batch((0..5).map(|_| two(ledger.clone())));
                for _ in 0..below(12) {
                    thread::yield_now();
                }
                handles
            }
        });
        runtime.block_on(async {
            let handles = parent.await.expect("it is not cancelled");
            for (index, handle) in handles.iter().enumerate() {
                if index % 2 == 0 {
                    handle.abort();
                }
            }
            for handle in handles {
                if let Err(error) = handle.await {
                    assert!(error.is_cancelled(), "{error}");
                }
            }
        });
        drop(runtime);
        ledger.assert_balanced();
    });
}

#[test]
fn threads_outside_wait_for_tasks_and_blocking_work() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), std::sync::Arc::new(runtime()));
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let (runtime, ledger) = (runtime.clone(), ledger.clone());
                thread::spawn(move || {
                    let task = runtime.spawn(connection(ledger.clone()));
                    let blocking = runtime.spawn_blocking(move || number);
                    runtime.block_on(async move {
                        task.await.expect("it is not cancelled");
                        connection(ledger).await;
                        assert_eq!(blocking.await.expect("it is not cancelled"), number);
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        drop(runtime);
        ledger.assert_balanced();
    });
}
