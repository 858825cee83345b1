//! Panics and aborts wherever they can happen: the fault stays where it belongs, and the workers go on.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

mod support;
#[path = "support/watchdog.rs"]
mod watchdog;

use support::{Counted, runtime};
use watchdog::watchdog;
use zokio::Runtime;
use zokio::task::{JoinHandle, yield_now};
use zokio::time::sleep;

/// Panics when it is dropped, with a payload that panics when it is dropped, and so on.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 == 0 {
            return;
        }
        if std::thread::panicking() {
            return std::mem::forget(std::mem::replace(self, Bomb(0))); // a second panic at once would abort
        }
        panic_any(Bomb(self.0 - 1));
    }
}

/// A waker that counts and then panics.
#[derive(Default)]
struct Hostile {
    wakes: AtomicUsize,
}

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        panic!("a waker that panics");
    }
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every worker still runs tasks and timers.
fn is_alive(runtime: &Runtime) {
    for worker in 0..runtime.metrics().workers.len() {
        runtime.block_on(runtime.spawn_on(worker, sleep(Duration::from_millis(1)))).expect("a worker that lives");
    }
}

fn polled_once<F: Future + Unpin>(future: &mut F, waker: &Waker) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(waker)).is_ready()
}

#[test]
fn a_panic_in_poll_in_a_futures_drop_and_in_an_outputs_drop_stays_in_its_task() {
    let _limit = watchdog("panics of tasks");
    let runtime = runtime(2);
    let mut panicked = 0;
    for round in 0..20 {
        let depth = round % 4;
        let handles: Vec<JoinHandle<Bomb>> = vec![
            runtime.spawn(async move { panic_any(Bomb(depth)) }),
            // Drops itself with a panic after its output came, and both are bombs.
            runtime.spawn(async move {
                let _bomb = Bomb(1 + depth);
                yield_now().await;
                Bomb(1 + depth)
            }),
            runtime.spawn_blocking(move || panic_any(Bomb(depth))),
        ];
        for handle in handles {
            match runtime.block_on(handle) {
                Err(error) => {
                    let mut payload = error.try_into_panic().expect("a panic");
                    payload.downcast_mut::<Bomb>().expect("the bomb").0 = 0;
                    panicked += 1;
                }
                Ok(_) => panic!("no output"),
            }
        }
        // Nobody waits: a future that ends in a panic, one that is aborted, and an output.
        drop(runtime.spawn(async move { Bomb(1 + depth) }));
        drop(runtime.spawn(async move {
            let _bomb = Bomb(1 + depth);
            yield_now().await;
        }));
        let bomb = Bomb(1 + depth);
        let waiting = runtime.spawn(async move {
            let _bomb = bomb;
            pending::<()>().await;
        });
        is_alive(&runtime);
        waiting.abort();
        let error = runtime.block_on(waiting).expect_err("it never ends");
        error.try_into_panic().expect("the panic of its end").downcast_mut::<Bomb>().expect("the bomb").0 = 0;
    }
    assert_eq!(panicked, 60);
    // And at shutdown.
    drop(runtime.spawn(async move {
        let _bomb = Bomb(3);
        pending::<()>().await;
    }));
    is_alive(&runtime);
}

#[test]
fn a_waker_that_panics_harms_neither_its_caller_nor_the_wakers_beside_it() {
    let _limit = watchdog("panics of wakers");
    for workers in [1, 2] {
        let runtime = runtime(workers);
        let hostile = Arc::new(Hostile::default());
        let waker = Waker::from(hostile.clone());
        // By the timers, in the midst of others that are due at the same time.
        let deadline = std::time::Instant::now() + Duration::from_millis(20);
        let tasks: Vec<_> = (0..50).map(|_| runtime.spawn(zokio::time::sleep_until(deadline))).collect();
        let mut sleeps: Vec<_> = (0..20).map(|_| zokio::time::sleep_until(deadline)).collect();
        runtime.enter(|| sleeps.iter_mut().for_each(|sleep| assert!(!polled_once(sleep, &waker))));
        tasks.into_iter().for_each(|task| runtime.block_on(task).expect("it ends"));
        eventually("all sleeps wake", || hostile.wakes.load(Ordering::SeqCst) == 20);
        is_alive(&runtime);
        // By the driver.
        let (listener, address) = runtime.block_on(async {
            let listener = zokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            (listener, address)
        });
        let mut accept = Box::pin(listener.accept());
        runtime.enter(|| assert!(!polled_once(&mut accept, &waker)));
        let client = std::net::TcpStream::connect(address).unwrap();
        eventually("the driver wakes", || hostile.wakes.load(Ordering::SeqCst) == 21);
        assert!(runtime.block_on(accept).is_ok());
        drop(client);
        is_alive(&runtime);
        // By a task that completes: a join handle's.
        let (sender, receiver) = mpsc::channel::<()>();
        let mut handle = runtime.spawn(async move {
            sleep(Duration::from_millis(5)).await;
            drop(sender);
            7
        });
        assert!(!polled_once(&mut handle, &waker));
        assert!(receiver.recv().is_err());
        eventually("the task wakes", || hostile.wakes.load(Ordering::SeqCst) == 22);
        assert_eq!(runtime.block_on(handle).unwrap(), 7);
        is_alive(&runtime);
    }
}

