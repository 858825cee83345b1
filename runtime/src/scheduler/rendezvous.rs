//! Where the workers meet at shutdown: a barrier that some of them may be taken off, for a runtime that did not come up whole.

use crate::primitives::executor::{Condvar, Mutex, lock};

/// See the module page. It may be used again and again.
#[derive(Debug)]
pub(crate) struct Rendezvous {
    inner: Mutex<Inner>,
    met: Condvar,
}

#[derive(Debug)]
struct Inner {
    expected: usize,
    arrived: usize,
    meetings: usize,
}

impl Rendezvous {
    /// For so many threads.
    pub(crate) fn new(expected: usize) -> Self {
        Self { inner: Mutex::new(Inner { expected, arrived: 0, meetings: 0 }), met: Condvar::new() }
    }

    /// Waits until all threads that are expected have called this.
    pub(crate) fn wait(&self) {
        let mut inner = lock(&self.inner);
        inner.arrived += 1;
        let meeting = inner.meetings;
        self.end_if_all_are_here(&mut inner);
        while inner.meetings == meeting {
            inner = self.met.wait(inner).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// From now on, so many threads fewer are expected.
    pub(crate) fn excuse(&self, count: usize) {
        let mut inner = lock(&self.inner);
        inner.expected -= count;
        self.end_if_all_are_here(&mut inner);
    }

    fn end_if_all_are_here(&self, inner: &mut Inner) {
        if inner.arrived == inner.expected {
            inner.arrived = 0;
            inner.meetings += 1;
            self.met.notify_all();
        }
    }
}

#[cfg(all(test, not(any(zokio_loom, zokio_shuttle))))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nobody_leaves_before_all_have_come_and_the_excused_are_not_waited_for() {
        let (rendezvous, came) = (Arc::new(Rendezvous::new(4)), Arc::new(AtomicUsize::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (rendezvous, came) = (rendezvous.clone(), came.clone());
                std::thread::spawn(move || {
                    for meeting in 1..=50 {
                        came.fetch_add(1, Ordering::SeqCst);
                        rendezvous.wait();
                        assert!(came.load(Ordering::SeqCst) >= 3 * meeting);
                    }
                })
            })
            .collect();
        while came.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
        assert!(threads.iter().all(|thread| !thread.is_finished()), "the fourth is still expected");
        rendezvous.excuse(1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(came.load(Ordering::SeqCst), 150);
    }
}
