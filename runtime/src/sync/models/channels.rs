//! The channels and the semaphore.

use std::task::Poll;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{block_on, poll_once};
use crate::sync::{Semaphore, mpsc, oneshot};

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn oneshot_a_value_reaches_a_receiver_that_waits() {
    loom::model(|| {
        let (sender, receiver) = oneshot::channel();
        let sending = thread::spawn(move || sender.send(7).unwrap());
        assert_eq!(block_on(receiver), Ok(7));
        sending.join().unwrap();
    });
}

#[test]
fn oneshot_a_receiver_that_changes_its_waker_is_woken() {
    loom::model(|| {
        let (sender, mut receiver) = oneshot::channel();
        let sending = thread::spawn(move || sender.send(7).unwrap());
        let value = match poll_once(&mut receiver) {
            Poll::Ready(value) => value,
            Poll::Pending => block_on(receiver),
        };
        assert_eq!(value, Ok(7));
        sending.join().unwrap();
    });
}

#[test]
fn oneshot_a_dropped_sender_wakes_the_receiver() {
    loom::model(|| {
        let (sender, receiver) = oneshot::channel::<u32>();
        let sending = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver), Err(oneshot::RecvError));
        sending.join().unwrap();
    });
}

#[test]
fn oneshot_a_dropped_receiver_wakes_the_sender() {
    loom::model(|| {
        let (mut sender, receiver) = oneshot::channel::<u32>();
        let receiving = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        assert_eq!(sender.send(1), Err(1));
        receiving.join().unwrap();
    });
}

#[test]
fn oneshot_a_value_beside_a_dropped_receiver_is_dropped_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = oneshot::channel();
        let value = Dropped(drops.clone());
        let sending = thread::spawn(move || drop(sender.send(value)));
        let _ = poll_once(&mut receiver);
        drop(receiver);
        sending.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn oneshot_close_decides_for_both_sides_alike() {
    loom::model(|| {
        let (sender, mut receiver) = oneshot::channel();
        let sending = thread::spawn(move || sender.send(7).is_ok());
        receiver.close();
        let received = receiver.try_recv().is_ok();
        assert_eq!(sending.join().unwrap(), received);
    });
}

#[test]
fn mpsc_two_senders_and_a_receiver_that_waits() {
    // Three threads: all schedules with at most two preemptions, as all of them take hours.
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(2);
    bounded.check(|| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let other = sender.clone();
        let first = thread::spawn(move || sender.send(1).unwrap());
        let second = thread::spawn(move || other.send(2).unwrap());
        let sum = block_on(async {
            let mut sum = 0;
            while let Some(value) = receiver.recv().await {
                sum += value;
            }
            sum
        });
        assert_eq!(sum, 3);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn mpsc_values_of_a_sender_keep_their_order_over_blocks() {
    loom::model(|| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let sending = thread::spawn(move || (0..3).for_each(|value| sender.send(value).unwrap()));
        for expected in 0..3 {
            assert_eq!(block_on(receiver.recv()), Some(expected));
        }
        assert_eq!(block_on(receiver.recv()), None);
        sending.join().unwrap();
    });
}

#[test]
fn mpsc_a_receiver_that_changes_its_waker_is_woken() {
    loom::model(|| {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let sending = thread::spawn(move || sender.send(7).unwrap());
        let value = match poll_once(receiver.recv()) {
            Poll::Ready(value) => value,
            Poll::Pending => block_on(receiver.recv()),
        };
        assert_eq!(value, Some(7));
        sending.join().unwrap();
    });
}

#[test]
fn mpsc_close_beside_a_send_loses_nothing() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let value = Dropped(drops.clone());
        let sending = thread::spawn(move || sender.send(value).is_ok());
        receiver.close();
        let received = block_on(receiver.recv()).is_some();
        assert_eq!(sending.join().unwrap(), received, "what was accepted is received");
        drop(receiver);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn mpsc_a_full_channel_wakes_its_sender() {
    loom::model(|| {
        let (sender, mut receiver) = mpsc::channel(1);
        let sending = thread::spawn(move || {
            block_on(async {
                sender.send(1).await.unwrap();
                sender.send(2).await.unwrap();
            })
        });
        assert_eq!(block_on(receiver.recv()), Some(1));
        assert_eq!(block_on(receiver.recv()), Some(2));
        assert_eq!(block_on(receiver.recv()), None);
        sending.join().unwrap();
    });
}

#[test]
fn semaphore_a_permit_goes_to_whoever_waits() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let semaphore = semaphore.clone();
                thread::spawn(move || block_on(async { drop(semaphore.acquire().await.unwrap()) }))
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.try_acquire().is_ok(), "nobody is left in line");
    });
}

#[test]
fn semaphore_a_waiter_that_leaves_passes_its_permit_on() {
    loom::model(|| {
        let semaphore = Arc::new(Semaphore::new(1));
        let held = semaphore.try_acquire().unwrap();
        let leaving = {
            let semaphore = semaphore.clone();
            thread::spawn(move || drop(poll_once(semaphore.acquire())))
        };
        let waiting = {
            let semaphore = semaphore.clone();
            thread::spawn(move || block_on(async { drop(semaphore.acquire().await.unwrap()) }))
        };
        drop(held);
        leaving.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(semaphore.available_permits(), 1);
    });
}
