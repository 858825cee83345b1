//! A chunk: 1 MiB of blocks of one class, found from each of them by masking its address.
//!
//! ```text
//!  ┌─────────┬──────────────┬───────┬───────┬───────┬───
//!  │ shared  │ heap's own   │ block │ block │ block │ …
//!  └─────────┴──────────────┴───────┴───────┴───────┴───
//!   a line that all read, and one that the heap alone reads and writes
//! ```

use std::cell::UnsafeCell;
use std::ptr::NonNull;

use super::class;
use super::home::{Home, Node};
use super::region::Region;

/// Size and alignment of a chunk: room for 15 blocks of the largest class, and a mask that finds the header.
pub(super) const CHUNK_BYTES: usize = 1 << 20;
/// Room for the header, so that blocks of a cache line and more begin at one.
const HEADER_BYTES: usize = 128;

/// What outlives the heap as long as a block is out.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) home: Home,
    /// The heap's alone, until it is dropped (H3).
    pub(super) chunks: UnsafeCell<Vec<Region>>,
}

#[repr(C)]
pub(super) struct ChunkHeader {
    pub(super) shared: NonNull<Shared>,
    own: Own,
}

/// A line of its own: the heap writes here while others read what lies before.
#[repr(align(64))]
struct Own(UnsafeCell<State>);

/// What the heap knows of a chunk (H3).
#[derive(Debug)]
pub(super) struct State {
    pub(super) class: usize,
    /// How many blocks of the class it has room for.
    pub(super) count: usize,
    /// Its place in the list of chunks.
    pub(super) place: usize,
    /// Free blocks that are on no list of the heap; `adaptive` alone has such.
    pub(super) free: *mut Node,
    pub(super) free_count: usize,
    /// Its place among the chunks of its class that have free blocks.
    pub(super) partial_place: usize,
}

const _: () = assert!(size_of::<ChunkHeader>() <= HEADER_BYTES);

impl ChunkHeader {
    /// The chunk that `block` lies in.
    #[inline]
    pub(super) fn of(block: NonNull<u8>) -> NonNull<Self> {
        let header = block.as_ptr().map_addr(|address| address & !(CHUNK_BYTES - 1)).cast();
        // SAFETY: a chunk never lies at address zero.
        unsafe { NonNull::new_unchecked(header) }
    }

    /// A new chunk at the start of `region`, which is the `place`-th of its heap.
    pub(super) fn write(region: &Region, shared: NonNull<Shared>, class: usize, place: usize) -> NonNull<Self> {
        let header = region.at(0).cast();
        let state = State { class, count: blocks(class), place, free: std::ptr::null_mut(), free_count: 0, partial_place: 0 };
        // SAFETY: fresh memory, large enough and aligned.
        unsafe { header.write(Self { shared, own: Own(UnsafeCell::new(state)) }) };
        header
    }

    /// What the heap knows of it.
    ///
    /// # Safety
    /// The chunk is the caller's heap's, and there is no other reference to its state (H3).
    #[inline]
    pub(super) unsafe fn state<'a>(chunk: NonNull<Self>) -> &'a mut State {
        // SAFETY: a chunk of the caller's; only the cell's address is taken.
        let cell = unsafe { &chunk.as_ref().own.0 };
        // SAFETY: the caller's promise.
        unsafe { &mut *cell.get() }
    }

    /// Makes it the current chunk of `class`, whole.
    ///
    /// # Safety
    /// As [`Self::state`], and no block of it is out.
    pub(super) unsafe fn begin(chunk: NonNull<Self>, class: usize) -> Class {
        // SAFETY: the caller's promise.
        let state = unsafe { Self::state(chunk) };
        (state.class, state.count) = (class, blocks(class));
        (state.free, state.free_count) = (std::ptr::null_mut(), 0);
        let (bump, end) = Self::bounds(chunk, class);
        Class { free: std::ptr::null_mut(), bump, end }
    }

