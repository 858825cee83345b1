//! What the bytes of a body are, and the sum by which both ends know them.

/// Lanes of the sum: four multiplications are under way at a time.
const LANES: usize = 4;
/// Bytes of a lane's word.
const WORD: usize = size_of::<u64>();
/// An odd constant whose bits are well mixed: the golden ratio's fraction.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// A body that both ends can make, with its sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    bytes: Box<[u8]>,
    sum: u64,
}

impl Body {
    /// The body of this length: printable, and repeating only every 89 bytes, so that a shifted one never looks like itself.
    pub fn new(len: u64) -> Self {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes: Box<[u8]> = (0..len).map(|at| b'!' + (at % 89) as u8).collect();
        let sum = sum(&bytes);
        Self { bytes, sum }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether these bytes are this body, by length and sum.
    #[inline]
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.bytes.len() && sum(bytes) == self.sum
    }
}

/// A 64-bit sum of bytes and their positions. Every step is invertible, so a change within one word always changes the sum.
#[inline]
pub fn sum(bytes: &[u8]) -> u64 {
    let mut lanes = [1u64, 2, 3, 4];
    let mut blocks = bytes.chunks_exact(LANES * WORD);
    for block in &mut blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<WORD>().0) {
            *lane = step(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut whole = lanes.into_iter().fold(bytes.len() as u64, step);
    for part in blocks.remainder().chunks(WORD) {
        let mut word = [0; WORD];
        word[..part.len()].copy_from_slice(part);
        whole = step(whole, u64::from_le_bytes(word));
    }
    whole
}

#[inline]
fn step(state: u64, word: u64) -> u64 {
    (state ^ word).wrapping_mul(FACTOR).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_lost_byte_and_swapped_pair_changes_the_sum() {
        for len in [1, 7, 8, 13, 31, 32, 33, 200] {
            let body = Body::new(len);
            let mut bytes = body.bytes().to_vec();
            assert!(body.is(&bytes));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    assert!(!body.is(&bytes), "byte {at} of {len}");
                    bytes[at] ^= 1 << bit;
                }
                if at > 0 {
                    bytes.swap(at - 1, at);
                    assert!(!body.is(&bytes), "bytes {at} and the one before of {len}");
                    bytes.swap(at - 1, at);
                }
            }
            assert!(!body.is(&bytes[1..]) && !body.is(&[&bytes[..], b"!"].concat()));
        }
    }
}