#[test]
fn a_waker_that_panics_in_a_channel_or_a_pool_is_the_senders_panic_and_nothing_is_lost() {
    let _limit = watchdog("panics of wakers in channels");
    let runtime = runtime(2);
    let hostile = Arc::new(Hostile::default());
    let waker = Waker::from(hostile.clone());
    let (sender, receiver) = zokio::sync::oneshot::channel();
    let mut receiver = Box::pin(receiver);
    assert!(!polled_once(&mut receiver, &waker));
    let sent = runtime.spawn(async move {
        let _ = sender.send(5);
    });
    assert!(runtime.block_on(sent).expect_err("its waker panics").is_panic());
    assert_eq!(runtime.block_on(receiver).unwrap(), 5);

    let pool = zokio::pool::ObjectPool::new(1, || Box::new(9));
    let object = pool.try_acquire().unwrap();
    let mut waiting = pool.acquire();
    assert!(!polled_once(&mut waiting, &waker));
    let back = runtime.spawn(async move { drop(object) });
    assert!(runtime.block_on(back).expect_err("its waker panics").is_panic());
    assert_eq!(**runtime.block_on(waiting), 9);
    assert_eq!(pool.available(), 1);
    is_alive(&runtime);
    assert_eq!(hostile.wakes.load(Ordering::SeqCst), 2);
}

