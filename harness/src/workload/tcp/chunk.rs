//! The bytes of a stream: chunks with their position, and a whole hash before the window.
//!
//! Every chunk is the fixed pattern behind a stamp that says which chunk of which connection it is. In the window the receiver checks
//! the stamp of each chunk and counts its bytes; before it, [`VERIFY_BYTES`] go through sha256 on the receiver's side, for every
//! subject alike, so a subject that damages, loses or repeats a byte is caught without charging the window for hashing.

use sha2::{Digest as _, Sha256};

use super::payload::{STAMP_BYTES, Stamp};

/// Bytes of each connection that are hashed before the window (rounded up to whole chunks).
pub const VERIFY_BYTES: usize = 2 << 20;

/// Shape of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Bytes of one chunk.
    pub bytes: usize,
    /// Chunks of the verification.
    pub verified: u32,
}

impl Chunks {
    /// Chunks of this size; at least a stamp long.
    pub fn new(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX).max(STAMP_BYTES);
        Self { bytes, verified: u32::try_from(VERIFY_BYTES.div_ceil(bytes)).unwrap_or(u32::MAX) }
    }

    /// A buffer that holds one chunk.
    pub fn buffer(&self) -> Vec<u8> {
        (0..self.bytes).map(|at| (at % 253) as u8 ^ 0x5A).collect()
    }
}

/// The receiving side of one connection: takes bytes as they come, in pieces of any size.
#[derive(Debug)]
pub struct Receiver {
    chunks: Chunks,
    stamp: Stamp,
    /// Bytes of the current chunk that have come.
    filled: usize,
    head: [u8; STAMP_BYTES],
    hash: Option<Sha256>,
}

/// The stream is not what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl Receiver {
    /// The receiver of this connection, from its first byte.
    pub fn new(chunks: Chunks, connection: u32) -> Self {
        Self { chunks, stamp: Stamp::first(connection), filled: 0, head: [0; STAMP_BYTES], hash: Some(Sha256::new()) }
    }

    /// Takes the next bytes; the number of chunks that ended in them, verified.
    ///
    /// # Errors
    /// [`Damaged`]: a position stamp is wrong, or the hash of the verification phase.
    #[inline]
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<u32, Damaged> {
        let mut ended = 0;
        while !bytes.is_empty() {
            let piece = &bytes[..bytes.len().min(self.chunks.bytes - self.filled)];
            if self.filled < STAMP_BYTES {
                let part = piece.len().min(STAMP_BYTES - self.filled);
                self.head[self.filled..self.filled + part].copy_from_slice(&piece[..part]);
            }
            if let Some(hash) = &mut self.hash {
                hash.update(piece);
            }
            self.filled += piece.len();
            bytes = &bytes[piece.len()..];
            if self.filled == self.chunks.bytes {
                self.end_chunk()?;
                ended += 1;
            }
        }
        Ok(ended)
    }

    fn end_chunk(&mut self) -> Result<(), Damaged> {
        if self.head != self.stamp.to_bytes() {
            return Err(Damaged);
        }
        self.filled = 0;
        self.stamp = self.stamp.next();
        if self.stamp.sequence == self.chunks.verified
            && let Some(hash) = self.hash.take()
            && hash.finalize() != expected_hash(self.chunks, self.stamp.connection)
        {
            return Err(Damaged);
        }
        Ok(())
    }

    /// Whether the verification phase has ended well.
    pub fn is_verified(&self) -> bool {
        self.hash.is_none()
    }
}

/// What the verification phase of a connection must hash to, from the definition of the stream.
fn expected_hash(chunks: Chunks, connection: u32) -> sha2::digest::Output<Sha256> {
    let mut hash = Sha256::new();
    let mut chunk = chunks.buffer();
    for sequence in 0..chunks.verified {
        super::payload::write_stamp(&mut chunk, Stamp { connection, sequence });
        hash.update(&chunk);
    }
    hash.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tcp::payload::write_stamp;

    fn stream(chunks: Chunks, count: u32) -> Vec<u8> {
        let mut chunk = chunks.buffer();
        let mut bytes = Vec::new();
        for sequence in 0..count {
            write_stamp(&mut chunk, Stamp { connection: 2, sequence });
            bytes.extend_from_slice(&chunk);
        }
        bytes
    }

    #[test]
    fn pieces_of_any_size_give_the_same_chunks() {
        let chunks = Chunks { bytes: 1_000, verified: 4 };
        let bytes = stream(chunks, 10);
        for size in [1, 7, 999, 1_000, 1_001, 4_096] {
            let mut receiver = Receiver::new(chunks, 2);
            let ended: u32 = bytes.chunks(size).map(|piece| receiver.take(piece).expect("sound")).sum();
            assert_eq!(ended, 10, "pieces of {size}");
            assert!(receiver.is_verified());
        }
    }

    #[test]
    fn a_byte_damaged_before_the_window_fails_the_hash_and_a_lost_one_the_position() {
        let chunks = Chunks { bytes: 1_000, verified: 4 };
        let mut damaged = stream(chunks, 4);
        damaged[2_500] ^= 1;
        assert_eq!(Receiver::new(chunks, 2).take(&damaged), Err(Damaged));
        let mut shorter = stream(chunks, 10);
        shorter.remove(5_500);
        assert_eq!(Receiver::new(chunks, 2).take(&shorter), Err(Damaged));
    }
}
