//! The cheapest way to hand items out one by one: they lie in an array, and one compare-and-swap on a counter takes the next.
//!
//! It can do so much less than a queue (a round must be gone before the next one is pushed) that no queue is expected to reach it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::subject::queue::{OwnerEnd, ThiefEnd};

/// The array and its counters; owner and thieves share all of it.
#[derive(Clone, Debug)]
pub struct OneCas(Arc<Items>);

#[derive(Debug)]
struct Items {
    slots: Box<[AtomicU32]>,
    pushed: Line,
    taken: Line,
}

/// A counter on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

impl OwnerEnd for OneCas {
    type Thief = Self;

    fn new(items: u32) -> (Self, Self) {
        let slots = (0..items).map(|_| AtomicU32::new(0)).collect();
        let both = Self(Arc::new(Items { slots, pushed: Line::default(), taken: Line::default() }));
        (both.clone(), both)
    }

    #[inline]
    fn push(&mut self, item: u32) {
        let Items { slots, pushed, .. } = &*self.0;
        // Relaxed: the owner alone writes it.
        let at = pushed.0.load(Ordering::Relaxed);
        slots[at as usize % slots.len()].store(item, Ordering::Relaxed);
        // Release pairs with the Acquire in `steal`: who sees the count sees the slot.
        pushed.0.store(at + 1, Ordering::Release);
    }

    #[inline]
    fn pop(&mut self) -> Option<u32> {
        self.steal()
    }
}

impl ThiefEnd for OneCas {
    #[inline]
    fn steal(&self) -> Option<u32> {
        let Items { slots, pushed, taken } = &*self.0;
        // Relaxed: only the success of the exchange decides who has the item, and the slot came with `pushed`.
        let mut at = taken.0.load(Ordering::Relaxed);
        loop {
            if at >= pushed.0.load(Ordering::Acquire) {
                return None;
            }
            let item = slots[at as usize % slots.len()].load(Ordering::Relaxed);
            match taken.0.compare_exchange_weak(at, at + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(item),
                Err(now) => at = now,
            }
        }
    }
}
