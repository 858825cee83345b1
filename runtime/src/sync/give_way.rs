//! A task that never has to wait lets others run now and then.
//!
//! Whoever finds what it wants at once, again and again, never returns to its executor. So each thread counts how often in a row one task
//! did; the task then wakes itself and waits once.

use std::future::poll_fn;
use std::task::{Poll, Waker};

/// So many times in a row a task goes on at once. As many as tokio's budget of a poll allows.
#[cfg(not(zokio_loom))]
const IN_A_ROW_MAX: u32 = 128;

/// Whether this task has to give way now; it was woken already then, so its future returns `Pending`.
///
/// Asked by whoever would go on at once. A waker without data wakes nobody in particular, so it is never told to wait.
#[cfg(not(zokio_loom))]
#[inline]
pub(crate) fn must_give_way(waker: &Waker) -> bool {
    use std::cell::Cell;

    thread_local! {
        /// The task that went on last on this thread, and how often in a row. An address only: it is compared, never used.
        static LAST: Cell<(usize, u32)> = const { Cell::new((0, 0)) };
    }

    let task = waker.data().addr();
    LAST.with(|last| {
        let (last_task, count) = last.get();
        if last_task != task || task == 0 {
            last.set((task, 1));
        } else if count < IN_A_ROW_MAX {
            last.set((task, count + 1));
        } else {
            last.set((0, 0));
            waker.wake_by_ref();
            return true;
        }
        false
    })
}

/// As in plain builds; models are too short for it.
#[cfg(zokio_loom)]
pub(crate) fn must_give_way(_waker: &Waker) -> bool {
    false
}

/// Waits once when it is time to give way.
pub(crate) async fn give_way() {
    let mut gave_way = false;
    poll_fn(|cx| {
        if gave_way || !must_give_way(cx.waker()) {
            return Poll::Ready(());
        }
        gave_way = true;
        Poll::Pending
    })
    .await;
}
