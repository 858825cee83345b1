//! Where blocks come from: the process's allocator, a library's, zokio's heap, or a hand-written free list.
//!
//! Invariants
//!  I1. A [`Block`] made here is given back to a source of the same kind in the same trial, once.
//!  I2. The memory of a chunk lives as long as its [`Arena`], which outlives every source and block of the trial.
#![expect(unsafe_code, reason = "memory of an allocator is reached by address")]

use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};
use zokio::MemoryStrategy;
use zokio::mem::{Heap, HeapBlock, HeapReport, Origin};

use super::block::{ALIGN, Block};

/// One thread's access to an allocator.
pub trait Source {
    /// A block of `size` bytes, at least one, with its pattern written; `None` when there is no memory.
    fn take(&mut self, size: usize, tag: u64) -> Option<Block>;

    /// Frees a block, whichever thread took it.
    fn give(&mut self, block: Block);

    /// What it says of itself when its user ends; most have nothing to say.
    fn report(&self) -> SourceReport {
        SourceReport::default()
    }
}

/// What a source adds to the record of its trial.
#[derive(Debug, Default)]
pub struct SourceReport {
    /// Counts, summed over the users.
    pub counters: BTreeMap<String, u64>,
    /// Entries of the effective configuration.
    pub config: Map<String, Value>,
}

/// The allocator of this process, as every `Box` and `Vec` uses it.
#[derive(Clone, Copy, Debug)]
pub struct Process;

// SAFETY: passes every call on to the registered global allocator, with the layout it was given.
unsafe impl GlobalAlloc for Process {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one asked for here.
        unsafe { std::alloc::alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one asked for here.
        unsafe { std::alloc::dealloc(pointer, layout) }
    }
}

/// Any allocator by its `GlobalAlloc`.
#[derive(Clone, Copy, Debug)]
pub struct Library<A>(pub A);

#[inline]
fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, ALIGN).expect("sizes of a scenario are far below isize::MAX")
}

impl<A: GlobalAlloc> Source for Library<A> {
    #[inline]
    fn take(&mut self, size: usize, tag: u64) -> Option<Block> {
        // SAFETY: the layout has a size above zero.
        let pointer = NonNull::new(unsafe { self.0.alloc(layout(size)) })?;
        // SAFETY: the allocator says that these bytes are the caller's alone until they are freed.
        Some(unsafe { Block::new(pointer, size, tag) })
    }

    #[inline]
    fn give(&mut self, block: Block) {
        let (pointer, size) = block.into_parts();
        // SAFETY: by I1 it came from this allocator with this layout, and is freed once.
        unsafe { self.0.dealloc(pointer.as_ptr(), layout(size)) };
    }
}

/// zokio's heap of one thread; `FROM_SYSTEM` when its blocks are the global allocator's, which is known before the trial and so costs no
/// word in a block.
#[derive(Debug)]
pub struct Own<const FROM_SYSTEM: bool>(pub Heap);

impl<const FROM_SYSTEM: bool> Own<FROM_SYSTEM> {
    const ORIGIN: Origin = if FROM_SYSTEM { Origin::System } else { Origin::Pooled };
}

impl<const FROM_SYSTEM: bool> Source for Own<FROM_SYSTEM> {
    #[inline]
    fn take(&mut self, size: usize, tag: u64) -> Option<Block> {
        let (pointer, _, origin) = self.0.allocate(size)?.into_raw();
        debug_assert_eq!(origin, Self::ORIGIN);
        // SAFETY: the heap says that these bytes are the caller's alone until they are freed.
        Some(unsafe { Block::new(pointer, size, tag) })
    }

    #[inline]
    fn give(&mut self, block: Block) {
        let (pointer, size) = block.into_parts();
        // SAFETY: by I1 all come from `take` above, of a heap of the same strategy, and are put together once.
        self.0.free(unsafe { HeapBlock::from_raw(pointer, size, Self::ORIGIN) });
    }

    fn report(&self) -> SourceReport {
        let HeapReport { strategy, blocks_from_system, bytes_mapped, bytes_returned, numa_nodes, placement } = self.0.report();
        let counts = [("blocks_from_system", blocks_from_system), ("bytes_mapped", bytes_mapped), ("bytes_returned", bytes_returned)];
        let mut config = Map::from_iter([("memory_strategy".to_owned(), json!(strategy))]);
        if strategy == MemoryStrategy::NumaAware {
            config.insert("numa_nodes".into(), json!(numa_nodes));
            config.insert("numa_placement".into(), json!(placement.to_string()));
        }
        SourceReport { counters: counts.map(|(name, count)| (name.to_owned(), count)).into(), config }
    }
}

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 1 << 20;
/// Up to here a class for every 16 bytes, above one for every power of two.
const FINE_BYTES_MAX: usize = 1_024;
/// Fine classes, and powers of two up to the address space.
const CLASSES: usize = FINE_BYTES_MAX / ALIGN + 1 + usize::BITS as usize;