#[test]
fn a_waker_may_be_the_last_of_a_task_that_sleeps() {
    let _limit = watchdog("a waker dropped by a timer");
    let runtime = runtime(1);
    let kept: Arc<Mutex<Option<Pin<Box<zokio::time::Sleep>>>>> = Arc::new(Mutex::new(Some(Box::pin(sleep(Duration::from_secs(3_600))))));
    let live = Arc::new(AtomicUsize::new(0));
    // A foreign waker that owns a sleep of the same worker: replaced inside the timers, it cancels there.
    struct Owner(#[expect(dead_code, reason = "dropped")] Mutex<zokio::time::Sleep>, #[expect(dead_code, reason = "dropped")] Counted);
    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    runtime.enter(|| {
        let mut inner = sleep(Duration::from_secs(3_600));
        assert!(!polled_once(&mut inner, Waker::noop()));
        let owner = Waker::from(Arc::new(Owner(Mutex::new(inner), Counted::new(&live))));
        let mut outer = kept.lock().unwrap();
        let outer = outer.as_mut().unwrap();
        assert!(!polled_once(outer, &owner));
        drop(owner);
        assert_eq!(live.load(Ordering::SeqCst), 1);
        assert!(!polled_once(outer, Waker::noop()));
    });
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn an_abort_ends_a_task_in_every_state_once() {
    let _limit = watchdog("aborts");
    for workers in [1, 2] {
        let runtime = runtime(workers);
        let live = Arc::new(AtomicUsize::new(0));
        let cancelled = |handle: JoinHandle<()>| runtime.block_on(handle).expect_err("aborted").is_cancelled();
        // Queued behind a task that holds its worker; aborted twice.
        let (release, hold) = mpsc::channel::<()>();
        let holding = runtime.spawn_on(0, async move {
            let _ = hold.recv();
        });
        let (guard, ran) = (Counted::new(&live), Arc::new(AtomicBool::new(false)));
        let queued = runtime.spawn_on(0, {
            let ran = ran.clone();
            async move {
                let _guard = guard;
                ran.store(true, Ordering::SeqCst);
            }
        });
        queued.abort();
        queued.abort_handle().abort();
        drop(release);
        runtime.block_on(holding).unwrap();
        assert!(cancelled(queued) && !ran.load(Ordering::SeqCst));
        // Running on a worker: ends after its poll.
        let (running, is_running) = mpsc::channel::<()>();
        let (release, hold) = mpsc::channel::<()>();
        let guard = Counted::new(&live);
        let busy = runtime.spawn(async move {
            let _guard = guard;
            running.send(()).unwrap();
            let _ = hold.recv();
            pending::<()>().await;
        });
        is_running.recv().unwrap();
        busy.abort();
        assert_eq!(live.load(Ordering::SeqCst), 1, "not dropped under its own poll");
        drop(release);
        assert!(cancelled(busy));
        // Waiting, and detached at once.
        for is_detached in [false, true] {
            let guard = Counted::new(&live);
            let (begun, has_begun) = mpsc::channel();
            let waiting = runtime.spawn_on(0, async move {
                let _guard = guard;
                begun.send(()).unwrap();
                pending::<()>().await;
            });
            has_begun.recv().unwrap();
            is_alive(&runtime); // worker 0 has ended its poll
            let abort = waiting.abort_handle();
            if is_detached {
                drop(waiting);
                abort.abort();
                eventually("a detached task ends", || live.load(Ordering::SeqCst) == 0 && abort.is_finished());
            } else {
                abort.abort();
                assert!(cancelled(waiting));
            }
        }
        // Complete: it keeps its output.
        let complete = runtime.spawn(async { 5 });
        eventually("it completes", || complete.is_finished());
        complete.abort();
        assert_eq!(runtime.block_on(complete).unwrap(), 5);
        // By itself, and by itself twice.
        let (sender, receiver) = mpsc::channel::<JoinHandle<()>>();
        let abort = Arc::new(Mutex::new(None::<zokio::task::AbortHandle>));
        let own = abort.clone();
        let guard = Counted::new(&live);
        let suicidal = runtime.spawn(async move {
            let _guard = guard;
            loop {
                if let Some(abort) = own.lock().unwrap().as_ref() {
                    abort.abort();
                    abort.abort();
                    break;
                }
                yield_now().await;
            }
            yield_now().await;
            unreachable!("it is not polled again");
        });
        *abort.lock().unwrap() = Some(suicidal.abort_handle());
        assert!(cancelled(suicidal));
        drop((sender, receiver));
        assert_eq!(live.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn aborts_beside_wakes_and_ends_lose_no_task() {
    let _limit = watchdog("aborts beside wakes");
    let runtime = runtime(2);
    let live = Arc::new(AtomicUsize::new(0));
    let (mut ended, mut cancelled) = (0, 0);
    for round in 0..100_u64 {
        let guard = Counted::new(&live);
        let kept: Arc<Mutex<Option<Waker>>> = Arc::default();
        let seen = kept.clone();
        let mut polls = 0;
        let handle = runtime.spawn(poll_fn(move |cx| {
            let _ = &guard;
            polls += 1;
            if polls > 3 {
                return Poll::Ready(());
            }
            *seen.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }));
        let waking = std::thread::spawn(move || {
            for _ in 0..40 {
                let waker = kept.lock().unwrap().take();
                waker.into_iter().for_each(Waker::wake);
                std::thread::yield_now();
            }
            // Whatever was left is dropped here.
        });
        (0..round % 40).for_each(|_| std::thread::yield_now());
        handle.abort();
        match runtime.block_on(handle) {
            Ok(()) => ended += 1,
            Err(error) => cancelled += u32::from(error.is_cancelled()),
        }
        waking.join().unwrap();
    }
    assert_eq!(ended + cancelled, 100);
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_under_block_on_leaves_the_runtime_whole() {
    let _limit = watchdog("a panic under block_on");
    let runtime = runtime(2);
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(async { panic!("on purpose") }))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.enter(|| panic!("on purpose")))).is_err());
    let inside = runtime.spawn(async { catch_unwind(|| zokio::with_heap(|_| panic!("on purpose"))).is_err() });
    assert!(runtime.block_on(inside).unwrap());
    assert!(runtime.block_on(runtime.spawn_on(0, async { zokio::with_heap(|heap| heap.allocate(10).is_some()) })).unwrap());
    is_alive(&runtime);
}
