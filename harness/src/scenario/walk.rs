//! The first judgement: does the file have the shape of a scenario file? Keys, types, units and ranges, all mistakes at once.
//!
//! It looks at the file as it is written (and as `--set` changed it), before defaults are merged: each mistake is found once,
//! where it stands. What depends on several values at once is judged later, in `validate`.

use super::diagnostic::{Diagnostic, Findings, MISSING, list, nearest, shown};
use super::keys;
use super::matrix::check_matrix;
use super::metric;
use super::quantity::{self, Kind, QuantityError};
use super::shape::{Choice, DOUBLING, Field, Shape, WORKERS_MAX, field};
use super::source::Span;
use super::tree::{Node, Table, Value};

/// A free table may hold this many keys.
const FREE_KEYS_MAX: usize = 64;
/// A list may hold this many elements.
pub(crate) const ELEMENTS_MAX: usize = 1_000;

/// Judges a table against its fields. `name` is how messages call it, `span` where it stands.
pub(crate) fn check_table(fields: &'static [Field], table: &Table, name: &str, span: &Span, findings: &mut Findings) {
    check_keys(fields, table, name, findings);
    require(fields, table, name, span, findings);
}

/// Every required key that is not there.
pub(crate) fn require(fields: &'static [Field], table: &Table, name: &str, span: &Span, findings: &mut Findings) {
    for wanted in fields.iter().filter(|field| field.required && table.get(field.name).is_none()) {
        let whole = if name.is_empty() { "the file".into() } else { format!("`{name}`") };
        let message = format!("{whole} lacks `{}`", wanted.name);
        let help = format!("`{}`: {}. {}", wanted.name, wanted.shape.wanted(), wanted.doc);
        findings.push(Diagnostic::new(span, message).label(MISSING).help(help));
    }
}

fn check_keys(fields: &'static [Field], table: &Table, name: &str, findings: &mut Findings) {
    for entry in &table.entries {
        if findings.is_full() {
            return;
        }
        let path = if name.is_empty() { entry.key.clone() } else { format!("{name}.{}", entry.key) };
        match field(fields, &entry.key) {
            Some(field) => check(&field.shape, &entry.node, &path, &entry.key_span, table, findings),
            None => findings.push(unknown_key(fields, &entry.key, name, &entry.key_span)),
        }
    }
}

fn unknown_key(fields: &'static [Field], key: &str, table: &str, span: &Span) -> Diagnostic {
    let takes_workloads = field(fields, keys::WORKLOADS[0]).is_some();
    if takes_workloads && keys::WORKLOADS_UNSUPPORTED.contains(&key) {
        return Diagnostic::new(span, format!("workload `{key}` is not supported by this version"))
            .label("not yet")
            .help(format!("workloads of this version: {}", list(keys::WORKLOADS)));
    }
    let whole = if table.is_empty() { "a scenario file".into() } else { format!("`{table}`") };
    let diagnostic = Diagnostic::new(span, format!("unknown key `{}`", shown(key))).label(format!("{whole} has no such key"));
    let diagnostic = match nearest(key, fields.iter().map(|field| field.name)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    };
    diagnostic.help(format!("known here: {}", list(fields.iter().map(|field| field.name))))
}

