//! The order of trials, and all randomness of a plan.

/// SplitMix64: 64 bits of state, full period, the same on every platform.
///
/// # Source
/// Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators", figure 17 with the constants of its errata.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    /// One seed from several words.
    pub(crate) fn mixed(words: impl IntoIterator<Item = u64>) -> Self {
        words.into_iter().fold(Self(0), |mut state, word| Self(state.next() ^ word))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, each equally likely to within 2^-32 for the few dozen subjects a case has.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// Where a trial stands: the subject's index, its block, half and place inside the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) subject: usize,
    pub(crate) block: u32,
    pub(crate) half: u32,
    pub(crate) position: u32,
}

/// The order of one case: blocks of a random permutation and its reverse, until each subject has its trials.
///
/// An odd number of trials leaves the last block with its first half alone.
pub(crate) fn order(subjects: usize, trials: u32, random: &mut SplitMix) -> Vec<Slot> {
    let mut slots = Vec::with_capacity(subjects * trials as usize);
    for block in 0..trials.div_ceil(2) {
        let mut permutation: Vec<usize> = (0..subjects).collect();
        for last in (1..subjects).rev() {
            permutation.swap(last, random.below(last + 1));
        }
        let halves = if block * 2 + 1 < trials { 2 } else { 1 };
        let mirrored: Vec<usize> = permutation.iter().rev().copied().collect();
        let both = permutation.into_iter().map(|subject| (0, subject)).chain(mirrored.into_iter().map(|subject| (1, subject)));
        let placed = (0..).zip(both).map(|(position, (half, subject))| Slot { subject, block, half, position });
        slots.extend(placed.filter(|slot| slot.half < halves));
    }
    slots
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn split_mix_gives_the_published_sequence() {
        let mut random = SplitMix(1_234_567);
        let known = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(known.map(|_| random.next()), known);
    }

    proptest! {
        #[test]
        fn each_subject_gets_its_trials_and_each_second_half_mirrors_the_first(subjects in 1_usize..8, trials in 1_u32..24, seed: u64) {
            let slots = order(subjects, trials, &mut SplitMix(seed));
            for subject in 0..subjects {
                prop_assert_eq!(slots.iter().filter(|slot| slot.subject == subject).count(), trials as usize);
            }
            for block in 0..trials.div_ceil(2) {
                let half = |half| slots.iter().filter(|s| s.block == block && s.half == half).map(|s| s.subject).collect::<Vec<_>>();
                let mut mirrored = half(1);
                mirrored.reverse();
                prop_assert!(mirrored.is_empty() || mirrored == half(0));
                let places: Vec<u32> = slots.iter().filter(|s| s.block == block).map(|s| s.position).collect();
                prop_assert_eq!(&places, &(0..places.len() as u32).collect::<Vec<_>>());
            }
        }

        #[test]
        fn the_same_seed_gives_the_same_order(subjects in 1_usize..8, trials in 1_u32..24, seed: u64) {
            prop_assert_eq!(order(subjects, trials, &mut SplitMix(seed)), order(subjects, trials, &mut SplitMix(seed)));
        }
    }

    #[test]
    fn every_permutation_of_three_is_about_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        let mut random = SplitMix(7);
        for _ in 0..6_000 {
            let first: Vec<usize> = order(3, 1, &mut random).iter().map(|slot| slot.subject).collect();
            *counts.entry(first).or_insert(0) += 1;
        }
        // 1,000 each; 5 standard deviations of a binomial with p = 1/6 are 144.
        assert!(counts.len() == 6 && counts.values().all(|count| (856..=1_144).contains(count)), "{counts:?}");
    }
}
