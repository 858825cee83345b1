//! Pools of objects: nothing is given out twice, nothing is lost, nobody starves.

use std::collections::HashSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use zokio::buf::IoBuf;
use zokio::mem::BufferPool;
use zokio::net::{TcpListener, TcpStream};
use zokio::pool::{ObjectPool, Pooled};

mod support;

use support::{Counted, runtime};

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A pool whose objects know their number and whether somebody has them.
fn numbered(max: usize) -> ObjectPool<(usize, AtomicBool)> {
    let next = AtomicUsize::new(0);
    ObjectPool::new(max, move || (next.fetch_add(1, Ordering::SeqCst), AtomicBool::new(false)))
}

#[test]
fn guards_and_pools_go_where_their_objects_may_go() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<ObjectPool<std::cell::Cell<u8>>>();
    sync::<ObjectPool<std::cell::Cell<u8>>>();
    send::<Pooled<std::cell::Cell<u8>>>();
    sync::<Pooled<u8>>();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn what_is_out_is_distinct_and_what_is_available_is_the_rest(max in 1_usize..80, steps in prop::collection::vec(any::<(bool, u8)>(), 1..400)) {
        let pool = numbered(max);
        let mut out = Vec::new();
        for (take, place) in steps {
            if take {
                match pool.try_acquire() {
                    Some(object) => out.push(object),
                    None => prop_assert_eq!(out.len(), max),
                }
            } else if !out.is_empty() {
                out.swap_remove(usize::from(place) % out.len());
            }
            let distinct: HashSet<usize> = out.iter().map(|object| object.0).collect();
            prop_assert_eq!(distinct.len(), out.len());
            prop_assert!(distinct.iter().all(|&number| number < max));
            prop_assert_eq!(pool.available(), max - out.len());
        }
    }
}

#[test]
fn threads_never_have_the_same_object_and_find_all_of_them_in_the_end() {
    for (max, threads) in [(1, 4), (3, 4), (40, 3), (200, 4)] {
        let pool = numbered(max);
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let pool = &pool;
                scope.spawn(move || {
                    let mut held = Vec::new();
                    for step in 0..20_000_usize {
                        if (step * 7 + thread) % 5 < 3 {
                            if let Some(object) = pool.try_acquire() {
                                assert!(!object.1.swap(true, Ordering::SeqCst), "two owners");
                                held.push(object);
                            }
                        } else if let Some(object) = held.pop() {
                            object.1.store(false, Ordering::SeqCst);
                        }
                        if held.len() > 50 {
                            held.drain(..).for_each(|object| object.1.store(false, Ordering::SeqCst));
                        }
                    }
                    held.drain(..).for_each(|object| object.1.store(false, Ordering::SeqCst));
                });
            }
        });
        assert_eq!(pool.available(), max);
        let all: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
        assert_eq!(all.len(), max, "whatever magazine they were in");
    }
}