/// Judges one value; `beside` is the table it stands in.
pub(crate) fn check(shape: &'static Shape, node: &Node, path: &str, key: &Span, beside: &Table, findings: &mut Findings) {
    match (shape, &node.value) {
        (Shape::Text, Value::Text(text)) if !text.trim().is_empty() => {}
        (Shape::Id, Value::Text(text)) => check_id(text, path, &node.span, findings),
        (Shape::OneOf(words), Value::Text(word)) => check_word(words, word, path, &node.span, findings),
        (Shape::Metric, Value::Text(id)) => check_metric(id, &node.span, findings),
        (Shape::Boolean, Value::Boolean(_)) => {}
        (Shape::Integer(low, high), Value::Integer(integer)) => {
            if low == high && *integer != i128::from(*low) {
                findings.push(Diagnostic::new(&node.span, format!("`{path}` must be {low}")).label("not known to this version"));
            } else if *integer < i128::from(*low) || *integer > i128::from(*high) {
                findings.push(out_of_range(path, &node.span, *integer < i128::from(*low), &low.to_string(), &high.to_string(), shape));
            }
        }
        (Shape::Positive, Value::Integer(_) | Value::Float(_)) => {
            if !number(node).is_some_and(|number| number.is_finite() && number > 0.0) {
                findings.push(Diagnostic::new(&node.span, format!("`{path}` must be above zero")).label(shape.wanted()));
            }
        }
        (Shape::Duration(low, high, step), Value::Text(text)) => {
            check_duration((*low, *high, *step), text, path, &node.span, findings);
        }
        (Shape::Rate(low, high), Value::Text(text)) => check_rate((*low, *high), text, path, &node.span, findings),
        (Shape::MetricValue, Value::Text(_) | Value::Integer(_) | Value::Float(_)) => check_metric_value(node, path, beside, findings),
        (Shape::Size(low, high, step), Value::Text(text)) => check_size((*low, *high, *step), text, path, &node.span, findings),
        (Shape::Sizes, Value::Text(_) | Value::Table(_)) => super::sizes::check(node, path, findings),
        (Shape::Cpus, Value::Text(word)) => check_word(&["auto", "free"], word, path, &node.span, findings),
        (Shape::Cpus, Value::Array(elements)) => check_cpus(elements, path, &node.span, findings),
        (Shape::Workers, Value::Text(word)) => check_word(&[DOUBLING], word, path, &node.span, findings),
        (Shape::Workers, Value::Integer(count)) => {
            if !(1..=i128::from(WORKERS_MAX)).contains(count) {
                findings.push(out_of_range(path, &node.span, *count < 1, "1", &WORKERS_MAX.to_string(), shape));
            }
        }
        (Shape::Metrics, Value::Array(elements)) => super::gate::check_metrics(elements, path, &node.span, findings),
        (Shape::Ids, Value::Array(elements)) => check_ids(elements, path, &node.span, findings),
        (Shape::Texts, Value::Array(elements)) if elements.iter().all(|element| element.text().is_some()) => {}
        (Shape::Labels, Value::Table(table)) => check_free(table, path, "a text", |node| node.text().is_some(), findings),
        (Shape::Scalars, Value::Table(table)) => check_free(table, path, "a scalar", Node::is_scalar, findings),
        (Shape::Matrix, Value::Table(table)) => check_matrix(table, &node.span, findings),
        (Shape::Point, Value::Table(_)) => {}
        (Shape::Table(fields), Value::Table(table)) => check_table(fields, table, path, key, findings),
        (Shape::Inherited(fields), Value::Table(table)) => check_keys(fields, table, path, findings),
        (Shape::Tables(fields), Value::Array(elements)) => check_tables(fields, elements, path, &node.span, findings),
        (Shape::Choice(choice), Value::Table(table)) => check_choice(choice, table, path, key, findings),
        (Shape::Choice(Choice { word: Some(word), .. }), Value::Text(text)) => check_word(&[word], text, path, &node.span, findings),
        (_, Value::Integer(_) | Value::Float(_)) if quantity_of(shape).is_some() => {
            let kind = quantity_of(shape).expect("the guard saw it");
            let message = format!("`{path}` is a {} and needs its unit", kind.name);
            findings.push(Diagnostic::new(&node.span, message).label("a number alone").help(kind.help(&QuantityError::NoUnit)));
        }
        (Shape::Text, Value::Text(_)) => {
            findings.push(Diagnostic::new(&node.span, format!("`{path}` is empty")).label(shape.wanted()));
        }
        _ => findings.push(
            Diagnostic::new(&node.span, format!("`{path}` must be {}", shape.wanted())).label(format!("{} cannot be that", node.kind())),
        ),
    }
}

/// Quantities that a bare number is not.
fn quantity_of(shape: &Shape) -> Option<&'static Kind> {
    match shape {
        Shape::Duration(..) => Some(&quantity::DURATION),
        Shape::Rate(..) => Some(&quantity::RATE),
        Shape::Size(..) | Shape::Sizes => Some(&quantity::SIZE),
        _ => None,
    }
}

fn out_of_range(path: &str, span: &Span, below: bool, low: &str, high: &str, shape: &Shape) -> Diagnostic {
    let bound = if below { format!("at least {low}") } else { format!("at most {high}") };
    Diagnostic::new(span, format!("`{path}` must be {bound}")).label(shape.wanted())
}

/// What an id may be.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn check_id(text: &str, path: &str, span: &Span, findings: &mut Findings) {
    if !is_id(text) {
        let message = format!("`{}` is not fit for `{path}`", shown(text));
        let fit: String = text.to_lowercase().chars().take(64).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let diagnostic = Diagnostic::new(span, message).label("1 to 64 small letters, digits and `-`");
        findings.push(if is_id(&fit) { diagnostic.help(format!("write `{fit}`")) } else { diagnostic });
    }
}

fn check_word(words: &[&str], word: &str, path: &str, span: &Span, findings: &mut Findings) {
    if words.contains(&word) {
        return;
    }
    let diagnostic = Diagnostic::new(span, format!("`{path}` cannot be `{}`", shown(word))).label(format!("one of {}", list(words)));
    findings.push(match nearest(word, words.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    });
}

