//! Channels and semaphores inside the runtime, across threads, and on threads that know no runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use zokio::sync::{AcquireError, Semaphore, TryAcquireError, mpsc, oneshot};
use zokio::time::timeout;

mod support;

use support::{Counted, runtime};

/// Polls once, with a waker that wakes nobody.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn sending_needs_a_value_that_is_send_and_nothing_more() {
    use std::cell::Cell;
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    // A `Cell` may be sent but not shared; the ends of its channel may be both.
    send::<oneshot::Sender<Cell<u8>>>();
    sync::<oneshot::Sender<Cell<u8>>>();
    send::<oneshot::Receiver<Cell<u8>>>();
    send::<mpsc::Sender<Cell<u8>>>();
    sync::<mpsc::Sender<Cell<u8>>>();
    send::<mpsc::Receiver<Cell<u8>>>();
    send::<mpsc::UnboundedSender<Cell<u8>>>();
    sync::<mpsc::UnboundedSender<Cell<u8>>>();
    send::<mpsc::UnboundedReceiver<Cell<u8>>>();
    send::<Semaphore>();
    sync::<Semaphore>();
}

#[test]
fn a_oneshot_ends_in_one_way_on_both_sides() {
    let (sender, mut receiver) = oneshot::channel();
    assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Empty));
    assert!(poll(&mut receiver).is_pending());
    sender.send(1).unwrap();
    assert_eq!(poll(&mut receiver), Poll::Ready(Ok(1)));
    assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Closed));

    let (sender, receiver) = oneshot::channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(2));

    let (sender, mut receiver) = oneshot::channel::<u8>();
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(receiver.try_recv(), Err(oneshot::TryRecvError::Closed));
    assert_eq!(sender.send(3), Err(3));
    assert_eq!(poll(&mut receiver), Poll::Ready(Err(oneshot::RecvError)));

    let (sender, mut receiver) = oneshot::channel();
    sender.send(4).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(4), "sent before it was closed");
}

#[test]
fn oneshots_between_tasks_and_threads_lose_nothing() {
    let live = Arc::new(AtomicUsize::new(0));
    let runtime = runtime(2);
    runtime.block_on(async {
        for round in 0..2_000 {
            let (sender, receiver) = oneshot::channel();
            let value = (round, Counted::new(&live));
            drop(zokio::spawn(async move { sender.send(value) }));
            assert_eq!(receiver.await.unwrap().0, round);
            let (sender, receiver) = oneshot::channel();
            let value = Counted::new(&live);
            drop(zokio::spawn(async move { sender.send(value) }));
            drop(receiver);
        }
        let (mut sender, receiver) = oneshot::channel::<()>();
        drop(zokio::spawn(async move {
            zokio::task::yield_now().await;
            drop(receiver);
        }));
        sender.closed().await;
    });
    drop(runtime);
    assert_eq!(live.load(Ordering::SeqCst), 0);
    let (sender, receiver) = oneshot::channel();
    let thread = std::thread::spawn(move || receiver.blocking_recv());
    sender.send("here").unwrap();
    assert_eq!(thread.join().unwrap(), Ok("here"));
}

#[test]
fn a_channel_keeps_the_order_of_each_sender_and_ends_after_the_last() {
    for capacity in [1, 2, 31, 1_000] {
        let runtime = runtime(3);
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(capacity);
            for producer in 0..6_usize {
                let sender = sender.clone();
                drop(zokio::spawn(async move {
                    for number in 0..1_500_usize {
                        sender.send((producer, number)).await.unwrap();
                    }
                }));
            }
            drop(sender);
            let mut next = [0; 6];
            while let Some((producer, number)) = receiver.recv().await {
                assert_eq!(next[producer], number);
                next[producer] += 1;
            }
            assert_eq!(next, [1_500; 6]);
            assert_eq!(receiver.recv().await, None, "and stays so");
        });
    }
}

