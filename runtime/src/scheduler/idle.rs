//! Who sleeps, who searches, and who is woken: see the README beside this file for the protocol.

use crate::primitives::{AtomicUsize, Mutex, Ordering, fence, lock};

/// The sleepers of one runtime.
#[derive(Debug)]
pub(crate) struct Idle {
    workers: usize,
    /// Workers that look for work of others; at most half of all.
    searching: AtomicUsize,
    /// Length of `sleepers`, readable without the lock.
    sleeping: AtomicUsize,
    /// 1 while a sleeper has a short timeout and will look after queues that wait behind a long poll.
    sentinel: AtomicUsize,
    sleepers: Mutex<Vec<usize>>,
}

impl Idle {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            searching: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            sentinel: AtomicUsize::new(0),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
        }
    }

    /// Whether a hint could wake anybody: somebody sleeps and nobody searches. Relaxed: for pushes to a queue whose owner runs it anyway.
    #[inline]
    pub(crate) fn is_worth_a_hint(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed) != 0 && self.searching.load(Ordering::Relaxed) == 0
    }

    /// Whether a sleeper will look after waiting queues by itself.
    #[inline]
    pub(crate) fn has_sentinel(&self) -> bool {
        self.sentinel.load(Ordering::Relaxed) != 0
    }

    /// The worker to wake for work that any worker may take; it counts as searching from now on. `None` when somebody searches already, or
    /// nobody sleeps.
    ///
    /// For work that only a woken worker would find, the caller has pushed it before: the fence here and the one in [`Self::sleep`] make sure
    /// that either this call sees the sleeper or the sleeper sees the push.
    pub(crate) fn worker_to_wake(&self) -> Option<usize> {
        fence(Ordering::SeqCst);
        if self.searching.load(Ordering::SeqCst) != 0 || self.sleeping.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let mut sleepers = lock(&self.sleepers);
        if self.searching.load(Ordering::SeqCst) != 0 {
            return None;
        }
        let worker = sleepers.pop()?;
        self.sleeping.store(sleepers.len(), Ordering::SeqCst);
        self.searching.fetch_add(1, Ordering::SeqCst);
        Some(worker)
    }

    /// A running worker wants to search; false when half of the workers do.
    pub(crate) fn begin_search(&self) -> bool {
        if 2 * self.searching.load(Ordering::Relaxed) >= self.workers {
            return false;
        }
        self.searching.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// A searcher found work; true when it was the last one, and should wake a successor if there is more.
    pub(crate) fn end_search(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// `worker` goes to sleep. It must look once more at everything that only it could find, then block.
    pub(crate) fn sleep(&self, worker: usize, was_searching: bool) {
        {
            let mut sleepers = lock(&self.sleepers);
            sleepers.push(worker);
            self.sleeping.store(sleepers.len(), Ordering::SeqCst);
        }
        // After the push: whoever sees no searcher sees the sleeper.
        if was_searching {
            self.searching.fetch_sub(1, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
    }

    /// `worker` is awake; true when it was woken by [`Self::worker_to_wake`] and counts as searching.
    pub(crate) fn awake(&self, worker: usize) -> bool {
        let mut sleepers = lock(&self.sleepers);
        let Some(place) = sleepers.iter().position(|&sleeper| sleeper == worker) else { return true };
        sleepers.remove(place);
        self.sleeping.store(sleepers.len(), Ordering::SeqCst);
        false
    }

    /// A sleeper offers to look after waiting queues: false when there is one already, or no worker is awake.
    pub(crate) fn become_sentinel(&self) -> bool {
        self.sleeping.load(Ordering::SeqCst) < self.workers && self.sentinel.swap(1, Ordering::SeqCst) == 0
    }

    /// The sentinel is awake.
    pub(crate) fn retire_sentinel(&self) {
        self.sentinel.store(0, Ordering::SeqCst);
    }
}

#[cfg(all(test, zokio_loom))]
mod models {
    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};
    use loom::thread;

    use super::Idle;

    /// A worker that parks beside a thread that pushes to the injector: the push is always found.
    #[test]
    fn a_push_beside_a_parking_worker_is_not_lost() {
        loom::model(|| {
            let idle = Arc::new(Idle::new(1));
            let injector = Arc::new(AtomicUsize::new(0));
            let park = Arc::new((Mutex::new(false), Condvar::new()));
            let done = Arc::new(AtomicBool::new(false));
            let worker = {
                let (idle, injector, park, done) = (idle.clone(), injector.clone(), park.clone(), done.clone());
                thread::spawn(move || {
                    idle.sleep(0, false);
                    if injector.load(Ordering::Acquire) == 0 {
                        let mut notified = park.0.lock().unwrap();
                        while !*notified {
                            notified = park.1.wait(notified).unwrap();
                        }
                    }
                    if idle.awake(0) {
                        idle.end_search();
                    }
                    assert_eq!(injector.load(Ordering::Acquire), 1);
                    done.store(true, Ordering::Release);
                })
            };
            injector.store(1, Ordering::Release);
            if idle.worker_to_wake().is_some() {
                *park.0.lock().unwrap() = true;
                park.1.notify_one();
            }
            worker.join().unwrap();
            assert!(done.load(Ordering::Acquire));
        });
    }

    /// Two pushes beside one searcher that gives up: somebody finds the last push.
    #[test]
    fn a_push_beside_a_searcher_that_gives_up_is_not_lost() {
        loom::model(|| {
            let idle = Arc::new(Idle::new(2));
            let injector = Arc::new(AtomicUsize::new(0));
            assert!(idle.begin_search());
            let pusher = {
                let (idle, injector) = (idle.clone(), injector.clone());
                thread::spawn(move || {
                    injector.store(1, Ordering::Release);
                    idle.worker_to_wake().is_some()
                })
            };
            idle.sleep(0, true);
            let seen = injector.load(Ordering::Acquire) == 1;
            let woken = pusher.join().unwrap();
            assert!(seen || woken, "the sleeper saw the push, or the pusher saw the sleeper");
        });
    }
}
