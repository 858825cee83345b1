//! The mutex and the read-write lock.
//!
//! The value of each lock is a cell of loom's, which finds two holders at once, and a holder that has not seen what the last one did.

#![expect(unsafe_code, reason = "a cell that the model checks")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use loom::cell::{Cell, UnsafeCell};
use loom::sync::Arc;
use loom::thread;

use super::{block_on, bounded, poll_once};
use crate::sync::{Mutex, RwLock, RwLockWriteGuard};

async fn add_one(mutex: &Mutex<Cell<u32>>) {
    let guard = mutex.lock().await;
    guard.set(guard.get() + 1);
}

fn value(mutex: &Mutex<Cell<u32>>) -> u32 {
    mutex.try_lock().expect("nobody holds it, nobody is left in line").get()
}

#[test]
fn mutex_one_holder_at_a_time_sees_what_the_last_one_did() {
    loom::model(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let other = {
            let mutex = mutex.clone();
            thread::spawn(move || {
                block_on(add_one(&mutex));
                block_on(add_one(&mutex));
            })
        };
        block_on(add_one(&mutex));
        other.join().unwrap();
        assert_eq!(value(&mutex), 3);
    });
}

#[test]
fn mutex_three_threads_are_all_served() {
    bounded(3).check(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mutex = mutex.clone();
                thread::spawn(move || block_on(add_one(&mutex)))
            })
            .collect();
        block_on(add_one(&mutex));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(value(&mutex), 3);
    });
}

#[test]
fn mutex_a_waiter_that_leaves_passes_the_lock_on() {
    bounded(3).check(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let held = mutex.try_lock().unwrap();
        let leaving = {
            let mutex = mutex.clone();
            thread::spawn(move || drop(poll_once(mutex.lock())))
        };
        let waiting = {
            let mutex = mutex.clone();
            thread::spawn(move || block_on(add_one(&mutex)))
        };
        held.set(1);
        drop(held);
        leaving.join().unwrap();
        waiting.join().unwrap();
        assert_eq!(value(&mutex), 2);
    });
}

#[test]
fn mutex_try_lock_beside_a_release_is_one_holder_or_none() {
    loom::model(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let trying = {
            let mutex = mutex.clone();
            thread::spawn(move || mutex.try_lock().map_or(0, |guard| guard.replace(guard.get() + 1) + 1))
        };
        block_on(add_one(&mutex));
        let tried = trying.join().unwrap();
        assert_eq!(value(&mutex), 1 + tried.min(1));
    });
}

#[test]
fn mutex_a_waiter_that_changes_its_waker_is_woken() {
    loom::model(|| {
        let mutex = Arc::new(Mutex::new(Cell::new(0)));
        let held = mutex.try_lock().unwrap();
        let waiting = {
            let mutex = mutex.clone();
            thread::spawn(move || {
                let mut waiting = pin!(mutex.lock());
                // Polled again without having been woken: what it reads then is all that orders it behind the last holder.
                match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(guard) => guard.get(),
                    Poll::Pending => block_on(waiting).get(),
                }
            })
        };
        held.set(1);
        drop(held);
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!(value(&mutex), 1);
    });
}

/// A value whose readers may be many, but not beside a writer: the cell of loom's tells.
#[derive(Default)]
struct Shared(UnsafeCell<u32>);

// SAFETY: only the lock under test hands it out, and the model finds what it does wrong.
unsafe impl Sync for Shared {}

impl Shared {
    fn read(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }

    fn add_one(&self) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

#[test]
fn rwlock_readers_see_whole_writes() {
    bounded(3).check(|| {
        let lock = Arc::new(RwLock::new(Shared::default()));
        let writing = {
            let lock = lock.clone();
            thread::spawn(move || block_on(async { lock.write().await.add_one() }))
        };
        let reading = {
            let lock = lock.clone();
            thread::spawn(move || block_on(async { lock.read().await.read() }))
        };
        assert!(block_on(async { lock.read().await.read() }) <= 1);
        writing.join().unwrap();
        assert!(reading.join().unwrap() <= 1);
        assert_eq!(lock.try_write().expect("all gave their permits back").read(), 1);
    });
}

#[test]
fn rwlock_a_writer_that_leaves_lets_readers_go_on() {
    bounded(3).check(|| {
        let lock = Arc::new(RwLock::new(Shared::default()));
        let held = lock.try_read().unwrap();
        let leaving = {
            let lock = lock.clone();
            thread::spawn(move || drop(poll_once(lock.write())))
        };
        let reading = {
            let lock = lock.clone();
            thread::spawn(move || block_on(async { lock.read().await.read() }))
        };
        reading.join().unwrap(); // beside `held`, so only the writer may stand in its way
        drop(held);
        leaving.join().unwrap();
        assert!(lock.try_write().is_ok());
    });
}

#[test]
fn rwlock_downgrade_lets_no_writer_in_between() {
    loom::model(|| {
        let lock = Arc::new(RwLock::new(Shared::default()));
        let writing = lock.try_write().unwrap();
        let other = {
            let lock = lock.clone();
            thread::spawn(move || block_on(async { lock.write().await.add_one() }))
        };
        writing.add_one();
        let reading = RwLockWriteGuard::downgrade(writing);
        assert_eq!(reading.read(), 1);
        drop(reading);
        other.join().unwrap();
        assert_eq!(lock.try_read().unwrap().read(), 2);
    });
}
