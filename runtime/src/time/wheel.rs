//! A hierarchical timing wheel: insert, cancel and expire in constant time.
//!
//! ```text
//!  level 0: 64 slots of 1 tick      level 1: 64 slots of 64 ticks      …      level 5: 64 slots of 64^5 ticks
//! ```
//! A timer lies in the level of the highest bit in which its deadline differs from the time passed; when time enters its slot, it moves
//! down to a finer level, or fires. One bit per slot says which slots hold anything.
//!
//! Source: Varghese and Lauck 1987, "Hashed and Hierarchical Timing Wheels", scheme 7.

use std::task::Waker;

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const LEVELS: usize = 6;
/// A timer further ahead waits in the last level and is placed again when its slot comes.
const SPAN: u64 = 1 << (SLOT_BITS * LEVELS as u32);
/// No entry.
const NONE: u32 = u32::MAX;

/// Names a timer; a key of a timer that is gone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry {
    deadline: u64,
    waker: Option<Waker>,
    generation: u32,
    /// Where it lies: level and slot.
    place: Option<(u8, u8)>,
    previous: u32,
    next: u32,
}

#[derive(Debug)]
struct Level {
    occupied: u64,
    first: [u32; SLOTS],
}

/// The wheel. Ticks count from its making.
#[derive(Debug)]
pub(crate) struct Wheel {
    passed: u64,
    /// Start of the first slot that holds anything; `u64::MAX` when none does.
    next: u64,
    levels: [Level; LEVELS],
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Wheel {
    pub(crate) fn new() -> Self {
        let level = || Level { occupied: 0, first: [NONE; SLOTS] };
        Self { passed: 0, next: u64::MAX, levels: std::array::from_fn(|_| level()), entries: Vec::new(), free: Vec::new() }
    }

    /// Adds a timer; one whose deadline has passed fires with the next [`Self::advance`].
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { deadline: 0, waker: None, generation: 0, place: None, previous: NONE, next: NONE });
            u32::try_from(self.entries.len() - 1).expect("fewer than four billion timers")
        });
        let entry = &mut self.entries[index as usize];
        entry.deadline = deadline;
        entry.waker = Some(waker);
        let generation = entry.generation;
        self.place(index);
        Key { index, generation }
    }

    /// Gives a live timer another waker; what it had comes back, if it was another, to be dropped outside of any lock. `None` when it is gone.
    pub(crate) fn update(&mut self, key: Key, waker: &Waker) -> Option<Option<Waker>> {
        let entry = self.entries.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)?;
        let known = entry.waker.as_mut()?;
        Some(if known.will_wake(waker) { None } else { Some(std::mem::replace(known, waker.clone())) })
    }

    /// Removes every timer and hands out the wakers.
    pub(crate) fn clear(&mut self, wakers: &mut Vec<Waker>) {
        for index in 0..self.entries.len() as u32 {
            if self.entries[index as usize].waker.is_some() {
                self.unlink(index);
                wakers.extend(self.release(index));
            }
        }
        self.look_for_next();
    }

    /// Removes a timer; its waker comes back, to be dropped outside of any lock. `None` when it is gone already.
    pub(crate) fn cancel(&mut self, key: Key) -> Option<Waker> {
        let entry = self.entries.get(key.index as usize)?;
        if entry.generation != key.generation || entry.waker.is_none() {
            return None;
        }
        if self.unlink(key.index) {
            self.look_for_next();
        }
        self.release(key.index)
    }

    /// The tick at which something has to be done: a timer fires, or moves to a finer level. Never later than the first deadline.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        debug_assert_eq!(self.next, self.next_slot().map_or(u64::MAX, |(_, _, tick)| tick));
        (self.next != u64::MAX).then_some(self.next)
    }

    fn look_for_next(&mut self) {
        self.next = self.next_slot().map_or(u64::MAX, |(_, _, tick)| tick);
    }

    /// Time has come to `now`: hands out the wakers of all timers whose deadline is not later.
    pub(crate) fn advance(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        while let Some((level, slot, tick)) = self.next_slot().filter(|&(_, _, tick)| tick <= now) {
            self.passed = self.passed.max(tick);
            let mut list = std::mem::replace(&mut self.levels[level].first[slot], NONE);
            self.levels[level].occupied &= !(1 << slot);
            while list != NONE {
                let index = list;
                list = self.entries[index as usize].next;
                self.entries[index as usize].place = None;
                if self.entries[index as usize].deadline <= self.passed {
                    wakers.extend(self.release(index));
                } else {
                    self.place(index);
                }
            }
        }
        self.passed = self.passed.max(now);
        self.look_for_next();
    }

    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        // A finer level always comes before a coarser one: it holds what lies within the current slot of the coarser one.
        let level = (0..LEVELS).find(|&level| self.levels[level].occupied != 0)?;
        let shift = SLOT_BITS * level as u32;
        let now_slot = (self.passed >> shift) as usize % SLOTS;
        let ahead = self.levels[level].occupied.rotate_right(now_slot as u32).trailing_zeros() as usize;
        let slot = (now_slot + ahead) % SLOTS;
        let round = self.passed & !((1 << (shift + SLOT_BITS)) - 1);
        let start = round + ((slot as u64) << shift);
        // A slot before the current one belongs to the next round; only the last level has such.
        let tick = if slot < now_slot { start + (1 << (shift + SLOT_BITS)) } else { start };
        Some((level, slot, tick))
    }

    fn place(&mut self, index: u32) {
        // In the current tick at the earliest, in the last slot but one of the last level at the latest.
        let deadline = self.entries[index as usize].deadline.clamp(self.passed, self.passed + SPAN - SPAN / SLOTS as u64 - 1);
        let differing = (self.passed ^ deadline) | (SLOTS as u64 - 1);
        let level = (((63 - differing.leading_zeros()) / SLOT_BITS) as usize).min(LEVELS - 1);
        let slot = (deadline >> (SLOT_BITS * level as u32)) as usize % SLOTS;
        let first = std::mem::replace(&mut self.levels[level].first[slot], index);
        self.levels[level].occupied |= 1 << slot;
        self.next = self.next.min(deadline >> (SLOT_BITS * level as u32) << (SLOT_BITS * level as u32));
        if first != NONE {
            self.entries[first as usize].previous = index;
        }
        let entry = &mut self.entries[index as usize];
        entry.place = Some((level as u8, slot as u8));
        entry.previous = NONE;
        entry.next = first;
    }

    /// Takes a timer out of its slot; true when the slot holds no other.
    fn unlink(&mut self, index: u32) -> bool {
        let Entry { place, previous, next, .. } = self.entries[index as usize];
        let Some((level, slot)) = place else { return false };
        let (level, slot) = (usize::from(level), usize::from(slot));
        if next != NONE {
            self.entries[next as usize].previous = previous;
        }
        if previous == NONE {
            self.levels[level].first[slot] = next;
            if next == NONE {
                self.levels[level].occupied &= !(1 << slot);
            }
        } else {
            self.entries[previous as usize].next = next;
        }
        previous == NONE && next == NONE
    }

    fn release(&mut self, index: u32) -> Option<Waker> {
        let entry = &mut self.entries[index as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.place = None;
        self.free.push(index);
        entry.waker.take()
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    struct Fired(AtomicU64);

    impl Wake for Fired {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fire(wheel: &mut Wheel, now: u64) {
        let mut wakers = Vec::new();
        wheel.advance(now, &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
    }

    proptest! {
        /// Whatever the deadlines, the steps of time and the cancellations: every timer fires once, never early, and in the step in
        /// which its deadline came.
        #[test]
        fn timers_fire_once_never_early_and_without_delay(
            deadlines in proptest::collection::vec((0_u64..300_000, 0_u64..200_000, any::<bool>()), 1..60),
            steps in proptest::collection::vec(1_u64..40_000, 1..40),
        ) {
            let mut wheel = Wheel::new();
            type Timer = (u64, u64, bool, Option<Key>, Arc<Fired>);
            let mut timers: Vec<Timer> = deadlines
                .into_iter()
                .map(|(inserted, ahead, cancelled)| (inserted, inserted + ahead, cancelled, None, Arc::new(Fired(AtomicU64::new(0)))))
                .collect();
            let mut now = 0;
            for step in steps {
                for (inserted, deadline, _, key, fired) in &mut timers {
                    if *inserted <= now && key.is_none() {
                        *key = Some(wheel.insert(*deadline, fired.clone().into()));
                    }
                }
                for (_, deadline, cancelled, key, fired) in &timers {
                    if let (true, Some(key)) = (cancelled, key) {
                        let was_there = wheel.cancel(*key).is_some();
                        prop_assert!(!(was_there && fired.0.load(Ordering::Relaxed) > 0), "deadline {} both fired and cancelled", deadline);
                    }
                }
                if let Some(next) = wheel.next_tick() {
                    let first = timers.iter().filter(|(_, _, cancelled, key, fired)| !cancelled && key.is_some() && fired.0.load(Ordering::Relaxed) == 0);
                    prop_assert!(first.map(|timer| timer.1.max(now)).min().is_none_or(|first| next <= first));
                }
                now += step;
                fire(&mut wheel, now);
                for (_, deadline, cancelled, key, fired) in &timers {
                    let expected = u64::from(key.is_some() && !cancelled && *deadline <= now);
                    prop_assert_eq!(fired.0.load(Ordering::Relaxed), expected, "deadline {} at {}", deadline, now);
                }
            }
        }
    }

    #[test]
    fn a_timer_beyond_the_span_waits_for_its_turn() {
        let mut wheel = Wheel::new();
        let fired = Arc::new(Fired(AtomicU64::new(0)));
        let deadline = 3 * SPAN + 17;
        wheel.insert(deadline, fired.clone().into());
        let mut now = 0;
        while now < deadline {
            assert_eq!(fired.0.load(Ordering::Relaxed), 0, "early at {now}");
            now = wheel.next_tick().expect("the timer is there");
            assert!(now <= deadline);
            fire(&mut wheel, now);
        }
        assert_eq!(fired.0.load(Ordering::Relaxed), 1);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn a_cleared_wheel_waits_for_nothing() {
        let mut wheel = Wheel::new();
        let fired = Arc::new(Fired(AtomicU64::new(0)));
        let mut wakers = Vec::new();
        wheel.insert(70, fired.clone().into());
        wheel.insert(SPAN, fired.into());
        wheel.clear(&mut wakers);
        assert_eq!(wakers.len(), 2);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn a_key_of_a_fired_timer_names_nothing() {
        let mut wheel = Wheel::new();
        let fired = Arc::new(Fired(AtomicU64::new(0)));
        let key = wheel.insert(5, fired.clone().into());
        fire(&mut wheel, 5);
        let other = wheel.insert(9, fired.clone().into());
        assert!(wheel.cancel(key).is_none(), "the cell was used again, the key was not");
        assert!(wheel.update(key, &fired.clone().into()).is_none());
        assert!(wheel.cancel(other).is_some());
        assert_eq!(wheel.next_tick(), None);
    }
}
