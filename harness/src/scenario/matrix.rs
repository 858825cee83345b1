//! The matrix: a scenario multiplied into cases.
//!
//! ```text
//! id = "tcp-rr"                              tcp-rr/load.closed.users=1
//! [scenario.matrix]                    ──▶   tcp-rr/load.closed.users=64
//! "load.closed.users" = [1, 64]
//! ```
//! Axes multiply in file order, the last one fastest; `[[scenario.exclude]]` removes the points that agree in all its keys.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::diagnostic::{Diagnostic, Findings, list, nearest, shown};
use super::keys;
use super::merge::set_axis;
use super::shape::{Shape, axes};
use super::source::Span;
use super::tree::{Entry, Node, Origin, Table, Value};
use super::walk::{ELEMENTS_MAX, check};

/// A scenario gives at most this many cases.
pub(crate) const CASES_MAX: usize = 1_000;

/// One point of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Axis and value, in file order.
    pub(crate) values: Vec<(String, Node)>,
}

impl Point {
    /// `tcp-rr/load.closed.users=64`, or the scenario's id alone.
    pub(crate) fn id(&self, scenario: &str) -> String {
        let text = |value: &Node| value.text().map_or_else(|| value.to_json().to_string(), str::to_owned);
        let axes: Vec<String> = self.values.iter().map(|(axis, value)| format!("{axis}={}", text(value))).collect();
        if axes.is_empty() { scenario.to_owned() } else { format!("{scenario}/{}", axes.join(",")) }
    }

    /// The values by axis.
    pub(crate) fn params(&self) -> Map<String, Json> {
        self.values.iter().map(|(axis, value)| (axis.clone(), value.to_json())).collect()
    }

    /// The scenario at this point.
    pub(crate) fn apply(&self, merged: &Table) -> Table {
        let mut scenario = merged.clone();
        for (axis, value) in &self.values {
            let mut value = value.clone();
            value.stamp(Origin::Matrix);
            set_axis(&mut scenario, axis, &value);
        }
        scenario
    }

    /// Whether this is one of the points that `filter` describes: each of its keys an axis, each value (or one of a list) the point's.
    pub(crate) fn matches(&self, filter: &Table) -> bool {
        filter.entries.iter().all(|entry| {
            let value = self.values.iter().find(|(axis, _)| *axis == entry.key).map(|(_, value)| value.to_json());
            value.is_some_and(|value| alternatives(&entry.node).iter().any(|wanted| wanted.to_json() == value))
        })
    }
}

fn alternatives(node: &Node) -> &[Node] {
    match &node.value {
        Value::Array(elements) => elements,
        _ => std::slice::from_ref(node),
    }
}

/// Every point that is not excluded; one without values where there is no matrix.
pub(crate) fn points(scenario: &Table, findings: &mut Findings) -> Vec<Point> {
    let axes: &[Entry] = scenario.get("matrix").and_then(Node::table).map_or(&[], |matrix| &matrix.entries);
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.node.elements().len()));
    if count.is_none_or(|count| count > CASES_MAX) {
        let span = &scenario.entry("matrix").expect("the axes come from it").key_span;
        findings.push(Diagnostic::new(span, format!("the matrix gives more than {CASES_MAX} cases")).label("too many"));
        return Vec::new();
    }
    let mut points = vec![Point { values: Vec::new() }];
    for axis in axes {
        let longer = |point: &Point| {
            let values = axis.node.elements().iter().map(|value| (axis.key.clone(), value.clone()));
            values.map(|value| Point { values: point.values.iter().cloned().chain([value]).collect() }).collect::<Vec<_>>()
        };
        points = points.iter().flat_map(longer).collect();
    }
    let excludes = scenario.get("exclude").map_or(&[] as &[Node], Node::elements);
    let before = points.len();
    for exclude in excludes {
        if let Some(filter) = exclude.table() {
            check_filter(filter, axes, "exclude", &exclude.span, findings);
            points.retain(|point| filter.entries.is_empty() || !point.matches(filter));
        }
    }
    if let (true, Some(entry)) = (before > 0 && points.is_empty(), scenario.entry("exclude")) {
        findings.push(Diagnostic::new(&entry.key_span, "nothing is left of the matrix").label("excludes every point"));
    }
    points
}

