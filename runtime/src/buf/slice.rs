//! A part of an owned buffer, itself an owned buffer.
#![expect(unsafe_code, reason = "passes on the promises of the buffer inside, narrowed to a range")]

use std::ops::{Bound, Deref, RangeBounds};

use super::{IoBuf, IoBufMut, initialized};

/// Bytes `begin..end` of the buffer inside.
///
/// ```
/// use zokio::buf::IoBuf;
///
/// let part = b"hello world".to_vec().slice(6..);
/// assert_eq!(&*part, b"world");
/// assert_eq!(part.into_inner(), b"hello world");
/// ```
///
/// A read through a slice never shortens the buffer inside: it grows to `begin + count` if it was shorter.
#[derive(Debug)]
pub struct Slice<B> {
    buffer: B,
    /// Invariant: at most the initialized bytes of `buffer`, so that no hole of uninitialized bytes can arise.
    begin: usize,
    end: usize,
}

impl<B: IoBuf> Slice<B> {
    /// See [`IoBuf::slice`].
    pub(super) fn new(buffer: B, range: impl RangeBounds<usize>) -> Self {
        let begin = match range.start_bound() {
            Bound::Included(&begin) => begin,
            Bound::Excluded(&before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&last) => last + 1,
            Bound::Excluded(&end) => end,
            Bound::Unbounded => usize::MAX,
        };
        assert!(begin <= end, "slice begins at {begin} but ends at {end}");
        let initialized = buffer.bytes_init();
        assert!(begin <= initialized, "slice begins at {begin}, behind the {initialized} initialized bytes");
        Self { buffer, begin, end }
    }

    /// The whole buffer.
    pub fn into_inner(self) -> B {
        self.buffer
    }

    /// The buffer inside.
    pub fn get_ref(&self) -> &B {
        &self.buffer
    }

    /// Index of the first byte in the buffer inside.
    pub fn begin(&self) -> usize {
        self.begin
    }
}

impl<B: IoBuf> Deref for Slice<B> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        initialized(self)
    }
}

// SAFETY: a pointer into the buffer inside is as stable as that buffer; the length is cut to what is initialized there.
unsafe impl<B: IoBuf> IoBuf for Slice<B> {
    fn stable_ptr(&self) -> *const u8 {
        self.buffer.stable_ptr().wrapping_add(self.begin)
    }
    fn bytes_init(&self) -> usize {
        self.end.min(self.buffer.bytes_init()) - self.begin
    }
}

// SAFETY: as above; the length is cut to what may be written.
unsafe impl<B: IoBufMut> IoBufMut for Slice<B> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.buffer.stable_mut_ptr().wrapping_add(self.begin)
    }
    fn bytes_total(&self) -> usize {
        self.end.min(self.buffer.bytes_total()) - self.begin
    }
    unsafe fn set_init(&mut self, count: usize) {
        let filled = self.begin + count;
        if self.buffer.bytes_init() < filled {
            // SAFETY: bytes up to `begin` were initialized (the invariant of `begin`), the `count` after it by the caller's promise.
            unsafe { self.buffer.set_init(filled) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_reads_and_grows_only_its_own_range() {
        let mut buffer = Vec::with_capacity(10);
        buffer.extend_from_slice(b"abcdef");
        let mut slice = buffer.slice(4..9);
        assert_eq!((slice.bytes_init(), slice.bytes_total()), (2, 5));
        assert_eq!(&*slice, b"ef");
        // SAFETY: one byte of the slice is initialized.
        unsafe { slice.set_init(1) };
        assert_eq!(slice.into_inner(), b"abcdef", "a short read does not shorten the buffer");
    }

    #[test]
    fn slices_nest() {
        let slice = b"0123456789".to_vec().slice(2..8).slice(1..3);
        assert_eq!(&*slice, b"34");
    }

    #[test]
    #[should_panic(expected = "behind the 3 initialized bytes")]
    fn a_slice_cannot_leave_a_hole() {
        let mut buffer = Vec::with_capacity(10);
        buffer.extend_from_slice(b"abc");
        let _ = buffer.slice(4..);
    }

    #[test]
    #[should_panic(expected = "begins at 3 but ends at 2")]
    #[expect(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    fn a_reversed_slice_is_refused() {
        let _ = b"abcdef".to_vec().slice(3..2);
    }
}
