//! Any order of locking, giving up, and releasing, against a model: who holds what, who is woken, who is next.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::collection::vec;
use proptest::prelude::*;
use zokio::sync::{Mutex, MutexGuard, Notify, RwLock, RwLockReadGuard, RwLockWriteGuard, watch};

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A future with the waker that it was polled with.
struct Waiting<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a, T> Waiting<'a, T> {
    fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default() }
    }

    fn poll(&mut self) -> Poll<T> {
        let waker = Waker::from(self.wakes.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// What a step does; a number picks one of those there are.
#[derive(Clone, Debug)]
enum Step {
    Lock { writes: bool },
    TryLock { writes: bool },
    Poll(usize),
    GiveUp(usize),
    Release(usize),
    Downgrade(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<bool>().prop_map(|writes| Step::Lock { writes }),
        1 => any::<bool>().prop_map(|writes| Step::TryLock { writes }),
        3 => any::<usize>().prop_map(Step::Poll),
        2 => any::<usize>().prop_map(Step::GiveUp),
        4 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::Downgrade),
    ];
    vec(step, 0..80)
}

enum Guard<'a> {
    Mutex(MutexGuard<'a, u64>),
    Read(RwLockReadGuard<'a, u64>),
    Write(RwLockWriteGuard<'a, u64>),
}

/// The lock under test. A mutex has writers alone.
enum Lock {
    Mutex(Mutex<u64>),
    RwLock(RwLock<u64>),
}

impl Lock {
    fn lock(&self, writes: bool) -> Waiting<'_, Guard<'_>> {
        match self {
            Self::Mutex(lock) => Waiting::new(async { Guard::Mutex(lock.lock().await) }),
            Self::RwLock(lock) if writes => Waiting::new(async { Guard::Write(lock.write().await) }),
            Self::RwLock(lock) => Waiting::new(async { Guard::Read(lock.read().await) }),
        }
    }

    fn try_lock(&self, writes: bool) -> Option<Guard<'_>> {
        match self {
            Self::Mutex(lock) => lock.try_lock().ok().map(Guard::Mutex),
            Self::RwLock(lock) if writes => lock.try_write().ok().map(Guard::Write),
            Self::RwLock(lock) => lock.try_read().ok().map(Guard::Read),
        }
    }
}

/// Who holds the lock, and who waits, by number; the specification.
#[derive(Default)]
struct Model {
    next: usize,
    /// Holders, and whether they write; also those that have not picked their lock up.
    holders: BTreeMap<usize, bool>,
    line: VecDeque<(usize, bool)>,
}

impl Model {
    fn fits(&self, writes: bool) -> bool {
        if writes { self.holders.is_empty() } else { self.holders.values().all(|&writes| !writes) }
    }

    fn come(&mut self, writes: bool) -> usize {
        self.line.push_back((self.next, writes));
        self.next += 1;
        self.serve();
        self.next - 1
    }

    fn serve(&mut self) {
        while let Some(&(number, writes)) = self.line.front().filter(|(_, writes)| self.fits(*writes)) {
            self.line.pop_front();
            self.holders.insert(number, writes);
        }
    }

    fn go(&mut self, number: usize) {
        self.line.retain(|&(other, _)| other != number);
        self.holders.remove(&number);
        self.serve();
    }
}

/// A run: futures and guards by the number that the model gave them.
struct Run<'a> {
    lock: &'a Lock,
    model: Model,
    waiting: Vec<(usize, Waiting<'a, Guard<'a>>)>,
    guards: Vec<(usize, Guard<'a>)>,
    written: u64,
}

impl<'a> Run<'a> {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Lock { writes } => {
                let writes = writes || matches!(self.lock, Lock::Mutex(_));
                let number = self.model.come(writes);
                self.waiting.push((number, self.lock.lock(writes)));
                self.poll(self.waiting.len() - 1);
            }
            Step::TryLock { writes } => {
                let writes = writes || matches!(self.lock, Lock::Mutex(_));
                let fits = self.model.line.is_empty() && self.model.fits(writes);
                let guard = self.lock.try_lock(writes);
                assert_eq!(guard.is_some(), fits);
                if let Some(guard) = guard {
                    let number = self.model.come(writes);
                    self.hold(number, guard);
                }
            }
            Step::Poll(pick) if !self.waiting.is_empty() => self.poll(pick % self.waiting.len()),
            Step::GiveUp(pick) if !self.waiting.is_empty() => {
                let (number, waiting) = self.waiting.swap_remove(pick % self.waiting.len());
                drop(waiting);
                self.model.go(number);
            }
            Step::Release(pick) if !self.guards.is_empty() => {
                let (number, guard) = self.guards.swap_remove(pick % self.guards.len());
                drop(guard);
                self.model.go(number);
            }
            Step::Downgrade(pick) if !self.guards.is_empty() => {
                let (number, guard) = self.guards.swap_remove(pick % self.guards.len());
                let guard = match guard {
                    Guard::Write(guard) => {
                        self.model.holders.insert(number, false);
                        self.model.serve();
                        Guard::Read(guard.downgrade())
                    }
                    other => other,
                };
                self.guards.push((number, guard));
            }
            _ => {}
        }
        self.check();
    }

    fn poll(&mut self, place: usize) {
        let (number, waiting) = &mut self.waiting[place];
        let number = *number;
        match waiting.poll() {
            Poll::Ready(guard) => {
                assert!(self.model.holders.contains_key(&number), "{number} overtakes");
                drop(self.waiting.swap_remove(place));
                self.hold(number, guard);
            }
            Poll::Pending => assert!(!self.model.holders.contains_key(&number), "{number} is next and does not get it"),
        }
    }

    fn hold(&mut self, number: usize, mut guard: Guard<'a>) {
        let value = match &mut guard {
            Guard::Mutex(guard) => {
                **guard += 1;
                self.written += 1;
                **guard
            }
            Guard::Write(guard) => {
                **guard += 1;
                self.written += 1;
                **guard
            }
            Guard::Read(guard) => **guard,
        };
        assert_eq!(value, self.written, "every write is seen");
        self.guards.push((number, guard));
    }

    /// Who was served is woken, once, and nobody else.
    fn check(&self) {
        for (number, waiting) in &self.waiting {
            assert_eq!(waiting.wakes.count(), usize::from(self.model.holders.contains_key(number)), "wakes of {number}");
        }
    }

    /// All give up, in the order in which they stand; then the lock is free.
    fn end(mut self) {
        while !self.guards.is_empty() {
            self.step(&Step::Release(0));
        }
        while !self.waiting.is_empty() {
            self.step(&Step::GiveUp(0));
        }
        assert!(self.lock.try_lock(true).is_some(), "nobody is left");
    }
}

