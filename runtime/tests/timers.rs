//! Timers through the runtime: random lengths, resets and cancellations, from tasks that move, from pinned ones, and from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

#[path = "support/watchdog.rs"]
mod watchdog;

use watchdog::watchdog;
use zokio::Builder;
use zokio::time::{Sleep, sleep, sleep_until, timeout};

/// A runtime with so many workers.
fn runtime(workers: usize) -> zokio::Runtime {
    Builder::new().worker_threads(workers).build().expect("a runtime")
}

/// What a task does with a timer.
#[derive(Clone, Copy, Debug)]
enum Use {
    Sleep(u64),
    /// Waits a little, then gives it up for another one.
    Reset(u64, u64),
    /// Polled and dropped.
    Cancel(u64),
    /// Begun on this task, ended on another one.
    Move(u64),
}

fn use_of_a_timer() -> impl Strategy<Value = Use> {
    let micros = || 0_u64..9_000;
    prop_oneof![
        4 => micros().prop_map(Use::Sleep),
        2 => (micros(), micros()).prop_map(|(first, second)| Use::Reset(first, second)),
        1 => (9_000_u64..2_000_000_000).prop_map(Use::Cancel),
        2 => micros().prop_map(Use::Move),
    ]
}

async fn slept_until(deadline: Instant, sleep: Sleep) {
    sleep.await;
    assert!(Instant::now() >= deadline, "early by {:?}", deadline - Instant::now());
}

async fn perform(step: Use, fired: Arc<AtomicU64>) {
    let after = |micros| Instant::now() + Duration::from_micros(micros);
    match step {
        Use::Sleep(micros) => slept_until(after(micros), sleep(Duration::from_micros(micros))).await,
        Use::Reset(first, second) => {
            let (deadline, patience) = (after(first), Duration::from_micros(first / 2));
            let mut waiting = Box::pin(sleep_until(deadline));
            if timeout(patience, waiting.as_mut()).await.is_ok() {
                assert!(Instant::now() >= deadline, "early");
            }
            let deadline = after(second);
            waiting.set(sleep_until(deadline));
            waiting.await;
            assert!(Instant::now() >= deadline, "early");
        }
        Use::Cancel(micros) => assert!(timeout(Duration::ZERO, sleep(Duration::from_micros(micros))).await.is_err()),
        Use::Move(micros) => {
            let deadline = after(micros);
            let mut waiting = Box::pin(sleep_until(deadline));
            let is_early = timeout(Duration::ZERO, waiting.as_mut()).await.is_err();
            assert!(is_early || Instant::now() >= deadline);
            zokio::spawn(async move {
                waiting.await;
                assert!(Instant::now() >= deadline, "early");
            })
            .await
            .expect("no panic");
        }
    }
    fired.fetch_add(1, Ordering::Relaxed);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn every_timer_ends_and_none_early(workers in 1_usize..4, steps in prop::collection::vec((use_of_a_timer(), 0_u8..4), 1..150)) {
        let _limit = watchdog("timers of a runtime");
        let (runtime, fired, count) = (runtime(workers), Arc::new(AtomicU64::new(0)), steps.len() as u64);
        let mut handles = Vec::new();
        for (index, (step, place)) in steps.into_iter().enumerate() {
            match place {
                0 => handles.push(runtime.spawn_on(index, perform(step, fired.clone()))),
                1 if index % 16 == 1 => runtime.block_on(perform(step, fired.clone())),
                _ => handles.push(runtime.spawn(perform(step, fired.clone()))),
            }
        }
        for handle in handles {
            runtime.block_on(handle).expect("no panic");
        }
        prop_assert_eq!(fired.load(Ordering::Relaxed), count);
    }
}
