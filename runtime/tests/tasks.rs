//! Tasks on real threads: every one runs once, every end is told, nothing is lost or leaked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

mod support;

use support::{Counted, runtime};

#[test]
fn every_task_runs_once_and_its_output_arrives() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let sum: u64 = runtime.block_on(async {
            let outer: Vec<_> = (0..50_u64)
                .map(|group| {
                    zokio::spawn(async move {
                        let inner: Vec<_> = (0..200_u64).map(|index| zokio::spawn(async move { group * 200 + index })).collect();
                        let mut sum = 0;
                        for handle in inner {
                            sum += handle.await.unwrap();
                        }
                        sum
                    })
                })
                .collect();
            let mut sum = 0;
            for handle in outer {
                sum += handle.await.unwrap();
            }
            sum
        });
        assert_eq!(sum, (0..10_000).sum());
    }
}

#[test]
fn futures_of_every_size_and_alignment_fit() {
    #[repr(align(256))]
    struct Wide([u8; 300]);
    let runtime = runtime(2);
    runtime.block_on(async {
        let large = [7_u8; 40_000];
        let large = zokio::spawn(async move {
            zokio::task::yield_now().await;
            large.iter().map(|&byte| u64::from(byte)).sum::<u64>()
        });
        let wide = Wide([1; 300]);
        let wide = zokio::spawn(async move {
            zokio::task::yield_now().await;
            assert!((&raw const wide).addr().is_multiple_of(256));
            wide.0.len()
        });
        assert_eq!(large.await.unwrap(), 280_000);
        assert_eq!(wide.await.unwrap(), 300);
        assert_eq!(zokio::spawn(async {}).await.unwrap(), ());
    });
}

#[test]
fn a_panic_stays_in_its_task() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let error = zokio::spawn(async { panic!("boom {}", 1) }).await.unwrap_err();
        assert!(error.is_panic());
        assert_eq!(error.to_string(), "task panicked: boom 1");
        struct PanicsInDrop;
        impl Drop for PanicsInDrop {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let guard = PanicsInDrop;
        let error = zokio::spawn(async move {
            let _guard = guard;
        })
        .await
        .unwrap_err();
        assert!(error.is_panic(), "a panic in a destructor is a panic of the task");
        assert_eq!(zokio::spawn(async { 5 }).await.unwrap(), 5, "the workers go on");
    });
}

