//! Several owned buffers that one operation reads into or writes from, in order.
//!
//! ```
//! use zokio::buf::IoBufs;
//!
//! // A header and a body of different types, and any number of buffers of the same type.
//! assert_eq!((b"head".to_vec(), "body").bytes_init(), 8);
//! assert_eq!(vec![b"a".to_vec(), b"bc".to_vec()].bytes_init(), 3);
//! ```
#![expect(unsafe_code, reason = "passes on the promises of the buffers inside")]

use super::{IoBuf, IoBufMut};

/// Buffers that the kernel may read from, one after the other: a `Vec` or an array of buffers, or a pair of two types.
///
/// # Safety
/// From the moment the value is given to an operation until it is given back:
/// - [`count`](IoBufs::count) stays the same, and so do the parts;
/// - each part keeps the promises of [`IoBuf`], also when the value itself is moved.
pub unsafe trait IoBufs: Unpin + Send + 'static {
    /// How many buffers there are.
    fn count(&self) -> usize;

    /// First byte and initialized bytes of the buffer at `index`.
    ///
    /// # Panics
    /// If there is no such buffer.
    fn part(&self, index: usize) -> (*const u8, usize);

    /// Initialized bytes of all buffers together.
    fn bytes_init(&self) -> usize {
        (0..self.count()).map(|index| self.part(index).1).sum()
    }
}

/// Buffers that the kernel may write into, one after the other.
///
/// # Safety
/// As [`IoBufs`]; each part keeps the promises of [`IoBufMut`] in addition.
pub unsafe trait IoBufsMut: IoBufs {
    /// First byte and room of the buffer at `index`, initialized or not.
    ///
    /// # Panics
    /// If there is no such buffer.
    fn part_mut(&mut self, index: usize) -> (*mut u8, usize);

    /// Notes that the first `count` bytes of all buffers were written, each filled before the next. A buffer of variable length takes its
    /// share as its length: one that was not reached becomes empty.
    ///
    /// # Safety
    /// That many bytes are initialized, and there is room for them.
    unsafe fn set_init(&mut self, count: usize);
}

/// Fills `buffer` with its share of `rest`; what is left for the next.
///
/// # Safety
/// As [`IoBufsMut::set_init`].
unsafe fn share<B: IoBufMut>(buffer: &mut B, rest: usize) -> usize {
    let own = rest.min(buffer.bytes_total());
    // SAFETY: the bytes before the rest are in the buffers before this one, so its first `own` are initialized.
    unsafe { buffer.set_init(own) };
    rest - own
}

/// Implements both traits for a type that dereferences to a slice of buffers.
macro_rules! slice_like {
    ($type:ty, $($constant:tt)*) => {
        // SAFETY: the bytes of the buffers do not move with them, as their own trait promises; nobody adds or removes buffers.
        unsafe impl<B: IoBuf, $($constant)*> IoBufs for $type {
            fn count(&self) -> usize {
                self.len()
            }
            fn part(&self, index: usize) -> (*const u8, usize) {
                (self[index].stable_ptr(), self[index].bytes_init())
            }
        }

        // SAFETY: as above.
        unsafe impl<B: IoBufMut, $($constant)*> IoBufsMut for $type {
            fn part_mut(&mut self, index: usize) -> (*mut u8, usize) {
                (self[index].stable_mut_ptr(), self[index].bytes_total())
            }
            unsafe fn set_init(&mut self, count: usize) {
                // SAFETY: the caller's promise.
                self.iter_mut().fold(count, |rest, buffer| unsafe { share(buffer, rest) });
            }
        }
    };
}
slice_like!(Vec<B>,);
slice_like!([B; N], const N: usize);

// SAFETY: as for a Vec of two.
unsafe impl<A: IoBuf, B: IoBuf> IoBufs for (A, B) {
    fn count(&self) -> usize {
        2
    }
    fn part(&self, index: usize) -> (*const u8, usize) {
        match index {
            0 => (self.0.stable_ptr(), self.0.bytes_init()),
            1 => (self.1.stable_ptr(), self.1.bytes_init()),
            _ => panic!("a pair has no buffer {index}"),
        }
    }
}

// SAFETY: as above.
unsafe impl<A: IoBufMut, B: IoBufMut> IoBufsMut for (A, B) {
    fn part_mut(&mut self, index: usize) -> (*mut u8, usize) {
        match index {
            0 => (self.0.stable_mut_ptr(), self.0.bytes_total()),
            1 => (self.1.stable_mut_ptr(), self.1.bytes_total()),
            _ => panic!("a pair has no buffer {index}"),
        }
    }
    unsafe fn set_init(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        let rest = unsafe { share(&mut self.0, count) };
        // SAFETY: as above.
        unsafe { share(&mut self.1, rest) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_spread_over_the_buffers_in_order() {
        let mut buffers = vec![vec![1_u8; 4], vec![2; 4], vec![3; 4]];
        // SAFETY: all twelve bytes are initialized.
        unsafe { buffers.set_init(6) };
        assert_eq!(buffers, [vec![1; 4], vec![2; 2], vec![]]);

        let mut pair = (vec![1_u8; 2], Box::<[u8]>::from([2; 2]));
        // SAFETY: all four bytes are initialized.
        unsafe { pair.set_init(1) };
        assert_eq!((pair.0.len(), pair.1.len()), (1, 2), "a box keeps its length");
        assert_eq!((pair.count(), pair.bytes_init()), (2, 3));
    }

    #[test]
    fn parts_are_the_buffers() {
        let mut buffers = [b"abc".to_vec(), Vec::with_capacity(8)];
        assert_eq!(buffers.part(0), (buffers[0].as_ptr(), 3));
        let (room, capacity) = (buffers[1].as_mut_ptr(), buffers[1].capacity());
        assert_eq!(buffers.part_mut(1), (room, capacity));
        assert_eq!((buffers.part(1).1, buffers.bytes_init()), (0, 3));
    }

    #[test]
    #[should_panic(expected = "no buffer 2")]
    fn a_pair_has_two_parts() {
        let _ = ("a", "b").part(2);
    }
}
