//! Owned buffers: what an operation keeps until the kernel is done with it.
//!
//! The kernel writes into a buffer while no Rust code runs, and goes on writing after the future that asked for it was dropped. A
//! borrowed `&mut [u8]` cannot express that, so a buffer is *given* to the operation and comes back with the result:
//!
//! ```text
//!  stream.read(buffer) ──▶ operation owns `buffer` ──▶ (Ok(count), buffer)
//!                             └ future dropped: the buffer lives on in the driver until the last completion
//! ```
//!
//! | buffer | read into | written from |
//! | --- | --- | --- |
//! | `Vec<u8>` | from index 0 up to its capacity; its length becomes the count | its length |
//! | `Box<[u8]>` | from index 0 up to its length, which stays | its length |
//! | [`Slice`] | from its begin up to its end; the buffer inside grows if needed | its initialized part |
//! | [`AlignedBuf`] | as a box, at an address for direct I/O | its length |
//! | `&'static [u8]`, `&'static str`, `String`, `Arc<[u8]>` | no | its length |
//!
//! A vectored operation takes several at once: a `Vec` or array of buffers, or a pair ([`IoBufs`]).
#![expect(unsafe_code, reason = "the kernel reads and writes through the pointers that these traits promise")]

mod aligned;
mod slice;
mod vectored;

use std::io;
use std::ops::RangeBounds;
use std::sync::Arc;

pub use aligned::AlignedBuf;
pub use slice::Slice;
pub use vectored::{IoBufs, IoBufsMut};

/// What an operation on an owned buffer returns: its result, and the buffer back in every case.
pub type BufResult<T, B> = (io::Result<T>, B);

/// A buffer that the kernel may read from.
///
/// # Safety
/// From the moment the value is given to an operation until it is given back:
/// - [`stable_ptr`](IoBuf::stable_ptr) stays the same even when the value itself is moved (so a plain array cannot implement this);
/// - [`bytes_init`](IoBuf::bytes_init) bytes from that pointer are initialized and readable, and nobody changes them;
/// - neither call has side effects.
pub unsafe trait IoBuf: Unpin + Send + 'static {
    /// The first byte.
    fn stable_ptr(&self) -> *const u8;

    /// Initialized bytes from the pointer on.
    fn bytes_init(&self) -> usize;

    /// The part of this buffer in `range`, as a buffer of its own.
    ///
    /// # Panics
    /// If the range begins behind the initialized bytes or is reversed.
    fn slice(self, range: impl RangeBounds<usize>) -> Slice<Self>
    where
        Self: Sized,
    {
        Slice::new(self, range)
    }
}

/// A buffer that the kernel may write into.
///
/// # Safety
/// As [`IoBuf`]; in addition [`bytes_total`](IoBufMut::bytes_total) bytes from [`stable_mut_ptr`](IoBufMut::stable_mut_ptr) on, which
/// is the address of [`IoBuf::stable_ptr`], are writable and nobody else reads or writes them.
pub unsafe trait IoBufMut: IoBuf {
    /// The first byte.
    fn stable_mut_ptr(&mut self) -> *mut u8;

    /// Bytes that may be written from the pointer on, initialized or not.
    fn bytes_total(&self) -> usize;

    /// Notes that the first `count` bytes were written. A buffer of variable length takes `count` as its length.
    ///
    /// # Safety
    /// The first `count` bytes are initialized and `count` is at most [`bytes_total`](IoBufMut::bytes_total).
    unsafe fn set_init(&mut self, count: usize);
}

// SAFETY: the bytes of a Vec live on the heap at an address that only changes through `&mut`, which nobody has.
unsafe impl IoBuf for Vec<u8> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; the capacity is allocated and owned.
unsafe impl IoBufMut for Vec<u8> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }
    fn bytes_total(&self) -> usize {
        self.capacity()
    }
    unsafe fn set_init(&mut self, count: usize) {
        debug_assert!(count <= self.capacity());
        // SAFETY: the caller promises that `count` bytes are initialized and within the capacity.
        unsafe { self.set_len(count) };
    }
}

// SAFETY: the bytes of a box live on the heap and do not move with it.
unsafe impl IoBuf for Box<[u8]> {
    fn stable_ptr(&self) -> *const u8 {
        self.as_ptr()
    }
    fn bytes_init(&self) -> usize {
        self.len()
    }
}

// SAFETY: as above; the box is the only owner.
unsafe impl IoBufMut for Box<[u8]> {
    fn stable_mut_ptr(&mut self) -> *mut u8 {
        self.as_mut_ptr()
    }
    fn bytes_total(&self) -> usize {
        self.len()
    }
    unsafe fn set_init(&mut self, _count: usize) {}
}

/// Read-only buffers whose bytes neither move nor change while they are shared.
macro_rules! read_only {
    ($($buffer:ty),*) => {$(
        // SAFETY: the bytes are immutable behind this type and do not move with the value.
        unsafe impl IoBuf for $buffer {
            fn stable_ptr(&self) -> *const u8 {
                self.as_ptr().cast()
            }
            fn bytes_init(&self) -> usize {
                self.len()
            }
        }
    )*};
}
read_only!(&'static [u8], &'static str, String, Arc<[u8]>, Arc<str>);

/// The initialized bytes of `buffer`.
pub(crate) fn initialized<B: IoBuf>(buffer: &B) -> &[u8] {
    // SAFETY: the trait promises that many initialized bytes, unchanged while `buffer` is borrowed.
    unsafe { std::slice::from_raw_parts(buffer.stable_ptr(), buffer.bytes_init()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vec_offers_its_capacity_and_takes_the_count_as_its_length() {
        let mut buffer = Vec::with_capacity(16);
        buffer.extend_from_slice(b"abc");
        assert_eq!((buffer.bytes_init(), buffer.bytes_total()), (3, buffer.capacity()));
        // SAFETY: two bytes are initialized.
        unsafe { buffer.set_init(2) };
        assert_eq!(buffer, b"ab");
    }

    #[test]
    fn a_box_keeps_its_length() {
        let mut buffer: Box<[u8]> = Box::from(*b"abcd");
        // SAFETY: all four bytes are initialized.
        unsafe { buffer.set_init(2) };
        assert_eq!((buffer.bytes_init(), buffer.bytes_total()), (4, 4));
    }

    #[test]
    fn read_only_buffers_show_their_bytes() {
        assert_eq!(initialized(&"abc"), b"abc");
        assert_eq!(initialized(&String::from("abc")), b"abc");
        assert_eq!(initialized(&Arc::<[u8]>::from(*b"abc")), b"abc");
    }
}
