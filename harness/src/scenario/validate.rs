//! The second judgement: do the values agree with each other? From the tree to the [`Suite`].
//!
//! Runs on each scenario as it will run, with defaults, `--set` and matrix applied. What [`super::walk`] has reported already
//! reads as left out here, so no mistake is told twice.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::case;
use super::diagnostic::{Diagnostic, Findings, SHOWN_MAX, list, shown};
use super::goals;
use super::keys;
use super::matrix::{self, CASES_MAX};
use super::merge::merge;
use super::shape::{Shape, field};
use super::source::Span;
use super::suite::{CaseSpec, Suite};
use super::tree::{Entry, Node, Origin, Table, Value};
use super::walk::require;

/// The suite; what is wrong with it goes to `findings`.
pub(crate) fn validate(file: &mut Table, name: &str, findings: &mut Findings) -> Suite {
    if let Some(defaults) = file.get_mut("defaults") {
        defaults.stamp(Origin::Defaults);
    }
    let defaults = file.get("defaults").and_then(Node::table).cloned();
    let mut cases = Vec::new();
    let mut judged = 0;
    let mut seen: Vec<(&str, &Span)> = Vec::new();
    let scenarios = file.get("scenario").map_or(&[] as &[Node], Node::elements);
    for (scenario, span) in scenarios.iter().filter_map(|node| node.table().map(|table| (table, &node.span))) {
        if findings.is_full() {
            break;
        }
        let id = scenario.get("id").and_then(|id| id.text().map(|text| (text, &id.span)));
        if let Some((id, at)) = id {
            if let Some((_, first)) = seen.iter().find(|(other, _)| *other == id) {
                let again = Diagnostic::new(at, format!("two scenarios have the id `{}`", shown(id))).label("again");
                // Lines are counted from the start of the text; not for what is never shown.
                let line = if findings.len() < SHOWN_MAX { Diagnostic::new(first, "").line_and_column() } else { None };
                findings.push(match line {
                    Some((line, _)) => again.help(format!("the first is in line {line}; an id names its results")),
                    None => again,
                });
            }
            seen.push((id, at));
        }
        let at = id.map_or(span, |(_, at)| at);
        if let Some(workload) = one_workload(scenario, at, findings) {
            let merged = merge(defaults.as_ref(), scenario);
            let found = scenario_cases(&merged, scenario, workload, at, findings);
            judged += found.len();
            if boolean(scenario, "enabled").unwrap_or(true) {
                cases.extend(found);
            }
        }
        if judged > CASES_MAX {
            findings.push(Diagnostic::new(at, format!("the suite has more than {CASES_MAX} cases")).label("too many from here on"));
            break;
        }
    }
    if let (true, false, Some(entry)) = (cases.is_empty() && findings.is_empty(), scenarios.is_empty(), file.entry("scenario")) {
        findings.push(Diagnostic::new(&entry.key_span, "no scenario is enabled").help("leave out `enabled = false` in one of them"));
    }
    suite(file, name, cases)
}

fn suite(file: &Table, name: &str, cases: Vec<CaseSpec>) -> Suite {
    let text = |path: &str| file.at(path).and_then(Node::text).map(str::to_owned);
    let labels = file.at("suite.labels").and_then(Node::table).map_or(&[] as &[Entry], |labels| &labels.entries);
    let label = |entry: &Entry| Some((entry.key.clone(), entry.node.text()?.to_owned()));
    let mut suite = Suite {
        name: text("suite.name").unwrap_or_default(),
        question: text("suite.question").unwrap_or_default(),
        description: text("suite.description"),
        tags: file.at("suite.tags").map_or(&[] as &[Node], Node::elements).iter().filter_map(|tag| tag.text().map(str::to_owned)).collect(),
        labels: labels.iter().filter_map(label).collect::<BTreeMap<_, _>>(),
        seed: integer(file, "seed"),
        file: name.to_owned(),
        sha256: String::new(),
        cases,
    };
    let effective: Vec<_> = suite.cases.iter().map(CaseSpec::effective).collect();
    let identity = serde_json::json!({ "name": suite.name, "question": suite.question, "seed": suite.seed, "cases": effective });
    suite.sha256 = sha256(identity.to_string().as_bytes());
    suite
}

/// Lower-case hex of the sha256.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The scenario's one workload table.
fn one_workload<'a>(scenario: &'a Table, at: &Span, findings: &mut Findings) -> Option<&'a str> {
    let is_workload = |key: &str| keys::WORKLOADS.contains(&key) || keys::WORKLOADS_UNSUPPORTED.contains(&key);
    let found: Vec<&Entry> = scenario.entries.iter().filter(|entry| is_workload(&entry.key)).collect();
    match found.as_slice() {
        [one] => keys::WORKLOADS.contains(&one.key.as_str()).then_some(one.key.as_str()),
        [] => {
            let help = format!("add one of {}", list(keys::WORKLOADS.iter().map(|name| format!("[scenario.{name}]"))));
            findings.push(Diagnostic::new(at, "the scenario has no workload table").label("what does it measure?").help(help));
            None
        }
        [first, second, ..] => {
            let message = format!("the scenario has two workload tables, `{}` and `{}`", first.key, second.key);
            findings.push(
                Diagnostic::new(&second.key_span, message).label("the second one").help("a scenario measures one; make two scenarios"),
            );
            None
        }
    }
}

fn scenario_cases(merged: &Table, scenario: &Table, workload: &str, at: &Span, findings: &mut Findings) -> Vec<CaseSpec> {
    let points = matrix::points(scenario, findings);
    if let Some(first) = points.first() {
        complete(&first.apply(merged), at, findings);
    }
    goals::check(merged, scenario, findings);
    points.iter().map(|point| case::build(&point.apply(merged), point, workload, at, findings)).collect()
}

/// Required keys of tables that defaults may complete.
fn complete(merged: &Table, at: &Span, findings: &mut Findings) {
    for entry in &merged.entries {
        let Some(field) = field(keys::SCENARIO, &entry.key) else { continue };
        let span = if entry.node.origin == Origin::Matrix { at } else { &entry.key_span };
        match (&field.shape, &entry.node.value) {
            (Shape::Inherited(fields), Value::Table(table)) => require(fields, table, &entry.key, span, findings),
            (Shape::Choice(choice), Value::Table(table)) => {
                for alternative in &table.entries {
                    let shape = choice.alternatives.iter().find(|field| field.name == alternative.key).map(|field| &field.shape);
                    if let (Some(Shape::Inherited(fields)), Value::Table(table)) = (shape, &alternative.node.value) {
                        require(fields, table, &format!("{}.{}", entry.key, alternative.key), &alternative.key_span, findings);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A whole number at a path; `None` when absent or reported.
pub(crate) fn integer(table: &Table, path: &str) -> Option<u64> {
    match table.at(path)?.value {
        Value::Integer(integer) => u64::try_from(integer).ok(),
        _ => None,
    }
}

/// A boolean at a path; `None` when absent or reported.
pub(crate) fn boolean(table: &Table, path: &str) -> Option<bool> {
    match table.at(path)?.value {
        Value::Boolean(boolean) => Some(boolean),
        _ => None,
    }
}