#[test]
fn unbounded_senders_on_plain_threads_keep_their_order() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let threads: Vec<_> = (0..4_usize)
        .map(|producer| {
            let sender = sender.clone();
            std::thread::spawn(move || (0..20_000_usize).for_each(|number| sender.send((producer, number)).unwrap()))
        })
        .collect();
    drop(sender);
    let mut next = [0; 4];
    while let Some((producer, number)) = receiver.blocking_recv() {
        assert_eq!(next[producer], number);
        next[producer] += 1;
    }
    assert_eq!(next, [20_000; 4]);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_full_channel_serves_its_senders_in_the_order_they_came() {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(0).unwrap();
    assert_eq!(sender.try_send(9), Err(mpsc::TrySendError::Full(9)));
    let mut waiting: Vec<_> = (1..5).map(|number| Box::pin(sender.send(number))).collect();
    assert!(waiting.iter_mut().all(|send| poll(send).is_pending()));
    // The second gives up before it is served, the third after: the place goes on in both cases.
    drop(waiting.remove(1));
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(sender.try_send(9), Err(mpsc::TrySendError::Full(9)), "nobody overtakes");
    assert!(poll(&mut waiting[0]).is_ready());
    assert_eq!(receiver.try_recv(), Ok(1));
    drop(waiting.remove(1));
    assert!(poll(&mut waiting[1]).is_ready());
    assert_eq!(receiver.try_recv(), Ok(4));
    assert_eq!(sender.capacity(), 1);
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn a_closed_channel_gives_what_it_has_and_takes_no_more() {
    let live = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = mpsc::channel(2);
    sender.try_send(Counted::new(&live)).unwrap();
    sender.try_send(Counted::new(&live)).unwrap();
    let mut waiting = Box::pin(sender.send(Counted::new(&live)));
    assert!(poll(&mut waiting).is_pending());
    receiver.close();
    assert!(matches!(poll(&mut waiting), Poll::Ready(Err(_))), "who waits is refused");
    drop(waiting);
    assert!(matches!(sender.try_send(Counted::new(&live)), Err(mpsc::TrySendError::Closed(_))));
    assert!(sender.is_closed());
    assert!(receiver.blocking_recv().is_some());
    assert_eq!(live.load(Ordering::SeqCst), 1);
    drop(receiver);
    assert_eq!(live.load(Ordering::SeqCst), 0, "a dropped receiver drops what was not received");
}

#[test]
fn a_receiver_that_never_runs_dry_gives_way() {
    let runtime = runtime(1);
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        (0..100_000).for_each(|number| sender.send(number).unwrap());
        let seen = Arc::new(AtomicUsize::new(0));
        // Both are spawned by a task, so they stand one behind the other in the only worker's queue.
        let (reading, between) = zokio::spawn(async move {
            let count = seen.clone();
            let reading = zokio::spawn(async move {
                while receiver.recv().await.is_some() {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            let between = zokio::spawn(async move { seen.load(Ordering::SeqCst) }).await.unwrap();
            (reading, between)
        })
        .await
        .unwrap();
        assert_eq!(between, 128, "another task ran in between");
        drop(sender);
        reading.await.unwrap();
    });
}

#[test]
fn a_timed_out_receive_loses_no_value() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::channel(4);
        drop(zokio::spawn(async move {
            for number in 0..200 {
                sender.send(number).await.unwrap();
                if number % 20 == 0 {
                    zokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }));
        let mut expected = 0;
        loop {
            match timeout(Duration::from_micros(100), receiver.recv()).await {
                Ok(Some(number)) => {
                    assert_eq!(number, expected);
                    expected += 1;
                }
                Ok(None) => break,
                Err(_) => {}
            }
        }
        assert_eq!(expected, 200);
    });
}

#[test]
fn permits_are_granted_in_order_and_in_parts() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.try_acquire_many(2).unwrap();
    let mut three = Box::pin(semaphore.acquire_many(3));
    let mut one = Box::pin(semaphore.acquire());
    assert!(poll(&mut three).is_pending() && poll(&mut one).is_pending());
    drop(held);
    assert!(poll(&mut three).is_pending(), "two of three");
    assert!(poll(&mut one).is_pending(), "nobody overtakes");
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    drop(three);
    let Poll::Ready(Ok(permit)) = poll(&mut one) else { panic!("what was granted in part goes to the next") };
    assert_eq!(semaphore.available_permits(), 1);
    permit.forget();
    assert_eq!(semaphore.available_permits(), 1);
    semaphore.close();
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    assert!(matches!(poll(&mut Box::pin(semaphore.acquire())), Poll::Ready(Err(AcquireError))));
}

#[test]
fn a_semaphore_never_lets_more_in_than_it_has_permits() {
    let runtime = runtime(4);
    let semaphore = Arc::new(Semaphore::new(3));
    let inside = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (semaphore, inside) = (semaphore.clone(), inside.clone());
                zokio::spawn(async move {
                    for _ in 0..100 {
                        let _permit = semaphore.acquire().await.unwrap();
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                        zokio::task::yield_now().await;
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(semaphore.available_permits(), 3);
}
