//! Locks inside the runtime, across threads, and on threads that know no runtime.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use zokio::sync::{
    Mutex, MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
};

mod support;

use support::{Counted, runtime};

/// Polls once, with a waker that wakes nobody.
fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Panics when it is woken.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker that panics");
    }
}

#[test]
fn a_lock_is_shared_where_its_value_may_be_sent() {
    use std::cell::Cell;
    fn send<T: Send + ?Sized>() {}
    fn sync<T: Sync + ?Sized>() {}
    send::<Mutex<Cell<u8>>>();
    sync::<Mutex<Cell<u8>>>();
    send::<MutexGuard<'_, Cell<u8>>>();
    send::<OwnedMutexGuard<Cell<u8>>>();
    sync::<MutexGuard<'_, u8>>();
    sync::<OwnedMutexGuard<u8>>();
    sync::<Mutex<dyn Send>>();
    send::<RwLock<Cell<u8>>>();
    sync::<RwLock<u8>>();
    send::<RwLockReadGuard<'_, u8>>();
    sync::<RwLockWriteGuard<'_, u8>>();
    send::<OwnedRwLockReadGuard<u8>>();
    send::<OwnedRwLockWriteGuard<u8>>();
}

#[test]
fn a_mutex_is_held_by_one_and_given_back() {
    static HITS: Mutex<u32> = Mutex::new(0);
    *HITS.blocking_lock() += 1;
    assert_eq!(*HITS.try_lock().unwrap(), 1);

    let mut mutex = Mutex::from(5);
    *mutex.get_mut() = 6;
    let guard = mutex.try_lock().unwrap();
    assert_eq!(mutex.try_lock().unwrap_err().to_string(), "lock held by another");
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "Mutex { value: <locked> } 6 6");
    assert!(std::ptr::eq(MutexGuard::mutex(&guard), &raw const mutex));
    drop(guard);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 6 }");
    assert_eq!(mutex.into_inner(), 6);

    let mutex = Arc::new(Mutex::new([1, 2]));
    let guard = mutex.clone().try_lock_owned().unwrap();
    assert!(mutex.clone().try_lock_owned().is_err());
    assert!(Arc::ptr_eq(OwnedMutexGuard::mutex(&guard), &mutex));
    drop(guard);
    mutex.clone().blocking_lock_owned()[0] = 3;
    let unsized_mutex: Arc<Mutex<[i32]>> = mutex;
    assert_eq!(unsized_mutex.blocking_lock()[..], [3, 2]);
}

#[test]
fn a_mutex_serves_those_who_wait_in_the_order_they_came() {
    let mutex = Mutex::new(());
    let held = mutex.try_lock().unwrap();
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(mutex.lock())).collect();
    assert!(waiting.iter_mut().all(|lock| poll(lock).is_pending()));
    // The second leaves while it waits, the first after it was served: the lock goes on in both cases.
    drop(waiting.remove(1));
    drop(held);
    assert!(mutex.try_lock().is_err(), "nobody overtakes");
    assert!(poll(&mut Box::pin(mutex.lock())).is_pending(), "nor one who came later, and left again");
    drop(waiting.remove(0));
    assert!(poll(&mut waiting[1]).is_pending());
    assert!(poll(&mut waiting[2]).is_pending());
    let Poll::Ready(guard) = poll(&mut waiting[0]) else { panic!("the third is the first now") };
    drop(guard);
    assert!(poll(&mut waiting[2]).is_pending());
    // Who was served keeps the lock until its future is dropped.
    let mut second = waiting.remove(1);
    let Poll::Ready(guard) = poll(&mut second) else { panic!("the fourth is next") };
    drop(second);
    assert!(poll(&mut waiting[1]).is_pending(), "the guard holds the lock, not the future");
    drop(guard);
    drop(waiting);
    assert!(mutex.try_lock().is_ok(), "nobody is left");
}

