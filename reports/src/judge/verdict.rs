//! What follows from a whole run: its exit code and one line.
//!
//! | in the result | code |
//! |---|---|
//! | interrupted | 130 |
//! | the first subject gave no record in a case that was reached, or no row at all was measured | 3 |
//! | a threshold of severity `fail` does not hold | 1 |
//! | a row of a measured case is invalid | 5 |
//! | a row is suspect, a primary comparison inconclusive, or trials are missing | 4, with `strict` alone |
//!
//! A comparison that comes out `worse` fails no run: it is a fact about two subjects. A gate, which asks whether *one* subject got
//! worse, has rules of its own.

use super::guards::NOT_RUN;
use crate::exit;
use crate::schema::journal::CaseRole;
use crate::schema::result::{CaseResult, RunResult, RunVerdict, Severity, SubjectResult, Verdict};
use crate::schema::validity::ValidityState;

/// The exit code of a run by the precedence of [`exit::PRECEDENCE`].
pub fn exit_code(result: &RunResult, strict: bool, interrupted: bool) -> u8 {
    let mut codes = Vec::new();
    if interrupted {
        codes.push(exit::INTERRUPTED);
    }
    let count = Counts::of(result);
    if count.first_could_not_run > 0 || (count.rows > 0 && count.measured == 0) {
        codes.push(exit::COULD_NOT_RUN);
    }
    if count.thresholds_failed > 0 {
        codes.push(exit::FAILED);
    }
    if count.invalid > 0 {
        codes.push(exit::INVALID);
    }
    if strict && (count.suspect > 0 || count.inconclusive > 0 || !result.complete) {
        codes.push(exit::INCONCLUSIVE);
    }
    exit::strongest(codes)
}

/// Exit code without `strict`, and the line that says what the run came to.
pub(super) fn of(result: &RunResult, interrupted: bool) -> RunVerdict {
    let count = Counts::of(result);
    let exit_code = exit_code(result, false, interrupted);
    let mut parts = vec![format!("{} of {} rows measured", count.measured, count.rows)];
    let mut say = |number: usize, one: &str, many: &str| {
        if number > 0 {
            parts.push(format!("{number} {}", if number == 1 { one } else { many }));
        }
    };
    say(count.invalid, "invalid row", "invalid rows");
    say(count.suspect, "suspect row", "suspect rows");
    say(count.skipped, "skipped row", "skipped rows");
    say(count.thresholds_failed, "failed threshold", "failed thresholds");
    say(count.worse, "comparison lost", "comparisons lost");
    say(count.better, "won", "won");
    say(count.same, "the same", "the same");
    say(count.inconclusive, "inconclusive", "inconclusive");
    if interrupted {
        parts.push("interrupted".into());
    } else if !result.complete {
        parts.push("incomplete".into());
    }
    RunVerdict { exit_code, summary: parts.join(", ") }
}

/// What the verdict counts, over the measured cases; controls are guarded and shown, never ranked.
#[derive(Debug, Default)]
struct Counts {
    rows: usize,
    measured: usize,
    invalid: usize,
    suspect: usize,
    skipped: usize,
    first_could_not_run: usize,
    thresholds_failed: usize,
    better: usize,
    same: usize,
    worse: usize,
    inconclusive: usize,
}

impl Counts {
    fn of(result: &RunResult) -> Self {
        let mut count = Self::default();
        for case in result.cases.iter().filter(|case| case.role == CaseRole::Measured) {
            count.add(case);
        }
        count
    }

    fn add(&mut self, case: &CaseResult) {
        for subject in &case.subjects {
            self.rows += 1;
            match subject.validity.state {
                ValidityState::Valid => self.measured += 1,
                ValidityState::Suspect => {
                    self.measured += 1;
                    self.suspect += 1;
                }
                ValidityState::Invalid => {
                    self.measured += 1;
                    self.invalid += 1;
                }
                ValidityState::Skipped => self.skipped += 1,
            }
        }
        self.first_could_not_run += usize::from(case.subjects.first().is_some_and(could_not_run));
        self.thresholds_failed +=
            case.thresholds.iter().filter(|threshold| threshold.passed == Some(false) && threshold.severity == Severity::Fail).count();
        for comparison in case.comparisons.iter().filter(|comparison| comparison.metric == case.primary_metric) {
            match comparison.verdict {
                Verdict::Better => self.better += 1,
                Verdict::Same => self.same += 1,
                Verdict::Worse => self.worse += 1,
                Verdict::Inconclusive => self.inconclusive += 1,
            }
        }
    }
}

/// A row that was reached and gave no record; one that was never reached is merely missing.
pub fn could_not_run(subject: &SubjectResult) -> bool {
    subject.validity.state == ValidityState::Skipped && subject.validity.reason.as_deref() != Some(NOT_RUN)
}
