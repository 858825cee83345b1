//! What follows from all rows: one word, one exit code, one line.
//!
//! | in the gate | code | word |
//! |---|---|---|
//! | interrupted | 130 | `ERROR` |
//! | something could not be done at all | 2 or 3 | `ERROR` |
//! | a row is worse, or a threshold fails | 1 | `REGRESSED` |
//! | a row is invalid | 5 | `INVALID` |
//! | a row is inconclusive, with `strict`, or more of them than allowed | 4 | `INCONCLUSIVE` |
//! | nothing of this | 0 | `PASSED` |
//!
//! The line is the last of standard output, so that a step between (`make`, a pipe) which swallows exit codes loses nothing:
//!
//! ```text
//! ZOKIO-GATE: PASSED 16/18, 2 inconclusive, sees >= 4.2 % (exit 0)
//!             word   │  │   what the others are     the least slow-down that every row would have found nine times in ten
//!                    │  └ rows in all
//!                    └ rows that made it so
//! ```

use crate::exit;
use crate::schema::gate::{GateOutcome, GateRow, GateThreshold, GateVerdict, GateWord};

/// What is known of a gate beside its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Circumstances<'a> {
    /// Inconclusive fails.
    pub strict: bool,
    /// Share of inconclusive rows, of those that are judged, above which the gate does not pass; `None`: any may be.
    pub max_inconclusive: Option<f64>,
    /// Ctrl-C or SIGTERM.
    pub interrupted: bool,
    /// Exit codes of what went wrong around the rows: [`exit::USAGE`], [`exit::COULD_NOT_RUN`].
    pub errors: &'a [u8],
}

/// Word, exit code and last line, by the precedence of [`exit::PRECEDENCE`].
pub fn outcome(rows: &[GateRow], thresholds: &[GateThreshold], circumstances: Circumstances<'_>) -> GateOutcome {
    let count = Counts::of(rows, thresholds);
    let exit_code = count.exit_code(circumstances);
    let word = word(exit_code);
    let sees = sees(rows);
    let made_so = count.made_so(word);
    let mut parts = vec![format!("ZOKIO-GATE: {} {made_so}/{}", word.name(), count.all)];
    if circumstances.interrupted {
        parts.push("interrupted".into());
    } else if word == GateWord::Error {
        parts.push("could not run".into());
    }
    parts.extend(count.others(word));
    parts.extend(sees.map(|sees| format!("sees >= {} %", tenths_up(sees))));
    let line = format!("{} (exit {exit_code})", parts.join(", "));
    GateOutcome { word, exit_code, rows: made_so, of: count.all, sees, line }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    all: u32,
    worse: u32,
    invalid: u32,
    inconclusive: u32,
    not_gated: u32,
    /// Of those, measured and then left out: under load nothing was decided of them.
    left_out: u32,
    better: u32,
    identical: u32,
    thresholds_failed: u32,
}

impl Counts {
    fn of(rows: &[GateRow], thresholds: &[GateThreshold]) -> Self {
        let mut count = Self { all: rows.len() as u32, ..Self::default() };
        for row in rows {
            match row.verdict {
                GateVerdict::Worse => count.worse += 1,
                GateVerdict::Invalid => count.invalid += 1,
                GateVerdict::Inconclusive => count.inconclusive += 1,
                GateVerdict::NotGated => {
                    count.not_gated += 1;
                    count.left_out += u32::from(!row.pairs.is_empty());
                }
                GateVerdict::Better => count.better += 1,
                GateVerdict::Identical => count.identical += 1,
                GateVerdict::Same => {}
            }
        }
        count.thresholds_failed = thresholds.iter().filter(|threshold| threshold.fails).count() as u32;
        count
    }