#[test]
fn a_release_wakes_one_and_the_waker_it_gave_last() {
    let mutex = Mutex::new(());
    let wakes: Vec<_> = (0..3).map(|_| Arc::new(Wakes::default())).collect();
    let counts = || wakes.iter().map(|wakes| wakes.0.load(Ordering::SeqCst)).collect::<Vec<_>>();
    let held = mutex.try_lock().unwrap();
    let (mut first, mut second) = (Box::pin(mutex.lock()), Box::pin(mutex.lock()));
    let [one, two, three] = [0, 1, 2].map(|index: usize| Waker::from(wakes[index].clone()));
    assert!(first.as_mut().poll(&mut Context::from_waker(&one)).is_pending());
    assert!(second.as_mut().poll(&mut Context::from_waker(&two)).is_pending());
    assert!(first.as_mut().poll(&mut Context::from_waker(&three)).is_pending());
    drop((one, two, three));
    assert_eq!(Arc::strong_count(&wakes[0]), 1, "the waker that was replaced is dropped");
    drop(held);
    assert_eq!(counts(), [0, 0, 1]);
    drop(first);
    assert_eq!(counts(), [0, 1, 1]);
    drop(second);
    assert!(mutex.try_lock().is_ok());
    assert!(wakes.iter().all(|wakes| Arc::strong_count(wakes) == 1), "no waker is kept");
}

#[test]
fn a_waker_that_panics_breaks_no_lock() {
    let mutex = Mutex::new(());
    let waker = Waker::from(Arc::new(Panics));
    let held = mutex.try_lock().unwrap();
    let (mut first, mut second) = (Box::pin(mutex.lock()), Box::pin(mutex.lock()));
    assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(poll(&mut second).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(held))).is_err());
    assert!(poll(&mut first).is_ready(), "the lock was handed over before, and is released now");
    assert!(poll(&mut second).is_ready());
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn a_value_is_dropped_once_whoever_had_it_last() {
    let live = Arc::new(AtomicUsize::new(0));
    drop(Mutex::new(Counted::new(&live)));
    let taken = Mutex::new(Counted::new(&live)).into_inner();
    assert_eq!(live.load(Ordering::SeqCst), 1);
    drop(taken);
    let mutex = Arc::new(Mutex::new(Counted::new(&live)));
    let guard = mutex.clone().try_lock_owned().unwrap();
    drop(mutex);
    assert_eq!(live.load(Ordering::SeqCst), 1, "the guard owns the lock");
    drop(guard);
    assert_eq!(live.load(Ordering::SeqCst), 0);
}

#[test]
fn a_panic_releases_the_lock_and_poisons_nothing() {
    let mutex = Mutex::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = mutex.blocking_lock();
        *guard = 2;
        panic!("inside");
    }));
    assert!(panicked.is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 2);
}

#[test]
fn tasks_and_threads_share_one_mutex() {
    const TASKS: usize = 8;
    const ROUNDS: usize = 5_000;
    for workers in [1, 2, 4] {
        let runtime = runtime(workers);
        let mutex = Arc::new(Mutex::new((0_usize, 0_usize)));
        let thread = {
            let mutex = mutex.clone();
            std::thread::spawn(move || (0..ROUNDS).for_each(|_| mutex.blocking_lock().0 += 1))
        };
        runtime.block_on(async {
            let tasks = zokio::spawn_batch((0..TASKS).map(|task| {
                let mutex = mutex.clone();
                async move {
                    for round in 0..ROUNDS {
                        let mut guard = mutex.clone().lock_owned().await;
                        guard.0 += 1;
                        if (round + task) % 64 == 0 {
                            let inside = guard.0;
                            zokio::task::yield_now().await;
                            assert_eq!(guard.0, inside, "held across an await");
                        }
                        drop(guard);
                        if round % 97 == task {
                            // Leaves the line, or takes the lock and loses it at once.
                            let mut lock = Box::pin(mutex.lock());
                            drop(poll(&mut lock));
                        }
                        mutex.lock().await.1 += 1;
                    }
                }
            }));
            for task in tasks {
                task.await.unwrap();
            }
        });
        thread.join().unwrap();
        assert_eq!(*mutex.try_lock().unwrap(), ((TASKS + 1) * ROUNDS, TASKS * ROUNDS));
    }
}

