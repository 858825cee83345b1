//! JUnit XML: a suite per scenario, a test per case and subject.
//!
//! | row | element |
//! |---|---|
//! | a threshold of severity `fail` does not hold | `<failure type="threshold">` |
//! | invalid | `<error type="invalid">` |
//! | skipped | `<skipped>` |
//!
//! A lost comparison fails nothing here: it is a fact about two subjects, not a defect of one.

pub(super) mod document;

use self::document::{Outcome, Suite, Test};
use super::view;
use crate::schema::result::{CaseResult, RunResult, Severity, SubjectResult};
use crate::schema::validity::ValidityState;

/// The result as JUnit XML.
pub fn render(result: &RunResult) -> String {
    let mut scenarios: Vec<&str> = result.cases.iter().map(|case| case.scenario.as_str()).collect();
    scenarios.dedup();
    let suites: Vec<Suite> = scenarios.into_iter().map(|scenario| suite(result, scenario)).collect();
    document::render(&result.suite.name, None, &suites)
}

fn suite(result: &RunResult, scenario: &str) -> Suite {
    let cases = result.cases.iter().filter(|case| case.scenario == scenario);
    Suite {
        name: scenario.into(),
        properties: vec![
            ("run_id", result.run_id.clone()),
            ("host_class", result.host.fingerprint.class.clone()),
            ("tool_version", result.tool.version.clone()),
            ("suite_sha256", result.suite.sha256.clone()),
        ],
        tests: cases.flat_map(|case| case.subjects.iter().map(move |row| test(case, row))).collect(),
        ..Suite::default()
    }
}

fn test(case: &CaseResult, row: &SubjectResult) -> Test {
    let reason = row.validity.reason.clone().unwrap_or_default();
    let outcome = match row.validity.state {
        ValidityState::Skipped => Outcome::Skipped(reason),
        ValidityState::Invalid => Outcome::Error("invalid", reason),
        ValidityState::Valid | ValidityState::Suspect => {
            let failed = case.thresholds.iter().find(|threshold| {
                threshold.subject == row.subject && threshold.passed == Some(false) && threshold.severity == Severity::Fail
            });
            failed.map_or(Outcome::Passed, |threshold| Outcome::Failure("threshold", view::threshold_line(threshold)))
        }
    };
    Test { class: case.id.clone(), name: row.subject.clone(), seconds: None, outcome, output: None }
}
