//! One share of an open loop: operations that were offered and wait for a user, and users that wait for an operation.
//!
//! ```text
//!  pacer ─ arrive ─▶ [ arrivals, oldest first ] ─ take ─▶ user ─▶ … ─ ended
//!            └─ full: overload          in flight = waiting + at work
//! ```
//! A user that finds nothing leaves its waker in its own seat; an arrival wakes the user that has waited longest. One lock around a few words:
//! pacer and users of a lane run on the same worker wherever the runtime binds them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What the lane of an open loop holds.
#[derive(Debug)]
#[repr(align(128))]
pub struct Lane {
    limit: u32,
    in_flight: AtomicU32,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// Intended starts of operations that nobody has begun.
    arrivals: VecDeque<u64>,
    /// Seats of the users that wait, longest first.
    idle: VecDeque<usize>,
    /// The waker of each seat whose user waits.
    wakers: Vec<Option<Waker>>,
    is_closed: bool,
}

/// The limit was reached: the operation is not begun, and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Lane {
    /// With at most `limit` operations in flight.
    pub fn new(limit: u32) -> Self {
        Self { limit, in_flight: AtomicU32::new(0), queue: Mutex::default() }
    }

    /// An operation is due that was meant to start at `intended_ns`.
    ///
    /// # Errors
    /// [`Full`]: as many as allowed are in flight.
    #[inline]
    pub fn arrive(&self, intended_ns: u64) -> Result<(), Full> {
        // Relaxed: a count; the lock below publishes the arrival. One pacer adds to it, so the limit holds exactly.
        if self.in_flight.load(Ordering::Relaxed) >= self.limit {
            return Err(Full);
        }
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let waker = {
            let mut queue = self.lock();
            queue.arrivals.push_back(intended_ns);
            let seat = queue.idle.pop_front();
            seat.and_then(|seat| queue.wakers[seat].take())
        };
        // Outside the lock: the woken user may run at once, on another thread.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The intended start of the operation that has waited longest; `Ready(None)` when the lane is closed. The user of `seat` waits for one.
    #[inline]
    pub fn take(&self, seat: usize, context: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut queue = self.lock();
        if queue.is_closed {
            return Poll::Ready(None);
        }
        if let Some(intended_ns) = queue.arrivals.pop_front() {
            return Poll::Ready(Some(intended_ns));
        }
        if queue.wakers.len() <= seat {
            queue.wakers.resize(seat + 1, None);
        }
        // A user that was polled for another reason sits there already.
        if queue.wakers[seat].replace(context.waker().clone()).is_none() {
            queue.idle.push_back(seat);
        }
        Poll::Pending
    }

    /// An operation has ended, well or badly.
    #[inline]
    pub fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Operations that nobody has begun.
    pub fn waiting(&self) -> usize {
        self.lock().arrivals.len()
    }

    /// Nothing is begun any more: every user that waits is told.
    pub fn close(&self) {
        let wakers: Vec<Waker> = {
            let mut queue = self.lock();
            queue.is_closed = true;
            queue.idle.clear();
            queue.wakers.drain(..).flatten().collect()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(lane: &Lane, seat: usize, count: &Arc<Count>) -> Poll<Option<u64>> {
        let waker = Waker::from(Arc::clone(count));
        lane.take(seat, &mut Context::from_waker(&waker))
    }

    #[test]
    fn beyond_the_limit_is_overload_until_one_has_ended() {
        let (lane, count) = (Lane::new(2), Arc::new(Count::default()));
        assert_eq!((lane.arrive(1), lane.arrive(2), lane.arrive(3)), (Ok(()), Ok(()), Err(Full)));
        assert_eq!(take(&lane, 0, &count), Poll::Ready(Some(1)));
        assert_eq!(lane.arrive(4), Err(Full), "begun is still in flight");
        lane.ended();
        assert_eq!(lane.arrive(5), Ok(()));
        assert_eq!((take(&lane, 0, &count), lane.waiting()), (Poll::Ready(Some(2)), 1), "oldest first");
    }

    #[test]
    fn an_arrival_wakes_the_user_that_waits_and_none_that_is_busy() {
        let lane = Lane::new(9);
        let users: Vec<Arc<Count>> = (0..2).map(|_| Arc::default()).collect();
        let wakes = || users.iter().map(|user| user.0.load(Ordering::Relaxed)).collect::<Vec<_>>();
        // The first is polled twice: it still waits once.
        assert!(take(&lane, 0, &users[0]).is_pending() && take(&lane, 0, &users[0]).is_pending());
        assert!(take(&lane, 1, &users[1]).is_pending());
        lane.arrive(1).expect("room");
        assert_eq!(wakes(), [1, 0]);
        lane.arrive(2).expect("room");
        assert_eq!(wakes(), [1, 1]);
        lane.arrive(3).expect("room");
        assert_eq!(wakes(), [1, 1], "nobody waits");
    }

    #[test]
    fn closing_tells_everybody() {
        let (lane, count) = (Lane::new(9), Arc::new(Count::default()));
        assert!(take(&lane, 3, &count).is_pending());
        lane.close();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(take(&lane, 3, &count), Poll::Ready(None));
    }
}