/// Reports keys that are no axis and values that the axis does not have.
pub(crate) fn check_filter(filter: &Table, axes: &[Entry], name: &str, span: &Span, findings: &mut Findings) {
    if filter.entries.is_empty() {
        findings.push(Diagnostic::new(span, format!("`{name}` names no axis")).help("as `\"load.closed.users\" = 64`"));
    }
    for entry in &filter.entries {
        let Some(axis) = axes.iter().find(|axis| axis.key == entry.key) else {
            let diagnostic =
                Diagnostic::new(&entry.key_span, format!("`{}` is no axis of this matrix", shown(&entry.key))).label("no such axis");
            findings.push(match axes {
                [] => diagnostic.help("the scenario has no matrix"),
                axes => diagnostic.help(format!("axes: {}", list(axes.iter().map(|axis| axis.key.as_str())))),
            });
            continue;
        };
        // An axis that was replaced on the command line may leave a filter of the file without its value: it applies to no point then.
        let replaced = axis.node.elements().iter().any(|value| !Arc::ptr_eq(&value.span.source, &entry.node.span.source));
        if replaced {
            continue;
        }
        let values: Vec<Json> = axis.node.elements().iter().map(Node::to_json).collect();
        for wanted in alternatives(&entry.node).iter().take(ELEMENTS_MAX).filter(|wanted| !values.contains(&wanted.to_json())) {
            let message = format!("axis `{}` has no such value", entry.key);
            let known = list(values.iter().take(20).map(Json::to_string));
            findings.push(Diagnostic::new(&wanted.span, message).label("matches nothing").help(format!("its values: {known}")));
        }
    }
}

/// The shape of the value at a matrix axis.
pub(crate) fn axis_shape(axis: &str) -> Option<&'static Shape> {
    let mut known = Vec::new();
    axes(keys::SCENARIO, "", &mut known);
    let fits = |path: &str| path == axis || path.strip_suffix('*').is_some_and(|free| axis.len() > free.len() && axis.starts_with(free));
    known.into_iter().find(|(path, _)| fits(path)).map(|(_, shape)| shape)
}

pub(crate) fn check_matrix(table: &Table, span: &Span, findings: &mut Findings) {
    if table.entries.is_empty() {
        findings
            .push(Diagnostic::new(span, "the matrix has no axis").help("leave the table out, or write `\"load.closed.users\" = [1, 64]`"));
    }
    for entry in &table.entries {
        let Some(shape) = axis_shape(&entry.key) else {
            findings.push(unknown_axis(&entry.key, &entry.key_span, entry.node.table()));
            continue;
        };
        let Value::Array(elements) = &entry.node.value else {
            let message = format!("matrix axis `{}` must be a list", entry.key);
            findings.push(Diagnostic::new(&entry.node.span, message).label(entry.node.kind()));
            continue;
        };
        if elements.is_empty() {
            let message = format!("matrix axis `{}` is empty", entry.key);
            findings.push(Diagnostic::new(&entry.node.span, message).label("no value, no case").help("name values, or leave the axis out"));
        }
        for (index, element) in elements.iter().enumerate().take(ELEMENTS_MAX) {
            if !element.is_scalar() {
                let message = format!("matrix axis `{}` holds scalars", entry.key);
                findings.push(Diagnostic::new(&element.span, message).label(element.kind()));
            } else if !matches!(shape, Shape::Scalars) {
                check(shape, element, &entry.key, &entry.key_span, &Table::default(), findings);
            }
            if elements[..index].iter().any(|other| other.to_json() == element.to_json()) {
                let message = format!("matrix axis `{}` holds a value twice", entry.key);
                findings.push(Diagnostic::new(&element.span, message).label("again"));
            }
        }
    }
}

fn unknown_axis(axis: &str, span: &Span, nested: Option<&Table>) -> Diagnostic {
    let diagnostic = Diagnostic::new(span, format!("matrix axis `{}` names no key of a scenario", shown(axis)));
    if nested.is_some() {
        return diagnostic.label("a table").help("an axis is one quoted key, as `\"load.closed.users\" = [1, 64]`");
    }
    let mut known = Vec::new();
    axes(keys::SCENARIO, "", &mut known);
    let diagnostic = diagnostic.label("no such key");
    let diagnostic = match nearest(axis, known.iter().map(|(path, _)| path.as_str())) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    };
    diagnostic.help(format!("axes: {}", list(known.iter().map(|(path, _)| path.as_str()))))
}