#[test]
fn tasks_wait_for_objects_that_others_hold_and_all_get_their_turn() {
    let runtime = runtime(4);
    let pool = numbered(3);
    runtime.block_on(async {
        let tasks: Vec<_> = (0..60)
            .map(|_| {
                let pool = pool.clone();
                zokio::spawn(async move {
                    for _ in 0..200 {
                        let object = pool.acquire().await;
                        assert!(!object.1.swap(true, Ordering::SeqCst), "two owners");
                        zokio::task::yield_now().await;
                        object.1.store(false, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(pool.available(), 3);
}

#[test]
fn who_waits_is_served_in_order_and_not_overtaken() {
    let pool = numbered(1);
    let held = pool.try_acquire().unwrap();
    let (mut first, mut second, mut third) = (pool.acquire(), pool.acquire(), pool.acquire());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending() && poll(&mut third).is_pending());
    drop(held);
    assert!(pool.try_acquire().is_none(), "nobody overtakes");
    assert!(poll(&mut second).is_pending());
    drop(first); // granted, but not collected: the second is next
    let Poll::Ready(object) = poll(&mut second) else { panic!("passed on") };
    drop(object);
    drop(third);
    assert!(pool.try_acquire().is_some());
}

#[test]
fn an_object_in_another_threads_magazine_is_found() {
    let pool = numbered(1);
    let inside = pool.clone();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (returned, is_returned) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        drop(inside.try_acquire().unwrap());
        returned.send(()).unwrap();
        let _ = held.recv(); // lives on, so its magazine stays its own
    });
    is_returned.recv().unwrap();
    assert!(pool.try_acquire().is_some());
    assert!(poll(&mut pool.acquire()).is_ready());
    drop(release);
    thread.join().unwrap();
}

#[test]
fn objects_are_reset_and_a_panic_leaves_the_pool_whole() {
    let live = Arc::new(AtomicUsize::new(0));
    let make = live.clone();
    let pool = ObjectPool::builder(1, move || (Counted::new(&make), 0))
        .reset(|object| object.1 = if object.1 == 13 { panic!("unlucky") } else { 0 })
        .build();
    let mut object = pool.try_acquire().unwrap();
    object.1 = 5;
    drop(object);
    let mut object = pool.try_acquire().unwrap();
    assert_eq!(object.1, 0);
    object.1 = 13;
    let mut waiting = pool.acquire();
    assert!(poll(&mut waiting).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(object))).is_err());
    assert_eq!(live.load(Ordering::SeqCst), 0, "it is not given out again");
    let Poll::Ready(object) = poll(&mut waiting) else { panic!("who waits may make another one") };
    drop((object, waiting));
    drop(pool);
    assert_eq!(live.load(Ordering::SeqCst), 0);

    let fails = Arc::new(AtomicBool::new(true));
    let failing = fails.clone();
    let pool = ObjectPool::new(1, move || assert!(!failing.load(Ordering::SeqCst), "not now"));
    assert!(catch_unwind(AssertUnwindSafe(|| pool.try_acquire())).is_err());
    fails.store(false, Ordering::SeqCst);
    assert!(pool.try_acquire().is_some(), "one that was not made may be made");
}

#[test]
fn objects_outlive_the_handles_and_are_dropped_once() {
    let live = Arc::new(AtomicUsize::new(0));
    let make = live.clone();
    let pool = ObjectPool::new(10, move || Counted::new(&make));
    let mut out: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
    out.truncate(4);
    let other = pool.clone();
    drop(pool);
    assert_eq!(live.load(Ordering::SeqCst), 10);
    drop(other);
    assert_eq!(live.load(Ordering::SeqCst), 4);
    std::thread::spawn(move || drop(out)).join().unwrap();
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn buffers_are_aligned_distinct_and_used_again() {
    let pool = BufferPool::new(20, 5_000).unwrap();
    let mut out: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
    assert_eq!((out.len(), pool.available()), (20, 0));
    for (number, buffer) in out.iter_mut().enumerate() {
        assert!(buffer.is_empty() && buffer.stable_ptr().addr().is_multiple_of(4096));
        assert_eq!(buffer.extend_from_slice(&[number as u8; 6_000]), 5_000);
    }
    for (number, buffer) in out.iter().enumerate() {
        assert!(buffer.len() == 5_000 && buffer.iter().all(|&byte| byte == number as u8), "nobody else wrote here");
    }
    let places: HashSet<usize> = out.iter().map(|buffer| buffer.stable_ptr().addr()).collect();
    drop(out);
    let out: Vec<_> = std::iter::from_fn(|| pool.try_acquire()).collect();
    let again: HashSet<usize> = out.iter().map(|buffer| buffer.stable_ptr().addr()).collect();
    assert_eq!(again, places);
    assert!(BufferPool::new(0, 4096).is_err() && BufferPool::new(1, 0).is_err() && BufferPool::new(usize::MAX, 4096).is_err());
}

#[test]
fn a_read_into_a_pooled_buffer_sets_its_length() {
    let runtime = runtime(2);
    let pool = BufferPool::new(1, 4096).unwrap();
    let shared = pool.clone();
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (receiver, _) = listener.accept().await.unwrap();
        for text in ["one", "three"] {
            let mut buffer = shared.acquire().await;
            buffer.extend_from_slice(text.as_bytes());
            let (sent, buffer) = sender.write_all(buffer).await;
            sent.unwrap();
            drop(buffer);
            let (read, buffer) = receiver.read(shared.acquire().await).await;
            assert_eq!((read.unwrap(), &*buffer), (text.len(), text.as_bytes()));
        }
    });
    assert_eq!(pool.available(), 1);
}
