//! Parts whose work stays inside the runtime. Each function is one round, checks it, and gives the number of operations it did.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use zokio::pool::ObjectPool;
use zokio::sync::{Semaphore, mpsc, oneshot};
use zokio::task::{JoinHandle, JoinSet, yield_now};
use zokio::time::{sleep, timeout};

use crate::ON_PURPOSE;
use crate::random::Random;

/// Counts how many of it live.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::SeqCst);
        Self(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) async fn tasks(random: &mut Random) -> u64 {
    let (count, live) = (50 + random.below(200), Arc::new(AtomicUsize::new(0)));
    let (mut sum, mut aborted, mut handles) = (0, 0, Vec::new());
    for number in 0..count {
        let (guard, kind) = (Counted::new(&live), random.below(8));
        handles.push(zokio::spawn(async move {
            let _guard = guard;
            match kind {
                0 => yield_now().await,
                1 => return zokio::spawn(async move { number }).await.unwrap(),
                2 => pending().await,
                3 => sleep(Duration::from_micros(number)).await,
                4 => return zokio::spawn_local_pinned(async move { number }).await.unwrap(),
                _ => {}
            }
            number
        }));
        if kind == 2 || random.below(8) == 0 {
            handles.last().expect("just pushed").abort();
        }
    }
    for (number, handle) in handles.into_iter().enumerate() {
        match handle.await {
            Ok(output) => {
                assert_eq!(output, number as u64);
                sum += 1;
            }
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                aborted += 1;
            }
        }
    }
    assert_eq!(sum + aborted, count, "every task ended in one way");
    // The last one drops its future before it wakes us.
    assert_eq!(live.load(Ordering::SeqCst), 0, "every future was dropped");
    count
}

pub(crate) async fn join_sets(random: &mut Random) -> u64 {
    let (count, aborts) = (20 + random.below(60), random.below(2) == 0);
    let mut set = JoinSet::new();
    for number in 0..count {
        let pause = random.below(3_000);
        set.spawn(async move {
            sleep(Duration::from_micros(pause)).await;
            number
        });
    }
    let (mut seen, mut ended) = (vec![false; count as usize], 0);
    while let Some(output) = set.join_next().await {
        ended += 1;
        match output {
            Ok(number) => assert!(!std::mem::replace(&mut seen[number as usize], true), "an output came twice"),
            Err(error) => assert!(aborts && error.is_cancelled(), "{error}"),
        }
        if aborts && ended == count / 2 {
            set.abort_all();
        }
    }
    assert_eq!(ended, count);
    drop(set);
    // A set that is dropped aborts what is left.
    let live = Arc::new(AtomicUsize::new(0));
    let mut set = JoinSet::new();
    for _ in 0..10 {
        let guard = Counted::new(&live);
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
    }
    drop(set);
    while live.load(Ordering::SeqCst) != 0 {
        yield_now().await;
    }
    count + 10
}

