//! loom models of everything in [`sync`](super): every interleaving of two sides.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};
use loom::thread;

mod channels;
mod locks;
mod signals;

/// Polls once, with a waker that wakes nobody.
pub(super) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Rung by a waker; the model finds a thread that waits for ever.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// Polls `future` on this thread of the model, which sleeps in between.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let bell = std::sync::Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut rung = bell.rung.lock().unwrap();
        while !*rung {
            rung = bell.changed.wait(rung).unwrap();
        }
        *rung = false;
        drop(rung);
        thread::yield_now(); // a future that rings its own bell lets the other thread go on
    }
}

/// A model of three threads or more: all schedules with at most so many preemptions, as all of them take hours.
pub(super) fn bounded(preemptions: usize) -> loom::model::Builder {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model
}
