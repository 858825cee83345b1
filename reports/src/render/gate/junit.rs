//! JUnit XML: a suite per scenario, a test per case and metric, and one per threshold.
//!
//! | row | element |
//! |---|---|
//! | worse | `<failure type="regression">` |
//! | a threshold that fails the gate | `<failure type="threshold">` |
//! | invalid | `<error type="invalid">` |
//! | inconclusive, not gated | `<skipped>` |
//! | the gate could not be run | `<error type="could-not-run">` in a suite of its own |
//!
//! The time of a test is that from the start of its first pair to the start of its last one; cases are measured in turn, so times overlap.

use super::{view, words};
use crate::render::junit::document::{self, Outcome, Suite, Test};
use crate::schema::gate::{GateResult, GateRow, GateThreshold, GateVerdict, GateWord};

/// The gate as JUnit XML.
pub fn render(result: &GateResult) -> String {
    let mut scenarios: Vec<(&str, &str)> = result.rows.iter().map(|row| (row.suite.as_str(), row.scenario.as_str())).collect();
    for threshold in &result.thresholds {
        let scenario = scenario_of(threshold);
        if !scenarios.iter().any(|(_, known)| *known == scenario) {
            scenarios.push(("", scenario));
        }
    }
    let mut once: Vec<(&str, &str)> = Vec::new();
    for scenario in scenarios {
        if !once.contains(&scenario) {
            once.push(scenario);
        }
    }
    let mut suites: Vec<Suite> = Vec::new();
    for (index, (name, scenario)) in once.iter().enumerate() {
        let is_first = !once[..index].iter().any(|(_, earlier)| earlier == scenario);
        suites.push(suite(result, name, scenario, is_first));
    }
    if result.outcome.word == GateWord::Error {
        let outcome = Outcome::Error("could-not-run", result.outcome.line.clone());
        let test = Test { class: "gate".into(), name: "gate".into(), seconds: None, outcome, output: None };
        suites.push(Suite { name: "gate".into(), properties: properties(result), tests: vec![test], ..Suite::default() });
    }
    document::render(&format!("gate {}", view::suites(result)), result.duration_s, &suites)
}

/// The suite of a scenario; the thresholds stand in the first suite of its name.
fn suite(result: &GateResult, name: &str, scenario: &str, is_first: bool) -> Suite {
    let rows: Vec<&GateRow> = result.rows.iter().filter(|row| row.suite == name && row.scenario == scenario).collect();
    let limits = result.thresholds.iter().filter(|threshold| is_first && scenario_of(threshold) == scenario);
    let class = if name.is_empty() { scenario.to_string() } else { format!("{name}.{scenario}") };
    let tests = rows.iter().map(|row| row_test(result, row, &class)).chain(limits.map(|limit| threshold_test(limit, &class)));
    Suite {
        name: scenario.into(),
        timestamp: Some(result.started_at.clone()),
        seconds: seconds(&rows),
        properties: properties(result),
        tests: tests.collect(),
    }
}

fn scenario_of(threshold: &GateThreshold) -> &str {
    threshold.case.split('/').next().unwrap_or(&threshold.case)
}

fn properties(result: &GateResult) -> Vec<(&'static str, String)> {
    let revision = |side: &crate::schema::gate::GateSide| side.revision.clone().unwrap_or_else(|| side.source.clone());
    let mut properties = vec![
        ("gate_id", result.gate_id.clone()),
        ("host_class", result.host.fingerprint.class.clone()),
        ("candidate_revision", revision(&result.candidate)),
        ("seed", result.seed.to_string()),
        ("outcome", result.outcome.line.clone()),
    ];
    properties.extend(result.bases.iter().map(|base| ("base_revision", format!("{}: {}", base.name, revision(&base.side)))));
    properties.extend(result.outcome.sees.map(|share| ("sees", view::percent(share))));
    properties
}

fn seconds(rows: &[&GateRow]) -> Option<f64> {
    let at = || rows.iter().flat_map(|row| &row.pairs).map(|pair| pair.at_ns);
    Some(at().max()?.saturating_sub(at().min()?) as f64 / 1e9)
}

fn row_test(result: &GateResult, row: &GateRow, class: &str) -> Test {
    let reason = || view::reason(row).unwrap_or_else(|| view::line(row));
    let outcome = match row.verdict {
        GateVerdict::Worse => Outcome::Failure("regression", view::line(row)),
        GateVerdict::Invalid => Outcome::Error("invalid", reason()),
        GateVerdict::Inconclusive => Outcome::Skipped(format!("inconclusive: {}", reason())),
        GateVerdict::NotGated => Outcome::Skipped(format!("not gated: {}", reason())),
        GateVerdict::Better | GateVerdict::Same | GateVerdict::Identical => Outcome::Passed,
    };
    Test {
        class: class.into(),
        name: view::name(result, row),
        seconds: seconds(&[row]),
        outcome,
        output: Some(format!("{}: {}", view::word(row.verdict), view::line(row))),
    }
}

fn threshold_test(limit: &GateThreshold, class: &str) -> Test {
    let line = words::threshold(limit);
    let (outcome, output) = match (limit.fails, words::held(limit)) {
        (true, _) => (Outcome::Failure("threshold", line), None),
        (false, None) => (Outcome::Skipped(format!("not judged: {line}")), None),
        (false, Some(_)) => (Outcome::Passed, Some(line)),
    };
    let name = match (&limit.threshold, &limit.target) {
        (Some(threshold), _) => format!("{} {} {} {}", threshold.subject, threshold.metric, threshold.op, threshold.value),
        (None, Some(target)) => format!("{} {} {}", target.subject, target.metric, target.source),
        (None, None) => String::new(),
    };
    Test { class: class.into(), name: format!("{} threshold: {name}", limit.case), seconds: None, outcome, output }
}
