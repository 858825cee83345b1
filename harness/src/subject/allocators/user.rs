//! One user of a memory trial: a thread's rounds over blocks, by lifetime.
//!
//! ```text
//!  pair     take ─ check ─ give
//!  batch    take × live ─ check and give × live, shuffled
//!  shift    as batch, and each batch has a size of its own
//!  remote   take × live ─▶ inbox of the next user ─ check and give × live, there
//! ```

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::block::Block;
use super::source::{Source, SourceReport};
use crate::load::closed::Control;
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::workload::memory::{Lifetime, MemoryWorkload};
use crate::workload::tcp::payload::{Sizes, mix};

/// Batches that wait in an inbox at most: its owner is at work on one and finds the next.
const INBOX_BATCHES: usize = 2;

/// Looks at empty inboxes before a user lets others run: some microseconds, less than its neighbour takes for a batch.
const IDLE_SPINS: u32 = 100;

/// What the users of a trial share.
#[derive(Debug)]
pub struct Shared {
    workload: MemoryWorkload,
    seed: u64,
    inboxes: Box<[Inbox]>,
    taken: AtomicU64,
    given: AtomicU64,
    /// What the sources of ended users said of themselves.
    told: Mutex<SourceReport>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Inbox {
    batches: Mutex<Batches>,
    /// Nobody puts anything in any more.
    is_closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Batches {
    full: Vec<Vec<Block>>,
    /// Emptied vectors, so that handing over allocates nothing.
    empty: Vec<Vec<Block>>,
}

fn lock(inbox: &Inbox) -> MutexGuard<'_, Batches> {
    inbox.batches.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// For so many users.
    pub fn new(workload: &MemoryWorkload, users: u32, seed: u64) -> Self {
        let inboxes = (0..users).map(|_| Inbox::default()).collect();
        Self { workload: workload.clone(), seed, inboxes, taken: AtomicU64::new(0), given: AtomicU64::new(0), told: Mutex::default() }
    }

    /// Blocks taken and blocks given back, over all users that have ended.
    pub fn balance(&self) -> (u64, u64) {
        // Relaxed: read after the users' threads were joined.
        (self.taken.load(Ordering::Relaxed), self.given.load(Ordering::Relaxed))
    }

    /// What the sources of all users that have ended said of themselves: counts are summed, of the rest the last word holds.
    pub fn told(self) -> SourceReport {
        self.told.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One user, on one thread.
#[derive(Debug)]
pub struct User<'a, S> {
    shared: &'a Shared,
    source: S,
    number: u32,
    /// Sizes of the blocks of a round, drawn before the trial: no subject pays for drawing.
    sizes: Box<[u32]>,
    /// Order in which a batch is freed.
    order: Box<[u32]>,
    batch: Vec<Option<Block>>,
    tag: u64,
    taken: u64,
    given: u64,
    /// Test hook: damage the next block taken.
    spoils_next: bool,
    idle_turns: u32,
}

impl<'a, S: Source> User<'a, S> {
    /// The user with this number, on the thread that will run it.
    pub fn new(shared: &'a Shared, number: u32, source: S) -> Self {
        let workload = &shared.workload;
        let random = |at: u64| mix(shared.seed ^ mix(u64::from(number) << 32 | at));
        let sizes = Sizes::new(&workload.size);
        // All blocks of a batch of `shift` are drawn at its first.
        let first_of = |at| if workload.lifetime == Lifetime::Shift { at - at % u64::from(workload.live) } else { at };
        let draw = |at| u32::try_from(sizes.len(|| random(at))).expect("a size of a scenario is at most 64 MiB");
        let mut order: Box<[u32]> = (0..workload.live).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, (random(!(last as u64)) % (last as u64 + 1)) as usize);
        }
        Self {
            shared,
            source,
            number,
            sizes: (0..u64::from(workload.operations_per_round)).map(first_of).map(draw).collect(),
            order,
            batch: Vec::with_capacity(workload.live as usize),
            tag: random(u64::MAX) | 1,
            taken: 0,
            given: 0,
            spoils_next: false,
            idle_turns: 0,
        }
    }

