//! A buffer whose address suits direct I/O.
#![expect(unsafe_code, reason = "allocates with an alignment of its own")]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::{IoBuf, IoBufMut};

/// Bytes at an address that is a multiple of a power of two, as a file opened with `O_DIRECT` demands. All of them are initialized, and
/// the length never changes: the count of a read says how many are new.
///
/// ```
/// let mut buffer = zokio::buf::AlignedBuf::zeroed(8192, 4096);
/// assert!(buffer.as_ptr().addr().is_multiple_of(4096));
/// buffer[..5].copy_from_slice(b"hello");
/// ```
pub struct AlignedBuf {
    /// Invariant: allocated with `layout`, every byte initialized, owned by this value alone. Dangling if the layout has no bytes.
    pointer: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the bytes belong to this value alone.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared references only read.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// `length` zeros at a multiple of `alignment` bytes.
    ///
    /// # Panics
    /// If `alignment` is no power of two, or `length` exceeds what can be allocated.
    pub fn zeroed(length: usize, alignment: usize) -> Self {
        let layout = Layout::from_size_align(length, alignment).expect("the alignment is a power of two and the length can be allocated");
        if length == 0 {
            return Self { pointer: NonNull::dangling(), layout };
        }
        // SAFETY: the layout has a size.
        let pointer = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        Self { pointer, layout }
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the invariant of `pointer`.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the invariant of `pointer`.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), self.layout.size()) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: the invariant of `pointer`; dropped once.
            unsafe { dealloc(self.pointer.as_ptr(), self.layout) };
        }
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf").field("length", &self.layout.size()).field("alignment", &self.layout.align()).finish()
    }
}

// SAFETY: the bytes live on the heap and do not move with the value.
unsafe impl IoBuf for AlignedBuf {
    fn stable_ptr(&self) -> *const u8 {
        self.pointer.as_ptr()
    }
    fn bytes_init(&self) -> usize {
        self.layout.size()
    }
}

// SAFETY: as above; the value is the only owner.
unsafe impl IoBufMut for AlignedBuf {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.pointer.as_ptr()
    }
    fn bytes_total(&self) -> usize {
        self.layout.size()
    }
    unsafe fn set_init(&mut self, _count: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_aligned_zero_and_writable() {
        for (length, alignment) in [(0, 512), (1, 1), (5000, 4096), (4096, 1 << 16)] {
            let mut buffer = AlignedBuf::zeroed(length, alignment);
            assert!(length == 0 || buffer.as_ptr().addr().is_multiple_of(alignment));
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer.fill(7);
            assert_eq!((buffer.len(), buffer.iter().filter(|&&byte| byte == 7).count()), (length, length));
        }
    }

    #[test]
    #[should_panic(expected = "power of two")]
    fn an_alignment_is_a_power_of_two() {
        let _ = AlignedBuf::zeroed(16, 3);
    }
}
