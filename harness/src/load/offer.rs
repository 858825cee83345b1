//! What an open loop offers at the moment: the rate that the coordinator sets, and the lanes that the pacers fill.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use super::lane::Lane;
use super::{Arrival, Pacing};

/// The offered load of a trial; empty in a closed loop.
#[derive(Debug, Default)]
pub struct Offer {
    lanes: OnceLock<Lanes>,
    /// Grows with every change, so that a pacer sees one without the lock.
    epoch: AtomicU64,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Lanes {
    lanes: Box<[Lane]>,
    arrival: Arrival,
    weight: u32,
}

#[derive(Debug, Default)]
struct Now {
    rate: Option<Rate>,
    is_over: bool,
    pacers: Vec<Waker>,
}

/// A rate, and since when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Operations per second over all lanes.
    pub per_s: f64,
    /// The instant its schedule begins.
    pub start_ns: u64,
    /// Which change this is.
    pub epoch: u64,
}

impl Offer {
    /// Makes the lanes, once, before any user starts. An arrival is `weight` operations that are wanted together; the limits of the lanes add up
    /// to `max_in_flight` operations and are one arrival at least.
    pub fn open_lanes(&self, pacing: Pacing, count: usize, weight: u32) {
        let weight = weight.max(1);
        let (lanes, all) = (count.max(1) as u64, u64::from(pacing.max_in_flight / weight));
        let limit = |lane: u64| u32::try_from(all / lanes + u64::from(lane < all % lanes)).unwrap_or(u32::MAX).max(1);
        let lanes = Lanes { lanes: (0..lanes).map(|lane| Lane::new(limit(lane))).collect(), arrival: pacing.arrival, weight };
        // A second call keeps the first lanes: users hold their seats.
        let _ = self.lanes.set(lanes);
    }

    /// The lanes; none in a closed loop.
    pub fn lanes(&self) -> &[Lane] {
        self.lanes.get().map_or(&[], |lanes| &lanes.lanes)
    }

    /// How starts are spread.
    pub fn arrival(&self) -> Arrival {
        self.lanes.get().map_or(Arrival::Uniform, |lanes| lanes.arrival)
    }

    /// Operations of one arrival.
    pub fn weight(&self) -> u32 {
        self.lanes.get().map_or(1, |lanes| lanes.weight)
    }

    /// Offers another rate from `start_ns` on.
    pub fn set_rate(&self, per_s: f64, start_ns: u64) {
        let pacers = {
            let mut now = self.lock();
            // Relaxed: the rate is read under the lock; without it the epoch only says that a look is worth it.
            let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
            now.rate = Some(Rate { per_s, start_ns, epoch });
            std::mem::take(&mut now.pacers)
        };
        pacers.into_iter().for_each(Waker::wake);
    }

    /// Ends the offer: pacers end, and so does every user that waits.
    pub fn end(&self) {
        let pacers = {
            let mut now = self.lock();
            now.is_over = true;
            self.epoch.fetch_add(1, Ordering::Relaxed);
            std::mem::take(&mut now.pacers)
        };
        self.lanes().iter().for_each(Lane::close);
        pacers.into_iter().for_each(Waker::wake);
    }

    /// Whether the rate of this epoch is no longer the one offered.
    #[inline]
    pub fn is_past(&self, epoch: u64) -> bool {
        self.epoch.load(Ordering::Relaxed) != epoch
    }

    /// Since when the rate of this moment is offered; `None` when the offer has ended, or has not begun.
    pub fn rate_start_ns(&self) -> Option<u64> {
        let now = self.lock();
        now.rate.filter(|_| !now.is_over).map(|rate| rate.start_ns)
    }

    /// Waits for a rate other than the one of `epoch` (0: none yet); `None` when the offer has ended.
    pub fn next_rate(&self, epoch: u64) -> impl Future<Output = Option<Rate>> + Send + '_ {
        std::future::poll_fn(move |context| {
            let mut now = self.lock();
            match now.rate {
                _ if now.is_over => Poll::Ready(None),
                Some(rate) if rate.epoch != epoch => Poll::Ready(Some(rate)),
                _ => {
                    now.pacers.push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }

    /// Operations that were offered and that nobody has begun.
    pub fn waiting(&self) -> u64 {
        self.lanes().iter().map(|lane| lane.waiting() as u64).sum::<u64>() * u64::from(self.weight())
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_the_lanes_add_up() {
        for (max_in_flight, count, kept) in [(10u32, 3, 10), (64, 2, 64), (1, 1, 1), (1, 4, 4)] {
            let offer = Offer::default();
            offer.open_lanes(Pacing { arrival: Arrival::Uniform, max_in_flight }, count, 1);
            let taken: u32 = offer.lanes().iter().map(|lane| (0..100).filter(|_| lane.arrive(0).is_ok()).count() as u32).sum();
            assert_eq!(taken, kept, "{max_in_flight} over {count} lanes, one each at least");
            assert_eq!(offer.waiting(), u64::from(kept));
        }
    }

    #[test]
    fn a_pacer_sees_each_change_and_the_end() {
        let offer = Offer::default();
        let context = &mut std::task::Context::from_waker(Waker::noop());
        let mut next = |epoch| std::pin::pin!(offer.next_rate(epoch)).poll(context);
        assert!(next(0).is_pending());
        offer.set_rate(5.0, 7);
        let Poll::Ready(Some(rate)) = next(0) else { panic!("a rate is offered") };
        assert_eq!((rate.per_s, rate.start_ns), (5.0, 7));
        assert!(!offer.is_past(rate.epoch) && next(rate.epoch).is_pending());
        offer.end();
        assert!(offer.is_past(rate.epoch) && next(rate.epoch) == Poll::Ready(None));
    }
}