    /// The rounds that show whether twice the work takes twice as long; nothing is written down. `neighbour` is the access of whoever frees
    /// what this user takes, used on the same thread.
    pub fn double(&mut self, pieces: impl Iterator<Item = u64>, neighbour: impl FnOnce() -> S) {
        let round = match self.shared.workload.lifetime {
            Lifetime::Pair => Self::pairs,
            Lifetime::Batch | Lifetime::Shift => Self::batches,
            Lifetime::Remote => {
                let mut neighbour = neighbour();
                return pieces.for_each(|rounds| (0..rounds).for_each(|_| self.exchange(&mut neighbour)));
            }
        };
        for rounds in pieces {
            for _ in 0..rounds {
                black_box(round(self));
            }
        }
    }

    /// A batch each way between two accesses, as two users hand them over: what one took, the other frees.
    fn exchange(&mut self, neighbour: &mut S) {
        for _ in 0..2 {
            for at in 0..self.sizes.len() {
                let block = self.take(at);
                self.batch.push(block);
            }
            std::mem::swap(&mut self.source, neighbour);
            for at in 0..self.batch.len() {
                let block = self.batch[at].take();
                black_box(self.give(block));
            }
            self.batch.clear();
        }
    }

    /// One round, written down block by block where one was wrong.
    pub fn round(&mut self, control: &Control, recorder: &mut Recorder) {
        self.spoils_next |= control.takes_corruption(self.number);
        let (good, wrong) = match self.shared.workload.lifetime {
            Lifetime::Pair => self.pairs(),
            Lifetime::Batch | Lifetime::Shift => self.batches(),
            Lifetime::Remote => {
                let has_sent = self.send();
                let received = self.receive();
                self.wait_unless(has_sent || received != (0, 0));
                received
            }
        };
        write_down(recorder, good, wrong);
    }

    #[inline]
    fn take(&mut self, at: usize) -> Option<Block> {
        // Odd steps: tags of blocks that live together differ.
        self.tag = self.tag.wrapping_add(0x9E37_79B9_7F4A_7C16);
        let mut block = self.source.take(self.sizes[at] as usize, self.tag)?;
        self.taken += 1;
        if std::mem::take(&mut self.spoils_next) {
            block.damage();
        }
        Some(block)
    }

    /// Checks and frees; whether it was intact.
    #[inline]
    fn give(&mut self, block: Option<Block>) -> bool {
        block.is_some_and(|block| {
            let is_intact = block.is_intact();
            self.source.give(block);
            self.given += 1;
            is_intact
        })
    }

    fn pairs(&mut self) -> (u64, u64) {
        let mut good = 0;
        for at in 0..self.sizes.len() {
            let block = self.take(at);
            good += u64::from(self.give(block));
        }
        (good, self.sizes.len() as u64 - good)
    }

    fn batches(&mut self) -> (u64, u64) {
        let (live, mut good) = (self.order.len(), 0);
        for first in (0..self.sizes.len()).step_by(live) {
            for at in first..first + live {
                let block = self.take(at);
                self.batch.push(block);
            }
            for at in 0..live {
                let block = self.batch[self.order[at] as usize].take();
                good += u64::from(self.give(block));
            }
            self.batch.clear();
        }
        (good, self.sizes.len() as u64 - good)
    }

    /// Spins for a moment when there was nothing to do, and lets others have the CPU when that lasts.
    fn wait_unless(&mut self, was_busy: bool) {
        self.idle_turns = if was_busy { 0 } else { self.idle_turns + 1 };
        if self.idle_turns > IDLE_SPINS {
            std::thread::yield_now();
        } else if self.idle_turns > 0 {
            std::hint::spin_loop();
        }
    }

    /// Puts a batch into the next user's inbox, unless that is full; whether it did.
    fn send(&mut self) -> bool {
        let shared = self.shared;
        let inbox = &shared.inboxes[(self.number as usize + 1) % shared.inboxes.len()];
        let mut batch = {
            let mut batches = lock(inbox);
            if batches.full.len() >= INBOX_BATCHES {
                return false;
            }
            batches.empty.pop().unwrap_or_else(|| Vec::with_capacity(self.sizes.len()))
        };
        batch.extend((0..self.sizes.len()).filter_map(|at| self.take(at)));
        lock(inbox).full.push(batch);
        true
    }

