//! Blocks of memory of any size, by size class: allocated and freed by their owner without an atomic, freed by others in batches.
//!
//! ```text
//!  Heap (one thread's)                      Chunk: 1 MiB, aligned to 1 MiB, all blocks of one class
//!  ┌ class 16 B: free list, bump ┐          ┌────────┬───────┬───────┬───────┬───
//!  │ class 32 B: …               │ ───────▶ │ header │ block │ block │ block │ …
//!  └ 64 KiB and less             ┘          └────────┴───────┴───────┴───────┴───
//!        ▲ when a class is empty
//!        └── Home: blocks that other threads freed, in chains of up to 64 ──◀── outgoing of their heaps
//! ```
//! The heap of a block is found by masking its address. A chunk costs memory only where it was touched, and serves its class until the heap and
//! all its blocks are gone; larger blocks are the system's.
//!
//! Invariants
//!  H1. A block is cut from a chunk once; it is with its owner, on a free list, in an outgoing chain, or at its home.
//!  H2. `Shared` and its chunks live until the heap is dropped and every block has come back; [`Home`] says who is the last.
//!  H3. The free lists, the bump and the list of chunks are the heap's alone, until it is dropped; then the last one's.
#![expect(unsafe_code, reason = "memory is handed out by address; invariants H1 to H3")]

use std::alloc::{Layout, alloc, dealloc};
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

use super::class::{self, CLASSES};
use super::home::{Home, Node};

/// Size and alignment of a chunk: room for 15 blocks of the largest class, and a mask that finds the header.
const CHUNK_BYTES: usize = 1 << 20;
/// Room for the header; a cache line, so that blocks of a line and more begin at one.
const HEADER_BYTES: usize = 64;
/// Blocks on their way to one home before they are given: an exchange of 20 to 50 ns is shared by so many.
const OUTGOING_MAX: usize = 64;

/// Alignment of every block: as the system's allocator gives it.
pub const BLOCK_ALIGN: usize = 16;

#[repr(C)]
struct ChunkHeader {
    shared: NonNull<Shared>,
    class: usize,
}

/// What outlives the heap as long as a block is out.
#[derive(Debug)]
struct Shared {
    home: Home,
    chunks: std::cell::UnsafeCell<Vec<NonNull<u8>>>,
}

#[derive(Clone, Copy, Debug)]
struct Class {
    free: *mut Node,
    bump: *mut u8,
    end: *mut u8,
}

/// Foreign blocks on their way home, all of one home; the newest first.
#[derive(Debug)]
struct Outgoing {
    shared: *const Shared,
    first: *mut Node,
    last: *mut Node,
    count: usize,
}

/// A thread's source of memory.
///
/// Every thread has a heap of its own and frees what it has with it, whichever heap it came from: own blocks go on a list, others are sent home
/// in batches. At most 64 blocks of others wait here, until more come, [`Heap::flush`] is called, this heap has to look for memory,
/// or it is dropped.
///
/// ```
/// use zokio::mem::Heap;
///
/// let mut heap = Heap::new();
/// let mut block = heap.allocate(100).expect("memory");
/// block.as_uninit_mut().fill(std::mem::MaybeUninit::new(7));
/// // Another thread frees it with its own heap; a block that is dropped goes home by itself.
/// std::thread::spawn(move || Heap::new().free(block)).join().expect("no panic");
/// ```
pub struct Heap {
    shared: NonNull<Shared>,
    classes: Box<[Class; CLASSES]>,
    outgoing: Outgoing,
}

// SAFETY: what the pointers lead to is this heap's alone (H3), or given away by `Home`, which is made for threads.
unsafe impl Send for Heap {}

/// A piece of memory from a [`Heap`], aligned to [`BLOCK_ALIGN`]; its content is whatever was there.
///
/// Free it with [`Heap::free`] of the thread it is on; dropped, it goes home by itself, which costs an atomic exchange.
pub struct HeapBlock {
    pointer: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is the block's alone (H1).
unsafe impl Send for HeapBlock {}
// SAFETY: a shared block gives no access to its memory but its address.
unsafe impl Sync for HeapBlock {}

impl HeapBlock {
    /// The bytes asked for.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.pointer
    }

    /// The memory; nothing of it need be initialized.
    pub fn as_uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `bytes` bytes are there and the block's alone (H1).
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr().cast(), self.bytes) }
    }

    /// Address and size, for [`Self::from_raw`].
    #[inline]
    pub fn into_raw(self) -> (NonNull<u8>, usize) {
        let block = ManuallyDrop::new(self);
        (block.pointer, block.bytes)
    }

    /// The block that [`Self::into_raw`] took apart.
    ///
    /// # Safety
    /// Both come from one call of `into_raw`, and are put together once.
    #[inline]
    pub unsafe fn from_raw(pointer: NonNull<u8>, bytes: usize) -> Self {
        Self { pointer, bytes }
    }
}

