//! Files of a trial: where they are, in which state the page cache is, and what must be in them.
//!
//! The content follows from the trial's seed and the offset alone, so whoever has read a range can tell whether it is the right one:
//!
//! ```text
//! word n of the file (8 bytes, little endian) = origin(seed) + n × step        the step is odd: no two words of a file are the same
//! ```
//! A block of another place, of another trial, of zeros or of old memory differs in every word.

use serde::{Deserialize, Serialize};

/// The unit of caches and of direct I/O.
pub const BLOCK_BYTES: u64 = 4096;
/// What a device writes whole; a mark stands at the begin of each.
const SECTOR_BYTES: usize = 512;
const WORD_BYTES: usize = 8;
/// 2^64 / the golden ratio, odd (Knuth, "The Art of Computer Programming", volume 3, 6.4).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where the files of a trial are, and how the page cache holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The folder below which a trial makes its own; `None`: the system's folder for temporary files.
    pub dir: Option<String>,
    /// The state before the first operation, which holds to the last.
    pub cache: CacheState,
}

/// How the page cache holds the files of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheState {
    /// All of them are in it.
    Warm,
    /// Nothing of them is in it: what is read comes from the device.
    Cold,
    /// They are opened to pass it by (`O_DIRECT`).
    Direct,
}

impl CacheState {
    /// The word in scenarios and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Direct => "direct",
        }
    }
}

/// What a trial needs of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesNeeded<'a> {
    /// Where and how.
    pub storage: &'a Storage,
    /// Bytes of all files that exist at a time.
    pub bytes: u64,
}

/// What the files of a trial hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    origin: u64,
}

impl Content {
    /// The content of file number `file` of the trial with this seed.
    pub fn new(seed: u64, file: u64) -> Self {
        // The finalizer of splitmix64: neighbouring seeds and files begin far apart.
        let mut mixed = seed ^ file.wrapping_mul(0xd134_2543_de82_ef95);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self { origin: mixed ^ (mixed >> 31) }
    }

    #[inline]
    fn word(self, offset: u64) -> u64 {
        self.origin.wrapping_add((offset / WORD_BYTES as u64).wrapping_mul(STEP))
    }

    /// The whole content of a file of this size.
    pub fn bytes(self, size: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(size).expect("a file of a trial fits into memory")];
        self.fill(&mut bytes, 0);
        bytes
    }

    /// Writes what the file holds from `offset` on, a multiple of 8.
    pub fn fill(self, bytes: &mut [u8], offset: u64) {
        debug_assert!(offset.is_multiple_of(WORD_BYTES as u64));
        let mut word = self.word(offset);
        for chunk in bytes.chunks_mut(WORD_BYTES) {
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
            word = word.wrapping_add(STEP);
        }
    }

    /// Whether `bytes` are all those of the file from `offset` on, a multiple of 8.
    pub fn holds(self, bytes: &[u8], offset: u64) -> bool {
        debug_assert!(offset.is_multiple_of(WORD_BYTES as u64));
        let (words, tail) = bytes.as_chunks::<WORD_BYTES>();
        let mut expected = self.word(offset);
        let mut differences = 0;
        for word in words {
            differences |= u64::from_le_bytes(*word) ^ expected;
            expected = expected.wrapping_add(STEP);
        }
        differences == 0 && *tail == expected.to_le_bytes()[..tail.len()]
    }

    /// Whether the first word of each sector of 512 bytes is that of the file from `offset` on, a multiple of 512: enough to tell a wrong, an
    /// old or a torn block at a few nanoseconds.
    #[inline]
    pub fn holds_marks(self, bytes: &[u8], offset: u64) -> bool {
        debug_assert!(offset.is_multiple_of(SECTOR_BYTES as u64));
        let mut expected = self.word(offset);
        let mut differences = 0;
        let (sectors, tail) = bytes.as_chunks::<SECTOR_BYTES>();
        for sector in sectors {
            let (mark, _) = sector.split_first_chunk::<WORD_BYTES>().expect("a sector is longer than a word");
            differences |= u64::from_le_bytes(*mark) ^ expected;
            expected = expected.wrapping_add(STEP.wrapping_mul((SECTOR_BYTES / WORD_BYTES) as u64));
        }
        differences == 0 && tail.iter().zip(expected.to_le_bytes()).all(|(found, expected)| *found == expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(content: Content, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        content.fill(&mut bytes, offset);
        bytes
    }

    #[test]
    fn a_part_is_the_same_however_it_was_cut() {
        let content = Content::new(7, 0);
        let whole = block(content, 0, 10_000);
        for (from, to) in [(0, 10_000), (8, 16), (4096, 8192), (512, 9_999), (9_992, 10_000)] {
            assert!(content.holds(&whole[from..to], from as u64), "{from}..{to}");
            assert_eq!(block(content, from as u64, to - from), whole[from..to]);
        }
        assert!(content.holds_marks(&whole[4096..8192], 4096) && content.holds_marks(&whole[512..9_999], 512));
    }

    #[test]
    fn every_wrong_byte_is_found_and_a_wrong_place_by_its_marks() {
        let content = Content::new(7, 0);
        let good = block(content, 8192, 4099);
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert!(!content.holds(&bad, 8192), "byte {index}");
            let is_mark = index % SECTOR_BYTES < WORD_BYTES;
            assert_eq!(content.holds_marks(&bad, 8192), !is_mark, "byte {index}");
        }
        for other in
            [block(content, 4096, 4096), block(Content::new(8, 0), 8192, 4096), block(Content::new(7, 1), 8192, 4096), vec![0; 4096]]
        {
            assert!(!content.holds_marks(&other, 8192) && !content.holds(&other, 8192));
        }
        let mut torn = block(content, 8192, 4096);
        torn[2048..].copy_from_slice(&block(content, 0, 2048));
        assert!(!content.holds_marks(&torn, 8192));
    }
}
