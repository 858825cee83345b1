//! JUnit XML: a suite per scenario, a test per case and subject.
//!
//! | row | element |
//! |---|---|
//! | a threshold of severity `fail` does not hold | `<failure type="threshold">` |
//! | invalid | `<error type="invalid">` |
//! | skipped | `<skipped>` |
//!
//! A lost comparison fails nothing here: it is a fact about two subjects, not a defect of one.

use crate::schema::result::{CaseResult, RunResult, Severity, SubjectResult};
use crate::schema::validity::ValidityState;

use super::view;

#[derive(Default)]
struct Tally {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

/// The result as JUnit XML.
pub fn render(result: &RunResult) -> String {
    let mut scenarios: Vec<&str> = result.cases.iter().map(|case| case.scenario.as_str()).collect();
    scenarios.dedup();
    let (mut suites, mut total) = (String::new(), Tally::default());
    for scenario in scenarios {
        let mut tally = Tally::default();
        let mut tests = String::new();
        for case in result.cases.iter().filter(|case| case.scenario == scenario) {
            for row in &case.subjects {
                tests.push_str(&test(case, row, &mut tally));
            }
        }
        suites.push_str(&format!("  <testsuite name=\"{}\" {}>\n{}", escaped(scenario), counts(&tally), properties(result)));
        suites.push_str(&tests);
        suites.push_str("  </testsuite>\n");
        total.tests += tally.tests;
        total.failures += tally.failures;
        total.errors += tally.errors;
        total.skipped += tally.skipped;
    }
    let name = escaped(&result.suite.name);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\" {}>\n{suites}</testsuites>\n", counts(&total))
}

fn counts(tally: &Tally) -> String {
    let Tally { tests, failures, errors, skipped } = tally;
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn properties(result: &RunResult) -> String {
    let pairs = [
        ("run_id", result.run_id.as_str()),
        ("host_class", &result.host.fingerprint.class),
        ("tool_version", &result.tool.version),
        ("suite_sha256", &result.suite.sha256),
    ];
    let lines: String =
        pairs.iter().map(|(name, value)| format!("      <property name=\"{name}\" value=\"{}\"/>\n", escaped(value))).collect();
    format!("    <properties>\n{lines}    </properties>\n")
}

fn test(case: &CaseResult, row: &SubjectResult, tally: &mut Tally) -> String {
    tally.tests += 1;
    let head = format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(&case.id), escaped(&row.subject));
    let reason = row.validity.reason.as_deref().unwrap_or("");
    match row.validity.state {
        ValidityState::Skipped => {
            tally.skipped += 1;
            format!("{head}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(reason))
        }
        ValidityState::Invalid => {
            tally.errors += 1;
            format!("{head}>\n      <error type=\"invalid\" message=\"{}\"/>\n    </testcase>\n", escaped(reason))
        }
        ValidityState::Valid | ValidityState::Suspect => {
            let failed: Vec<String> = case
                .thresholds
                .iter()
                .filter(|threshold| {
                    threshold.subject == row.subject && threshold.passed == Some(false) && threshold.severity == Severity::Fail
                })
                .map(|threshold| format!("      <failure type=\"threshold\" message=\"{}\"/>\n", escaped(&view::threshold_line(threshold))))
                .collect();
            if failed.is_empty() {
                return format!("{head}/>\n");
            }
            tally.failures += 1;
            format!("{head}>\n{}    </testcase>\n", failed[0])
        }
    }
}

/// Text for an attribute; what XML 1.0 cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_break_out_of_an_attribute() {
        assert_eq!(escaped("a<b>\"&\n\u{1}"), "a&lt;b&gt;&quot;&amp;&#10;\u{fffd}");
    }
}
