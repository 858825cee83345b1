//! A block of memory and where it came from.

use std::alloc::{Layout, alloc, dealloc};
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

use super::chunk::{self, ChunkHeader};
use super::class;
use super::home::Node;

/// Alignment of every block: as the system's allocator gives it.
pub const BLOCK_ALIGN: usize = 16;

/// Set in the size of a block of the global allocator: no size has this bit, and with it a block is larger than any of a class, so that the
/// comparison which every free makes finds both.
const FROM_SYSTEM: usize = 1 << (usize::BITS - 1);

/// Who gave a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A heap with classes; it took what exceeds them from the global allocator.
    Pooled,
    /// The global allocator, through a heap of the strategy `system`.
    System,
}

/// A piece of memory from a [`Heap`](super::Heap), aligned to [`BLOCK_ALIGN`]; its content is whatever was there.
///
/// Free it with [`Heap::free`](super::Heap::free) of the thread it is on; dropped, it goes home by itself, which costs an atomic exchange.
pub struct HeapBlock {
    pointer: NonNull<u8>,
    /// Bytes, and where they came from ([`FROM_SYSTEM`]).
    word: usize,
}

// SAFETY: the memory is the block's alone (H1).
unsafe impl Send for HeapBlock {}
// SAFETY: a shared block gives no access to its memory but its address.
unsafe impl Sync for HeapBlock {}

impl HeapBlock {
    /// A block of a chunk, or a large one.
    #[inline]
    pub(super) fn pooled(pointer: NonNull<u8>, bytes: usize) -> Self {
        Self { pointer, word: bytes }
    }

    /// A block of the global allocator: its memory, or `None` when there is none.
    #[cold]
    pub(super) fn from_system(bytes: usize, origin: Origin) -> Option<Self> {
        // SAFETY: the layout has a size.
        let pointer = NonNull::new(unsafe { alloc(layout(bytes)?) })?;
        Some(Self { pointer, word: word(bytes, origin) })
    }

    /// The bytes asked for.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.word & !FROM_SYSTEM
    }

    /// The address.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.pointer
    }

    /// Who gave it.
    #[inline]
    pub fn origin(&self) -> Origin {
        if self.word & FROM_SYSTEM == 0 { Origin::Pooled } else { Origin::System }
    }

    /// The memory; nothing of it need be initialized.
    pub fn as_uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `bytes` bytes are there and the block's alone (H1).
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr().cast(), self.bytes()) }
    }

    /// Address, size and origin, for [`Self::from_raw`].
    #[inline]
    pub fn into_raw(self) -> (NonNull<u8>, usize, Origin) {
        let block = ManuallyDrop::new(self);
        (block.pointer, block.bytes(), block.origin())
    }

    /// The block that [`Self::into_raw`] took apart.
    ///
    /// # Safety
    /// All three come from one call of `into_raw`, and are put together once.
    #[inline]
    pub unsafe fn from_raw(pointer: NonNull<u8>, bytes: usize, origin: Origin) -> Self {
        Self { pointer, word: word(bytes, origin) }
    }

    /// The memory of a chunk, and its bytes; `Err` for a block of the global allocator, which is freed by dropping it.
    #[inline]
    pub(super) fn into_pooled(self) -> Result<(NonNull<u8>, usize), Self> {
        if self.word > class::BYTES_MAX {
            return Err(self);
        }
        let block = ManuallyDrop::new(self);
        Ok((block.pointer, block.word))
    }
}

#[inline]
fn word(bytes: usize, origin: Origin) -> usize {
    if origin == Origin::System { bytes | FROM_SYSTEM } else { bytes }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), BLOCK_ALIGN).ok()
}

impl Drop for HeapBlock {
    fn drop(&mut self) {
        if self.word > class::BYTES_MAX {
            let layout = layout(self.bytes()).expect("it was allocated with this size");
            // SAFETY: `from_system` allocated it with this layout, as every block of more bytes than a class has, or with this mark.
            return unsafe { dealloc(self.pointer.as_ptr(), layout) };
        }
        let node: NonNull<Node> = self.pointer.cast();
        // SAFETY: the block is out, so its chunk is there (H2).
        let shared = unsafe { ChunkHeader::of(self.pointer).as_ref() }.shared;
        // SAFETY: the block is ours and goes home (H1).
        unsafe { chunk::send_home(shared, node, node, 1) };
    }
}

impl fmt::Debug for HeapBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HeapBlock").field("bytes", &self.bytes()).field("origin", &self.origin()).finish_non_exhaustive()
    }
}
