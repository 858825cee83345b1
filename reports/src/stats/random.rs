//! A small generator with a fixed sequence (splitmix64), so that what is drawn is the same on every machine and in every run.

/// The generator; its field is the seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// As many of `group` as it has, drawn with replacement.
    pub(crate) fn drawn(&mut self, group: &[f64]) -> Vec<f64> {
        self.drawn_times(group, group.len())
    }

    /// `count` of `group`, which must not be empty, drawn with replacement.
    pub(crate) fn drawn_times(&mut self, group: &[f64], count: usize) -> Vec<f64> {
        (0..count).map(|_| group[((u128::from(self.next()) * group.len() as u128) >> 64) as usize]).collect()
    }

    /// Evenly spread over 0 (with) to 1 (without).
    #[cfg(test)]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}
