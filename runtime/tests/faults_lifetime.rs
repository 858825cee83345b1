//! Runtimes that end at a bad moment, and what outlives them: nothing hangs, nothing is lost in silence.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

mod support;
#[path = "support/watchdog.rs"]
mod watchdog;

use support::{Counted, runtime};
use watchdog::watchdog;
use zokio::net::{TcpListener, TcpStream};
use zokio::task::JoinHandle;
use zokio::time::{Sleep, sleep};
use zokio::{Builder, IoDriver, Runtime};

const LIMIT: Duration = Duration::from_secs(30);

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A destructor that spawns what has a destructor that spawns, so many times.
struct Spawns(u32, Arc<AtomicUsize>);

impl Drop for Spawns {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        if self.0 > 0 {
            let next = Spawns(self.0 - 1, self.1.clone());
            let handle = zokio::spawn(async move {
                let _next = next;
                pending::<()>().await;
            });
            drop(handle);
        }
    }
}

#[test]
fn a_shutdown_with_everything_runnable_drops_it_all() {
    let _limit = watchdog("shutdown with 100,000 ready tasks");
    for workers in [1, 4] {
        let (live, runtime) = (Arc::new(AtomicUsize::new(0)), runtime(workers));
        let tasks = (0..100_000_u32).map(|_| {
            let guard = Counted::new(&live);
            async move {
                let _guard = guard;
                loop {
                    zokio::task::yield_now().await;
                }
            }
        });
        let tasks: Vec<_> = tasks.collect();
        let handles = runtime.spawn_batch(tasks);
        assert_eq!(live.load(Ordering::SeqCst), 100_000);
        drop(runtime);
        assert_eq!(live.load(Ordering::SeqCst), 0);
        assert!(handles.iter().all(JoinHandle::is_finished));
    }
}

#[test]
fn tasks_that_spawn_in_their_destructors_end_with_the_runtime() {
    let _limit = watchdog("spawns in destructors");
    for workers in [1, 2] {
        for _ in 0..10 {
            let (drops, runtime) = (Arc::new(AtomicUsize::new(0)), runtime(workers));
            // With its handle, or a task that nobody can wake would end at once, on whichever thread is the last to let go.
            let mut handles = Vec::new();
            for _ in 0..50 {
                let spawns = Spawns(10, drops.clone());
                handles.push(runtime.spawn(async move {
                    let _spawns = spawns;
                    pending::<()>().await;
                }));
            }
            drop(runtime);
            assert!(handles.iter().all(JoinHandle::is_finished));
            assert_eq!(drops.load(Ordering::SeqCst), 50 * 11);
        }
    }
}

#[test]
fn a_runtime_that_its_own_task_drops_ends_by_itself() {
    let _limit = watchdog("a runtime dropped by its own task");
    for workers in [1, 2, 4] {
        for by_timeout in [false, true] {
            let live = Arc::new(AtomicUsize::new(0));
            let own: Arc<Mutex<Option<Runtime>>> = Arc::default();
            let runtime = runtime(workers);
            for _ in 0..20 {
                let guard = Counted::new(&live);
                drop(runtime.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                }));
            }
            let (taken, guard) = (own.clone(), Counted::new(&live));
            let task = runtime.spawn(async move {
                let _guard = guard;
                let runtime = loop {
                    if let Some(runtime) = taken.lock().unwrap().take() {
                        break runtime;
                    }
                    zokio::task::yield_now().await;
                };
                if by_timeout {
                    assert!(!runtime.shutdown_timeout(LIMIT), "this task's worker still runs");
                } else {
                    drop(runtime);
                }
                // What is spawned now is cancelled before its first poll.
                assert!(zokio::spawn(async {}).is_finished());
            });
            *own.lock().unwrap() = Some(runtime);
            let began = Instant::now();
            eventually("the task ends", || task.is_finished());
            eventually("everything is dropped", || live.load(Ordering::SeqCst) == 0);
            assert!(began.elapsed() < LIMIT / 2, "nobody waited for the limit");
        }
    }
}

#[test]
fn two_runtimes_whose_tasks_drop_each_other_both_end() {
    let _limit = watchdog("two runtimes drop each other");
    for _ in 0..20 {
        let live = Arc::new(AtomicUsize::new(0));
        let pair: Arc<[Mutex<Option<Runtime>>; 2]> = Arc::default();
        let runtimes = [runtime(2), runtime(1)];
        for (index, runtime) in runtimes.iter().enumerate() {
            let (pair, guard) = (pair.clone(), Counted::new(&live));
            drop(runtime.spawn(async move {
                let _guard = guard;
                loop {
                    if let Some(other) = pair[1 - index].lock().unwrap().take() {
                        return drop(other);
                    }
                    zokio::task::yield_now().await;
                }
            }));
        }
        let [first, second] = runtimes;
        *pair[0].lock().unwrap() = Some(first);
        *pair[1].lock().unwrap() = Some(second);
        // The one that is dropped first may have had no time to drop the other.
        eventually("one is dropped", || pair.iter().any(|one| one.lock().unwrap().is_none()));
        thread::sleep(Duration::from_millis(1));
        pair.iter().for_each(|one| drop(one.lock().unwrap().take()));
        eventually("both have ended", || live.load(Ordering::SeqCst) == 0);
    }
}

