//! A block of memory with its pattern: the witness of the workload `memory`.
//!
//! ```text
//!  [64 bytes, checked][one word of each 256 bytes checked ...............][64 bytes, checked]
//!   every word of the block is the block's own tag; the last few bytes are the tag's
//! ```
//! Two blocks that overlap hold two tags, so a block handed out twice shows as soon as the first of both is freed.
//!
//! Invariants
//!  I1. `pointer` addresses `size` bytes, aligned to [`ALIGN`], that nobody but this block's owner touches until it is freed.
//!  I2. Every byte was written by [`Block::new`] before anything reads it.
#![expect(unsafe_code, reason = "memory of an allocator is reached by address")]

use std::hint::black_box;
use std::ptr::NonNull;

/// Alignment of every block: what `malloc` gives.
pub const ALIGN: usize = 16;
/// Bytes at each end that are all read back.
const END_BYTES: usize = 64;
/// Distance of the words read back between the ends.
const STRIDE_BYTES: usize = 256;
const WORD: usize = size_of::<u64>();

/// A block, its pattern written.
#[derive(Debug)]
#[must_use = "a block is given back to its allocator"]
pub struct Block {
    pointer: NonNull<u8>,
    size: usize,
    tag: u64,
}

// SAFETY: by I1 the owner of the block is the only one who touches its memory, on whichever thread it is.
unsafe impl Send for Block {}

impl Block {
    /// Writes the pattern over the whole block.
    ///
    /// # Safety
    /// `pointer` addresses `size` bytes as I1 has it, from now until the block is taken apart.
    #[inline]
    pub unsafe fn new(pointer: NonNull<u8>, size: usize, tag: u64) -> Self {
        let (words, bytes) = (size / WORD, size % WORD);
        let base = pointer.cast::<u64>();
        for word in 0..words {
            // SAFETY: `word < size / 8`, so by I1 the address is inside the block, and aligned.
            unsafe { base.add(word).write(tag) };
        }
        for at in size - bytes..size {
            // SAFETY: `at < size`, so by I1 the address is inside the block.
            unsafe { pointer.add(at).write(tag.to_le_bytes()[at % WORD]) };
        }
        // The writes have to reach memory: the compiler is told that somebody may look.
        Self { pointer: black_box(pointer), size, tag }
    }

    /// Whether what is read back is what was written.
    #[inline]
    pub fn is_intact(&self) -> bool {
        let (words, end_words) = (self.size / WORD, END_BYTES / WORD);
        // Differences are collected without a branch: a small block costs a few instructions.
        let mut wrong = 0;
        if words <= 2 * end_words {
            (0..words).for_each(|at| wrong |= self.word(at) ^ self.tag);
        } else {
            (0..end_words).for_each(|at| wrong |= self.word(at) ^ self.tag);
            (end_words..words - end_words).step_by(STRIDE_BYTES / WORD).for_each(|at| wrong |= self.word(at) ^ self.tag);
            (words - end_words..words).for_each(|at| wrong |= self.word(at) ^ self.tag);
        }
        for at in words * WORD..self.size {
            // SAFETY: `at < size`: inside by I1, written by I2.
            wrong |= u64::from(unsafe { self.pointer.add(at).read() } ^ self.tag.to_le_bytes()[at % WORD]);
        }
        wrong == 0
    }

    /// The word at an index below `size / 8`.
    #[inline]
    fn word(&self, at: usize) -> u64 {
        debug_assert!(at < self.size / WORD);
        // SAFETY: the callers stay below `size / 8`: inside by I1, aligned, written by I2.
        unsafe { self.pointer.cast::<u64>().add(at).read() }
    }

    /// Spoils its last byte, for the negative test.
    #[cold]
    pub fn damage(&mut self) {
        // SAFETY: a block has a byte at least; the last one is inside by I1.
        unsafe { self.pointer.add(self.size - 1).write(!self.tag.to_le_bytes()[(self.size - 1) % WORD]) };
    }

    /// Address and size, for the free.
    #[inline]
    pub fn into_parts(self) -> (NonNull<u8>, usize) {
        (self.pointer, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_found_in_what_is_read_back() {
        let mut memory = vec![0_u128; 1024];
        let base = NonNull::new(memory.as_mut_ptr().cast::<u8>()).expect("a vector has an address");
        for size in [1, 7, 8, 9, 63, 64, 100, 128, 129, 1_024, 4_099, 16_384] {
            // SAFETY: the vector has 16 KiB, aligned to 16, and nobody else uses them while the block lives.
            let mut block = unsafe { Block::new(base, size, 0x0123_4567_89AB_CDEF) };
            assert!(block.is_intact(), "{size}");
            block.damage();
            assert!(!block.is_intact(), "{size}");
            let _ = block.into_parts();
        }
    }

    #[test]
    fn two_blocks_on_the_same_memory_are_noticed() {
        let mut memory = vec![0_u128; 64];
        let base = NonNull::new(memory.as_mut_ptr().cast::<u8>()).expect("a vector has an address");
        // SAFETY: the memory is there; that both own it is the fault to be found, and one thread touches it.
        let (first, second) = unsafe { (Block::new(base, 512, 1), Block::new(base, 64, 2)) };
        assert!(second.is_intact() && !first.is_intact());
    }
}