    fn exit_code(&self, circumstances: Circumstances<'_>) -> u8 {
        let mut codes = circumstances.errors.to_vec();
        if circumstances.interrupted {
            codes.push(exit::INTERRUPTED);
        }
        if self.worse > 0 || self.thresholds_failed > 0 {
            codes.push(exit::FAILED);
        }
        if self.invalid > 0 {
            codes.push(exit::INVALID);
        }
        let (undecided, judged) = (self.undecided(), self.all - self.not_gated + self.left_out);
        // A share such as 0.29 has no exact binary form: 29 of 100 must not exceed it.
        let is_too_many = circumstances.max_inconclusive.is_some_and(|most| f64::from(undecided) > most * f64::from(judged) + 1e-9);
        if undecided > 0 && (circumstances.strict || is_too_many) {
            codes.push(exit::INCONCLUSIVE);
        }
        exit::strongest(codes)
    }

    /// Rows that were measured and came to no verdict: a runner that is always busy must not stay green for ever.
    fn undecided(&self) -> u32 {
        self.inconclusive + self.left_out
    }

    fn passed(&self) -> u32 {
        self.all - self.worse - self.invalid - self.inconclusive - self.not_gated
    }

    fn made_so(&self, word: GateWord) -> u32 {
        match word {
            GateWord::Passed => self.passed(),
            GateWord::Regressed => self.worse,
            GateWord::Invalid => self.invalid,
            GateWord::Inconclusive => self.undecided(),
            GateWord::Error => self.inconclusive,
        }
    }

    /// What the reader of the line must know of the other rows.
    fn others(&self, word: GateWord) -> Vec<String> {
        let identical = if self.identical == self.all { "same (identical)".into() } else { format!("{} same (identical)", self.identical) };
        let undecided = if word == GateWord::Error { "undecided" } else { "inconclusive" };
        let thresholds = if self.thresholds_failed == 1 { "threshold failed" } else { "thresholds failed" };
        // What the word has counted already is left out; `undecided` is told in any case.
        let counted = [
            (self.worse, word == GateWord::Regressed, "worse"),
            (self.thresholds_failed, false, thresholds),
            (self.invalid, word == GateWord::Invalid, "invalid"),
            (self.inconclusive, word == GateWord::Inconclusive, undecided),
            (self.better, false, "better"),
            (self.not_gated, false, "not gated"),
        ];
        let told = counted.into_iter().filter(|(number, is_told, _)| *number > 0 && !is_told);
        (self.identical > 0).then_some(identical).into_iter().chain(told.map(|(number, _, what)| format!("{number} {what}"))).collect()
    }
}

fn word(exit_code: u8) -> GateWord {
    match exit_code {
        exit::PASSED => GateWord::Passed,
        exit::FAILED => GateWord::Regressed,
        exit::INCONCLUSIVE => GateWord::Inconclusive,
        exit::INVALID => GateWord::Invalid,
        _ => GateWord::Error,
    }
}

/// The largest of the judged rows, and `None` as soon as one of them does not know: the line speaks for all.
fn sees(rows: &[GateRow]) -> Option<f64> {
    let judged = rows.iter().filter(|row| !matches!(row.verdict, GateVerdict::NotGated | GateVerdict::Identical));
    let all: Option<Vec<f64>> = judged.map(|row| row.sees.filter(|sees| sees.is_finite())).collect();
    all?.into_iter().reduce(f64::max)
}

