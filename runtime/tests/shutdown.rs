//! The end of a runtime: every task dropped wherever it is, nothing lost beside it, nobody waited for in vain.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

mod support;

use support::{Counted, runtime};
use zokio::Builder;

#[test]
fn shutdown_drops_every_task_wherever_it_is() {
    for workers in [1, 2, 4] {
        let live = Arc::new(AtomicUsize::new(0));
        let runtime = runtime(workers);
        let mut handles = Vec::new();
        for index in 0..400_u64 {
            let guard = Counted::new(&live);
            handles.push(runtime.spawn_on(index as usize % workers, async move {
                let _guard = guard;
                if index % 4 == 0 {
                    std::future::pending::<()>().await;
                } else if index % 4 == 1 {
                    zokio::time::sleep(Duration::from_secs(3_600)).await;
                }
                loop {
                    zokio::task::yield_now().await;
                }
            }));
            let guard = Counted::new(&live);
            drop(runtime.spawn(async move {
                let inner = guard;
                let child = zokio::spawn(async move {
                    let _inner = inner;
                    std::future::pending::<()>().await;
                });
                child.await.unwrap();
            }));
        }
        drop(runtime);
        assert_eq!(live.load(Ordering::SeqCst), 0, "{workers} workers");
        for handle in handles {
            assert!(handle.is_finished());
            handle.abort();
            let mut handle = handle;
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(Pin::new(&mut handle).poll(&mut cx), Poll::Ready(Err(error)) if error.is_cancelled()));
        }
    }
}

#[test]
fn a_waker_may_outlive_the_runtime() {
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let runtime = runtime(2);
    for _ in 0..100 {
        let kept = kept.clone();
        drop(runtime.spawn(poll_fn(move |cx| {
            kept.lock().unwrap().push(cx.waker().clone());
            Poll::<()>::Pending
        })));
    }
    while kept.lock().unwrap().len() < 100 {
        std::thread::yield_now();
    }
    drop(runtime);
    for waker in kept.lock().unwrap().drain(..) {
        waker.wake_by_ref();
        let copy = waker.clone();
        waker.wake();
        copy.wake_by_ref();
    }
}

#[test]
fn wakes_from_foreign_threads_beside_a_shutdown_lose_nothing() {
    for _ in 0..30 {
        let runtime = runtime(2);
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let live = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let (wakers, guard) = (wakers.clone(), Counted::new(&live));
            drop(runtime.spawn(poll_fn(move |cx| {
                let _ = &guard;
                wakers.lock().unwrap().push(cx.waker().clone());
                Poll::<()>::Pending
            })));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let waking = std::thread::spawn({
            let (wakers, stop) = (wakers.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let taken = std::mem::take(&mut *wakers.lock().unwrap());
                    taken.into_iter().for_each(Waker::wake);
                }
            }
        });
        std::thread::sleep(Duration::from_millis(2));
        drop(runtime);
        stop.store(true, Ordering::Relaxed);
        waking.join().unwrap();
        wakers.lock().unwrap().clear();
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_shutdown_with_a_limit_does_not_wait_for_a_blocked_worker() {
    let runtime = runtime(2);
    let (sender, receiver) = mpsc::channel::<()>();
    drop(runtime.spawn(async move {
        let _ = receiver.recv(); // blocks its worker on purpose
    }));
    std::thread::sleep(Duration::from_millis(20));
    let began = Instant::now();
    assert!(!runtime.shutdown_timeout(Duration::from_millis(50)));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(sender);
    assert!(Builder::new().worker_threads(1).build().unwrap().shutdown_timeout(Duration::from_secs(20)));
}
