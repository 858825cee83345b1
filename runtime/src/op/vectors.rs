//! Lists of ranges as the kernel takes them, from owned buffers.

use crate::buf::{IoBufs, IoBufsMut};

/// Ranges that one call takes (`UIO_MAXIOV`); later ones make it a short transfer.
const VECTORS_MAX: usize = 1024;

/// Ranges inside buffers that the holder owns beside it.
#[derive(Debug)]
pub(crate) struct Vectors(Box<[libc::iovec]>);

// SAFETY: only addresses; what they lead to moves along, and is Send itself (IoBufs).
#[expect(unsafe_code, reason = "raw pointers are not Send by themselves")]
unsafe impl Send for Vectors {}

impl Vectors {
    /// The initialized bytes of `buffers` without the first `skip` of them.
    pub(crate) fn to_write<V: IoBufs>(buffers: &V, mut skip: usize) -> Self {
        let mut ranges = Vec::with_capacity(buffers.count().min(VECTORS_MAX));
        for index in 0..buffers.count() {
            let (pointer, length) = buffers.part(index);
            let skipped = skip.min(length);
            skip -= skipped;
            if length > skipped && ranges.len() < VECTORS_MAX {
                ranges.push(libc::iovec { iov_base: pointer.wrapping_add(skipped).cast_mut().cast(), iov_len: length - skipped });
            }
        }
        Self(ranges.into())
    }

    /// The room of `buffers`.
    pub(crate) fn to_fill<V: IoBufsMut>(buffers: &mut V) -> Self {
        let mut ranges = Vec::with_capacity(buffers.count().min(VECTORS_MAX));
        for index in 0..buffers.count() {
            let (pointer, length) = buffers.part_mut(index);
            if length > 0 && ranges.len() < VECTORS_MAX {
                ranges.push(libc::iovec { iov_base: pointer.cast(), iov_len: length });
            }
        }
        Self(ranges.into())
    }

    /// The ranges.
    pub(crate) fn as_slice(&self) -> &[libc::iovec] {
        &self.0
    }

    /// Where the ranges begin, and how many there are.
    pub(crate) fn raw(&self) -> (*const libc::iovec, u32) {
        (self.0.as_ptr(), self.0.len() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(vectors: &Vectors) -> Vec<usize> {
        vectors.as_slice().iter().map(|range| range.iov_len).collect()
    }

    #[test]
    fn what_was_sent_is_skipped_and_what_is_empty_left_out() {
        let buffers = vec![b"abc".to_vec(), vec![], b"defg".to_vec()];
        // (bytes sent, ranges left)
        for (sent, left) in [(0, vec![3, 4]), (2, vec![1, 4]), (3, vec![4]), (6, vec![1]), (7, vec![])] {
            assert_eq!(lengths(&Vectors::to_write(&buffers, sent)), left, "{sent}");
        }
        let mut room = [Vec::with_capacity(4), vec![0; 2]];
        assert_eq!(lengths(&Vectors::to_fill(&mut room)), [room[0].capacity(), room[1].capacity()]);
    }

    #[test]
    fn a_call_takes_a_thousand_ranges_at_most() {
        assert_eq!(lengths(&Vectors::to_write(&vec!["x"; 3_000], 1_000)).len(), VECTORS_MAX);
    }
}
