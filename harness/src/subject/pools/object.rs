//! An object of a pool with its ownership mark: the witness of the workload `pool`.
//!
//! ```text
//!  free (0) ─acquired by user 3─▶ 3 ─released by user 3─▶ free
//! ```
//! The mark is read and written, not exchanged: an exchange would cost as much as a good pool does, on every subject. A pool that hands an
//! object to two users at once shows all the same. Whoever acquires second finds a mark; where both found none, both write, and the first
//! to release finds the other's mark or none. Only two users who take turns unseen, as if they had waited for each other, go unnoticed:
//! each then had the object to itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::workload::pool::OBJECT_WORDS;

/// Nobody holds it.
const FREE: u64 = 0;

/// A kibibyte and a mark.
///
/// All of it is atomic, so that a pool that lends it twice causes wrong sums and no undefined behaviour.
#[derive(Debug)]
#[repr(align(64))]
pub struct Object {
    mark: AtomicU64,
    words: [AtomicU64; OBJECT_WORDS],
}

impl Default for Object {
    fn default() -> Self {
        Self { mark: AtomicU64::new(FREE), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

// Relaxed throughout: it is the pool's duty to order a release before the next acquire; one that does not lets an old mark be seen.
impl Object {
    /// Marks the object as this user's (above 0); whether it was free.
    #[inline]
    pub fn acquire(&self, user: u64) -> bool {
        let was_free = self.mark.load(Ordering::Relaxed) == FREE;
        self.mark.store(user, Ordering::Relaxed);
        was_free
    }

    /// Takes the mark off; whether it still was this user's.
    #[inline]
    pub fn release(&self, user: u64) -> bool {
        let was_own = self.mark.load(Ordering::Relaxed) == user;
        self.mark.store(FREE, Ordering::Relaxed);
        was_own
    }

    /// Writes all words and adds them up; whether the sum is the one expected.
    #[inline]
    pub fn work(&self, seed: u64) -> bool {
        for (at, word) in self.words.iter().enumerate() {
            word.store(seed.wrapping_add(at as u64), Ordering::Relaxed);
        }
        let sum = self.words.iter().fold(0_u64, |sum, word| sum.wrapping_add(word.load(Ordering::Relaxed)));
        const COUNT: u64 = OBJECT_WORDS as u64;
        sum == seed.wrapping_mul(COUNT).wrapping_add(COUNT * (COUNT - 1) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_noticed_by_one_of_both() {
        let object = Object::default();
        assert!(object.acquire(1) && object.work(7) && object.release(1));
        assert!(object.acquire(2), "free again");
        assert!(!object.acquire(3), "the second one finds a mark");
        assert!(!object.release(2), "and the first one finds another's");
        assert!(!object.release(3), "which is gone by then");
    }
}
