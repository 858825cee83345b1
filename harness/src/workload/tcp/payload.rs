//! What the bytes of a message are, and how both ends know.
//!
//! ```text
//!  [hello: 8 B, first message of a connection, only where the far end cannot know otherwise]
//!  [stamp: min(8, len) B][pattern ...............................................]
//!   sequence u32 LE, connection u32 LE     the same fixed bytes at the same offset in every message
//! ```
//! A request and its answer carry the same stamp, so a plain echo is a correct server where both have the same size. Each message is
//! compared whole: length, stamp, pattern. The hello is the stamp of the first operation; it is sent where sizes vary or a message
//! is too short to hold a whole stamp, and is no payload.

use crate::workload::tcp::{SizeDistribution, TcpWorkload};

/// Bytes of a whole stamp.
pub const STAMP_BYTES: usize = 8;
/// Buffers are never smaller than this, so that a short message never fills one exactly.
pub const BUFFER_BYTES_MIN: usize = 4096;

/// Which operation of which connection a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the connection (`crr`, `churn`: of the user).
    pub connection: u32,
    /// Number of the operation on it, from 0, wrapping.
    pub sequence: u32,
}

impl Stamp {
    /// First operation of a connection.
    pub fn first(connection: u32) -> Self {
        Self { connection, sequence: 0 }
    }

    /// The operation after this one.
    #[inline]
    #[must_use]
    pub fn next(self) -> Self {
        Self { sequence: self.sequence.wrapping_add(1), ..self }
    }

    /// On the wire.
    #[inline]
    pub fn to_bytes(self) -> [u8; STAMP_BYTES] {
        (u64::from(self.connection) << 32 | u64::from(self.sequence)).to_le_bytes()
    }

    /// From the wire.
    #[inline]
    pub fn from_bytes(bytes: [u8; STAMP_BYTES]) -> Self {
        let word = u64::from_le_bytes(bytes);
        Self { connection: (word >> 32) as u32, sequence: word as u32 }
    }
}

/// Sizes and pattern of a workload; the same on both ends.
#[derive(Clone, Debug)]
pub struct Payload {
    pattern: Box<[u8]>,
    request: Sizes,
    response: Sizes,
    seed: u64,
    has_hello: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    fixed: Option<usize>,
    distribution: SizeDistribution,
    weights: u64,
    max: usize,
}

impl Sizes {
    pub(crate) fn new(distribution: &SizeDistribution) -> Self {
        let (max, weights) = match distribution {
            SizeDistribution::Fixed(bytes) => (*bytes, 1),
            SizeDistribution::Range(low, high) => (*high.max(low), 1),
            SizeDistribution::Split(parts) => {
                (parts.iter().map(|part| part.0).max().unwrap_or(1), parts.iter().map(|part| u64::from(part.1)).sum())
            }
        };
        let fixed = distribution.fixed().map(|bytes| to_len(bytes.max(1)));
        Self { fixed, distribution: distribution.clone(), weights: weights.max(1), max: to_len(max.max(1)) }
    }

    fn min(&self) -> u64 {
        match &self.distribution {
            SizeDistribution::Fixed(bytes) => *bytes,
            SizeDistribution::Range(low, high) => *low.min(high),
            SizeDistribution::Split(parts) => parts.iter().map(|part| part.0).min().unwrap_or(1),
        }
    }

    #[inline]
    pub(crate) fn len(&self, random: impl Fn() -> u64) -> usize {
        self.fixed.unwrap_or_else(|| self.draw(random()))
    }

    fn draw(&self, random: u64) -> usize {
        let bytes = match &self.distribution {
            SizeDistribution::Fixed(bytes) => *bytes,
            SizeDistribution::Range(low, high) => low.min(high) + random % (high.abs_diff(*low) + 1),
            SizeDistribution::Split(parts) => {
                let mut left = random % self.weights;
                let chosen = parts.iter().find(|part| {
                    let within = left < u64::from(part.1);
                    left = left.saturating_sub(u64::from(part.1));
                    within
                });
                chosen.map_or(1, |part| part.0)
            }
        };
        to_len(bytes.max(1))
    }
}

impl Payload {
    /// The payload of a trial.
    pub fn new(workload: &TcpWorkload, seed: u64) -> Self {
        let (request, response) = (Sizes::new(&workload.request), Sizes::new(&workload.response));
        // A fixed pattern that repeats only every 251 bytes: a shifted message never looks like itself.
        let pattern = (0..request.max.max(response.max) + STAMP_BYTES).map(|at| (at % 251) as u8 ^ 0xA5).collect();
        let has_hello = request.fixed.is_none() || response.fixed.is_none() || request.min() < STAMP_BYTES as u64;
        Self { pattern, request, response, seed, has_hello }
    }

    /// Bytes before the first request of a connection.
    #[inline]
    pub fn hello_bytes(&self) -> usize {
        if self.has_hello { STAMP_BYTES } else { 0 }
    }

    /// Size of a request.
    #[inline]
    pub fn request_len(&self, stamp: Stamp) -> usize {
        self.request.len(|| self.random(stamp, 1))
    }