    /// Checks and frees what waits in the own inbox, at most one batch.
    fn receive(&mut self) -> (u64, u64) {
        let inbox = &self.shared.inboxes[self.number as usize];
        let Some(mut batch) = lock(inbox).full.pop() else {
            return (0, 0);
        };
        // A block that could not be had is not in the batch, and counts as wrong here.
        let wanted = self.sizes.len() as u64;
        let mut good = 0;
        for block in batch.drain(..) {
            good += u64::from(self.give(Some(block)));
        }
        lock(inbox).empty.push(batch);
        (good, wanted - good)
    }

    /// Ends the user: what others have sent it is checked and freed too.
    pub fn end(mut self, control: &Control, recorder: &mut Recorder) {
        let shared = self.shared;
        if shared.workload.lifetime == Lifetime::Remote {
            let count = shared.inboxes.len();
            // Release pairs with the Acquire below: what was put in before is seen.
            shared.inboxes[(self.number as usize + 1) % count].is_closed.store(true, Ordering::Release);
            loop {
                // A user that failed never closes its neighbour's inbox.
                let is_last = shared.inboxes[self.number as usize].is_closed.load(Ordering::Acquire) || control.check().is_err();
                let (good, wrong) = self.receive();
                write_down(recorder, good, wrong);
                if is_last && good + wrong == 0 {
                    break;
                }
                std::thread::yield_now();
            }
        }
        shared.taken.fetch_add(self.taken, Ordering::Relaxed);
        shared.given.fetch_add(self.given, Ordering::Relaxed);
        let own = self.source.report();
        let mut told = shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in own.counters {
            *told.counters.entry(name).or_default() += count;
        }
        told.config.extend(own.config);
    }
}

/// A round: its intact blocks are its operations, each other one is an error.
fn write_down(recorder: &mut Recorder, good: u64, wrong: u64) {
    if good > 0 {
        recorder.round(good, 0);
    }
    for _ in 0..wrong {
        recorder.failure(ErrorClass::Mismatch, None);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::source::{Library, Process};
    use super::*;
    use crate::workload::tcp::SizeDistribution;

    /// Which of two accesses took a block, and which freed one.
    struct Watched<'a> {
        name: char,
        told: &'a RefCell<String>,
    }

    impl Source for Watched<'_> {
        fn take(&mut self, size: usize, tag: u64) -> Option<Block> {
            self.told.borrow_mut().push(self.name);
            Library(Process).take(size, tag)
        }

        fn give(&mut self, block: Block) {
            self.told.borrow_mut().push(self.name.to_ascii_uppercase());
            Library(Process).give(block);
        }
    }

    fn told(lifetime: Lifetime, pieces: &[u64]) -> (String, u64, u64) {
        let told = RefCell::default();
        let workload = MemoryWorkload { size: SizeDistribution::Fixed(64), lifetime, live: 2, operations_per_round: 2 };
        let shared = Shared::new(&workload, 2, 1);
        let mut user = User::new(&shared, 0, Watched { name: 'a', told: &told });
        user.double(pieces.iter().copied(), || Watched { name: 'b', told: &told });
        let balance = (user.taken, user.given);
        drop(user);
        (told.into_inner(), balance.0, balance.1)
    }

    #[test]
    fn twice_the_rounds_are_twice_the_blocks_and_remote_ones_are_freed_by_the_other_access() {
        // Lower case takes, upper case frees.
        assert_eq!(told(Lifetime::Remote, &[1]), ("aaBBbbAA".into(), 4, 4));
        assert_eq!(told(Lifetime::Remote, &[1, 2]), ("aaBBbbAA".repeat(3), 12, 12));
        assert_eq!(told(Lifetime::Pair, &[1, 2]), ("aAaA".repeat(3), 6, 6));
        assert_eq!(told(Lifetime::Batch, &[2, 4]), ("aaAA".repeat(6), 12, 12));
    }
}
