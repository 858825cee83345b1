//! The end of a runtime with everything under way: no future, buffer or handle is forgotten.

use std::sync::Arc;

use super::{Count, Ledger, Receive, check, runtime};
use crate::driver::Submission;
use crate::primitives::executor::{below, one_in, thread};
use crate::scheduler::{Shared, context};
use crate::sync::{oneshot, park};
use crate::task::raw::ANY_WORKER;
use crate::task::yield_now;
use crate::time::sleep;

/// Counts itself when it is dropped.
struct Drops(Count);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Spawns another task when it is dropped, as a destructor may.
struct SpawnsWhenDropped(Count);

impl Drop for SpawnsWhenDropped {
    fn drop(&mut self) {
        let drops = Drops(self.0.clone());
        drop(crate::spawn(async move { drop(drops) }));
    }
}

fn shared_of(runtime: &crate::Runtime) -> Arc<Shared> {
    runtime.enter(|| context::timer_home().expect("inside").0)
}

#[test]
fn a_runtime_ends_with_everything_under_way() {
    check(|| {
        let (ledger, dropped, runtime) = (Ledger::default(), Count::default(), runtime());
        let (sender, receiver) = oneshot::channel::<()>();
        let mut handles = Vec::new();
        let drops = || Drops(dropped.clone());
        let (one, two, three, four, five) = (drops(), drops(), drops(), drops(), SpawnsWhenDropped(dropped.clone()));
        handles.push(runtime.spawn(async move {
            let _one = one;
            let _ = receiver.await;
        }));
        let in_flight = Submission::new(Receive { buffer: ledger.buffer(), ends: one_in(2) });
        handles.push(runtime.spawn(async move {
            let _two = two;
            drop(in_flight.await);
        }));
        handles.push(runtime.spawn(async move {
            let _three = three;
            sleep(std::time::Duration::from_secs(3600)).await;
        }));
        handles.push(runtime.spawn_on(1, async move {
            let (_four, _five) = (four, five);
            loop {
                // PCT would run a thread that never steps back for ever.
                thread::yield_now();
                yield_now().await;
            }
        }));
        let waking = thread::spawn(move || drop(sender));
        for _ in 0..below(20) {
            thread::yield_now();
        }
        drop(runtime);
        waking.join().expect("no panic");
        // Handles outlive their runtime.
        for handle in handles {
            assert!(handle.is_finished());
            if let Err(error) = park::block_on(handle) {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        assert_eq!(dropped.get(), 5);
        ledger.assert_balanced();
    });
}

#[test]
fn tasks_spawned_beside_the_end_are_run_or_cancelled() {
    check(|| {
        let (dropped, runtime) = (Count::default(), runtime());
        let shared = shared_of(&runtime);
        let spawning = thread::spawn({
            let dropped = dropped.clone();
            move || {
                let affinities = [ANY_WORKER, 0, ANY_WORKER];
                let spawn = |affinity| {
                    let drops = Drops(dropped.clone());
                    shared.spawn(async move { drop(drops) }, affinity)
                };
                let mut handles: Vec<_> = affinities.into_iter().map(spawn).collect();
                handles
                    .extend(shared.spawn_batch((0..2).map(|_| Drops(dropped.clone())).map(|drops| async move { drop(drops) }).collect()));
                handles
            }
        });
        for _ in 0..below(8) {
            thread::yield_now();
        }
        drop(runtime);
        for handle in spawning.join().expect("no panic") {
            if let Err(error) = park::block_on(handle) {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        assert_eq!(dropped.get(), 5);
    });
}

#[test]
fn wakes_and_drops_from_outside_meet_the_end() {
    check(|| {
        let (ledger, runtime) = (Ledger::default(), runtime());
        let mut senders = Vec::new();
        let (give, given) = oneshot::channel();
        let mut operation = Submission::new(Receive { buffer: ledger.buffer(), ends: one_in(2) });
        drop(runtime.spawn(async move {
            let _ = super::poll_once(&mut operation).await;
            let _ = give.send(operation);
        }));
        for _ in 0..2 {
            let (sender, receiver) = oneshot::channel::<u32>();
            senders.push(sender);
            drop(runtime.spawn(async move { receiver.await.is_ok() }));
        }
        let outside = thread::spawn(move || {
            for sender in senders {
                let _ = sender.send(1);
            }
            // Dropped by a thread without a driver, while its own goes.
            drop(given.blocking_recv());
        });
        for _ in 0..below(10) {
            thread::yield_now();
        }
        if one_in(2) {
            assert!(runtime.shutdown_timeout(std::time::Duration::from_secs(3600)));
        } else {
            drop(runtime);
        }
        outside.join().expect("no panic");
        ledger.assert_balanced();
    });
}

#[test]
fn blocking_work_is_run_or_dropped_at_the_end() {
    check(|| {
        let (dropped, runtime) = (Count::default(), runtime());
        let handles: Vec<_> = (0..3)
            .map(|_| {
                let drops = Drops(dropped.clone());
                runtime.spawn_blocking(move || drop(drops))
            })
            .collect();
        if one_in(2) {
            handles[0].abort();
        }
        drop(runtime);
        for handle in handles {
            if let Err(error) = park::block_on(handle) {
                assert!(error.is_cancelled(), "{error}");
            }
        }
        assert_eq!(dropped.get(), 3);
    });
}
