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
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

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
        // SAFETY: by I1 these bytes are there, aligned for words, and the caller's alone.
        let words = unsafe { slice::from_raw_parts_mut(pointer.cast::<MaybeUninit<u64>>().as_ptr(), size / WORD) };
        words.fill(MaybeUninit::new(tag));
        let written = size_of_val(words);
        // SAFETY: by I1 as above; the words are not used any more.
        let bytes = unsafe { slice::from_raw_parts_mut(pointer.cast::<MaybeUninit<u8>>().as_ptr(), size) };
        for (byte, tag_byte) in bytes[written..].iter_mut().zip(tag.to_le_bytes()) {
            byte.write(tag_byte);
        }
        // The writes have to reach memory: the compiler is told that somebody may look.
        Self { pointer: black_box(pointer), size, tag }
    }

    /// Whether what is read back is what was written.
    #[inline]
    pub fn is_intact(&self) -> bool {
        // SAFETY: inside by I1, aligned, written by I2; the owner writes only through `&mut self`.
        let words = unsafe { slice::from_raw_parts(self.pointer.cast::<u64>().as_ptr(), self.size / WORD) };
        const END_WORDS: usize = END_BYTES / WORD;
        // Differences are collected without a branch: a small block costs a few instructions.
        let differs = |words: &[u64]| words.iter().fold(0, |wrong, word| wrong | (word ^ self.tag));
        let mut wrong = if words.len() <= 2 * END_WORDS {
            differs(words)
        } else {
            let (first, rest) = words.split_at(END_WORDS);
            let (middle, last) = rest.split_at(rest.len() - END_WORDS);
            let sampled = middle.iter().step_by(STRIDE_BYTES / WORD).fold(0, |wrong, word| wrong | (word ^ self.tag));
            differs(first) | sampled | differs(last)
        };
        // SAFETY: inside by I1, written by I2.
        let bytes = unsafe { slice::from_raw_parts(self.pointer.as_ptr(), self.size) };
        for (byte, tag_byte) in bytes[size_of_val(words)..].iter().zip(self.tag.to_le_bytes()) {
            wrong |= u64::from(byte ^ tag_byte);
        }
        wrong == 0
    }

    /// Spoils its last byte, for the negative test.
    #[cold]
    pub fn damage(&mut self) {
        // SAFETY: inside by I1, written by I2, and nobody else looks while the block is borrowed.
        let bytes = unsafe { slice::from_raw_parts_mut(self.pointer.as_ptr(), self.size) };
        if let Some(last) = bytes.last_mut() {
            *last = !*last;
        }
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
        // SAFETY: the memory is there, and one thread touches it.
        let first = unsafe { Block::new(base, 512, 1) };
        // SAFETY: as before; that both own it is the fault to be found.
        let second = unsafe { Block::new(base, 64, 2) };
        assert!(second.is_intact() && !first.is_intact());
    }
}