#[test]
fn blocking_inside_a_runtime_is_refused_but_in_a_blocking_closure() {
    let _limit = watchdog("nested block_on");
    let (outer, inner) = (runtime(2), Arc::new(runtime(1)));
    let refused = |body: JoinHandle<()>| {
        let payload = outer.block_on(body).expect_err("refused").try_into_panic().expect("a panic");
        assert!(payload.downcast_ref::<&str>().is_some_and(|text| text.contains("`block_on` inside a runtime")));
    };
    let other = inner.clone();
    refused(outer.spawn(async move { other.block_on(async {}) }));
    let other = inner.clone();
    let closure = outer.spawn_blocking(move || {
        let sum = other.block_on(async { zokio::spawn(async { 40 }).await.unwrap() + 1 });
        assert!(catch_unwind(AssertUnwindSafe(|| other.block_on(async { other.block_on(async {}) }))).is_err());
        sum + other.block_on(async { 1 })
    });
    assert_eq!(outer.block_on(closure).unwrap(), 42);
    assert!(catch_unwind(AssertUnwindSafe(|| outer.block_on(async { outer.block_on(async {}) }))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| outer.enter(|| inner.block_on(async {})))).is_err());
    // What is served: spawning on another runtime and waiting for it.
    let other = inner.clone();
    let sum = outer.spawn(async move { other.spawn(async { 40 }).await.unwrap() + 2 });
    assert_eq!((outer.block_on(sum).unwrap(), inner.block_on(async { 1 })), (42, 1));
}

struct Flag(mpsc::Sender<()>);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(());
    }
}

#[test]
fn a_handle_a_waker_and_a_sleep_outlive_their_runtime() {
    let _limit = watchdog("what outlives a runtime");
    for workers in [1, 2] {
        let first = runtime(workers);
        let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
        let seen = kept.clone();
        let handle = first.spawn(async move {
            std::future::poll_fn(|cx| {
                *seen.lock().unwrap() = Some(cx.waker().clone());
                Poll::<()>::Pending
            })
            .await;
        });
        let done = first.spawn(async { String::from("kept") });
        eventually("it waits", || kept.lock().unwrap().is_some() && done.is_finished());
        let deadline = Instant::now() + Duration::from_millis(60);
        let mut outliving: Vec<Pin<Box<Sleep>>> = (0..4).map(|_| Box::pin(zokio::time::sleep_until(deadline))).collect();
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Flag(sender)));
        first.enter(|| outliving.iter_mut().for_each(|sleep| assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending())));
        drop(first);
        assert_eq!(woken.try_iter().count(), 4, "the sleeps are told");
        let waker = kept.lock().unwrap().take().unwrap();
        waker.wake_by_ref();
        drop(waker);
        let second = runtime(1);
        assert!(second.block_on(handle).expect_err("cancelled").is_cancelled());
        assert_eq!(second.block_on(done).unwrap(), "kept");
        for sleep in outliving {
            second.block_on(second.spawn(sleep)).unwrap();
            assert!(Instant::now() >= deadline);
        }
    }
}

#[test]
fn a_sleep_moves_to_another_runtime_while_its_first_one_ends() {
    let _limit = watchdog("a sleep beside the end of its runtime");
    let second = runtime(1);
    for round in 0..40 {
        let first = runtime(1);
        let deadline = Instant::now() + Duration::from_millis(20);
        let mut sleep = Box::pin(zokio::time::sleep_until(deadline));
        first.enter(|| assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()));
        let task = second.spawn(sleep);
        (0..round).for_each(|_| thread::yield_now());
        drop(first);
        second.block_on(task).unwrap();
        assert!(Instant::now() >= deadline);
    }
}

#[test]
fn a_sleep_in_a_closure_that_outlives_its_workers_is_no_hang() {
    let _limit = watchdog("a sleep in a closure after the end");
    let runtime = runtime(1);
    let (sender, told) = mpsc::channel();
    drop(runtime.spawn_blocking(move || {
        let (woken, wakes) = mpsc::channel();
        let waker = Waker::from(Arc::new(Flag(woken)));
        let mut sleep = pin!(sleep(Duration::from_secs(3_600)));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            sender.send(()).unwrap();
            wakes.recv().unwrap();
            sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        }));
        assert!(polled.is_err(), "the sleep says that its runtime is gone");
    }));
    told.recv().unwrap();
    drop(runtime);
}

fn stream_outlives(driver: IoDriver) {
    let _limit = watchdog("a stream outlives its runtime");
    let build = || Builder::new().worker_threads(1).io_driver(driver).build();
    let Ok(first) = build() else { return }; // this kernel has no such driver
    let (listener, client, server) = first.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, server) = (TcpStream::connect(listener.local_addr().unwrap()).await.unwrap(), listener.accept().await.unwrap().0);
        (listener, client, server)
    });
    // One read is under way when the runtime goes.
    let mut read = Box::pin(server.read(vec![0; 16]));
    first.enter(|| assert!(read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()));
    drop(first);
    let cancelled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(cancelled, Poll::Ready((Err(_), _))), "the operation ended with its runtime: {cancelled:?}");
    drop(read);
    let second = build().unwrap();
    second.block_on(async {
        client.write_all("late").await.0.unwrap();
        let (read, data) = server.read(vec![0; 16]).await;
        assert_eq!(&data[..read.unwrap()], b"late");
        let again = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        drop((listener.accept().await.unwrap(), again));
    });
    drop(second);
    drop((listener, client, server)); // closed without any runtime
}

#[test]
fn a_stream_outlives_its_runtime_uring() {
    stream_outlives(IoDriver::IoUring);
}

#[test]
fn a_stream_outlives_its_runtime_poll() {
    stream_outlives(IoDriver::Polling);
}