impl Drop for HeapBlock {
    fn drop(&mut self) {
        if self.bytes > class::BYTES_MAX {
            // SAFETY: a block of this size is the system's, and freed once.
            return unsafe { free_large(self.pointer, self.bytes) };
        }
        let node = self.pointer.cast();
        // SAFETY: the block is out, so its chunk is there (H2).
        let shared = unsafe { chunk_of(self.pointer).as_ref() }.shared;
        // SAFETY: the block is out, so its home is there (H2).
        let home = unsafe { &shared.as_ref().home };
        // SAFETY: the block is ours and goes home (H1).
        if unsafe { home.give(node, node, 1) } {
            // SAFETY: it was the last one of a heap that is gone (H2).
            unsafe { release(shared) };
        }
    }
}

impl fmt::Debug for HeapBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeapBlock").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

fn chunk_layout() -> Layout {
    Layout::from_size_align(CHUNK_BYTES, CHUNK_BYTES).expect("1 MiB is a power of two")
}

#[inline]
fn chunk_of(block: NonNull<u8>) -> NonNull<ChunkHeader> {
    let header = block.as_ptr().map_addr(|address| address & !(CHUNK_BYTES - 1)).cast();
    // SAFETY: a chunk never lies at address zero.
    unsafe { NonNull::new_unchecked(header) }
}

fn large_layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes, BLOCK_ALIGN).ok()
}

/// # Safety
/// `pointer` was allocated with this size above [`class::BYTES_MAX`], and is freed once.
unsafe fn free_large(pointer: NonNull<u8>, bytes: usize) {
    let layout = large_layout(bytes).expect("it was allocated with this size");
    // SAFETY: the caller's promise.
    unsafe { dealloc(pointer.as_ptr(), layout) };
}

/// # Safety
/// The heap is dropped and no block is out (H2).
unsafe fn release(shared: NonNull<Shared>) {
    // SAFETY: made by `Heap::new` with `Box`; nobody else has it any more.
    let shared = unsafe { Box::from_raw(shared.as_ptr()) };
    for chunk in shared.chunks.into_inner() {
        // SAFETY: allocated by `grow` with this layout; none of its blocks is out.
        unsafe { dealloc(chunk.as_ptr(), chunk_layout()) };
    }
}

impl Heap {
    /// A heap without memory yet.
    pub fn new() -> Self {
        let shared = Shared { home: Home::new(), chunks: Vec::new().into() };
        let nothing = Class { free: std::ptr::null_mut(), bump: std::ptr::null_mut(), end: std::ptr::null_mut() };
        Self { shared: NonNull::from(Box::leak(Box::new(shared))), classes: Box::new([nothing; CLASSES]), outgoing: Outgoing::none() }
    }

    /// A block of `bytes`; `None` where the system has no memory.
    #[inline]
    pub fn allocate(&mut self, bytes: usize) -> Option<HeapBlock> {
        if bytes > class::BYTES_MAX {
            return allocate_large(bytes);
        }
        let class = class::of(bytes);
        let slot = &mut self.classes[class];
        let pointer = match NonNull::new(slot.free) {
            Some(node) => {
                // SAFETY: a block on the free list is linked, and this heap's alone (H1, H3).
                slot.free = unsafe { node.as_ref() }.next;
                node.cast()
            }
            None => self.refill(class)?,
        };
        Some(HeapBlock { pointer, bytes })
    }

    /// Frees a block, of this heap or another.
    #[inline]
    pub fn free(&mut self, block: HeapBlock) {
        let (pointer, bytes) = block.into_raw();
        if bytes > class::BYTES_MAX {
            // SAFETY: a block of this size is the system's, and freed once.
            return unsafe { free_large(pointer, bytes) };
        }
        // SAFETY: the block is out, so its chunk is there (H2).
        let shared = unsafe { chunk_of(pointer).as_ref() }.shared;
        let node: NonNull<Node> = pointer.cast();
        if shared == self.shared {
            let slot = &mut self.classes[class::of(bytes)];
            // SAFETY: the block is ours now, large enough and aligned for a node (H1).
            unsafe { node.write(Node { next: slot.free }) };
            slot.free = node.as_ptr();
        } else {
            self.send(shared, node);
        }
    }

    /// Sends home what waits here of other heaps' blocks.
    pub fn flush(&mut self) {
        let Outgoing { shared, first, last, count } = std::mem::replace(&mut self.outgoing, Outgoing::none());
        let (Some(shared), Some(first), Some(last)) = (NonNull::new(shared.cast_mut()), NonNull::new(first), NonNull::new(last)) else {
            return;
        };
        // SAFETY: the blocks are out, so their home is there (H2).
        let home = unsafe { &shared.as_ref().home };
        // SAFETY: the chain is this heap's, and given away here (H1).
        if unsafe { home.give(first, last, count) } {
            // SAFETY: they were the last ones of a heap that is gone (H2).
            unsafe { release(shared) };
        }
    }