fn hold_against_model(lock: &Lock, steps: &[Step]) {
    let mut run = Run { lock, model: Model::default(), waiting: Vec::new(), guards: Vec::new(), written: 0 };
    steps.iter().for_each(|step| run.step(step));
    run.end();
}

proptest! {
    #[test]
    fn a_mutex_serves_in_order(steps in steps()) {
        hold_against_model(&Lock::Mutex(Mutex::new(0)), &steps);
    }

    #[test]
    fn a_rwlock_serves_in_order_and_never_a_writer_beside_others(steps in steps()) {
        hold_against_model(&Lock::RwLock(RwLock::new(0)), &steps);
    }

    /// Permits, futures that are picked, rounds, and futures that are dropped, against the specification of `Notify`.
    #[test]
    fn notifications_go_where_they_should(steps in vec((0..6_u8, any::<usize>()), 0..80)) {
        let notify = Notify::new();
        let (mut permit, mut futures) = (false, Vec::<(Expect, Waiting<'_, ()>)>::new());
        for (step, pick) in steps {
            let place = pick % futures.len().max(1);
            match step {
                0 => futures.push((Expect::Outside, Waiting::new(notify.notified()))),
                1 | 2 => if !futures.is_empty() {
                    let (expect, mut waiting) = futures.remove(place);
                    let next = match expect {
                        Expect::Outside if !std::mem::take(&mut permit) => Expect::InLine,
                        Expect::Outside | Expect::Picked | Expect::All => Expect::Done,
                        other => other,
                    };
                    assert_eq!(waiting.poll().is_ready(), next == Expect::Done);
                    // The list is the line: who queues goes to its end, who stays in line keeps its place.
                    let place = if expect == next { place } else { futures.len() };
                    futures.insert(place, (next, waiting));
                },
                3 => if !futures.is_empty() {
                    let (expect, waiting) = futures.remove(place);
                    drop(waiting);
                    if expect == Expect::Picked {
                        permit |= !pick_first(&mut futures);
                    }
                },
                4 => {
                    notify.notify_one();
                    permit |= !pick_first(&mut futures);
                }
                _ => {
                    notify.notify_waiters();
                    for (expect, _) in &mut futures {
                        if matches!(expect, Expect::Outside | Expect::InLine) {
                            *expect = Expect::All;
                        }
                    }
                }
            }
        }
    }

    /// Tasks that are polled only when they were woken end with the last value, however sends and polls interleave.
    #[test]
    fn a_watch_never_misses_the_last_value(steps in vec((0..4_u8, 0..3_usize), 0..60)) {
        let (sender, receiver) = watch::channel(0_u32);
        let mut sent = 0;
        let mut tasks: Vec<_> = (0..3).map(|_| {
            let mut receiver = receiver.clone();
            let task = Waiting::new(async move {
                let mut last = 0;
                while receiver.changed().await.is_ok() {
                    let value = *receiver.borrow_and_update();
                    assert!(value > last, "told of a value that was seen");
                    last = value;
                }
                last
            });
            task.wakes.0.store(1, Ordering::SeqCst);
            task
        }).collect();
        drop(receiver);
        for (step, place) in steps {
            if step == 0 {
                sent += 1;
                sender.send_modify(|value| *value = sent);
            } else if tasks[place].wakes.0.swap(0, Ordering::SeqCst) > 0 {
                assert!(tasks[place].poll().is_pending());
            }
        }
        drop(sender);
        for mut task in tasks {
            assert!(task.wakes.count() > 0, "the end wakes everybody");
            assert_eq!(task.poll(), Poll::Ready(sent));
        }
    }
}

/// What a `Notified` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Outside,
    InLine,
    Picked,
    All,
    Done,
}

fn pick_first(futures: &mut [(Expect, Waiting<'_, ()>)]) -> bool {
    let first = futures.iter_mut().find(|(expect, _)| *expect == Expect::InLine);
    first.map(|(expect, _)| *expect = Expect::Picked).is_some()
}