    /// Blocks that were cut from it and are on no list of its own; `slots` are the heap's classes.
    ///
    /// # Safety
    /// As [`Self::state`].
    pub(super) unsafe fn cut_count(chunk: NonNull<Self>, slots: &[Class]) -> usize {
        // SAFETY: the caller's promise.
        let state = unsafe { Self::state(chunk) };
        let (slot, first) = (&slots[state.class], Self::bounds(chunk, state.class).0);
        // Of the current chunk some blocks may never have been cut.
        let cut = if slot.is_current(chunk) { (slot.bump.addr() - first.addr()) / class::bytes(state.class) } else { state.count };
        cut - state.free_count
    }

    /// Where its blocks begin, and where they end when it serves `class`.
    pub(super) fn bounds(chunk: NonNull<Self>, class: usize) -> (*mut u8, *mut u8) {
        let first = chunk.cast::<u8>().as_ptr().wrapping_add(HEADER_BYTES);
        (first, first.wrapping_add(blocks(class) * class::bytes(class)))
    }
}

/// The blocks of a class that its heap has at hand: those of the class's current chunk with `adaptive`, of all its chunks otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class {
    pub(super) free: *mut Node,
    /// What was never cut of the current chunk.
    pub(super) bump: *mut u8,
    pub(super) end: *mut u8,
}

impl Class {
    /// No blocks, and no current chunk.
    pub(super) const NOTHING: Self = Self { free: std::ptr::null_mut(), bump: std::ptr::null_mut(), end: std::ptr::null_mut() };

    /// Puts a free block on the list.
    ///
    /// # Safety
    /// The block is of this class, free, and the caller's alone (H1).
    #[inline]
    pub(super) unsafe fn push(&mut self, node: NonNull<Node>) {
        // SAFETY: the caller's promise; every block is large enough and aligned for a node.
        unsafe { node.write(Node { next: self.free }) };
        self.free = node.as_ptr();
    }

    /// Takes a free block from the list.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<NonNull<u8>> {
        let node = NonNull::new(self.free)?;
        // SAFETY: a block on the list is linked, and the heap's alone (H1, H3).
        self.free = unsafe { node.as_ref() }.next;
        Some(node.cast())
    }

    /// Cuts a block of `class` from the current chunk.
    pub(super) fn cut(&mut self, class: usize) -> Option<NonNull<u8>> {
        if self.bump == self.end {
            return None;
        }
        let block = self.bump;
        self.bump = block.wrapping_add(class::bytes(class));
        NonNull::new(block)
    }

    /// Whether `chunk` is the current one.
    #[inline]
    pub(super) fn is_current(&self, chunk: NonNull<ChunkHeader>) -> bool {
        self.end.addr().wrapping_sub(1) & !(CHUNK_BYTES - 1) == chunk.addr().get()
    }

    /// How many blocks are on the list.
    pub(super) fn free_count(&self) -> usize {
        // SAFETY: as in `pop`.
        std::iter::successors(NonNull::new(self.free), |node| NonNull::new(unsafe { node.as_ref() }.next)).count()
    }
}

/// Blocks of a chunk.
pub(super) fn blocks(class: usize) -> usize {
    (CHUNK_BYTES - HEADER_BYTES) / class::bytes(class)
}

/// Gives a chain of `count` blocks back to their heap; the last ones of a heap that is gone release its memory.
///
/// # Safety
/// The chain is linked, its blocks belong to `shared`, are out, and the caller's alone (H1).
pub(super) unsafe fn send_home(shared: NonNull<Shared>, first: NonNull<Node>, last: NonNull<Node>, count: usize) {
    // SAFETY: the blocks are out, so their home is there (H2).
    let home = unsafe { &shared.as_ref().home };
    // SAFETY: the caller's promise.
    if unsafe { home.give(first, last, count) } {
        // SAFETY: they were the last ones of a heap that is gone (H2).
        unsafe { release(shared) };
    }
}

/// Gives all memory of a heap back.
///
/// # Safety
/// The heap is dropped and no block is out (H2).
pub(super) unsafe fn release(shared: NonNull<Shared>) {
    // SAFETY: made by a heap with `Box`; nobody else has it any more. Its chunks are unmapped with it.
    drop(unsafe { Box::from_raw(shared.as_ptr()) });
}
