//! Giving way to the other tasks of this worker.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::scheduler::context;

/// Lets every other task that is ready on this worker run first.
///
/// The task goes straight to the tail of its worker's queue, without a wake-up. The driver and the injector are looked at every few
/// polls as always; unlike tokio's function of the same name, a lone yielding task does not enter the kernel each time.
///
/// ```
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// let sum = runtime.block_on(async {
///     let other = zokio::spawn(async { 40 });
///     zokio::task::yield_now().await;
///     other.await.unwrap() + 2
/// });
/// assert_eq!(sum, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// Future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        if !context::mark_yielded(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
