//! A meeting point of a number of tasks.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::waiters::Waiters;
use crate::primitives::{Mutex, const_fn, lock};

/// Lets tasks wait until so many are there; then all go on, and the next round begins.
///
/// A task that stops waiting before the others came does not count: nobody goes on too early.
///
/// ```
/// use std::sync::Arc;
/// use zokio::sync::Barrier;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// let barrier = Arc::new(Barrier::new(3));
/// let leaders = runtime.block_on(async {
///     let tasks = zokio::spawn_batch((0..3).map(|_| {
///         let barrier = barrier.clone();
///         async move { barrier.wait().await.is_leader() }
///     }));
///     let mut leaders = 0;
///     for task in tasks {
///         leaders += usize::from(task.await.unwrap());
///     }
///     leaders
/// });
/// assert_eq!(leaders, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Barrier {
    count: usize,
    /// Those who are there; one fewer than `count` at most.
    line: Mutex<Waiters<()>>,
}

/// How a [`Barrier`] was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    is_leader: bool,
}

impl BarrierWaitResult {
    /// Whether this task was the last to come; one of each round is.
    pub fn is_leader(&self) -> bool {
        self.is_leader
    }
}

impl Barrier {
    const_fn! {
        /// A barrier for so many tasks; 0 is as 1: nobody waits.
        pub fn new(count: usize) -> Self {
            Self { count, line: Mutex::new(Waiters::new()) }
        }
    }

    /// Waits until all are there. What each of them did before is seen by all afterwards.
    ///
    /// Dropped early, it was never there, unless the others have gone on already.
    pub async fn wait(&self) -> BarrierWaitResult {
        Wait { barrier: self, ticket: None }.await
    }

    /// Queues; `None` for the last one, who sends all on.
    fn arrive(&self, waker: &Waker) -> Option<u64> {
        let all = {
            let mut line = lock(&self.line);
            if line.len() + 1 < self.count {
                return Some(line.push(waker.clone(), ()));
            }
            line.pop_all()
        };
        all.wake();
        None
    }
}

struct Wait<'a> {
    barrier: &'a Barrier,
    ticket: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = BarrierWaitResult;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        let Some(ticket) = self.ticket else {
            self.ticket = self.barrier.arrive(cx.waker());
            return if self.ticket.is_some() { Poll::Pending } else { Poll::Ready(BarrierWaitResult { is_leader: true }) };
        };
        let mut line = lock(&self.barrier.line);
        if line.get_mut(ticket).is_none() {
            drop(line);
            self.ticket = None;
            return Poll::Ready(BarrierWaitResult { is_leader: false });
        }
        let old = line.update(ticket, cx.waker());
        drop(line);
        drop(old);
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let left = lock(&self.barrier.line).remove(ticket);
            drop(left); // its waker, outside of the lock
        }
    }
}
