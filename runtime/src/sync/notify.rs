//! Telling a task that something happened, without a value.
//!
//! ```text
//!  state: │ round │ WAITING │ PERMIT │      line (behind a lock): ticket, waker; and the tickets that `notify_one` picked
//! ```
//!
//! `notify_one` wakes the first in line, or leaves a permit for the next that comes. `notify_waiters` begins a new round: whoever belongs to
//! an earlier one is notified, in line or not yet. A future belongs to the round in which it was made, so it can be made first, then the
//! condition looked at, then the future awaited: no notification in between is lost.
//!
//! WAITING is set under the lock of the line, in one exchange that also finds no permit and no new round. So as long as it is clear, a
//! notification is one exchange without the line, and fails if somebody queued meanwhile. PERMIT is never set beside WAITING.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::waiters::Waiters;
use crate::primitives::{AtomicUsize, Mutex, Ordering, const_fn, lock};

/// A notification that nobody has taken.
const PERMIT: usize = 1;
/// Somebody may be in line.
const WAITING: usize = 1 << 1;
/// One call of `notify_waiters`.
const ROUND: usize = 1 << 2;

/// Tells tasks that something happened.
///
/// What was done before a notification is seen by the task that receives it.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use zokio::sync::Notify;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// let (ready, notify) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
/// runtime.block_on(async {
///     let task = {
///         let (ready, notify) = (ready.clone(), notify.clone());
///         zokio::spawn(async move {
///             notify.notified().await;
///             ready.load(Ordering::Relaxed)
///         })
///     };
///     ready.store(true, Ordering::Relaxed);
///     notify.notify_one(); // before or after the task waits
///     assert!(task.await.unwrap());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Notify {
    state: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    waiters: Waiters<()>,
    /// Tickets that `notify_one` picked and that do not know it yet, ascending.
    picked: VecDeque<u64>,
}

impl Line {
    /// Whether `notify_one` picked this ticket; asked once.
    fn take_picked(&mut self, ticket: u64) -> bool {
        self.picked.binary_search(&ticket).is_ok_and(|place| self.picked.remove(place).is_some())
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl Notify {
    const_fn! {
        /// Without a permit.
        pub fn new() -> Self {
            let line = Line { waiters: Waiters::new(), picked: VecDeque::new() };
            Self { state: AtomicUsize::new(0), line: Mutex::new(line) }
        }
    }

    /// Waits for a notification, or takes the permit that is there.
    ///
    /// The future gets the permit when it is polled first or enabled ([`Notified::enable`]), and every [`Self::notify_waiters`] from now on.
    /// Dropped early, it leaves the line; a notification of its own that it did not see goes on to the next.
    pub fn notified(&self) -> Notified<'_> {
        // Acquire: whoever sees a round sees what was done before it, so the condition that is looked at next is not older.
        let round = round(self.state.load(Ordering::Acquire));
        Notified { notify: self, round, place: Place::Outside }
    }

    /// Notifies who has waited longest; if nobody waits, the next one that comes. More than one permit is not kept.
    pub fn notify_one(&self) {
        let mut seen = self.state.load(Ordering::Relaxed);
        while seen & WAITING == 0 {
            // Release pairs with the Acquire of whoever takes the permit; an exchange even where it is set, for that one sees all notifiers.
            match self.state.compare_exchange_weak(seen, seen | PERMIT, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(current) => seen = current,
            }
        }
        self.pick();
    }

    /// Notifies everybody who waits, and every [`Notified`] that exists. Leaves no permit.
    pub fn notify_waiters(&self) {
        let mut seen = self.state.load(Ordering::Relaxed);
        while seen & WAITING == 0 {
            // Release pairs with the Acquire of whoever sees the round.
            match self.state.compare_exchange_weak(seen, seen.wrapping_add(ROUND), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(current) => seen = current,
            }
        }
        let wake = {
            let mut line = lock(&self.line);
            // Under the lock: who sees the new round and comes back to queue is not notified again by this call.
            self.state.fetch_add(ROUND, Ordering::Release);
            line.waiters.pop_all()
        };
        wake.wake();
    }

    #[cold]
    fn pick(&self) {
        let picked = {
            let mut line = lock(&self.line);
            let first = line.waiters.pop_with_ticket();
            match &first {
                Some((ticket, _)) => line.picked.push_back(*ticket),
                None => self.leave_permit(),
            }
            first
        };
        if let Some((_, waiter)) = picked {
            waiter.waker.wake();
        }
    }

    /// A permit instead of a line that is empty. The caller has the lock of the line, so nobody queues.
    fn leave_permit(&self) {
        let mut seen = self.state.load(Ordering::Relaxed);
        // Release as in `notify_one`; others may begin a round, or leave a permit too.
        while let Err(current) = self.state.compare_exchange_weak(seen, seen & !WAITING | PERMIT, Ordering::Release, Ordering::Relaxed) {
            seen = current;
        }
    }

    /// Takes a notification that is there for a future of this round. `Err` with the state that has none.
    fn try_take(&self, since: usize) -> Result<(), usize> {
        // Acquire pairs with the Release of `notify_waiters`.
        let mut seen = self.state.load(Ordering::Acquire);
        loop {
            if round(seen) != since {
                return Ok(()); // a new round; the permit, if there is one, is for another
            }
            if seen & PERMIT == 0 {
                return Err(seen);
            }
            // Acquire pairs with the Release of `notify_one`.
            match self.state.compare_exchange_weak(seen, seen & !PERMIT, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(current) => seen = current,
            }
        }
    }

    /// Queues; `None` when a notification was there after all.
    fn queue(&self, since: usize, waker: Waker) -> Option<u64> {
        let mut line = lock(&self.line);
        loop {
            let Err(seen) = self.try_take(since) else {
                drop(line);
                drop(waker);
                return None;
            };
            // Orders nothing: who notifies looks into the line, under its lock.
            if self.state.compare_exchange_weak(seen, seen | WAITING, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(line.waiters.push(waker, ()));
            }
        }
    }
}

/// The number of the round, in the upper bits.
fn round(state: usize) -> usize {
    state & !(ROUND - 1)
}

/// Waits for a notification of a [`Notify`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    round: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Outside,
    InLine(u64),
    Done,
}

