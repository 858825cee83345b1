//! Notifications, the barrier and the latest value: inside the runtime, across threads, and polled by hand.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use zokio::sync::{Barrier, Notify, watch};

mod support;

use support::{Counted, runtime};

/// Polls once, with a waker that wakes nobody.
fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts how often it is woken; panics if it is told to.
#[derive(Default)]
struct Wakes {
    count: AtomicUsize,
    panics: bool,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics, "a waker that panics");
    }
}

#[test]
fn one_notification_is_kept_and_goes_to_who_has_waited_longest() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    assert!(poll(&mut Box::pin(notify.notified())).is_ready());
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(notify.notified())).collect();
    assert!(waiting.iter_mut().all(|notified| poll(notified).is_pending()), "no more than one was kept");
    notify.notify_one();
    assert!(poll(&mut waiting[1]).is_pending() && poll(&mut waiting[2]).is_pending());
    assert!(poll(&mut waiting[0]).is_ready());
    assert!(poll(&mut waiting[0]).is_ready(), "and stays so");
    // Received and not seen: it goes on. Seen: it does not.
    notify.notify_one();
    drop(waiting.remove(1));
    assert!(poll(&mut waiting[1]).is_ready());
    drop(waiting);
    assert!(poll(&mut Box::pin(notify.notified())).is_pending());
}

#[test]
fn a_notification_that_nobody_sees_is_a_permit_again() {
    let notify = Notify::new();
    let mut alone = Box::pin(notify.notified());
    assert!(poll(&mut alone).is_pending());
    notify.notify_one();
    drop(alone);
    assert!(poll(&mut Box::pin(notify.notified())).is_ready());
    assert!(poll(&mut Box::pin(notify.notified())).is_pending());
}

#[test]
fn notify_waiters_reaches_every_future_that_exists_and_leaves_nothing() {
    let notify = Notify::new();
    let mut in_line = Box::pin(notify.notified());
    assert!(poll(&mut in_line).is_pending());
    let mut not_polled = Box::pin(notify.notified());
    let never_polled = notify.notified();
    notify.notify_waiters();
    let mut later = Box::pin(notify.notified());
    assert!(poll(&mut later).is_pending());
    assert!(poll(&mut in_line).is_ready() && poll(&mut not_polled).is_ready());
    drop((in_line, not_polled, never_polled));
    assert!(poll(&mut later).is_pending(), "nothing is passed on");

    // One that was picked keeps its own beside a round, and passes it on.
    let mut picked = later;
    notify.notify_one();
    notify.notify_waiters();
    drop(std::mem::replace(&mut picked, Box::pin(notify.notified())));
    assert!(poll(&mut picked).is_ready());
}

#[test]
fn an_enabled_future_is_in_line() {
    let notify = Notify::new();
    let (mut first, mut second) = (Box::pin(notify.notified()), Box::pin(notify.notified()));
    assert!(!first.as_mut().enable());
    assert!(poll(&mut second).is_pending());
    notify.notify_one();
    assert!(poll(&mut second).is_pending());
    assert!(first.as_mut().enable());
    assert!(poll(&mut first).is_ready());
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let notify = Notify::new();
    let wakes: Vec<_> = (0..4).map(|index| Arc::new(Wakes { panics: index % 2 == 0, ..Wakes::default() })).collect();
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(notify.notified())).collect();
    for (notified, wakes) in waiting.iter_mut().zip(&wakes) {
        let waker = Waker::from(wakes.clone());
        assert!(notified.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert!(catch_unwind(AssertUnwindSafe(|| notify.notify_waiters())).is_err());
    assert!(wakes.iter().all(|wakes| wakes.count.load(Ordering::SeqCst) == 1), "each was woken once");
    assert!(waiting.iter_mut().all(|notified| poll(notified).is_ready()));
    notify.notify_one();
    assert!(poll(&mut Box::pin(notify.notified())).is_ready());
}

#[test]
fn every_permit_wakes_somebody_whoever_gives_up() {
    const WAITS: usize = 2_000;
    let runtime = runtime(3);
    let notify = Arc::new(Notify::new());
    let received = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (notify, received) = (notify.clone(), received.clone());
                zokio::spawn(async move {
                    for round in 0..WAITS {
                        if round % 3 == task % 3 {
                            let mut notified = Box::pin(notify.notified());
                            if poll(&mut notified).is_ready() {
                                notify.notify_one(); // took it, gives it back
                            }
                            zokio::task::yield_now().await;
                            drop(notified); // picked meanwhile, perhaps
                        }
                        notify.notified().await;
                        received.fetch_add(1, Ordering::SeqCst);
                        notify.notify_one(); // a token that goes round
                    }
                })
            })
            .collect();
        notify.notify_one();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(received.load(Ordering::SeqCst), 4 * WAITS);
    assert!(poll(&mut Box::pin(notify.notified())).is_ready(), "the token is still there");
}

