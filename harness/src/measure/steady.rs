//! When a warm-up has reached its steady state.

/// Two windows agree when their rates differ by at most this fraction of the larger.
pub const AGREEMENT: f64 = 0.05;

/// Whether the last two `[operations, nanoseconds]` windows ran at the same rate, within [`AGREEMENT`].
///
/// A window without an operation agrees with nothing: a stalled subject is not steady.
pub fn is_steady(windows: &[(u64, u64)]) -> bool {
    let [.., before, last] = windows else { return false };
    let rate = |&(operations, nanoseconds): &(u64, u64)| operations as f64 / nanoseconds.max(1) as f64;
    let (a, b) = (rate(before), rate(last));
    a > 0.0 && b > 0.0 && (a - b).abs() <= AGREEMENT * a.max(b)
}

#[cfg(test)]
mod tests {
    use super::is_steady;

    #[test]
    fn only_the_last_two_windows_decide() {
        let cases: [(&[(u64, u64)], bool); 7] = [
            (&[], false),
            (&[(100, 10)], false),
            (&[(100, 10), (96, 10)], true),
            (&[(100, 10), (94, 10)], false),
            (&[(10, 10), (100, 10), (101, 10)], true),
            (&[(100, 10), (200, 20)], true),
            (&[(0, 10), (0, 10)], false),
        ];
        for (windows, steady) in cases {
            assert_eq!(is_steady(windows), steady, "{windows:?}");
        }
    }
}