/// A cache line of memory that nobody has written yet.
#[repr(align(64))]
struct Line(#[expect(dead_code, reason = "reached by address alone")] [MaybeUninit<u8>; 64]);

/// The chunks of all threads of a trial.
#[derive(Default)]
pub struct Arena(Mutex<Vec<Box<[MaybeUninit<Line>]>>>);

impl Arena {
    /// A chunk of at least `bytes`, and its length.
    fn chunk(&self, bytes: usize) -> (NonNull<u8>, usize) {
        let mut chunk = Box::new_uninit_slice(bytes.max(CHUNK_BYTES).div_ceil(size_of::<Line>()));
        let start = NonNull::from(&mut *chunk).cast::<u8>();
        let len = size_of_val(&*chunk);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(chunk);
        (start, len)
    }
}

/// The ceiling of `memory`: chunks cut into blocks by moving a pointer, and a list of free blocks per size class, all of one thread. A
/// block freed by another thread joins that thread's list.
pub struct FreeList<'a> {
    arena: &'a Arena,
    /// First free block of each class; a free block's first word is the next one's address.
    free: Box<[Option<NonNull<u8>>]>,
    next: NonNull<u8>,
    left: usize,
}

impl<'a> FreeList<'a> {
    /// Nothing free yet.
    pub fn new(arena: &'a Arena) -> Self {
        Self { arena, free: vec![None; CLASSES].into(), next: NonNull::dangling(), left: 0 }
    }

    /// The class of a size, and the bytes of its blocks.
    #[inline]
    fn class(size: usize) -> (usize, usize) {
        if size <= FINE_BYTES_MAX {
            let class = size.div_ceil(ALIGN);
            return (class, class * ALIGN);
        }
        let bytes = size.next_power_of_two();
        (FINE_BYTES_MAX / ALIGN + 1 + bytes.trailing_zeros() as usize, bytes)
    }

    #[cold]
    fn cut(&mut self, bytes: usize) -> NonNull<u8> {
        if self.left < bytes {
            (self.next, self.left) = self.arena.chunk(bytes);
        }
        let block = self.next;
        // SAFETY: `bytes <= left`, so the new end is within the chunk or just past it (I2).
        self.next = unsafe { block.add(bytes) };
        self.left -= bytes;
        block
    }
}

impl Source for FreeList<'_> {
    #[inline]
    fn take(&mut self, size: usize, tag: u64) -> Option<Block> {
        let (class, bytes) = Self::class(size);
        let pointer = match self.free[class] {
            Some(first) => {
                // SAFETY: a block on the list is free and at least 16 bytes; `give` wrote the next one's address there.
                self.free[class] = unsafe { first.cast::<Option<NonNull<u8>>>().read() };
                first
            }
            None => self.cut(bytes),
        };
        // SAFETY: cut once from a chunk (I2) and on no list any more, so it is the caller's alone.
        Some(unsafe { Block::new(pointer, size, tag) })
    }

    #[inline]
    fn give(&mut self, block: Block) {
        let (pointer, size) = block.into_parts();
        let (class, _) = Self::class(size);
        // SAFETY: by I1 the block was cut from a chunk for this class: at least 16 bytes, aligned, and its owner gives it up.
        unsafe { pointer.cast::<Option<NonNull<u8>>>().write(self.free[class]) };
        self.free[class] = Some(pointer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_its_sizes_and_a_freed_block_is_used_again() {
        for size in [1, 15, 16, 17, 1_000, 1_024, 1_025, 5_000, 1 << 20, (1 << 20) + 1] {
            let (class, bytes) = FreeList::class(size);
            assert!(bytes >= size && bytes.is_multiple_of(ALIGN) && class < CLASSES, "{size}: {class} {bytes}");
            assert_eq!(FreeList::class(bytes), (class, bytes), "{size}");
        }
        let arena = Arena::default();
        let mut list = FreeList::new(&arena);
        let (first, second) = (list.take(64, 1).expect("memory"), list.take(60, 2).expect("memory"));
        assert!(first.is_intact() && second.is_intact());
        list.give(first);
        list.give(second);
        let chunks = |arena: &Arena| arena.0.lock().expect("no panic").len();
        assert_eq!(chunks(&arena), 1);
        for tag in 0..100_000 {
            let block = list.take(64, tag).expect("memory");
            assert!(block.is_intact());
            list.give(block);
        }
        assert_eq!(chunks(&arena), 1, "a free list does not grow by pairs");
        let large = list.take(3 << 20, 9).expect("memory");
        assert!(large.is_intact());
        list.give(large);
        assert_eq!(chunks(&arena), 2);
    }
}
