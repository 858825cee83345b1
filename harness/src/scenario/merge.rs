//! `[defaults]` and a scenario become one table; the scenario wins.
//!
//! Tables are merged key by key. Of alternatives (`warmup`, `load`) the scenario's replaces the default's as a whole, unless both
//! name the same one, which then is merged. Thresholds of both hold. A default workload table completes a scenario that has this
//! workload and never chooses one.

use super::keys;
use super::shape::{Choice, Field, Shape, field};
use super::tree::{Entry, Node, Table, Value};

/// The scenario as if it had been written out.
pub(crate) fn merge(defaults: Option<&Table>, scenario: &Table) -> Table {
    let mut base = defaults.cloned().unwrap_or_default();
    base.entries.retain(|entry| !keys::WORKLOADS.contains(&entry.key.as_str()) || scenario.get(&entry.key).is_some());
    merge_tables(keys::SCENARIO, base, scenario)
}

fn merge_tables(fields: &'static [Field], mut base: Table, over: &Table) -> Table {
    for entry in &over.entries {
        let merged = match (base.get(&entry.key), field(fields, &entry.key)) {
            (Some(old), Some(field)) => merge_values(&field.shape, old, &entry.node),
            _ => entry.node.clone(),
        };
        match base.entries.iter_mut().find(|old| old.key == entry.key) {
            // The scenario's place is the one to show, even where only a part of the table is its own.
            Some(old) => *old = Entry { key: entry.key.clone(), key_span: entry.key_span.clone(), node: merged },
            None => base.entries.push(Entry { node: merged, ..entry.clone() }),
        }
    }
    base
}

fn merge_values(shape: &'static Shape, base: &Node, over: &Node) -> Node {
    let value = match (shape, &base.value, &over.value) {
        (Shape::Table(fields) | Shape::Inherited(fields), Value::Table(base), Value::Table(over)) => {
            Value::Table(merge_tables(fields, base.clone(), over))
        }
        (Shape::Choice(choice), Value::Table(base), Value::Table(over)) => Value::Table(merge_choice(choice, base, over)),
        (Shape::Scalars | Shape::Labels, Value::Table(base), Value::Table(over)) => Value::Table(merge_tables(&[], base.clone(), over)),
        (Shape::Tables(_), Value::Array(base), Value::Array(over)) => Value::Array(base.iter().chain(over).cloned().collect()),
        _ => over.value.clone(),
    };
    Node { value, span: over.span.clone(), origin: over.origin }
}

fn merge_choice(choice: &'static Choice, base: &Table, over: &Table) -> Table {
    let same = base.entries.len() == 1 && over.entries.len() == 1 && base.entries[0].key == over.entries[0].key;
    if same { merge_tables(choice.alternatives, base.clone(), over) } else { over.clone() }
}

/// Puts a matrix value at its axis, making the tables on the way; another alternative on the way gives place.
pub(crate) fn set_axis(scenario: &mut Table, axis: &str, value: &Node) {
    set_in(keys::SCENARIO, scenario, axis, value);
}

fn set_in(fields: &'static [Field], table: &mut Table, path: &str, value: &Node) {
    let Some((first, rest)) = path.split_once('.') else {
        table.put(path, value.clone());
        return;
    };
    let shape = field(fields, first).map(|field| &field.shape);
    if table.get(first).and_then(Node::table).is_none() {
        table.put(first, Node { value: Value::Table(Table::default()), span: value.span.clone(), origin: value.origin });
    }
    let Some(Node { value: Value::Table(inner), .. }) = table.get_mut(first) else { return };
    match shape {
        Some(Shape::Scalars) => inner.put(rest, value.clone()),
        Some(shape) => {
            if matches!(shape, Shape::Choice(_)) {
                let alternative = rest.split('.').next().unwrap_or(rest);
                inner.entries.retain(|entry| entry.key == alternative);
            }
            set_in(shape.fields().unwrap_or(&[]), inner, rest, value);
        }
        None => {}
    }
}