#[test]
fn a_task_that_finds_its_lock_free_gives_way() {
    let runtime = runtime(1);
    let seen = Arc::new(AtomicUsize::new(0));
    let between = runtime.block_on(async {
        zokio::spawn(async move {
            let count = seen.clone();
            let locking = zokio::spawn(async move {
                let mutex = Mutex::new(());
                for _ in 0..100_000 {
                    drop(mutex.lock().await);
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
            let between = zokio::spawn(async move { seen.load(Ordering::SeqCst) }).await.unwrap();
            locking.await.unwrap();
            between
        })
        .await
        .unwrap()
    });
    assert_eq!(between, 128, "another task ran in between");
}

#[test]
fn a_rwlock_is_read_by_many_or_written_by_one() {
    static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
    NAMES.blocking_write().push("one");
    assert_eq!(*NAMES.blocking_read(), ["one"]);

    let mut lock = RwLock::from(1);
    *lock.get_mut() = 2;
    let (first, second) = (lock.try_read().unwrap(), lock.try_read().unwrap());
    assert_eq!(*first + *second, 4);
    assert_eq!(format!("{lock:?} {first:?} {second}"), "RwLock { value: 2 } 2 2");
    assert!(lock.try_write().is_err());
    drop((first, second));
    let mut writing = lock.try_write().unwrap();
    *writing += 1;
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    assert_eq!(format!("{lock:?} {writing}"), "RwLock { value: <locked> } 3");
    let reading = writing.downgrade();
    assert_eq!(*reading + *lock.try_read().unwrap(), 6);
    assert!(lock.try_write().is_err());
    drop(reading);
    assert_eq!(lock.into_inner(), 3);

    let lock = Arc::new(RwLock::new(1));
    let mut writing = lock.clone().try_write_owned().unwrap();
    assert!(lock.clone().try_read_owned().is_err());
    *writing = 5;
    let reading = writing.downgrade();
    assert_eq!(*reading + *lock.clone().try_read_owned().unwrap(), 10);
    assert!(lock.clone().try_write_owned().is_err());
    drop(reading);
    let unsized_lock: Arc<RwLock<dyn std::fmt::Debug + Send + Sync>> = lock;
    assert_eq!(format!("{:?}", unsized_lock.blocking_write()), "5");
}

#[test]
fn a_writer_that_waits_stops_new_readers_until_it_leaves() {
    let lock = RwLock::new(());
    let reading = lock.try_read().unwrap();
    let (mut write, mut read) = (Box::pin(lock.write()), Box::pin(lock.read()));
    assert!(poll(&mut write).is_pending());
    assert!(lock.try_read().is_err(), "the writer is first");
    assert!(poll(&mut read).is_pending());
    drop(write);
    assert!(poll(&mut read).is_ready(), "nobody stands before it");
    drop(read);
    drop(reading);
    assert!(lock.try_write().is_ok());
}

#[test]
fn readers_and_writers_on_many_threads_see_whole_values() {
    let runtime = runtime(3);
    let lock = Arc::new(RwLock::new((0_u32, 0_u32)));
    let thread = {
        let lock = lock.clone();
        std::thread::spawn(move || {
            for _ in 0..1_000 {
                let seen = *lock.blocking_read();
                assert_eq!(seen.0, seen.1);
            }
        })
    };
    runtime.block_on(async {
        let tasks = zokio::spawn_batch((0..8_u32).map(|task| {
            let lock = lock.clone();
            async move {
                for round in 0..1_000 {
                    if (round + task) % 4 == 0 {
                        let mut guard = lock.clone().write_owned().await;
                        guard.0 += 1;
                        if round % 16 == 0 {
                            zokio::task::yield_now().await;
                        }
                        guard.1 += 1;
                        if round % 3 == 0 {
                            let guard = guard.downgrade();
                            zokio::task::yield_now().await;
                            assert_eq!(guard.0, guard.1);
                        }
                    } else {
                        let guard = lock.read().await;
                        assert_eq!(guard.0, guard.1);
                    }
                    if round % 5 == 0 {
                        drop(poll(&mut Box::pin(lock.write())));
                    }
                }
            }
        }));
        for task in tasks {
            task.await.unwrap();
        }
    });
    thread.join().unwrap();
    assert_eq!(*lock.try_write().unwrap(), (2_000, 2_000));
}
