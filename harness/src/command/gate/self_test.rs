//! The gate of the gate: on this host, now, equal sides have to pass and 5 % more work has to be found.
//!
//! ```text
//!  this executable against itself            ─▶ nothing may be worse
//!  the same with 5 % more work in every one  ─▶ every scenario must have a row that is
//! ```

use std::path::PathBuf;

use zokio_report::exit;
use zokio_report::schema::gate::{GateOutcome, GateResult, GateVerdict, GateWord};

use super::Start;
use super::arguments::GateArgs;
use crate::command::subjects::own_executable;
use crate::error::CommandError;
use crate::orchestrate::output::OutputFolder;

/// What it measures where nothing else is named.
const SCENARIO: &str = "gate";
/// The planted work.
const PLANTED: f64 = 0.05;

/// Both gates, and what follows from them.
///
/// # Errors
/// One of them could not be run.
pub(super) fn run(start: &Start<'_>) -> Result<GateOutcome, CommandError> {
    let folder = OutputFolder::create(start.arguments.out.as_deref(), "gate-self-test", "")?;
    eprintln!("self-test 1 of 2: this executable against itself; nothing may be worse");
    let equal = half(start, None, folder.path().join("equal"))?;
    if equal.outcome.word == GateWord::Error {
        return Ok(equal.outcome);
    }
    eprintln!("self-test 2 of 2: the same with {:.0} % more work; it must be found", PLANTED * 100.0);
    let planted = half(start, Some(PLANTED), folder.path().join("planted"))?;
    if planted.outcome.word == GateWord::Error {
        return Ok(planted.outcome);
    }
    Ok(judged(&verdicts(&equal), &verdicts(&planted)))
}

fn half(start: &Start<'_>, plant: Option<f64>, out: PathBuf) -> Result<GateResult, CommandError> {
    let scenarios = if start.arguments.scenarios.is_empty() { vec![SCENARIO.to_owned()] } else { start.arguments.scenarios.clone() };
    start.gate(&GateArgs {
        scenarios,
        base_bin: vec![own_executable()?.display().to_string()],
        self_test: false,
        measure_identical: true,
        plant,
        plant_one_in: 1,
        out: Some(out),
        junit: None,
        markdown: None,
        github: false,
        bmf: None,
        gha_json: None,
        json: None,
        html: None,
        ..start.arguments.clone()
    })
}

/// The verdicts of a half, by case.
fn verdicts(gate: &GateResult) -> Vec<(String, GateVerdict)> {
    gate.rows.iter().map(|row| (row.case.clone(), row.verdict)).collect()
}

/// k/n counts what came out as it has to: one check for the equal sides, one for each case with planted work.
fn judged(equal: &[(String, GateVerdict)], planted: &[(String, GateVerdict)]) -> GateOutcome {
    let is_worse = |(_, verdict): &&(String, GateVerdict)| *verdict == GateVerdict::Worse;
    let alarms = equal.iter().filter(is_worse).count();
    let mut cases: Vec<&String> = planted.iter().map(|(case, _)| case).collect();
    cases.dedup();
    let found = cases.iter().filter(|case| planted.iter().filter(is_worse).any(|(other, _)| other == **case)).count();
    let checks = 1 + cases.len();
    let right = usize::from(alarms == 0) + found;
    let (word, exit_code) = if right == checks { (GateWord::Passed, exit::PASSED) } else { (GateWord::Invalid, exit::INVALID) };
    let said = format!("equal sides: {alarms} false alarms, 5 % more work: found in {found} of {} cases", cases.len());
    let line = format!("ZOKIO-GATE: {} {right}/{checks}, self-test, {said} (exit {exit_code})", word.name());
    GateOutcome { word, exit_code, rows: right as u32, of: checks as u32, sees: None, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(verdicts: [GateVerdict; 2]) -> Vec<(String, GateVerdict)> {
        ["a".to_owned(), "b".to_owned()].into_iter().zip(verdicts).collect()
    }

    #[test]
    fn a_false_alarm_and_a_slow_down_that_was_not_found_are_both_failures() {
        use GateVerdict::{Inconclusive, Same, Worse};
        let passed = judged(&half([Same, Inconclusive]), &half([Worse, Worse]));
        assert!(passed.line.starts_with("ZOKIO-GATE: PASSED 3/3, self-test, equal sides: 0 false alarms"), "{}", passed.line);
        assert!(judged(&half([Worse, Same]), &half([Worse, Worse])).line.starts_with("ZOKIO-GATE: INVALID 2/3"));
        let missed = judged(&half([Same, Same]), &half([Worse, Inconclusive]));
        assert_eq!((missed.word, missed.exit_code), (GateWord::Invalid, exit::INVALID));
        assert!(missed.line.ends_with("found in 1 of 2 cases (exit 5)"), "{}", missed.line);
    }
}
