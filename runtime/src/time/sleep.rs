//! Futures that wait for a time.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::wheel::Key;
use crate::primitives::executor::now;
use crate::scheduler::{Shared, context};

/// A sleep of at least this much, polled for the first time, is a timer without another look at the clock (24 ns on the virtual machines measured,
/// a fifth of what making and cancelling a timer takes). Where it is due by then, it fires when its worker next looks at its timers.
const AHEAD: Duration = Duration::from_millis(1);
/// Longer sleeps end after this: more than a century, and far from overflow.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Waits for `duration`, never less.
///
/// ```
/// use std::time::{Duration, Instant};
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// let began = Instant::now();
/// runtime.block_on(zokio::time::sleep(Duration::from_millis(5)));
/// assert!(began.elapsed() >= Duration::from_millis(5));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A sleep that another runtime's task polls goes on when its first runtime is dropped.
///
/// # Panics
/// When polled outside every runtime, and in a blocking closure that goes on after the workers of its runtime have ended.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { deadline: now() + duration.min(FOREVER), is_ahead: duration >= AHEAD, timer: None }
}

/// Waits until `deadline`, never less. See [`sleep`].
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep { deadline, is_ahead: false, timer: None }
}

/// Future of [`sleep`] and [`sleep_until`]. Dropping it removes the timer.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    deadline: Instant,
    /// Not polled yet, and made with its deadline ahead.
    is_ahead: bool,
    timer: Option<Timer>,
}

struct Timer {
    shared: Arc<Shared>,
    worker: usize,
    key: Key,
}

impl Sleep {
    /// When it ends.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    fn register(&mut self, cx: &Context<'_>) {
        let (shared, worker) = context::timer_home().expect("sleeping needs a runtime: await it inside `block_on` or a task");
        let inserted = shared.workers[worker].timers.insert(self.deadline, cx.waker().clone());
        let (key, must_wake) = inserted.expect("sleeping needs a runtime, and this one has shut down");
        if must_wake {
            shared.workers[worker].unpark();
        }
        self.timer = Some(Timer { shared, worker, key });
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // A timer that was polled before looks at the clock each time: a task that never gives way must see its time go by.
        if !mem::take(&mut self.is_ahead) && now() >= self.deadline {
            return Poll::Ready(());
        }
        let known = self.timer.as_ref().is_some_and(|timer| timer.shared.workers[timer.worker].timers.update(timer.key, cx.waker()));
        if !known {
            self.register(cx);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            timer.shared.workers[timer.worker].timers.cancel(timer.key);
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// The time given to [`timeout`] is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

/// The output of `future`, if it comes within `duration`; otherwise the future is dropped. A future that is ready is never late.
///
/// ```
/// use std::time::Duration;
/// use zokio::time::{Elapsed, sleep, timeout};
/// let runtime = zokio::Builder::new().worker_threads(1).build()?;
/// runtime.block_on(async {
///     assert_eq!(timeout(Duration::from_secs(5), async { 7 }).await, Ok(7));
///     assert_eq!(timeout(Duration::from_millis(2), sleep(Duration::from_secs(60))).await, Err(Elapsed));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// [`Elapsed`] when the time is over first.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut limit = sleep(duration);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(&mut limit).poll(cx).map(|()| Err(Elapsed))
    })
    .await
}