pub(crate) fn check_metric(id: &str, span: &Span, findings: &mut Findings) {
    if metric::find(id).is_some() {
        return;
    }
    let known = metric::all();
    let diagnostic = Diagnostic::new(span, format!("unknown metric `{}`", shown(id))).label("no such metric id");
    let diagnostic = match nearest(id, known.iter().map(|metric| metric.id.as_str())) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    };
    findings.push(diagnostic.help("`zokio-bench list` prints the metric ids with their meaning"));
}

fn check_duration((low, high, step): (u64, u64, u64), text: &str, path: &str, span: &Span, findings: &mut Findings) {
    match quantity::DURATION.parse(text) {
        Err(error) => findings.push(bad_quantity(&quantity::DURATION, &error, text, path, span)),
        Ok(value) if value < low || value > high => {
            let bound = if value < low { format!("at least {}", duration(low)) } else { format!("at most {}", duration(high)) };
            findings.push(Diagnostic::new(span, format!("`{path}` must be {bound}")).label(format!("this is {}", duration(value))));
        }
        Ok(value) if value % step != 0 => {
            findings.push(Diagnostic::new(span, format!("`{path}` must be a multiple of {}", duration(step))).label("a fraction of it"));
        }
        Ok(_) => {}
    }
}

fn check_rate((low, high): (u64, u64), text: &str, path: &str, span: &Span, findings: &mut Findings) {
    match quantity::RATE.parse(text) {
        Err(error) => findings.push(bad_quantity(&quantity::RATE, &error, text, path, span)),
        Ok(rate) if rate < low || rate > high => {
            let bound = if rate < low { format!("at least {low}/s") } else { format!("at most {high}/s") };
            findings.push(Diagnostic::new(span, format!("`{path}` must be {bound}")).label(format!("this is {rate}/s")));
        }
        Ok(_) => {}
    }
}

fn check_size((low, high, step): (u64, u64, u64), text: &str, path: &str, span: &Span, findings: &mut Findings) {
    match quantity::SIZE.parse(text) {
        Err(error) => findings.push(bad_quantity(&quantity::SIZE, &error, text, path, span)),
        Ok(value) if value < low || value > high => {
            let bound = if value < low { format!("at least {}", size(low)) } else { format!("at most {}", size(high)) };
            findings.push(Diagnostic::new(span, format!("`{path}` must be {bound}")).label(format!("this is {}", size(value))));
        }
        Ok(value) if value % step != 0 => {
            findings.push(Diagnostic::new(span, format!("`{path}` must be a multiple of {}", size(step))).label("a fraction of it"));
        }
        Ok(_) => {}
    }
}

pub(crate) fn bad_quantity(kind: &Kind, error: &QuantityError, text: &str, path: &str, span: &Span) -> Diagnostic {
    let message = format!("`{}` is not a {}: {error}", shown(text), kind.name);
    Diagnostic::new(span, message).label(format!("`{path}` is a {}", kind.name)).help(kind.help(error))
}

/// Nanoseconds in the largest unit that is exact.
fn duration(ns: u64) -> String {
    let units = quantity::DURATION.units.iter().rev().filter(|(name, _)| *name != "m" && *name != "µs");
    let (name, worth) = units.copied().find(|(_, worth)| ns >= *worth && ns.is_multiple_of(*worth)).unwrap_or(("ns", 1));
    format!("{}{name}", ns / worth)
}

/// Bytes in the largest unit that is exact.
fn size(bytes: u64) -> String {
    let (name, worth) = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, worth)| bytes >= *worth && bytes.is_multiple_of(*worth))
        .unwrap_or(("B", 1));
    format!("{}{name}", bytes / worth)
}

/// An integer or a float as a number.
pub(crate) fn number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(integer) => Some(integer as f64),
        Value::Float(float) => Some(float),
        _ => None,
    }
}

/// The value of a threshold or target in its metric's unit; `Ok(None)` when the metric itself is unknown.
pub(crate) fn metric_value(node: &Node, unit: &str) -> Result<f64, (&'static Kind, QuantityError)> {
    let kind = match unit {
        "ns" => &quantity::DURATION,
        "B" => &quantity::SIZE,
        "B/s" => &quantity::BYTE_RATE,
        _ => &quantity::RATE,
    };
    match node.text() {
        Some(text) => kind.parse(text).map(|value| value as f64).map_err(|error| (kind, error)),
        None => number(node).ok_or((kind, QuantityError::NotANumber)),
    }
}