#[test]
fn a_barrier_opens_when_all_are_there_and_again() {
    let barrier = Barrier::new(3);
    for _ in 0..3 {
        let (mut first, mut gone) = (Box::pin(barrier.wait()), Box::pin(barrier.wait()));
        assert!(poll(&mut first).is_pending() && poll(&mut gone).is_pending());
        drop(gone);
        let (mut second, mut third) = (Box::pin(barrier.wait()), Box::pin(barrier.wait()));
        assert!(poll(&mut second).is_pending(), "who left does not count");
        assert!(poll(&mut first).is_pending());
        assert_eq!(poll(&mut third).map(|result| result.is_leader()), Poll::Ready(true));
        assert_eq!(poll(&mut first).map(|result| result.is_leader()), Poll::Ready(false));
        drop(second); // passed already
    }
    for count in [0, 1] {
        assert_eq!(poll(&mut Box::pin(Barrier::new(count).wait())).map(|result| result.is_leader()), Poll::Ready(true));
    }
}

#[test]
fn tasks_pass_a_barrier_in_step() {
    const TASKS: usize = 7;
    let runtime = runtime(3);
    let (barrier, arrived) = (Arc::new(Barrier::new(TASKS)), Arc::new(AtomicUsize::new(0)));
    let leads = runtime.block_on(async {
        let tasks = zokio::spawn_batch((0..TASKS).map(|_| {
            let (barrier, arrived) = (barrier.clone(), arrived.clone());
            async move {
                let mut leads = 0;
                for round in 1..=500 {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    leads += usize::from(barrier.wait().await.is_leader());
                    let now = arrived.load(Ordering::SeqCst);
                    assert!((round * TASKS..(round + 1) * TASKS).contains(&now), "round {round}: {now}");
                }
                leads
            }
        }));
        let mut leads = 0;
        for task in tasks {
            leads += task.await.unwrap();
        }
        leads
    });
    assert_eq!(leads, 500);
}

#[test]
fn a_watch_shows_the_latest_value_and_who_has_seen_it() {
    let (sender, mut receiver) = watch::channel(0);
    assert_eq!(receiver.has_changed(), Ok(false));
    let mut changed = Box::pin(receiver.changed());
    assert!(poll(&mut changed).is_pending());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert_eq!(poll(&mut changed), Poll::Ready(Ok(())));
    drop(changed);
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(false), 2));
    assert_eq!(sender.send_replace(3), 2);
    assert!(receiver.borrow().has_changed() && receiver.borrow().has_changed(), "a look does not count");
    let mut late = sender.subscribe();
    assert!(!late.borrow().has_changed());
    let mut clone = receiver.clone();
    assert!(receiver.borrow_and_update().has_changed());
    assert!(!receiver.borrow_and_update().has_changed());
    assert!(clone.borrow_and_update().has_changed(), "each clone for itself");
    late.mark_changed();
    assert_eq!(poll(&mut Box::pin(late.changed())), Poll::Ready(Ok(())));
    assert!(!sender.send_if_modified(|value| *value == 0));
    assert_eq!(receiver.has_changed(), Ok(false));
    sender.send_modify(|value| *value += 1);
    receiver.mark_unchanged();
    assert_eq!(receiver.has_changed(), Ok(false));
    assert_eq!((*sender.borrow(), sender.receiver_count(), sender.sender_count()), (4, 3, 1));
    assert!(receiver.same_channel(&late) && sender.same_channel(&sender.clone()));
    assert_eq!(format!("{sender:?} {:?}", receiver.borrow()), "Sender { value: 4, .. } Ref { value: 4, has_changed: false }");
}