#[test]
fn abort_drops_the_future_in_every_state() {
    let live = Arc::new(AtomicUsize::new(0));
    let runtime = runtime(2);
    runtime.block_on(async {
        // Waiting for ever.
        let guard = Counted::new(&live);
        let waiting = zokio::spawn(async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        zokio::time::sleep(Duration::from_millis(5)).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        // Just spawned, perhaps not polled yet.
        for _ in 0..500 {
            let guard = Counted::new(&live);
            let fresh = zokio::spawn(async move {
                let _guard = guard;
                zokio::task::yield_now().await;
            });
            fresh.abort();
            let _ = fresh.await;
        }
        // Running: yields for ever.
        let guard = Counted::new(&live);
        let running = zokio::spawn(async move {
            let _guard = guard;
            loop {
                zokio::task::yield_now().await;
            }
        });
        let abort = running.abort_handle();
        zokio::time::sleep(Duration::from_millis(5)).await;
        abort.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        // Complete: keeps its output.
        let done = zokio::spawn(async { 3 });
        while !done.is_finished() {
            zokio::task::yield_now().await;
        }
        done.abort();
        assert_eq!(done.await.unwrap(), 3);
    });
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn a_dropped_handle_detaches_its_task() {
    let runtime = runtime(2);
    let (sender, receiver) = mpsc::channel();
    drop(runtime.spawn(async move {
        zokio::time::sleep(Duration::from_millis(3)).await;
        sender.send(9).unwrap();
    }));
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(9));
}

#[test]
fn work_is_stolen_when_it_is_worth_it() {
    let runtime = runtime(2);
    let threads = runtime.block_on(async {
        zokio::spawn(async {
            let handles: Vec<_> = (0..200)
                .map(|_| {
                    zokio::spawn(async {
                        let began = Instant::now();
                        while began.elapsed() < Duration::from_micros(300) {
                            std::hint::spin_loop();
                        }
                        std::thread::current().id()
                    })
                })
                .collect();
            let mut threads = std::collections::HashSet::new();
            for handle in handles {
                threads.insert(handle.await.unwrap());
            }
            threads
        })
        .await
        .unwrap()
    });
    assert_eq!(threads.len(), 2, "60 ms of work in one queue reach the other worker");
}

#[test]
fn a_task_behind_a_long_poll_is_taken_over() {
    let runtime = runtime(2);
    let late = runtime.block_on(async {
        zokio::spawn(async {
            let other = zokio::spawn(async { Instant::now() });
            let third = zokio::spawn(async { Instant::now() });
            let began = Instant::now();
            std::thread::sleep(Duration::from_millis(300)); // blocks its worker on purpose
            let ran = other.await.unwrap().min(third.await.unwrap());
            ran.saturating_duration_since(began)
        })
        .await
        .unwrap()
    });
    assert!(late < Duration::from_millis(250), "waited {late:?} behind a poll of 300 ms");
}

#[test]
fn pinned_tasks_stay_on_their_worker() {
    let runtime = runtime(3);
    let handles: Vec<_> = (0..60)
        .map(|index| {
            runtime.spawn_on(index, async move {
                let first = std::thread::current().name().map(str::to_owned);
                for _ in 0..50 {
                    zokio::task::yield_now().await;
                    assert_eq!(std::thread::current().name().map(str::to_owned), first);
                }
                zokio::time::sleep(Duration::from_millis(1)).await;
                assert_eq!(std::thread::current().name().map(str::to_owned), first);
                (index, first)
            })
        })
        .collect();
    runtime.block_on(async {
        for handle in handles {
            let (index, name) = handle.await.unwrap();
            assert_eq!(name.as_deref(), Some(format!("zokio-{}", index % 3).as_str()));
        }
    });
}

#[test]
fn timers_are_never_early_and_come_in_order() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let handles: Vec<_> = (0..300_u64)
            .map(|index| {
                let wanted = Duration::from_micros((index * 7_919) % 20_000);
                zokio::spawn(async move {
                    let began = Instant::now();
                    zokio::time::sleep(wanted).await;
                    (wanted, began.elapsed())
                })
            })
            .collect();
        for handle in handles {
            let (wanted, slept) = handle.await.unwrap();
            assert!(slept >= wanted, "wanted {wanted:?}, slept {slept:?}");
        }
        let pair = zokio::time::timeout(Duration::from_millis(2), zokio::time::sleep(Duration::from_secs(9)));
        assert!(pair.await.is_err());
    });
}

#[test]
fn many_workers_on_few_cpus_lose_no_wake() {
    let runtime = runtime(64);
    let total = runtime.block_on(async {
        let handles: Vec<_> = (0..200)
            .map(|_| {
                zokio::spawn(async {
                    for _ in 0..20 {
                        zokio::time::sleep(Duration::from_micros(50)).await;
                        zokio::task::yield_now().await;
                    }
                    1
                })
            })
            .collect();
        let mut total = 0;
        for handle in handles {
            total += handle.await.unwrap();
        }
        total
    });
    assert_eq!(total, 200);
}

#[test]
#[should_panic(expected = "`block_on` inside a runtime")]
fn blocking_inside_a_runtime_is_refused() {
    let outer = runtime(1);
    outer.block_on(async {
        let inner = runtime(1);
        inner.block_on(async {});
    });
}

#[test]
fn a_sleep_that_is_polled_after_its_deadline_ends_at_once() {
    let runtime = zokio::Builder::new().worker_threads(1).build().expect("a runtime");
    runtime.block_on(async {
        let late = zokio::time::sleep(Duration::from_millis(2));
        std::thread::sleep(Duration::from_millis(4));
        let began = Instant::now();
        zokio::time::timeout(Duration::from_secs(20), late).await.expect("it is due");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}
