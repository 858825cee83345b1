//! The gate of the gate: on this host, now, equal sides have to pass and 5 % more work has to be found.
//!
//! ```text
//!  this executable against itself            ─▶ nothing may be worse
//!  the same with 5 % more work in every one  ─▶ every scenario must have a row that is
//! ```

use std::path::PathBuf;

use zokio_report::exit;
use zokio_report::schema::gate::{GateOutcome, GateResult, GateVerdict, GateWord};

use super::arguments::GateArgs;
use super::conclude::GATE_NAME;
use super::{FAILED_ITSELF, Start};
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
pub(super) fn run(start: &Start) -> Result<GateOutcome, CommandError> {
    let folder = OutputFolder::create(start.out.as_deref(), "gate-self-test", "")?;
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
    Ok(judged(&Half::from(&equal), &Half::from(&planted)))
}

fn half(start: &Start, plant: Option<f64>, out: PathBuf) -> Result<GateResult, CommandError> {
    let own = std::env::current_exe().map_err(|error| {
        CommandError::could_not_run(format!("cannot find the executable of zokio-bench: {error}"), "call it by its full path")
    })?;
    let scenarios = if start.arguments.scenarios.is_empty() { vec![SCENARIO.to_owned()] } else { start.arguments.scenarios.clone() };
    let arguments = GateArgs {
        scenarios,
        base_bin: vec![own.display().to_string()],
        self_test: false,
        measure_identical: true,
        plant,
        plant_one_in: 1,
        out: Some(out.clone()),
        junit: None,
        markdown: None,
        github: false,
        bmf: None,
        gha_json: None,
        json: None,
        html: None,
        ..start.arguments.clone()
    };
    start.gate(&arguments)?;
    let text = std::fs::read_to_string(out.join(GATE_NAME));
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(|| {
        CommandError::could_not_run(format!("cannot read {} again", out.display()), "choose a folder with enough room: --out DIR")
    })
}

/// What a half came to: the verdicts by case, and whether it was cut short.
struct Half {
    rows: Vec<(String, GateVerdict)>,
    is_interrupted: bool,
}

impl From<&GateResult> for Half {
    fn from(gate: &GateResult) -> Self {
        let rows = gate.rows.iter().map(|row| (row.case.clone(), row.verdict)).collect();
        Self { rows, is_interrupted: gate.outcome.exit_code == exit::INTERRUPTED }
    }
}

/// k/n counts what came out as it has to: one check for the equal sides, one for each case with planted work.
fn judged(equal: &Half, planted: &Half) -> GateOutcome {
    let is_worse = |(_, verdict): &&(String, GateVerdict)| *verdict == GateVerdict::Worse;
    let alarms = equal.rows.iter().filter(is_worse).count();
    let mut cases: Vec<&String> = planted.rows.iter().map(|(case, _)| case).collect();
    cases.dedup();
    let found = cases.iter().filter(|case| planted.rows.iter().filter(is_worse).any(|(other, _)| other == **case)).count();
    let checks = 1 + cases.len();
    let right = usize::from(alarms == 0) + found;
    let (name, word, exit_code) = match (equal.is_interrupted || planted.is_interrupted, right == checks) {
        (true, _) => ("ERROR", GateWord::Error, exit::INTERRUPTED),
        (false, true) => ("PASSED", GateWord::Passed, exit::PASSED),
        (false, false) => ("INVALID", GateWord::Invalid, FAILED_ITSELF),
    };
    let said = format!("equal sides: {alarms} false alarms, 5 % more work: found in {found} of {} cases", cases.len());
    let line = format!("ZOKIO-GATE: {name} {right}/{checks}, self-test, {said} (exit {exit_code})");
    GateOutcome { word, exit_code, rows: right as u32, of: checks as u32, sees: None, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(verdicts: [GateVerdict; 2]) -> Half {
        Half { rows: ["a".to_owned(), "b".to_owned()].into_iter().zip(verdicts).collect(), is_interrupted: false }
    }

    #[test]
    fn a_false_alarm_and_a_slow_down_that_was_not_found_are_both_failures() {
        use GateVerdict::{Inconclusive, Same, Worse};
        let passed = judged(&half([Same, Inconclusive]), &half([Worse, Worse]));
        assert!(passed.line.starts_with("ZOKIO-GATE: PASSED 3/3, self-test, equal sides: 0 false alarms"), "{}", passed.line);
        assert!(judged(&half([Worse, Same]), &half([Worse, Worse])).line.starts_with("ZOKIO-GATE: INVALID 2/3"));
        let missed = judged(&half([Same, Same]), &half([Worse, Inconclusive]));
        assert_eq!((missed.word, missed.exit_code), (GateWord::Invalid, FAILED_ITSELF));
        assert!(missed.line.ends_with("found in 1 of 2 cases (exit 5)"), "{}", missed.line);
        let cut = Half { is_interrupted: true, ..half([Worse, Worse]) };
        assert_eq!(judged(&half([Same, Same]), &cut).exit_code, exit::INTERRUPTED);
    }
}
