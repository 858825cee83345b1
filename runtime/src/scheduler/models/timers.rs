//! Timers on a clock that shuttle moves.
//!
//! The mock's waits of a second and more never end by themselves, so who misses an earlier timer is found as a deadlock.

use std::time::Duration;

use super::{check, runtime};
use crate::primitives::executor::{below, now, one_in, thread};
use crate::sync::oneshot;
use crate::time::{sleep, timeout};

const NEVER: Duration = Duration::from_secs(3600);

fn soon() -> Duration {
    Duration::from_micros(u64::from(below(3_000)))
}

#[test]
fn an_earlier_timer_wakes_a_worker_that_sleeps_until_a_later_one() {
    check(|| {
        let runtime = runtime();
        let late = runtime.spawn_batch((0..2).map(|_| sleep(NEVER)));
        let inside = runtime.spawn(async { sleep(soon()).await });
        let began = now();
        let duration = soon();
        // On the shard of a worker that sleeps, perhaps until the late one.
        runtime.block_on(sleep(duration));
        assert!(now() - began >= duration);
        runtime.block_on(inside).expect("it is not cancelled");
        for handle in late {
            handle.abort();
            assert!(runtime.block_on(handle).expect_err("it is aborted").is_cancelled());
        }
    });
}

#[test]
fn a_timeout_and_what_it_limits_race() {
    check(|| {
        let runtime = runtime();
        let (sender, receiver) = oneshot::channel();
        let limited = runtime.spawn(async move { timeout(soon(), receiver).await });
        let outside = thread::spawn(move || {
            if one_in(4) {
                thread::yield_now();
            }
            sender.send(5).is_ok()
        });
        let result = runtime.block_on(limited).expect("it is not cancelled");
        let sent = outside.join().expect("no panic");
        if let Ok(received) = result {
            assert!(sent && received == Ok(5));
        }
    });
}

#[test]
fn a_timer_moves_with_its_task() {
    check(|| {
        let runtime = runtime();
        let handles: Vec<_> = (0..3)
            .map(|_| {
                runtime.spawn(async {
                    let began = now();
                    let (first, second) = (soon(), soon());
                    sleep(first).await;
                    sleep(second).await;
                    assert!(now() - began >= first + second);
                })
            })
            .collect();
        for handle in handles {
            runtime.block_on(handle).expect("it is not cancelled");
        }
    });
}
