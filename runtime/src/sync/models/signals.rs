//! Notifications, the barrier and the latest value.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use loom::cell::Cell;
use loom::sync::Arc;
use loom::thread;

use super::{block_on, bounded, poll_once};
use crate::sync::{Barrier, Notify, watch};

/// A plain cell that is handed from one thread to another; the model finds a hand-over that orders nothing.
struct Handed(Cell<u32>);

#[expect(unsafe_code, reason = "a cell that the model checks")]
// SAFETY: the model finds what the primitive under test does wrong.
unsafe impl Sync for Handed {}

#[test]
fn notify_one_reaches_who_queues_at_that_moment() {
    loom::model(|| {
        let shared = Arc::new((Notify::new(), Handed(Cell::new(0))));
        let notifying = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.0.set(7);
                shared.0.notify_one();
            })
        };
        block_on(shared.0.notified());
        assert_eq!(shared.1.0.get(), 7);
        notifying.join().unwrap();
        assert!(poll_once(shared.0.notified()).is_pending(), "it was one");
    });
}

#[test]
fn notify_two_permits_reach_two_waiters() {
    bounded(3).check(|| {
        let notify = Arc::new(Notify::new());
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let notify = notify.clone();
                thread::spawn(move || {
                    block_on(notify.notified());
                    notify.notify_one();
                })
            })
            .collect();
        notify.notify_one();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(poll_once(notify.notified()).is_ready(), "the last one's permit is left");
        assert!(poll_once(notify.notified()).is_pending());
    });
}

#[test]
fn notify_a_waiter_that_leaves_passes_its_notification_on() {
    bounded(3).check(|| {
        let notify = Arc::new(Notify::new());
        let leaving = {
            let notify = notify.clone();
            thread::spawn(move || poll_once(notify.notified()).is_ready())
        };
        let waiting = {
            let notify = notify.clone();
            thread::spawn(move || block_on(notify.notified()))
        };
        notify.notify_one();
        if leaving.join().unwrap() {
            notify.notify_one(); // it took the first
        }
        waiting.join().unwrap();
        assert!(poll_once(notify.notified()).is_pending());
    });
}

#[test]
fn notify_waiters_beside_notify_one_leaves_the_permit() {
    loom::model(|| {
        let notify = Arc::new(Notify::new());
        let first = {
            let mut first = Box::pin(notify.notified());
            assert!(!first.as_mut().enable());
            first
        };
        let one = {
            let notify = notify.clone();
            thread::spawn(move || notify.notify_one())
        };
        notify.notify_waiters();
        one.join().unwrap();
        // Either all were notified and the one is left, or the one is the first's, which passes it on.
        drop(first);
        assert!(poll_once(notify.notified()).is_ready());
        assert!(poll_once(notify.notified()).is_pending());
    });
}

#[test]
fn notify_waiters_reaches_a_future_that_looked_before_it_waited() {
    loom::model(|| {
        let shared = Arc::new((Notify::new(), loom::sync::atomic::AtomicBool::new(false)));
        let notifying = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.store(true, loom::sync::atomic::Ordering::Relaxed);
                shared.0.notify_waiters();
            })
        };
        let notified = shared.0.notified();
        if !shared.1.load(loom::sync::atomic::Ordering::Relaxed) {
            block_on(notified);
        }
        notifying.join().unwrap();
        assert!(poll_once(shared.0.notified()).is_pending(), "it leaves no permit");
    });
}

#[test]
fn barrier_all_see_what_all_did() {
    bounded(3).check(|| {
        let shared = Arc::new((Barrier::new(2), Handed(Cell::new(0)), Handed(Cell::new(0))));
        let other = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.1.0.set(1);
                let leads = block_on(shared.0.wait()).is_leader();
                assert_eq!(shared.2.0.get(), 2);
                leads
            })
        };
        shared.2.0.set(2);
        let leads = block_on(shared.0.wait()).is_leader();
        assert_eq!(shared.1.0.get(), 1);
        assert!(other.join().unwrap() != leads, "one of both");
    });
}

#[test]
fn barrier_who_leaves_is_not_counted_unless_all_went_on() {
    loom::model(|| {
        let barrier = Arc::new(Barrier::new(2));
        let leaving = {
            let barrier = barrier.clone();
            thread::spawn(move || poll_once(barrier.wait()).is_ready())
        };
        let mut waiting = pin!(barrier.wait());
        let first = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        leaving.join().unwrap();
        let went_on = first.is_ready() || poll_once(waiting.as_mut()).is_ready();
        if !went_on {
            assert_eq!(poll_once(barrier.wait()).map(|result| result.is_leader()), Poll::Ready(true), "one was there, and one came");
            assert!(poll_once(waiting).is_ready());
        }
    });
}

#[test]
fn watch_the_last_value_is_seen_before_the_end() {
    bounded(3).check(|| {
        let (sender, mut receiver) = watch::channel(0);
        let sending = thread::spawn(move || {
            sender.send(1).unwrap();
            sender.send(2).unwrap();
        });
        let mut last = 0;
        while block_on(receiver.changed()).is_ok() {
            let value = *receiver.borrow_and_update();
            assert!(value >= last, "values do not go back");
            last = value;
        }
        assert_eq!(last, 2);
        sending.join().unwrap();
    });
}

#[test]
fn watch_the_last_of_two_senders_ends_it() {
    bounded(2).check(|| {
        let (sender, mut receiver) = watch::channel(0);
        let threads: Vec<_> = [sender.clone(), sender]
            .into_iter()
            .map(|sender| {
                thread::spawn(move || {
                    sender.send_modify(|value| *value += 1);
                })
            })
            .collect();
        assert_eq!(block_on(receiver.wait_for(|&value| value == 2)).map(|value| *value), Ok(2));
        assert_eq!(block_on(receiver.changed()), Err(watch::RecvError));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn watch_the_last_receiver_tells_the_sender() {
    loom::model(|| {
        let (sender, receiver) = watch::channel(0);
        let receiving = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        assert!(sender.send(1).is_err());
        receiving.join().unwrap();
    });
}