    fn send(&mut self, shared: NonNull<Shared>, node: NonNull<Node>) {
        if !std::ptr::eq(self.outgoing.shared, shared.as_ptr()) {
            self.flush();
            self.outgoing = Outgoing { shared: shared.as_ptr(), first: std::ptr::null_mut(), last: node.as_ptr(), count: 0 };
        }
        // SAFETY: the block is ours, large enough and aligned for a node (H1).
        unsafe { node.write(Node { next: self.outgoing.first }) };
        self.outgoing.first = node.as_ptr();
        self.outgoing.count += 1;
        if self.outgoing.count == OUTGOING_MAX {
            self.flush();
        }
    }

    /// A block for a class whose list is empty: one that came home, else a new one.
    #[cold]
    fn refill(&mut self, class: usize) -> Option<NonNull<u8>> {
        self.flush();
        // SAFETY: `shared` lives as long as the heap (H2).
        let back = unsafe { self.shared.as_ref() }.home.take_all();
        self.take_back(back);
        if let Some(node) = NonNull::new(self.classes[class].free) {
            // SAFETY: as in `allocate`.
            self.classes[class].free = unsafe { node.as_ref() }.next;
            return Some(node.cast());
        }
        if self.classes[class].bump == self.classes[class].end {
            self.grow(class)?;
        }
        let slot = &mut self.classes[class];
        let block = slot.bump;
        slot.bump = block.wrapping_add(class::bytes(class));
        NonNull::new(block)
    }

    fn take_back(&mut self, mut list: *mut Node) {
        while let Some(node) = NonNull::new(list) {
            // SAFETY: the list was taken whole and is ours (H1).
            list = unsafe { node.as_ref() }.next;
            // SAFETY: a block of this heap, whose chunk lives as long as it (H2).
            let class = unsafe { chunk_of(node.cast()).as_ref() }.class;
            // SAFETY: as in `free`.
            unsafe { node.write(Node { next: self.classes[class].free }) };
            self.classes[class].free = node.as_ptr();
        }
    }

    fn grow(&mut self, class: usize) -> Option<()> {
        // SAFETY: the layout has a size.
        let chunk = NonNull::new(unsafe { alloc(chunk_layout()) })?;
        const { assert!(size_of::<ChunkHeader>() <= HEADER_BYTES) };
        // SAFETY: fresh memory, large enough and aligned.
        unsafe { chunk.cast().write(ChunkHeader { shared: self.shared, class }) };
        self.chunks().push(chunk);
        let count = (CHUNK_BYTES - HEADER_BYTES) / class::bytes(class);
        let slot = &mut self.classes[class];
        slot.bump = chunk.as_ptr().wrapping_add(HEADER_BYTES);
        slot.end = slot.bump.wrapping_add(count * class::bytes(class));
        Some(())
    }

    fn chunks(&mut self) -> &mut Vec<NonNull<u8>> {
        // SAFETY: `shared` lives as long as the heap (H2).
        let chunks = unsafe { self.shared.as_ref() }.chunks.get();
        // SAFETY: the list is the heap's alone (H3), which is borrowed as long as the result.
        unsafe { &mut *chunks }
    }

    /// Blocks that were handed out and have not come back, those on their way included.
    fn live(&mut self) -> usize {
        let chunks = self.chunks().clone();
        let cut = chunks.iter().map(|chunk| {
            // SAFETY: written by `grow`.
            let class = unsafe { chunk.cast::<ChunkHeader>().as_ref() }.class;
            let (size, slot) = (class::bytes(class), &self.classes[class]);
            let first = chunk.as_ptr().wrapping_add(HEADER_BYTES);
            let all = (CHUNK_BYTES - HEADER_BYTES) / size;
            // The newest chunk of a class may have blocks that were never cut.
            if first.wrapping_add(all * size) == slot.end { (slot.bump.addr() - first.addr()) / size } else { all }
        });
        let free = self.classes.iter().map(|slot| {
            // SAFETY: blocks on a free list are linked, and the heap's alone (H3).
            std::iter::successors(NonNull::new(slot.free), |node| NonNull::new(unsafe { node.as_ref() }.next)).count()
        });
        cut.sum::<usize>() - free.sum::<usize>()
    }
}

impl Outgoing {
    fn none() -> Self {
        Self { shared: std::ptr::null(), first: std::ptr::null_mut(), last: std::ptr::null_mut(), count: 0 }
    }
}

#[cold]
fn allocate_large(bytes: usize) -> Option<HeapBlock> {
    let layout = large_layout(bytes)?;
    // SAFETY: the size is above zero.
    let pointer = NonNull::new(unsafe { alloc(layout) })?;
    Some(HeapBlock { pointer, bytes })
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Heap {
    /// Memory goes now where no block is out, otherwise with the last one (H2).
    fn drop(&mut self) {
        self.flush();
        // SAFETY: `shared` is there until `leave` has said who releases it (H2).
        let back = unsafe { self.shared.as_ref() }.home.close();
        self.take_back(back);
        let live = self.live();
        // SAFETY: as above.
        if unsafe { self.shared.as_ref() }.home.leave(live) {
            // SAFETY: no block is out (H2).
            unsafe { release(self.shared) };
        }
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Heap").field("outgoing", &self.outgoing.count).finish_non_exhaustive()
    }
}
