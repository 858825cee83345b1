//! Loom's models of the park word and of an operation's state: `RUSTFLAGS="--cfg zokio_loom" cargo test -p zokio --release --lib loom`.
#![expect(unsafe_code, reason = "loom's cells hand out raw pointers, and watch what is done with them")]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::sync::{Arc, Condvar, Mutex};

use super::park::ParkWord;
use super::state::{Abandoned, Completed, OpState};
use super::sync::Ordering;

/// The eventfd: a count to wait for.
#[derive(Default)]
struct Event(Mutex<bool>, Condvar);

impl Event {
    fn write(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
    fn wait(&self) {
        let mut written = self.0.lock().unwrap();
        while !*written {
            written = self.1.wait(written).unwrap();
        }
        *written = false;
    }
}

/// Work published by other threads is seen by the owner, which otherwise would sleep for ever (loom reports a deadlock).
#[test]
fn loom_no_notification_is_lost() {
    loom::model(|| {
        let shared = Arc::new((ParkWord::new(), Event::default(), [AtomicBool::new(false), AtomicBool::new(false)]));
        let others: Vec<_> = (0..2)
            .map(|index| {
                let shared = shared.clone();
                loom::thread::spawn(move || {
                    let (word, event, work) = &*shared;
                    // Relaxed: the word alone must carry the visibility.
                    work[index].store(true, Ordering::Relaxed);
                    if word.notify() {
                        event.write();
                    }
                })
            })
            .collect();
        let (word, event, work) = &*shared;
        while !work.iter().all(|flag| flag.load(Ordering::Relaxed)) {
            if word.begin() {
                event.wait();
                word.end();
            }
        }
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A cell as the driver has it, with loom watching every access.
struct Cell {
    state: OpState,
    waker: UnsafeCell<u32>,
    result: UnsafeCell<u32>,
    /// Times the cell was freed; must end at one.
    freed: AtomicUsize,
    woken: AtomicUsize,
    mail: Mutex<bool>,
}

impl Cell {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: OpState::new(),
            waker: UnsafeCell::new(1),
            result: UnsafeCell::new(0),
            freed: AtomicUsize::new(0),
            woken: AtomicUsize::new(0),
            mail: Mutex::new(false),
        })
    }

    fn free(&self) {
        // Freeing touches all of the cell.
        self.waker.with_mut(|waker| /* SAFETY: loom checks the access. */ unsafe { *waker = 0 });
        self.result.with_mut(|result| /* SAFETY: loom checks the access. */ unsafe { *result = 0 });
        self.freed.fetch_add(1, Ordering::Relaxed);
    }

    fn complete(&self) {
        self.result.with_mut(|result| /* SAFETY: loom checks the access. */ unsafe { *result = 7 });
        match self
            .state
            .complete(|| self.waker.with_mut(|waker| /* SAFETY: loom checks the access. */ unsafe { std::mem::take(&mut *waker) }))
        {
            Completed::Wake(waker) => {
                assert!(waker > 0);
                self.woken.store(waker as usize, Ordering::Relaxed);
            }
            Completed::Free => self.free(),
            Completed::Quiet | Completed::Keep => {}
        }
    }

    fn read_mail(&self) {
        let arrived = std::mem::take(&mut *self.mail.lock().unwrap());
        if arrived && self.state.open_mail() {
            self.free();
        }
    }

    /// One poll with waker `number`; `true` when the result was taken.
    fn poll(&self, number: u32) -> bool {
        if !self.state.is_done() && self.state.begin_waker() {
            self.waker.with_mut(|waker| /* SAFETY: loom checks the access. */ unsafe { *waker = number });
            if self.state.end_waker() {
                return false;
            }
        }
        // SAFETY: loom checks the access.
        self.result.with(|result| assert_eq!(unsafe { *result }, 7));
        self.free();
        true
    }

    fn drop_future(&self, by_mail: bool) {
        if self.state.begin_waker() {
            self.waker.with_mut(|waker| /* SAFETY: loom checks the access. */ unsafe { *waker = 0 });
        }
        let abandoned = if by_mail { self.state.abandon_by_mail() } else { self.state.abandon() };
        match abandoned {
            Abandoned::Free => self.free(),
            Abandoned::InFlight => *self.mail.lock().unwrap() = by_mail,
        }
    }
}

/// Completion against a second poll on another thread: the result is taken once, or the newest waker is woken.
#[test]
fn loom_a_completion_wakes_the_newest_waker_or_is_seen() {
    loom::model(|| {
        let cell = Cell::new();
        let other = cell.clone();
        let driver = loom::thread::spawn(move || other.complete());
        let taken = cell.poll(2);
        driver.join().unwrap();
        if taken {
            assert_eq!(cell.freed.load(Ordering::Relaxed), 1);
        } else {
            assert_eq!(cell.woken.load(Ordering::Relaxed), 2, "the replaced waker must not be woken instead");
            assert!(cell.poll(3));
        }
    });
}

/// Completion against a drop on a foreign thread and its letter: freed exactly once, whatever comes first.
#[test]
fn loom_an_abandoned_operation_is_freed_exactly_once() {
    loom::model(|| {
        let cell = Cell::new();
        let other = cell.clone();
        let driver = loom::thread::spawn(move || {
            other.read_mail();
            other.complete();
        });
        cell.drop_future(true);
        driver.join().unwrap();
        cell.read_mail();
        assert_eq!(cell.freed.load(Ordering::Relaxed), 1);
    });
}

/// Drop on the owner's thread with a poll before it on another: the waker is nobody's afterwards.
#[test]
fn loom_poll_then_drop_against_completion() {
    loom::model(|| {
        let cell = Cell::new();
        let other = cell.clone();
        let driver = loom::thread::spawn(move || other.complete());
        if !cell.poll(2) {
            cell.drop_future(false);
        }
        driver.join().unwrap();
        assert_eq!(cell.freed.load(Ordering::Relaxed), 1);
    });
}
