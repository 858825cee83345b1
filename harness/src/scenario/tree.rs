//! A TOML document as a tree that remembers where every key and value stands, in file order.
//!
//! Defaults, `--set` and the matrix act on this tree; each value keeps the place it came from, so a mistake made in
//! `[defaults]` or in an argument is shown there.

use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic::{Diagnostic, Findings};
use super::source::{Source, Span};

/// Mistakes in TOML itself are collected from the first part of a longer text only: noise gives one in every line.
const RECOVERED_BYTES_MAX: usize = 128 << 10;

/// Who gave a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `[defaults]`.
    Defaults,
    /// The scenario itself.
    Scenario,
    /// A `--set` on the scenario.
    Set,
    /// A point of the matrix.
    Matrix,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Span,
    pub(crate) origin: Origin,
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// Saturates: what does not fit is out of every range that we allow.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys and values in file order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

/// A key, its place, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// Reads a document. What TOML itself forbids goes to `findings`; the tree is what could be understood all the same.
pub(crate) fn parse(source: &Arc<Source>, findings: &mut Findings) -> Table {
    let text = source.text.as_str();
    if text.len() <= RECOVERED_BYTES_MAX {
        return recover(text, source, findings);
    }
    match DeTable::parse(text) {
        Ok(document) => table(source, document.get_ref()),
        Err(error) => {
            let cut = text.floor_char_boundary(RECOVERED_BYTES_MAX);
            let found = recover(&text[..text[..cut].rfind('\n').unwrap_or(cut)], source, findings);
            // The first mistake may stand behind the part that was looked at.
            if findings.is_empty() {
                findings.push(syntax(&error, source));
            }
            found
        }
    }
}

fn recover(text: &str, source: &Arc<Source>, findings: &mut Findings) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        findings.push(syntax(&error, source));
    }
    table(source, document.get_ref())
}

fn syntax(error: &toml::de::Error, source: &Arc<Source>) -> Diagnostic {
    let end = source.text.len();
    Diagnostic::new(&Span::new(source, error.span().unwrap_or(end..end)), syntax_message(error.message())).label("not TOML")
}

/// The parser's words, marked as such.
fn syntax_message(message: &str) -> String {
    let message = message.lines().next().unwrap_or("invalid TOML");
    format!("syntax: {message}")
}

/// One value of an argument; `None` when it is not TOML.
pub(crate) fn parse_value(source: &Arc<Source>, range: std::ops::Range<usize>) -> Result<Node, Diagnostic> {
    match DeValue::parse(&source.text[range.clone()]) {
        Ok(value) => {
            let mut found = node(source, &value);
            found.shift(range.start);
            Ok(found)
        }
        Err(error) => {
            let span = error.span().unwrap_or(0..range.len());
            let span = Span::new(source, span.start + range.start..span.end + range.start);
            Err(Diagnostic::new(&span, syntax_message(error.message())).label("not a TOML value"))
        }
    }
}

fn table(source: &Arc<Source>, table: &DeTable<'_>) -> Table {
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| Entry {
        key: key.get_ref().to_string(),
        key_span: Span::new(source, key.span()),
        node: node(source, value),
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    // The parser sorts keys by name; the file's order is what the user sees.
    entries.sort_by_key(|entry| entry.key_span.start);
    Table { entries }
}

fn node(source: &Arc<Source>, value: &Spanned<DeValue<'_>>) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            let text = integer.as_str();
            let saturated = if text.starts_with('-') { i128::MIN } else { i128::MAX };
            Value::Integer(i128::from_str_radix(text, integer.radix()).unwrap_or(saturated))
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
        DeValue::Array(array) => Value::Array(array.iter().map(|element| node(source, element)).collect()),
        DeValue::Table(inner) => Value::Table(table(source, inner)),
    };
    Node { value: converted, span: Span::new(source, value.span()), origin: Origin::Scenario }
}

impl Node {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The elements of an array; none for anything else.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.value {
            Value::Array(elements) => elements,
            _ => &[],
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        !matches!(self.value, Value::Array(_) | Value::Table(_))
    }

    /// `a string`, `an integer`, …
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// As JSON; integers beyond JSON's range and floats that are no number become `null`.
    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Text(text) | Value::Datetime(text) => Json::String(text.clone()),
            Value::Integer(integer) => match (u64::try_from(*integer), i64::try_from(*integer)) {
                (Ok(integer), _) => Json::from(integer),
                (_, Ok(integer)) => Json::from(integer),
                _ => Json::Null,
            },
            Value::Float(float) => Number::from_f64(*float).map_or(Json::Null, Json::Number),
            Value::Boolean(boolean) => Json::Bool(*boolean),
            Value::Array(elements) => Json::Array(elements.iter().map(Node::to_json).collect()),
            Value::Table(table) => Json::Object(table.to_json()),
        }
    }

    /// Marks the value, and all in it, as given by `origin`.
    pub(crate) fn stamp(&mut self, origin: Origin) {
        self.origin = origin;
        match &mut self.value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| element.stamp(origin)),
            Value::Table(table) => table.entries.iter_mut().for_each(|entry| entry.node.stamp(origin)),
            _ => {}
        }
    }

    fn shift(&mut self, by: usize) {
        self.span.start += by;
        self.span.end += by;
        match &mut self.value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| element.shift(by)),
            Value::Table(table) => table.entries.iter_mut().for_each(|entry| {
                entry.key_span.start += by;
                entry.key_span.end += by;
                entry.node.shift(by);
            }),
            _ => {}
        }
    }
}

impl Table {
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The value at `a.b.c`.
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        match path.split_once('.') {
            None => self.get(path),
            Some((first, rest)) => self.get(first)?.table()?.at(rest),
        }
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    /// Puts a value under a key, in the place of an older one if there is one.
    pub(crate) fn put(&mut self, key: &str, node: Node) {
        match self.get_mut(key) {
            Some(old) => *old = node,
            None => self.entries.push(Entry { key: key.to_owned(), key_span: node.span.clone(), node }),
        }
    }

    pub(crate) fn to_json(&self) -> Map<String, Json> {
        self.entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect()
    }
}
