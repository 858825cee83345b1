//! The strategy `adaptive`: which chunks stand empty, who may use them, and when they go back to the system.
//!
//! ```text
//!  current ─ used up ─▶ full ─ a block is freed ─▶ partial ─ all are ─▶ spare ─ unused for `REST` ─▶ the system
//!     ▲                                              │                    │
//!     └──────────── its class has no block ──────────┴─ any class has none┘
//! ```
//! The rule:
//!
//! - Every class has one current chunk. Its blocks are allocated and freed through one list as with `pooled`, so a class that gets along
//!   with one chunk works on the same few blocks, which stay in the cache; that the heap looks at the chunk and counts the free costs a
//!   call, some 2 ns. Blocks of its other chunks go on a list of their chunk, which counts them.
//! - A class without a block takes one of up to [`SEARCHED`] of its partial chunks: the fullest of those with an eighth of their blocks free, so
//!   that others become empty, or else the one with the most, so that it lasts. Where there is none, a spare chunk, its own before another
//!   class's, the latest first; then a new one.
//! - A spare chunk that nobody took for [`REST`] is unmapped. A use begins the time anew: what is needed more than once in `REST` stays.
//! - A current chunk whose list has not moved between two surveys, `REST` apart, and whose blocks are all free becomes spare.
//! - The heap looks when it is used: every [`FREES_PER_LOOK`] frees, when a class has no block, and when its worker goes to sleep; at most
//!   four times in `REST`. A thread that does nothing gives nothing back, unless it calls [`Heap::trim`](super::Heap::trim).
//!
//! Invariants
//!  H4. A chunk is unmapped, or serves another class, only when every block that was cut from it is on its list, or on that of its class;
//!      blocks that are out, in an outgoing chain or at home are on neither.
//!  H5. A chunk is current, full, in one list of partial ones, or among the spare ones; `partial_place` and `place` are its places.

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::chunk::{CHUNK_BYTES, ChunkHeader, Class, State};
use super::class::{self, CLASSES};
use super::home::Node;
use super::region::Region;

/// How long a chunk stands empty before it goes: a thousand times what it costs to map and touch one anew, some hundred microseconds.
pub(super) const REST: Duration = Duration::from_secs(1);
/// Frees between two looks at the clock, which costs some 25 ns: a tenth of a nanosecond a free.
const FREES_PER_LOOK: u32 = 256;
/// Partial or spare chunks among which one is chosen.
const SEARCHED: usize = 8;

type Chunk = NonNull<ChunkHeader>;

/// The chunks of one heap that are not current.
#[derive(Debug)]
pub(super) struct Adaptive {
    rest: Duration,
    partial: Box<[Vec<Chunk>; CLASSES]>,
    /// Empty ones and since when, the latest last.
    spare: VecDeque<(Chunk, Instant)>,
    frees_left: u32,
    next_look: Instant,
    next_survey: Instant,
    /// List and bump of each class at the last survey.
    seen: Box<[(*mut Node, *mut u8); CLASSES]>,
}

impl Adaptive {
    pub(super) fn new(rest: Duration) -> Self {
        let now = Instant::now();
        Self {
            rest,
            partial: Box::new([const { Vec::new() }; CLASSES]),
            spare: VecDeque::new(),
            frees_left: FREES_PER_LOOK,
            next_look: now + rest / 4,
            next_survey: now + rest,
            seen: Box::new([(std::ptr::null_mut(), std::ptr::null_mut()); CLASSES]),
        }
    }

    /// Counts a free; true: it is time to look at the clock.
    #[inline]
    pub(super) fn counts_down(&mut self) -> bool {
        self.frees_left -= 1;
        if self.frees_left > 0 {
            return false;
        }
        self.frees_left = FREES_PER_LOOK;
        true
    }