fn check_metric_value(node: &Node, path: &str, beside: &Table, findings: &mut Findings) {
    // The metric stands beside the value, or, in a target, one table above; there the metric's unit is checked by `validate`.
    let unit = beside.get("metric").and_then(Node::text).and_then(metric::find).map(|metric| metric.unit);
    if let (Some(unit), Some(text)) = (unit, node.text()) {
        if unit == "1" {
            let message = format!("`{path}` must be a number: the metric has no unit");
            findings.push(Diagnostic::new(&node.span, message).label("a string"));
        } else if let Err((kind, error)) = metric_value(node, unit) {
            findings.push(bad_quantity(kind, &error, text, path, &node.span));
        }
    }
    if number(node).is_some_and(|number| !number.is_finite() || number < 0.0) {
        findings.push(Diagnostic::new(&node.span, format!("`{path}` must be a finite number of at least 0")).label("not such a number"));
    }
}

fn check_cpus(elements: &[Node], path: &str, span: &Span, findings: &mut Findings) {
    if elements.is_empty() {
        findings
            .push(Diagnostic::new(span, format!("`{path}` names no CPU")).label("an empty list").help("`\"auto\"` takes what is allowed"));
    }
    for (index, element) in elements.iter().enumerate().take(ELEMENTS_MAX) {
        match element.value {
            Value::Integer(cpu) if (0..=8_191).contains(&cpu) => {
                if elements[..index].iter().any(|other| matches!(other.value, Value::Integer(other) if other == cpu)) {
                    findings.push(Diagnostic::new(&element.span, format!("`{path}` names CPU {cpu} twice")).label("again"));
                }
            }
            _ => findings.push(Diagnostic::new(&element.span, format!("`{path}` holds CPU numbers from 0 to 8191")).label(element.kind())),
        }
    }
}

fn check_ids(elements: &[Node], path: &str, span: &Span, findings: &mut Findings) {
    if elements.is_empty() {
        findings.push(Diagnostic::new(span, format!("`{path}` is empty")).label("at least one is needed"));
    }
    for (index, element) in elements.iter().enumerate().take(ELEMENTS_MAX) {
        match element.text() {
            Some(text) => check_id(text, path, &element.span, findings),
            None => findings.push(Diagnostic::new(&element.span, format!("`{path}` holds names")).label(element.kind())),
        }
        if element.text().is_some() && elements[..index].iter().any(|other| other.text() == element.text()) {
            let name = shown(element.text().unwrap_or_default());
            findings.push(Diagnostic::new(&element.span, format!("`{path}` names `{name}` twice")).label("again"));
        }
    }
}

fn check_free(table: &Table, path: &str, wanted: &str, fits: fn(&Node) -> bool, findings: &mut Findings) {
    if let Some(entry) = table.entries.get(FREE_KEYS_MAX) {
        let message = format!("`{path}` holds more than {FREE_KEYS_MAX} keys");
        findings.push(Diagnostic::new(&entry.key_span, message).label("one too many"));
    }
    for entry in table.entries.iter().take(FREE_KEYS_MAX).filter(|entry| !fits(&entry.node)) {
        let message = format!("`{path}.{}` must be {wanted}", shown(&entry.key));
        findings.push(Diagnostic::new(&entry.node.span, message).label(entry.node.kind()));
    }
}

fn check_tables(fields: &'static [Field], elements: &[Node], path: &str, span: &Span, findings: &mut Findings) {
    if elements.is_empty() {
        findings.push(Diagnostic::new(span, format!("`{path}` is empty")).label(format!("write `[[{path}]]`")));
    }
    for element in elements {
        match element.table() {
            // Points of the matrix name its axes, which are not known here.
            Some(_) if fields.is_empty() => {}
            Some(table) => check_table(fields, table, path, &element.span, findings),
            None => findings.push(Diagnostic::new(&element.span, format!("`{path}` is a list of tables")).label(element.kind())),
        }
    }
}

fn check_choice(choice: &'static Choice, table: &Table, path: &str, key: &Span, findings: &mut Findings) {
    let names: Vec<&str> = choice.alternatives.iter().map(|field| field.name).collect();
    for entry in table.entries.iter().filter(|entry| choice.unsupported.contains(&entry.key.as_str())) {
        let message = format!("`{path}.{}` is not supported by this version", entry.key);
        findings.push(Diagnostic::new(&entry.key_span, message).label("not yet").help(format!("supported: {}", list(&names))));
    }
    let mut known = table.clone();
    known.entries.retain(|entry| !choice.unsupported.contains(&entry.key.as_str()));
    check_keys(choice.alternatives, &known, path, findings);
    match table.entries.as_slice() {
        [_] => {}
        [] => findings.push(Diagnostic::new(key, format!("`{path}` names no alternative")).help(format!("one of {}", list(&names)))),
        [_, second, ..] => findings.push(
            Diagnostic::new(&second.key_span, format!("`{path}` takes one alternative, not {}", table.entries.len()))
                .label("a second one")
                .help(format!("keep one of {}", list(table.entries.iter().map(|entry| entry.key.as_str())))),
        ),
    }
}
