//! Blocking closures, batches and sets of tasks.

use std::collections::HashSet;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use zokio::Builder;
use zokio::task::JoinSet;

mod support;

use support::{Counted, runtime};

/// Waits until `condition` holds, ten seconds at most.
fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn closures_that_wait_for_each_other_run_beside_each_other() {
    let runtime = runtime(1);
    let barrier = Arc::new(std::sync::Barrier::new(20));
    let threads = runtime.block_on(async {
        let handles: Vec<_> = (0..20)
            .map(|_| {
                let barrier = barrier.clone();
                zokio::spawn_blocking(move || {
                    barrier.wait();
                    std::thread::current().id()
                })
            })
            .collect();
        let mut threads = HashSet::new();
        for handle in handles {
            threads.insert(handle.await.unwrap());
        }
        threads
    });
    assert_eq!(threads.len(), 20);
}

#[test]
fn threads_are_used_again_limited_and_end_when_idle() {
    let keep_alive = Duration::from_millis(30);
    let runtime = Builder::new().worker_threads(1).max_blocking_threads(2).thread_keep_alive(keep_alive).build().unwrap();
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..50)
        .map(|number| {
            let (most, now) = (most.clone(), now.clone());
            runtime.spawn_blocking(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::SeqCst);
                number
            })
        })
        .collect();
    let outputs = runtime.block_on(async {
        let mut outputs = Vec::new();
        for handle in handles {
            outputs.push(handle.await.unwrap());
        }
        outputs
    });
    assert_eq!(outputs, (0..50).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert_eq!(runtime.metrics().blocking_threads, 2);
    eventually("idle threads end", || runtime.metrics().blocking_threads == 0);
    assert_eq!(runtime.block_on(runtime.spawn_blocking(|| 5)).unwrap(), 5, "and are started anew");
}

#[test]
fn a_closure_panics_is_aborted_and_spawns_like_a_task() {
    let runtime = Builder::new().worker_threads(1).max_blocking_threads(1).build().unwrap();
    let live = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let error = zokio::spawn_blocking(|| panic!("boom")).await.unwrap_err();
        assert_eq!(error.to_string(), "task panicked: boom");
        let task = zokio::spawn_blocking(|| zokio::spawn(async { 8 })).await.unwrap();
        assert_eq!(task.await.unwrap(), 8);
        // The only thread is busy, so the second closure waits, and is dropped.
        let (release, blocked) = mpsc::channel::<()>();
        let busy = zokio::spawn_blocking(move || blocked.recv().is_err());
        let guard = Counted::new(&live);
        let waiting = zokio::spawn_blocking(move || drop(guard));
        waiting.abort();
        drop(release);
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert!(busy.await.unwrap());
    });
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn shutdown_waits_for_what_runs_and_cancels_what_waits() {
    let runtime = Builder::new().worker_threads(1).max_blocking_threads(1).build().unwrap();
    let live = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicUsize::new(0));
    let (started, has_started) = mpsc::channel();
    let running = runtime.spawn_blocking({
        let done = done.clone();
        move || {
            started.send(()).unwrap();
            std::thread::sleep(Duration::from_millis(40));
            done.fetch_add(1, Ordering::SeqCst)
        }
    });
    let guard = Counted::new(&live);
    let waiting = runtime.spawn_blocking(move || drop(guard));
    has_started.recv().unwrap();
    drop(runtime);
    assert_eq!(done.load(Ordering::SeqCst), 1, "what runs is waited for");
    assert!(running.is_finished() && waiting.is_finished());
    assert_eq!(live.load(Ordering::SeqCst), 0);
    let other = support::runtime(1);
    assert!(other.block_on(waiting).unwrap_err().is_cancelled());
    assert_eq!(other.block_on(running).unwrap(), 0);
}

#[test]
fn shutdown_with_a_limit_leaves_a_closure_that_does_not_end() {
    let runtime = runtime(1);
    let (release, blocked) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let running = runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        blocked.recv().is_err()
    });
    has_started.recv().unwrap();
    let began = Instant::now();
    assert!(!runtime.shutdown_timeout(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(release);
    assert!(support::runtime(1).block_on(running).unwrap(), "it ends by itself");
}

#[test]
fn a_closure_that_drops_its_runtime_does_not_wait_for_itself() {
    let runtime = runtime(1);
    let (sender, receiver) = mpsc::channel();
    let runtime = Arc::new(std::sync::Mutex::new(Some(runtime)));
    let inside = runtime.clone();
    let guard = runtime.lock().unwrap();
    drop(guard.as_ref().unwrap().spawn_blocking(move || {
        let taken = inside.lock().unwrap().take();
        drop(taken);
        sender.send(()).unwrap();
    }));
    drop(guard);
    receiver.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn a_batch_runs_whole_from_inside_and_outside_in_order_of_its_handles() {
    let runtime = runtime(2);
    for count in [0, 1, 2, 1_000] {
        let futures = |count: usize| (0..count).map(|number| async move { number });
        let outside = runtime.spawn_batch(futures(count));
        let outputs = runtime.block_on(async {
            let inside = zokio::spawn(async move { zokio::spawn_batch(futures(count)) }).await.unwrap();
            let mut outputs = Vec::new();
            for handle in inside.into_iter().chain(outside).chain(zokio::spawn_batch(futures(count))) {
                outputs.push(handle.await.unwrap());
            }
            outputs
        });
        assert_eq!(outputs, (0..count).chain(0..count).chain(0..count).collect::<Vec<_>>());
    }
}

#[test]
fn a_set_gives_every_output_once_in_the_order_of_ends() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let mut set = JoinSet::new();
        assert!(set.join_next().await.is_none());
        for number in 0..500_usize {
            set.spawn(async move {
                for _ in 0..number % 7 {
                    zokio::task::yield_now().await;
                }
                assert!(number != 13, "unlucky");
                number
            });
        }
        set.insert(zokio::spawn_blocking(|| 500));
        assert_eq!(set.len(), 501);
        let (mut outputs, mut panics) = (HashSet::new(), 0);
        while let Some(output) = set.join_next().await {
            match output {
                Ok(number) => assert!(outputs.insert(number)),
                Err(error) => panics += usize::from(error.is_panic()),
            }
        }
        assert_eq!((outputs.len(), panics), (500, 1));
        assert!(set.is_empty() && set.try_join_next().is_none());

        let late = set.spawn(async { pending().await });
        set.spawn(async { 1 });
        assert_eq!(set.join_next().await.unwrap().unwrap(), 1, "the second ends first");
        late.abort();
        assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_dropped_set_aborts_and_a_detached_one_lets_go() {
    let live = Arc::new(AtomicUsize::new(0));
    let runtime = runtime(2);
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..10 {
            let guard = Counted::new(&live);
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        set.abort_all();
        while let Some(output) = set.join_next().await {
            assert!(output.unwrap_err().is_cancelled());
        }
        assert_eq!(live.load(Ordering::SeqCst), 0);
        let guard = Counted::new(&live);
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        drop(set);
        let (sender, receiver) = zokio::sync::oneshot::channel();
        let mut set = JoinSet::new();
        set.spawn(async move { sender.send(3).unwrap() });
        set.detach_all();
        assert!(set.is_empty());
        drop(set);
        assert_eq!(receiver.await, Ok(3));
    });
    eventually("the aborted task is dropped", || live.load(Ordering::SeqCst) == 0);
}
