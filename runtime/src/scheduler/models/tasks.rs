//! Tasks are run once and wakes are not lost: spawned and woken from inside, from outside, in batches, pinned.

use super::{Count, check, runtime};
use crate::primitives::executor::{below, one_in, thread};
use crate::sync::{mpsc, oneshot};
use crate::task::yield_now;

/// Adds to `count` in one of several ways to be run.
async fn work(count: Count) {
    for _ in 0..below(3) {
        yield_now().await;
    }
    count.add();
}

#[test]
fn every_task_runs_once_and_every_handle_resolves() {
    check(|| {
        let (ran, runtime) = (Count::default(), runtime());
        let outside: Vec<_> = (0..2).map(|_| runtime.spawn(work(ran.clone()))).collect();
        let batch = runtime.spawn_batch((0..3).map(|_| work(ran.clone())));
        let inside = runtime.spawn({
            let ran = ran.clone();
            async move {
                let one = crate::spawn(work(ran.clone()));
                let many = crate::spawn_batch((0..3).map(|_| work(ran.clone())));
                yield_now().await;
                let pinned = crate::spawn_local_pinned(work(ran.clone()));
                for handle in many.into_iter().chain([one, pinned]) {
                    handle.await.expect("it is not cancelled");
                }
            }
        });
        runtime.block_on(async move {
            inside.await.expect("it is not cancelled");
            for handle in outside.into_iter().chain(batch) {
                handle.await.expect("it is not cancelled");
            }
        });
        assert_eq!(ran.get(), 10);
    });
}

#[test]
fn a_wake_from_outside_is_not_lost_while_workers_go_to_sleep() {
    check(|| {
        let runtime = runtime();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let (first, second) = (oneshot::channel(), oneshot::channel());
        let sum = runtime.spawn(async move {
            let mut sum = 0;
            while let Some(number) = receiver.recv().await {
                sum += number;
            }
            sum
        });
        let relay = runtime.spawn(async move { second.0.send(first.1.await.expect("it is sent") + 1).expect("it is awaited") });
        let last = runtime.spawn(async move { second.1.await.expect("it is sent") });
        let outside = thread::spawn(move || {
            for number in 1..=3 {
                sender.send(number).expect("it is received");
            }
            first.0.send(10).expect("it is awaited");
        });
        runtime.block_on(async move {
            assert_eq!(last.await.expect("it is not cancelled"), 11);
            assert_eq!(sum.await.expect("it is not cancelled"), 6);
            relay.await.expect("it is not cancelled");
        });
        outside.join().expect("no panic");
    });
}

#[test]
fn two_runs_of_tasks_with_all_asleep_in_between_lose_nothing() {
    check(|| {
        let runtime = runtime();
        let outside: Vec<_> = (0..2)
            .map(|_| {
                let (sender, receiver) = oneshot::channel();
                let task = runtime.spawn(async move { receiver.await.expect("it is sent") });
                (thread::spawn(move || sender.send(()).expect("it is awaited")), task)
            })
            .collect();
        for (sender, task) in outside {
            // Without a context, so that nothing but the task's own wakes gets the workers up.
            crate::sync::park::block_on(task).expect("it is not cancelled");
            sender.join().expect("no panic");
        }
    });
}

#[test]
fn a_pinned_task_stays_and_is_woken_from_everywhere() {
    check(|| {
        let runtime = runtime();
        let (to_outside, from_outside) = oneshot::channel();
        let (to_inside, from_inside) = oneshot::channel();
        let pinned = runtime.spawn_on(below(3) as usize, async move {
            let home = thread::current().id();
            let mut sum = 0;
            sum += from_outside.await.expect("it is sent");
            assert_eq!(thread::current().id(), home);
            yield_now().await;
            assert_eq!(thread::current().id(), home);
            sum += from_inside.await.expect("it is sent");
            assert_eq!(thread::current().id(), home);
            sum
        });
        let inside = runtime.spawn_on(below(3) as usize, async move {
            if one_in(2) {
                yield_now().await;
            }
            to_inside.send(2).expect("it is awaited");
        });
        let outside = thread::spawn(move || to_outside.send(1).expect("it is awaited"));
        assert_eq!(runtime.block_on(pinned).expect("it is not cancelled"), 3);
        runtime.block_on(inside).expect("it is not cancelled");
        outside.join().expect("no panic");
    });
}

#[test]
fn a_queue_behind_a_busy_worker_is_taken_or_run() {
    check(|| {
        let (ran, runtime) = (Count::default(), runtime());
        let busy = runtime.spawn({
            let ran = ran.clone();
            async move {
                // In the queue of this worker, behind this poll; a long one, as far as the others can tell.
                let handles = crate::spawn_batch((0..6).map(|_| work(ran.clone())));
                for _ in 0..below(20) {
                    thread::yield_now();
                }
                handles
            }
        });
        runtime.block_on(async move {
            for handle in busy.await.expect("it is not cancelled") {
                handle.await.expect("it is not cancelled");
            }
        });
        assert_eq!(ran.get(), 6);
    });
}
