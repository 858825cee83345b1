//! loom models of the task word: every interleaving of wake, poll, join, abort and drop.
//!
//! A model task counts its polls and who frees it; the rules checked are those of [`super::state`]: a wake is followed by a poll, the
//! output is taken or dropped once, the cell is freed once.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::state::{Left, Paused, Start, State, Woken};

/// What the threads of a model share; stands for the cell.
struct Model {
    state: State,
    /// The future: touched only by the running thread (loom checks it).
    future: UnsafeCell<usize>,
    /// The output: touched by the running thread until it is complete, then by the handle.
    output: UnsafeCell<Option<usize>>,
    queued: AtomicUsize,
    freed: AtomicUsize,
    dropped: AtomicUsize,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: State::new(),
            future: UnsafeCell::new(0),
            output: UnsafeCell::new(None),
            queued: AtomicUsize::new(1),
            freed: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        })
    }

    fn schedule(&self) {
        assert_eq!(self.queued.fetch_add(1, Ordering::AcqRel), 0, "at most one entry is queued");
    }

    fn release(&self) {
        if self.state.release() {
            self.freed.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// A worker that takes the entry, if there is one; the future is ready at its `ready_at`-th poll. True when it ran something.
    fn work(&self, ready_at: usize) -> bool {
        if self.queued.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        if self.state.start() == Start::Cancel {
            self.finish();
            return true;
        }
        let polls = self.future.with_mut(|polls| {
            // SAFETY: the model's claim under test; loom panics if two threads are here at once.
            unsafe {
                *polls += 1;
                *polls
            }
        });
        if polls == ready_at {
            self.finish();
            return true;
        }
        match self.state.pause() {
            Paused::Idle => {}
            Paused::Forgotten => drop(self.freed.fetch_add(1, Ordering::AcqRel)),
            Paused::Requeue => self.schedule(),
            Paused::Cancel => self.finish(),
        }
        true
    }

    fn finish(&self) {
        // SAFETY: as in `work`: the running thread owns the output until it is complete.
        self.output.with_mut(|output| unsafe { *output = Some(1) });
        let completed = self.state.complete(false).unwrap_or_else(|| {
            self.drop_output();
            self.state.complete(true).expect("dropped")
        });
        if completed.wake_join {
            self.release();
        } else if completed.free {
            self.freed.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn drop_output(&self) {
        // SAFETY: the state gave the output to the caller; loom panics otherwise.
        if self.output.with_mut(|output| unsafe { (*output).take() }).is_some() {
            self.dropped.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn drop_handle(&self) {
        match self.state.leave_join() {
            Left::Released { free: true } => drop(self.freed.fetch_add(1, Ordering::AcqRel)),
            Left::Released { free: false } => {}
            Left::Waker => self.release(),
            Left::Output => {
                self.drop_output();
                self.release();
            }
        }
    }
}

#[test]
fn a_wake_beside_a_poll_is_followed_by_another_poll() {
    loom::model(|| {
        let task = Model::new();
        task.state.retain(); // the waker's
        let waker = {
            let task = task.clone();
            thread::spawn(move || match task.state.wake_by_value() {
                Woken::Schedule => task.schedule(),
                Woken::Nothing => task.release(),
            })
        };
        task.work(2);
        waker.join().unwrap();
        // The wake came before, during or after the first poll. Once it is over, the second poll must be possible unless the wake hit the
        // birth of the task, whose first poll is already the answer to it.
        while task.work(2) {}
        let polls = task.future.with(|polls| unsafe { *polls });
        assert!(polls >= 1);
        if !task.state.is_complete() {
            panic!("woken after its first poll began, the task was polled {polls} times");
        }
        task.drop_handle();
        assert_eq!(task.freed.load(Ordering::Acquire), 1);
        assert_eq!(task.dropped.load(Ordering::Acquire), 1);
    });
}

#[test]
fn completion_beside_a_dropped_handle_drops_the_output_and_frees_once() {
    loom::model(|| {
        let task = Model::new();
        let handle = {
            let task = task.clone();
            thread::spawn(move || task.drop_handle())
        };
        task.work(1);
        handle.join().unwrap();
        assert_eq!(task.dropped.load(Ordering::Acquire), 1);
        assert_eq!(task.freed.load(Ordering::Acquire), 1);
    });
}

#[test]
fn completion_beside_a_joining_handle_wakes_it_or_gives_the_output_at_once() {
    loom::model(|| {
        let task = Model::new();
        let worker = {
            let task = task.clone();
            thread::spawn(move || {
                assert!(task.queued.swap(0, Ordering::AcqRel) == 1 && task.state.start() == Start::Poll);
                // SAFETY: as in `Model::finish`.
                task.output.with_mut(|output| unsafe { *output = Some(1) });
                let completed = task.state.complete(false).expect("the handle lives");
                if completed.wake_join {
                    task.release();
                }
                (completed.wake_join, completed.free)
            })
        };
        let waits = task.state.claim_join_waker() && task.state.publish_join_waker();
        let (woken, freed) = worker.join().unwrap();
        assert!(!freed, "the handle holds a reference");
        assert_eq!(waits, woken, "a waker that was published is woken, and no other");
        assert!(task.state.is_complete());
        task.drop_handle();
        assert_eq!(task.dropped.load(Ordering::Acquire), 1);
        assert_eq!(task.freed.load(Ordering::Acquire), 1);
    });
}

#[test]
fn abort_beside_a_poll_completes_the_task() {
    loom::model(|| {
        let task = Model::new();
        let aborter = {
            let task = task.clone();
            thread::spawn(move || {
                if task.state.cancel() == Woken::Schedule {
                    task.schedule();
                }
            })
        };
        task.work(usize::MAX);
        aborter.join().unwrap();
        while task.work(usize::MAX) {}
        assert!(task.state.is_complete());
        task.drop_handle();
        assert_eq!(task.dropped.load(Ordering::Acquire), 1);
        assert_eq!(task.freed.load(Ordering::Acquire), 1);
    });
}

#[test]
fn two_wakers_queue_the_task_once() {
    loom::model(|| {
        let task = Model::new();
        task.work(usize::MAX); // now idle, held by the handle
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let task = task.clone();
                thread::spawn(move || {
                    if task.state.wake_by_ref() == Woken::Schedule {
                        task.schedule();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(task.queued.load(Ordering::Acquire), 1);
        task.work(2);
        assert!(task.state.is_complete());
        task.drop_handle();
        assert_eq!(task.freed.load(Ordering::Acquire), 1);
    });
}

/// Frees the cell as the thread that owns the slab does: its memory is used again at once, so loom finds whoever still touches it.
fn free_by_owner(task: &Model, slot: &UnsafeCell<usize>) {
    // SAFETY: the claim under test; loom panics if another thread is here.
    task.output.with_mut(|output| unsafe { *output = None });
    // SAFETY: as above.
    slot.with_mut(|slot| unsafe { *slot = 0 });
    task.freed.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn an_owner_that_joins_and_is_last_frees_without_a_read_modify_write() {
    loom::model(|| {
        let task = Model::new();
        let slot = Arc::new(UnsafeCell::new(0));
        let waits = task.state.claim_join_waker() && {
            // SAFETY: the slot is the handle's.
            slot.with_mut(|slot| unsafe { *slot = 1 });
            task.state.publish_join_waker()
        };
        assert!(waits);
        // Another worker has stolen the task and completes it.
        let thief = {
            let (task, slot) = (task.clone(), slot.clone());
            thread::spawn(move || {
                assert!(task.queued.swap(0, Ordering::AcqRel) == 1 && task.state.start() == Start::Poll);
                // SAFETY: as in `Model::finish`.
                task.output.with_mut(|output| unsafe { *output = Some(1) });
                assert!(task.state.complete(false).expect("the handle lives").wake_join);
                // SAFETY: the slot is the completing thread's.
                slot.with_mut(|slot| unsafe { *slot = 0 });
                task.release();
            })
        };
        if task.state.is_complete() {
            if task.state.is_last() {
                free_by_owner(&task, &slot);
            } else {
                task.release();
            }
            thief.join().unwrap();
        } else {
            thief.join().unwrap();
            assert!(task.state.is_last());
            free_by_owner(&task, &slot);
        }
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_owner_that_completes_a_forgotten_task_frees_it_beside_the_end_of_its_handle() {
    loom::model(|| {
        let task = Model::new();
        let slot = UnsafeCell::new(0);
        let handle = {
            let task = task.clone();
            thread::spawn(move || task.drop_handle())
        };
        assert!(task.queued.swap(0, Ordering::AcqRel) == 1 && task.state.start() == Start::Poll);
        if task.state.is_forgotten() {
            free_by_owner(&task, &slot);
        } else {
            task.finish();
        }
        handle.join().unwrap();
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}