impl Notified<'_> {
    /// Queues without waiting, so that a [`Notify::notify_one`] from now on counts for this future; true when it is notified already.
    ///
    /// ```
    /// use std::pin::pin;
    /// use zokio::sync::Notify;
    ///
    /// let notify = Notify::new();
    /// let mut first = pin!(notify.notified());
    /// assert!(!first.as_mut().enable());
    /// notify.notify_one();
    /// assert!(!pin!(notify.notified()).enable(), "it is the first one's");
    /// assert!(first.enable());
    /// ```
    pub fn enable(mut self: Pin<&mut Self>) -> bool {
        self.advance(None)
    }

    /// Whether it is notified; if not, it is in line, with this waker if there is one.
    fn advance(&mut self, waker: Option<&Waker>) -> bool {
        let is_notified = match self.place {
            Place::Done => true,
            Place::InLine(ticket) => self.look(ticket, waker),
            Place::Outside => match self.notify.try_take(self.round) {
                Ok(()) => true,
                Err(_) => {
                    let ticket = self.notify.queue(self.round, waker.unwrap_or(Waker::noop()).clone());
                    self.place = ticket.map_or(Place::Done, Place::InLine);
                    ticket.is_none()
                }
            },
        };
        if is_notified {
            self.place = Place::Done;
        }
        is_notified
    }

    /// Whether who is in line was notified; if not, this is its waker now.
    fn look(&self, ticket: u64, waker: Option<&Waker>) -> bool {
        let mut line = lock(&self.notify.line);
        if line.waiters.get_mut(ticket).is_none() {
            line.take_picked(ticket);
            return true;
        }
        let old = waker.and_then(|waker| line.waiters.update(ticket, waker));
        drop(line);
        drop(old);
        false
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.advance(Some(cx.waker())) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Place::InLine(ticket) = self.place else { return };
        let (left, was_picked) = {
            let mut line = lock(&self.notify.line);
            (line.waiters.remove(ticket), line.take_picked(ticket))
        };
        drop(left);
        if was_picked {
            self.notify.notify_one();
        }
    }
}