    /// Size of its answer.
    #[inline]
    pub fn response_len(&self, stamp: Stamp) -> usize {
        self.response.len(|| self.random(stamp, 2))
    }

    /// Longest request or answer.
    pub fn len_max(&self) -> usize {
        self.request.max.max(self.response.max)
    }

    /// A buffer with room for a hello and the longest message, at least [`BUFFER_BYTES_MIN`], holding the pattern.
    pub fn buffer(&self) -> Vec<u8> {
        let mut buffer = vec![0; (self.len_max() + STAMP_BYTES + 1).max(BUFFER_BYTES_MIN)];
        buffer[..self.pattern.len()].copy_from_slice(&self.pattern);
        buffer
    }

    /// Makes `message` the message of this stamp.
    pub fn fill(&self, message: &mut [u8], stamp: Stamp) {
        message.copy_from_slice(&self.pattern[..message.len()]);
        write_stamp(message, stamp);
    }

    /// Whether `message` is, to the last byte, the message of this stamp.
    #[inline]
    pub fn verify(&self, message: &[u8], stamp: Stamp) -> bool {
        let head = message.len().min(STAMP_BYTES);
        message[..head] == stamp.to_bytes()[..head] && message[head..] == self.pattern[head..message.len()]
    }

    fn random(&self, stamp: Stamp, salt: u64) -> u64 {
        let word = u64::from_le_bytes(stamp.to_bytes());
        mix(mix(self.seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(word))
    }
}

/// Writes the stamp, or as much of it as fits, to the front of a message.
#[inline]
pub fn write_stamp(message: &mut [u8], stamp: Stamp) {
    let head = message.len().min(STAMP_BYTES);
    message[..head].copy_from_slice(&stamp.to_bytes()[..head]);
}

/// What a server knows of a connection: which message must come next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expectation(Option<Stamp>);

impl Expectation {
    /// The stamp that the message at the front of `bytes` must carry; the first one of a connection tells it.
    ///
    /// `bytes` must hold a whole stamp when nothing is known yet (a hello, or a first request without one).
    #[inline]
    pub fn stamp(&mut self, bytes: &[u8]) -> Option<Stamp> {
        if self.0.is_none() {
            self.0 = bytes.first_chunk().map(|head| Stamp::from_bytes(*head));
        }
        self.0
    }

    /// The message was as expected.
    #[inline]
    pub fn advance(&mut self) {
        self.0 = self.0.map(Stamp::next);
    }
}

fn to_len(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// SplitMix64's finalizer: every bit of the input moves every bit of the output.
pub(crate) fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::tcp::TcpMode;

    fn workload(request: SizeDistribution, response: SizeDistribution) -> TcpWorkload {
        TcpWorkload { mode: TcpMode::Rr, request, response, connections: 1, operations_per_connection: 1, nodelay: true }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let payload = Payload::new(&workload(SizeDistribution::Fixed(600), SizeDistribution::Fixed(600)), 1);
        let stamp = Stamp { connection: 3, sequence: 70_000 };
        let mut message = vec![0; 600];
        payload.fill(&mut message, stamp);
        assert!(payload.verify(&message, stamp));
        for at in 0..message.len() {
            message[at] ^= 1;
            assert!(!payload.verify(&message, stamp), "byte {at}");
            message[at] ^= 1;
        }
        assert!(!payload.verify(&message, stamp.next()), "a stale message");
        assert!(!payload.verify(&message, Stamp { connection: 4, ..stamp }), "a message of another connection");
    }

    #[test]
    fn sizes_come_from_the_seed_and_stay_in_their_bounds() {
        let split = SizeDistribution::Split(vec![(10, 9), (1_000, 1)]);
        let ours = Payload::new(&workload(SizeDistribution::Range(5, 9), split.clone()), 42);
        let theirs = Payload::new(&workload(SizeDistribution::Range(5, 9), split), 42);
        let (mut seen, mut large) = ([0; 10], 0);
        for sequence in 0..10_000 {
            let stamp = Stamp { connection: 1, sequence };
            assert_eq!(ours.request_len(stamp), theirs.request_len(stamp));
            seen[ours.request_len(stamp)] += 1;
            large += u32::from(ours.response_len(stamp) == 1_000);
        }
        assert!(seen[5..].iter().all(|&count| count > 1_700), "{seen:?}");
        assert!((800..1_200).contains(&large), "{large}");
        assert_eq!(ours.hello_bytes(), 8);
    }

    #[test]
    fn a_hello_is_sent_only_where_the_server_could_not_know() {
        let hello = |request, response| Payload::new(&workload(request, response), 1).hello_bytes();
        assert_eq!(hello(SizeDistribution::Fixed(64), SizeDistribution::Fixed(1)), 0);
        assert_eq!(hello(SizeDistribution::Fixed(8), SizeDistribution::Fixed(8)), 0);
        assert_eq!(hello(SizeDistribution::Fixed(1), SizeDistribution::Fixed(64)), 8);
        assert_eq!(hello(SizeDistribution::Fixed(64), SizeDistribution::Range(1, 2)), 8);
    }
}