pub(crate) async fn channels(random: &mut Random) -> u64 {
    let (each, producers) = (100 + random.below(400), 4);
    let (sender, mut receiver) = mpsc::channel(1 + random.below(16) as usize);
    for producer in 0..producers {
        let sender = sender.clone();
        drop(zokio::spawn(async move {
            for number in 0..each {
                sender.send((producer, number)).await.expect("the receiver lives");
            }
        }));
    }
    drop(sender);
    let mut next = vec![0; producers];
    loop {
        // A receive that gives up loses nothing.
        match timeout(Duration::from_micros(random.below(300)), receiver.recv()).await {
            Ok(Some((producer, number))) => {
                assert_eq!(number, next[producer], "in order, none lost");
                next[producer] += 1;
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert!(next.iter().all(|&next| next == each));
    let (unbounded, mut numbers) = mpsc::unbounded_channel();
    drop(zokio::spawn(async move { (0..each).for_each(|number| unbounded.send(number).expect("the receiver lives")) }));
    for number in 0..each {
        assert_eq!(numbers.recv().await, Some(number));
    }
    for number in 0..20 {
        let ((ask, asked), (answer, answered)) = (oneshot::channel(), oneshot::channel());
        drop(zokio::spawn(async move {
            let _ = answer.send(2 * asked.await.expect("a question"));
        }));
        ask.send(number).expect("somebody listens");
        assert_eq!(answered.await.expect("an answer"), 2 * number);
    }
    each * (producers as u64 + 1) + 20
}

pub(crate) async fn semaphores(random: &mut Random) -> u64 {
    let (permits, users) = (1 + random.below(4) as usize, 20);
    let (semaphore, inside) = (Arc::new(Semaphore::new(permits)), Arc::new(AtomicUsize::new(0)));
    let handles: Vec<JoinHandle<u64>> = (0..users)
        .map(|_| {
            let (semaphore, inside, patience) = (semaphore.clone(), inside.clone(), random.below(400));
            zokio::spawn(async move {
                let mut entered = 0;
                for _ in 0..20 {
                    let Ok(permit) = timeout(Duration::from_micros(patience), semaphore.acquire()).await else { continue };
                    let _permit = permit.expect("it is open");
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < permits, "more inside than permits");
                    yield_now().await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    entered += 1;
                }
                entered
            })
        })
        .collect();
    let mut entered = 0;
    for handle in handles {
        entered += handle.await.expect("no panic");
    }
    assert_eq!(semaphore.available_permits(), permits, "every permit came back");
    drop(semaphore.acquire().await.expect("it is open"));
    entered + 1
}

pub(crate) async fn pools(random: &mut Random) -> u64 {
    let (max, users) = (1 + random.below(40) as usize, 16_u64);
    let pool = ObjectPool::new(max, || AtomicBool::new(false));
    let handles: Vec<JoinHandle<()>> = (0..users)
        .map(|_| {
            let (pool, patience) = (pool.clone(), random.below(2_000));
            zokio::spawn(async move {
                for turn in 0..50 {
                    let Ok(object) = timeout(Duration::from_micros(patience), pool.acquire()).await else { continue };
                    assert!(!object.swap(true, Ordering::Relaxed), "an object has two owners");
                    if turn % 3 == 0 {
                        yield_now().await;
                    }
                    assert!(object.swap(false, Ordering::Relaxed));
                }
            })
        })
        .collect();
    for handle in handles {
        handle.await.expect("no panic");
    }
    assert_eq!(pool.available(), max, "every object came back");
    users * 50
}

pub(crate) async fn timers(random: &mut Random) -> u64 {
    let count = 50 + random.below(100);
    let fired = Arc::new(AtomicU64::new(0));
    let handles: Vec<JoinHandle<bool>> = (0..count)
        .map(|_| {
            let (length, patience, fired) =
                (Duration::from_micros(random.below(6_000)), Duration::from_micros(random.below(9_000)), fired.clone());
            zokio::spawn(async move {
                let began = Instant::now();
                let slept = timeout(patience, sleep(length)).await.is_ok();
                assert!(began.elapsed() >= length.min(patience), "a timer was early");
                fired.fetch_add(1, Ordering::Relaxed);
                // A sleep that is polled and given up leaves nothing behind.
                let mut long = pin!(sleep(Duration::from_secs(3_600)));
                assert!(timeout(Duration::ZERO, &mut long).await.is_err());
                slept
            })
        })
        .collect();
    for handle in handles {
        handle.await.expect("no panic");
    }
    assert_eq!(fired.load(Ordering::Relaxed), count);
    2 * count
}

pub(crate) async fn blocking(random: &mut Random) -> u64 {
    let count = 5 + random.below(20);
    let (began, live) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let handles: Vec<JoinHandle<u64>> = (0..count)
        .map(|number| {
            let (began, pause, guard) = (began.clone(), random.below(300), Counted::new(&live));
            let handle = zokio::spawn_blocking(move || {
                let _guard = guard;
                began.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_micros(pause));
                drop(zokio::spawn(async {}));
                number
            });
            if random.below(4) == 0 {
                handle.abort();
            }
            handle
        })
        .collect();
    let (mut ended, mut cancelled) = (0, 0);
    for (number, handle) in handles.into_iter().enumerate() {
        match handle.await {
            Ok(output) => {
                assert_eq!(output, number as u64);
                ended += 1;
            }
            Err(error) => {
                assert!(error.is_cancelled(), "{error}");
                cancelled += 1;
            }
        }
    }
    assert_eq!((ended + cancelled, ended), (count, began.load(Ordering::SeqCst)), "whoever began ends, whoever did not is cancelled");
    assert_eq!(live.load(Ordering::SeqCst), 0);
    count
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any(ON_PURPOSE);
        }
    }
}

pub(crate) async fn panics(random: &mut Random) -> u64 {
    let count = 10 + random.below(10);
    for number in 0..count {
        let handle: JoinHandle<()> = match number % 4 {
            0 => zokio::spawn(async { std::panic::panic_any(ON_PURPOSE) }),
            1 => zokio::spawn(async {
                let _bomb = PanicsWhenDropped;
                yield_now().await;
            }),
            2 => zokio::spawn_blocking(|| std::panic::panic_any(ON_PURPOSE)),
            _ => {
                let bomb = PanicsWhenDropped;
                let handle = zokio::spawn(async move {
                    let _bomb = bomb;
                    pending::<()>().await;
                });
                handle.abort();
                handle
            }
        };
        assert!(handle.await.expect_err("it panics").is_panic(), "kind {}", number % 4);
    }
    count
}