    /// Whether it is time to look at the chunks.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next_look
    }

    /// Takes back a block of a chunk that is not the current one of its class.
    ///
    /// # Safety
    /// The block is free and this heap's, of this chunk, and the caller's alone (H1).
    pub(super) unsafe fn put(&mut self, chunk: Chunk, node: NonNull<Node>) {
        // SAFETY: the heap's own chunk, and no other reference to its state (H3).
        let state = unsafe { ChunkHeader::state(chunk) };
        // SAFETY: the caller's promise; every block is large enough and aligned for a node.
        unsafe { node.write(Node { next: state.free }) };
        state.free = node.as_ptr();
        state.free_count += 1;
        let partial = &mut self.partial[state.class];
        if state.free_count == 1 {
            state.partial_place = partial.len();
            partial.push(chunk);
        } else if state.free_count == state.count {
            let (class, place) = (state.class, state.partial_place);
            self.remove_partial(class, place);
            self.spare.push_back((chunk, Instant::now()));
        }
    }

    fn remove_partial(&mut self, class: usize, place: usize) -> Chunk {
        let chunk = self.partial[class].swap_remove(place);
        if let Some(&moved) = self.partial[class].get(place) {
            // SAFETY: the heap's own chunk, and no other reference to its state (H3).
            unsafe { ChunkHeader::state(moved) }.partial_place = place;
        }
        chunk
    }

    /// A chunk that has blocks for `class`, as its current one.
    pub(super) fn take(&mut self, class: usize) -> Option<Class> {
        // SAFETY: the heap's own chunks, one reference at a time (H3).
        let state_of = |chunk: Chunk| unsafe { ChunkHeader::state(chunk) };
        let partial = &self.partial[class];
        // The first ones have been partial for long, most of them: the last ones have had little time to get free blocks.
        let chunk = match (0..partial.len().min(SEARCHED)).min_by_key(|&place| rank(state_of(partial[place]))) {
            Some(place) => self.remove_partial(class, place),
            None => self.take_spare(class)?,
        };
        let state = state_of(chunk);
        if state.class != class || state.free_count == 0 {
            // SAFETY: a spare chunk, of which no block is out (H4).
            return Some(unsafe { ChunkHeader::begin(chunk, class) });
        }
        state.free_count = 0;
        let end = ChunkHeader::bounds(chunk, class).1;
        Some(Class { free: std::mem::replace(&mut state.free, std::ptr::null_mut()), bump: end, end })
    }

    fn take_spare(&mut self, class: usize) -> Option<Chunk> {
        // SAFETY: the heap's own chunks, one reference at a time (H3).
        let is_own = |chunk: Chunk| unsafe { ChunkHeader::state(chunk) }.class == class;
        let latest = self.spare.len().checked_sub(1)?;
        let searched = (0..self.spare.len()).rev().take(SEARCHED);
        let place = searched.into_iter().find(|&place| is_own(self.spare[place].0)).unwrap_or(latest);
        self.spare.remove(place).map(|(chunk, _)| chunk)
    }

    /// Gives back what has stood empty for long enough. How many bytes.
    pub(super) fn look(&mut self, now: Instant, classes: &mut [Class; CLASSES], regions: &mut Vec<Region>) -> u64 {
        self.next_look = now + self.rest / 4;
        let mut bytes = 0;
        while self.spare.front().is_some_and(|&(_, since)| now.saturating_duration_since(since) >= self.rest) {
            bytes += self.give_back_oldest(regions);
        }
        if now >= self.next_survey {
            self.next_survey = now + self.rest;
            for (class, slot) in classes.iter_mut().enumerate() {
                let here = (slot.free, slot.bump);
                if std::mem::replace(&mut self.seen[class], here) == here {
                    self.retire(class, slot, now);
                }
            }
        }
        bytes
    }

    /// Gives back all that stands empty. How many bytes.
    pub(super) fn trim(&mut self, classes: &mut [Class; CLASSES], regions: &mut Vec<Region>) -> u64 {
        let now = Instant::now();
        classes.iter_mut().enumerate().for_each(|(class, slot)| self.retire(class, slot, now));
        let mut bytes = 0;
        while !self.spare.is_empty() {
            bytes += self.give_back_oldest(regions);
        }
        bytes
    }

    /// Makes the current chunk of a class spare if all its blocks are free.
    fn retire(&mut self, class: usize, slot: &mut Class, now: Instant) {
        let Some(last) = NonNull::new(slot.end.wrapping_sub(usize::from(!slot.end.is_null()))) else { return };
        let chunk = ChunkHeader::of(last);
        let cut = (slot.bump.addr() - ChunkHeader::bounds(chunk, class).0.addr()) / class::bytes(class);
        if slot.free_count() == cut {
            // What was on the list is forgotten: who takes the chunk cuts it anew.
            *slot = Class::NOTHING;
            self.spare.push_back((chunk, now));
        }
    }

    fn give_back_oldest(&mut self, regions: &mut Vec<Region>) -> u64 {
        let Some((chunk, _)) = self.spare.pop_front() else { return 0 };
        // SAFETY: the heap's own chunk, and no other reference to its state (H3).
        let place = unsafe { ChunkHeader::state(chunk) }.place;
        // No block of it is out, and nobody else knows it (H4).
        drop(regions.swap_remove(place));
        if let Some(moved) = regions.get(place) {
            // SAFETY: as above.
            unsafe { ChunkHeader::state(moved.at(0).cast()) }.place = place;
        }
        CHUNK_BYTES as u64
    }
}

/// The partial chunk of the lowest rank is taken.
fn rank(state: &State) -> usize {
    let has_enough = state.free_count * 8 >= state.count;
    if has_enough { state.free_count } else { usize::MAX - state.free_count }
}

#[cfg(all(test, not(zokio_loom)))]
#[path = "adaptive_tests.rs"]
mod tests;
