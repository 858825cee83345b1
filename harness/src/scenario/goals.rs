//! Thresholds and targets: what is to hold, and what is to be reached.

use zokio_report::schema::journal::{TargetKind, TargetSpec, ThresholdSpec};
use zokio_report::schema::result::Severity;

use super::diagnostic::{Diagnostic, Findings, list, nearest, shown};
use super::keys::TARGET_KINDS;
use super::matrix::{Point, check_filter};
use super::metric::{self, is_measurable};
use super::tree::{Entry, Node, Origin, Table};
use super::validate::integer;
use super::walk::{bad_quantity, metric_value, number};

/// Judges what does not depend on the matrix point: kinds of targets, filters, values in the metric's unit.
pub(crate) fn check(merged: &Table, scenario: &Table, findings: &mut Findings) {
    let axes: &[Entry] = scenario.get("matrix").and_then(Node::table).map_or(&[], |matrix| &matrix.entries);
    let tables = |key: &str| merged.get(key).map_or(&[] as &[Node], Node::elements).iter().filter(|node| node.origin != Origin::Defaults);
    let counts = merged.at("run.at").map_or(&[] as &[Node], Node::elements);
    for node in tables("threshold").chain(tables("target")).chain(counts) {
        let when = node.table().and_then(|table| table.get("when"));
        if let Some((filter, span)) = when.and_then(|when| when.table().map(|filter| (filter, &when.span))) {
            check_filter(filter, axes, "when", span, findings);
        }
    }
    for target in tables("target").filter_map(|node| node.table().map(|table| (table, node))) {
        check_kinds(target.0, target.1, findings);
    }
}

fn check_kinds(target: &Table, node: &Node, findings: &mut Findings) {
    let kinds: Vec<&Entry> = target.entries.iter().filter(|entry| TARGET_KINDS.contains(&entry.key.as_str())).collect();
    match kinds.as_slice() {
        [kind] => {
            let unit = target.get("metric").and_then(Node::text).and_then(metric::find).map(|metric| metric.unit);
            let value = kind.node.table().and_then(|table| table.get("value"));
            if let (Some(unit), Some(value)) = (unit, value) {
                check_figure(value, unit, &kind.key, findings);
            }
        }
        [] => findings.push(
            Diagnostic::new(&node.span, "the target has no kind")
                .label("nothing to reach")
                .help(format!("give one of {}", list(TARGET_KINDS))),
        ),
        [first, second, ..] => {
            let message = format!("the target has two kinds, `{}` and `{}`", first.key, second.key);
            findings.push(Diagnostic::new(&second.key_span, message).label("the second one").help("make two targets"));
        }
    }
}

/// A figure as text must be a quantity in the metric's unit.
pub(crate) fn check_figure(value: &Node, unit: &str, name: &str, findings: &mut Findings) {
    let Some(text) = value.text() else { return };
    if unit == "1" {
        findings.push(Diagnostic::new(&value.span, "the metric has no unit: write a number").label("a string"));
    } else if let Err((kind, error)) = metric_value(value, unit) {
        findings.push(bad_quantity(kind, &error, text, &format!("{name}.value"), &value.span));
    }
}

/// The thresholds that apply at this point.
pub(crate) fn thresholds(scenario: &Table, point: &Point, primary: &str, findings: &mut Findings) -> Vec<ThresholdSpec> {
    let mut specs = Vec::new();
    for (table, metric, unit) in applying(scenario, "threshold", point, primary, findings) {
        let text = |key: &str| table.get(key).and_then(Node::text);
        let value = table.get("value").and_then(|value| metric_value(value, unit).ok());
        if let (Some(op), Some(value)) = (text("op"), value) {
            let severity = if text("severity") == Some("warn") { Severity::Warn } else { Severity::Fail };
            let grace = integer(table, "grace").and_then(|trials| u32::try_from(trials).ok());
            specs.push(ThresholdSpec { metric, op: op.to_owned(), value, severity, grace });
        }
    }
    specs
}

/// The targets that apply at this point.
pub(crate) fn targets(scenario: &Table, point: &Point, primary: &str, subjects: &[String], findings: &mut Findings) -> Vec<TargetSpec> {
    let mut specs = Vec::new();
    for (table, metric, unit) in applying(scenario, "target", point, primary, findings) {
        let text = |path: &str| table.at(path).and_then(Node::text).map(str::to_owned);
        let value = |path: &str| table.at(path).and_then(|value| metric_value(value, unit).ok());
        if let (Some(node), None) = (table.get("severity"), table.get("relative")) {
            let message = "`severity` is for relative targets: figures of other hosts cannot fail anything here";
            findings.push(Diagnostic::new(&node.span, message).label("unused").help("leave the key out"));
        }
        if let (Some(value), Some(source)) = (value("historical.value"), text("historical.source")) {
            specs.push(TargetSpec { metric: metric.clone(), kind: TargetKind::Historical { value, source }, severity: None });
        }
        if let (Some(value), Some(source)) = (value("published.value"), text("published.source")) {
            let kind = TargetKind::Published { value, source, date: text("published.date"), hardware: text("published.hardware") };
            specs.push(TargetSpec { metric: metric.clone(), kind, severity: None });
        }
        let (at_least, of) = (table.at("relative.at_least").and_then(number), table.at("relative.of"));
        if let (Some(at_least), Some((node, of))) = (at_least, of.and_then(|of| of.text().map(|text| (of, text)))) {
            if !subjects.iter().any(|subject| subject == of) {
                let diagnostic =
                    Diagnostic::new(&node.span, format!("the scenario has no subject `{}`", shown(of))).label("nothing to compare with");
                let diagnostic = match nearest(of, subjects.iter().map(String::as_str)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic,
                };
                findings.push(diagnostic.help(format!("its subjects: {}", list(subjects.iter().take(20)))));
            }
            let severity = text("severity").map(|word| if word == "fail" { Severity::Fail } else { Severity::Warn });
            specs.push(TargetSpec { metric, kind: TargetKind::Relative { at_least, of: of.to_owned() }, severity });
        }
    }
    specs
}

/// Entries of a list whose metric is known and whose `when` holds here, each with metric and unit.
fn applying<'a>(
    scenario: &'a Table,
    key: &str,
    point: &Point,
    primary: &str,
    findings: &mut Findings,
) -> Vec<(&'a Table, String, &'static str)> {
    let mut found = Vec::new();
    for node in scenario.get(key).map_or(&[] as &[Node], Node::elements) {
        let Some(table) = node.table() else { continue };
        let Some((metric, known)) = table.get("metric").and_then(|metric| Some((metric, metric::find(metric.text()?)?))) else { continue };
        if table.get("when").and_then(Node::table).is_some_and(|when| !point.matches(when)) {
            continue;
        }
        if is_measurable(&known.id, primary) {
            found.push((table, known.id, known.unit));
        } else if node.origin != Origin::Defaults {
            let message = format!("this scenario does not measure `{}`", known.id);
            findings.push(Diagnostic::new(&metric.span, message).label("never measured here").help(format!("its rate is `{primary}`")));
        }
    }
    found
}