#[test]
fn a_watch_ends_on_either_side() {
    let (sender, mut receiver) = watch::channel(0);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.has_changed(), Ok(true));
    drop(other);
    assert_eq!(receiver.has_changed(), Err(watch::RecvError));
    assert_eq!(poll(&mut Box::pin(receiver.changed())), Poll::Ready(Ok(())), "the last value is seen first");
    assert_eq!(poll(&mut Box::pin(receiver.changed())), Poll::Ready(Err(watch::RecvError)));
    assert!(matches!(poll(&mut Box::pin(receiver.wait_for(|&value| value == 1))), Poll::Ready(Ok(_))));
    assert!(matches!(poll(&mut Box::pin(receiver.wait_for(|&value| value == 2))), Poll::Ready(Err(watch::RecvError))));

    let (sender, receiver) = watch::channel(0);
    let clone = receiver.clone();
    let mut closed = Box::pin(sender.closed());
    drop(receiver);
    assert!(poll(&mut closed).is_pending() && !sender.is_closed());
    drop(clone);
    assert!(poll(&mut closed).is_ready() && sender.is_closed());
    assert_eq!(sender.send(5), Err(watch::SendError(5)));
    assert_eq!(sender.send_replace(6), 0);
    let again = sender.subscribe();
    assert!(!sender.is_closed());
    assert_eq!(*again.borrow(), 6);
}

#[test]
fn a_panic_while_a_value_is_changed_tells_nobody_and_locks_nobody_out() {
    let (sender, mut receiver) = watch::channel(0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        sender.send_modify(|value| {
            *value = 1;
            panic!("half way");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!((receiver.has_changed(), *receiver.borrow()), (Ok(false), 1));
    sender.send(2).unwrap();
    assert_eq!(poll(&mut Box::pin(receiver.changed())), Poll::Ready(Ok(())));
}

#[test]
fn values_of_a_watch_are_dropped_once() {
    let live = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = watch::channel(Counted::new(&live));
    assert!(sender.send(Counted::new(&live)).is_ok());
    assert_eq!(live.load(Ordering::SeqCst), 1);
    drop(receiver);
    assert!(sender.send(Counted::new(&live)).is_err());
    assert_eq!(live.load(Ordering::SeqCst), 1);
    drop(sender);
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn no_receiver_of_a_watch_misses_the_last_value() {
    let runtime = runtime(3);
    runtime.block_on(async {
        for round in 0..200_u64 {
            let (sender, receiver) = watch::channel(0_u64);
            let tasks: Vec<_> = (0..4)
                .map(|task| {
                    let mut receiver = receiver.clone();
                    zokio::spawn(async move {
                        let mut last = 0;
                        while receiver.changed().await.is_ok() {
                            let value = *receiver.borrow_and_update();
                            assert!(value >= last);
                            last = value;
                            if task == 0 {
                                let _ = poll(&mut Box::pin(receiver.changed())); // gives up in between
                                last = last.max(*receiver.borrow());
                            }
                        }
                        last
                    })
                })
                .collect();
            drop(receiver);
            for value in 1..=round {
                sender.send(value).unwrap();
                if value % 16 == 0 {
                    zokio::task::yield_now().await;
                }
            }
            drop(sender);
            for task in tasks {
                assert_eq!(task.await.unwrap(), round);
            }
        }
    });
}