/// Per cent with one decimal, rounded up: a gate must not claim to see more than it does.
fn tenths_up(share: f64) -> String {
    format!("{:.1}", (share * 1000.0 - 1e-9).ceil() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SPEC, pair};
    use super::super::{ALPHA, LOOKS, RowName, Rule, Table};
    use super::*;
    use GateVerdict::*;

    /// A row with this verdict that sees `sees`, with two pairs; one that is not gated has none, as against a stored baseline.
    fn row(verdict: GateVerdict, sees: Option<f64>) -> GateRow {
        let mut table = Table::new(Rule::new(ALPHA, &LOOKS, 1).unwrap());
        let row = table.add(SPEC).unwrap();
        if verdict != NotGated {
            (0..2).for_each(|_| table.push(row, pair(100.0, 100.0)));
        }
        GateRow { verdict, sees, ..table.report(row, RowName::default()) }
    }

    fn rows(verdicts: &[(u32, GateVerdict)]) -> Vec<GateRow> {
        let some = |&(count, verdict): &(u32, GateVerdict)| (0..count).map(move |_| row(verdict, Some(0.042)));
        verdicts.iter().flat_map(some).collect()
    }

    fn line(verdicts: &[(u32, GateVerdict)], circumstances: Circumstances<'_>) -> String {
        outcome(&rows(verdicts), &[], circumstances).line
    }

    fn thresholds(fails: &[bool]) -> Vec<GateThreshold> {
        let threshold = |&fails: &bool| GateThreshold { case: "c".into(), threshold: None, target: None, grace: None, fails };
        fails.iter().map(threshold).collect()
    }

    const LENIENT: Circumstances<'_> = Circumstances { strict: false, max_inconclusive: None, interrupted: false, errors: &[] };
    const STRICT: Circumstances<'_> = Circumstances { strict: true, ..LENIENT };

    #[test]
    fn lines_to_the_letter() {
        let a_tenth = Circumstances { max_inconclusive: Some(0.1), ..LENIENT };
        let broken = Circumstances { errors: &[exit::COULD_NOT_RUN], ..LENIENT };
        let stopped = Circumstances { interrupted: true, ..broken };
        type Case = (&'static [(u32, GateVerdict)], Circumstances<'static>, &'static str);
        let cases: [Case; 16] = [
            (&[(18, Same)], STRICT, "ZOKIO-GATE: PASSED 18/18, sees >= 4.2 % (exit 0)"),
            (&[(17, Same), (1, Better)], LENIENT, "ZOKIO-GATE: PASSED 18/18, 1 better, sees >= 4.2 % (exit 0)"),
            (&[(3, Identical)], STRICT, "ZOKIO-GATE: PASSED 3/3, same (identical) (exit 0)"),
            (&[(3, Identical), (3, Same)], STRICT, "ZOKIO-GATE: PASSED 6/6, 3 same (identical), sees >= 4.2 % (exit 0)"),
            (&[(16, Same), (2, Worse)], LENIENT, "ZOKIO-GATE: REGRESSED 2/18, sees >= 4.2 % (exit 1)"),
            (
                &[(1, Worse), (2, Invalid), (3, Inconclusive)],
                STRICT,
                "ZOKIO-GATE: REGRESSED 1/6, 2 invalid, 3 inconclusive, sees >= 4.2 % (exit 1)",
            ),
            (&[(2, Invalid), (1, Inconclusive)], STRICT, "ZOKIO-GATE: INVALID 2/3, 1 inconclusive, sees >= 4.2 % (exit 5)"),
            (&[(16, Same), (2, Inconclusive)], LENIENT, "ZOKIO-GATE: PASSED 16/18, 2 inconclusive, sees >= 4.2 % (exit 0)"),
            (&[(16, Same), (2, Inconclusive)], STRICT, "ZOKIO-GATE: INCONCLUSIVE 2/18, sees >= 4.2 % (exit 4)"),
            (&[(18, Same), (2, Inconclusive)], a_tenth, "ZOKIO-GATE: PASSED 18/20, 2 inconclusive, sees >= 4.2 % (exit 0)"),
            (&[(17, Same), (3, Inconclusive)], a_tenth, "ZOKIO-GATE: INCONCLUSIVE 3/20, sees >= 4.2 % (exit 4)"),
            // Rows that are not gated are no part of the share, and pass nothing.
            (&[(9, Same), (2, Inconclusive), (9, NotGated)], a_tenth, "ZOKIO-GATE: INCONCLUSIVE 2/20, 9 not gated, sees >= 4.2 % (exit 4)"),
            (&[(12, NotGated)], STRICT, "ZOKIO-GATE: PASSED 0/12, 12 not gated (exit 0)"),
            (&[], broken, "ZOKIO-GATE: ERROR 0/0, could not run (exit 3)"),
            (&[(1, Worse), (2, Same)], broken, "ZOKIO-GATE: ERROR 0/3, could not run, 1 worse, sees >= 4.2 % (exit 3)"),
            (
                &[(1, Worse), (2, Inconclusive)],
                stopped,
                "ZOKIO-GATE: ERROR 2/3, interrupted, 1 worse, 2 undecided, sees >= 4.2 % (exit 130)",
            ),
        ];
        for (verdicts, circumstances, expected) in cases {
            assert_eq!(line(verdicts, circumstances), expected, "{verdicts:?}");
        }
    }

    #[test]
    fn what_load_left_out_is_undecided_where_that_counts() {
        let mut rows = rows(&[(9, Same), (1, NotGated)]);
        rows[9].pairs = vec![pair(100.0, 100.0)];
        let line = |circumstances| outcome(&rows, &[], circumstances).line;
        assert_eq!(line(LENIENT), "ZOKIO-GATE: PASSED 9/10, 1 not gated, sees >= 4.2 % (exit 0)");
        assert_eq!(line(STRICT), "ZOKIO-GATE: INCONCLUSIVE 1/10, 1 not gated, sees >= 4.2 % (exit 4)");
        let within = |most| line(Circumstances { max_inconclusive: Some(most), ..LENIENT });
        assert!(within(0.1).starts_with("ZOKIO-GATE: PASSED") && within(0.09).starts_with("ZOKIO-GATE: INCONCLUSIVE"));
    }

    #[test]
    fn a_threshold_that_fails_is_a_regression() {
        let found = outcome(&rows(&[(2, Same)]), &thresholds(&[false, true]), LENIENT);
        assert_eq!((found.word, found.exit_code, found.rows, found.of), (GateWord::Regressed, exit::FAILED, 0, 2));
        assert_eq!(found.line, "ZOKIO-GATE: REGRESSED 0/2, 1 threshold failed, sees >= 4.2 % (exit 1)");
        let two = outcome(&rows(&[(2, Invalid)]), &thresholds(&[true, true]), LENIENT).line;
        assert_eq!(two, "ZOKIO-GATE: REGRESSED 0/2, 2 thresholds failed, 2 invalid, sees >= 4.2 % (exit 1)");
        assert_eq!(outcome(&rows(&[(2, Same)]), &thresholds(&[false]), LENIENT).exit_code, exit::PASSED);
    }

    #[test]
    fn the_gate_sees_what_its_blindest_row_sees() {
        let sees = |rows: &[GateRow]| outcome(rows, &[], LENIENT).sees;
        assert_eq!(sees(&[row(Same, Some(0.03)), row(Same, Some(0.051)), row(NotGated, Some(0.4))]), Some(0.051));
        // One row that does not know leaves the line without a claim; identical files need none.
        assert_eq!(sees(&[row(Same, Some(0.03)), row(Inconclusive, None)]), None);
        assert_eq!(sees(&[row(Same, Some(0.03)), row(Identical, None)]), Some(0.03));
        assert_eq!(sees(&[]), None);
        for (share, text) in [(0.042, "4.2"), (0.042_01, "4.3"), (0.05, "5.0"), (1.0, "100.0")] {
            assert_eq!(tenths_up(share), text);
        }
    }

    #[test]
    fn a_share_of_rows_is_compared_as_it_is_written() {
        let share = |inconclusive, most| {
            let circumstances = Circumstances { max_inconclusive: Some(most), ..LENIENT };
            outcome(&rows(&[(100 - inconclusive, Same), (inconclusive, Inconclusive)]), &[], circumstances).exit_code
        };
        assert_eq!((share(29, 0.29), share(30, 0.29)), (exit::PASSED, exit::INCONCLUSIVE));
        assert_eq!((share(0, 0.0), share(1, 0.0)), (exit::PASSED, exit::INCONCLUSIVE));
    }
}
