//! Exit codes of the command line: one table, one precedence.
//!
//! Where several apply, the first of [`PRECEDENCE`] wins: an interrupted run is an interrupted run whatever else it found, and
//! a real regression is reported even when another row of the same run was invalid.

/// Everything that was asked for ran and passed.
pub const PASSED: u8 = 0;
/// A regression was found or a threshold failed.
pub const FAILED: u8 = 1;
/// Bad usage, scenario or configuration.
pub const USAGE: u8 = 2;
/// Could not run: the host lacks something, a subject crashed, a baseline is missing or its host is unlike.
pub const COULD_NOT_RUN: u8 = 3;
/// Inconclusive or not trustworthy; only with `--strict`.
pub const INCONCLUSIVE: u8 = 4;
/// A guard or a verification failed: the measurement is invalid.
pub const INVALID: u8 = 5;
/// Interrupted; the partial result is saved and marked.
pub const INTERRUPTED: u8 = 130;

/// Which code wins where several apply, strongest first.
pub const PRECEDENCE: [u8; 7] = [INTERRUPTED, USAGE, COULD_NOT_RUN, FAILED, INVALID, INCONCLUSIVE, PASSED];

/// What each code means, in the words of the README's table.
pub const MEANINGS: [(u8, &str); 7] = [
    (PASSED, "passed"),
    (FAILED, "regression or failed threshold"),
    (USAGE, "bad usage, scenario or configuration"),
    (COULD_NOT_RUN, "could not run: the host lacks something, a subject crashed, baseline missing or host unlike"),
    (INCONCLUSIVE, "inconclusive or not trustworthy, only with `--strict`"),
    (INVALID, "invalid measurement: a guard or a verification failed"),
    (INTERRUPTED, "interrupted; the partial result is saved and marked"),
];

/// The code that wins among `codes`; [`PASSED`] when there is none.
pub fn strongest(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: u8| PRECEDENCE.iter().position(|&known| known == code).unwrap_or(usize::MAX);
    codes.into_iter().min_by_key(|&code| rank(code)).unwrap_or(PASSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regression_beside_an_invalid_row_is_still_a_regression() {
        assert_eq!(strongest([PASSED, INVALID, FAILED]), FAILED);
        assert_eq!(strongest([INVALID, INTERRUPTED, USAGE]), INTERRUPTED);
        assert_eq!(strongest([COULD_NOT_RUN, FAILED]), COULD_NOT_RUN);
        assert_eq!(strongest([]), PASSED);
    }
}
