//! `--set PATH=VALUE`: changes the file's tree before anything is judged, so its mistakes get the same messages.
//!
//! `scenario.tcp-rr.tcp.connections=128`, `defaults.run.trials=6`, `suite.name=nightly`, `seed=7`. The value is TOML where it can
//! be read as TOML, and a bare word otherwise (`300ms`, `apart`). On an axis of the matrix it replaces the axis.

use std::sync::Arc;

use super::diagnostic::{Diagnostic, Findings, list, nearest, shown};
use super::matrix::axis_shape;
use super::source::{Source, Span};
use super::tree::{Entry, Node, Origin, Table, Value, parse_value};

/// An argument is a few words.
const ARGUMENT_BYTES_MAX: usize = 64 << 10;
/// Deepest path: `scenario.ID.target` and the like need five.
const PATH_DEPTH_MAX: usize = 16;

/// Applies the arguments in their order.
pub(crate) fn apply(file: &mut Table, sets: &[String], findings: &mut Findings) {
    for (index, argument) in sets.iter().enumerate() {
        if let Err(diagnostic) = apply_one(file, argument, index) {
            findings.push(diagnostic);
        }
    }
}

fn apply_one(file: &mut Table, argument: &str, index: usize) -> Result<(), Diagnostic> {
    if argument.len() > ARGUMENT_BYTES_MAX {
        return Err(Diagnostic::bare(format!("an argument of `--set` has {} bytes, more than {ARGUMENT_BYTES_MAX}", argument.len())));
    }
    let source = Arc::new(Source { name: "--set".into(), text: argument.to_owned(), order: index + 1 });
    let whole = Span::new(&source, 0..argument.len());
    let shape = "as `--set scenario.tcp-rr.load.closed.users=128`";
    let equals = find_equals(argument).ok_or_else(|| Diagnostic::new(&whole, "`--set` needs PATH=VALUE").label("no `=`").help(shape))?;
    let path = split_path(&argument[..equals]);
    let path_span = Span::new(&source, 0..equals);
    if path.iter().any(String::is_empty) || path.len() > PATH_DEPTH_MAX {
        return Err(Diagnostic::new(&path_span, "`--set` needs a path of keys").label("not a path").help(shape));
    }
    let mut value = read_value(&source, equals + 1)?;
    value.stamp(Origin::Set);
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    match keys.as_slice() {
        ["scenario", id, rest @ ..] => set_scenario(file, id, rest, value, &path_span),
        ["suite" | "defaults", _, ..] | ["seed" | "schema"] => put(file, &keys, value, &path_span),
        [first, ..] => {
            let known = ["scenario", "suite", "defaults", "seed"];
            let diagnostic =
                Diagnostic::new(&path_span, format!("`--set` cannot reach `{}`", shown(&keys.join(".")))).label("no such place");
            let diagnostic = match nearest(first, known).filter(|near| near != first) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            };
            Err(diagnostic.help("a path begins with `scenario.ID.`, `defaults.`, `suite.`, or is `seed`"))
        }
        [] => Err(Diagnostic::new(&path_span, "`--set` needs a path of keys").help(shape)),
    }
}

/// The first `=` outside quotes.
fn find_equals(argument: &str) -> Option<usize> {
    let mut quoted = false;
    argument.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '=' && !quoted).then_some(at)
    })
}

/// `scenario.x.matrix."a.b"` → `scenario`, `x`, `matrix`, `a.b`.
fn split_path(text: &str) -> Vec<String> {
    let (mut keys, mut quoted) = (vec![String::new()], false);
    for c in text.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => keys.push(String::new()),
            c => keys.last_mut().expect("there is always one").push(c),
        }
    }
    keys
}

fn read_value(source: &Arc<Source>, start: usize) -> Result<Node, Diagnostic> {
    let text = &source.text[start..];
    match parse_value(source, start..source.text.len()) {
        // A date is a word here: no key of a scenario is a date.
        Ok(value) if !matches!(value.value, Value::Datetime(_)) => Ok(value),
        // What begins like TOML was meant as TOML.
        Err(diagnostic) if text.trim_start().starts_with(['"', '\'', '[', '{']) => Err(diagnostic),
        _ => {
            let (span, value) = (Span::new(source, start..source.text.len()), Value::Text(text.trim().to_owned()));
            Ok(Node { value, span, origin: Origin::Set })
        }
    }
}

fn set_scenario(file: &mut Table, id: &str, rest: &[&str], value: Node, span: &Span) -> Result<(), Diagnostic> {
    let Some(Node { value: Value::Array(scenarios), .. }) = file.get_mut("scenario") else {
        return Err(Diagnostic::new(span, "the file has no scenario to set anything in"));
    };
    let named = |node: &Node| node.table().and_then(|table| table.get("id")).and_then(Node::text).map(str::to_owned);
    let known: Vec<String> = scenarios.iter().filter_map(named).collect();
    let Some(Node { value: Value::Table(scenario), .. }) = scenarios.iter_mut().find(|node| named(node).as_deref() == Some(id)) else {
        let diagnostic = Diagnostic::new(span, format!("no scenario has the id `{}`", shown(id))).label("no such scenario");
        let diagnostic = match nearest(id, known.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `scenario.{near}.…`?")),
            None => diagnostic,
        };
        return Err(diagnostic.help(format!("scenarios of the file: {}", list(known.iter().take(20)))));
    };
    let axis = rest.join(".");
    if rest.is_empty() || axis == "id" {
        return Err(Diagnostic::new(span, "`--set` needs a key of the scenario").help("as `--set scenario.tcp-rr.run.trials=6`"));
    }
    if let Some(Node { value: Value::Table(matrix), .. }) = scenario.get_mut("matrix")
        && matrix.get(&axis).is_some()
        && axis_shape(&axis).is_some()
    {
        let span = value.span.clone();
        let values = if let Value::Array(values) = value.value { values } else { vec![value] };
        matrix.put(&axis, Node { value: Value::Array(values), span, origin: Origin::Set });
        return Ok(());
    }
    match rest {
        // An axis is one key, quoted or not.
        ["matrix", axis @ ..] if !axis.is_empty() => put(scenario, &["matrix", &axis.join(".")], value, span),
        _ => put(scenario, rest, value, span),
    }
}

/// Puts the value at the path, making tables on the way.
fn put(table: &mut Table, path: &[&str], value: Node, span: &Span) -> Result<(), Diagnostic> {
    let (first, rest) = path.split_first().expect("the caller matched at least one key");
    if rest.is_empty() {
        match table.get_mut(first) {
            Some(old) => *old = value,
            None => table.entries.push(Entry { key: (*first).to_owned(), key_span: span.clone(), node: value }),
        }
        return Ok(());
    }
    if table.get(first).is_none() {
        let node = Node { value: Value::Table(Table::default()), span: span.clone(), origin: Origin::Set };
        table.entries.push(Entry { key: (*first).to_owned(), key_span: span.clone(), node });
    }
    // Alternatives give place: `warmup = "none"` to `warmup.time`, `warmup.steady` to `warmup.time`.
    if let (Some(node), true) = (table.get_mut(first), *first == "warmup" || *first == "load") {
        match &mut node.value {
            Value::Table(alternatives) => alternatives.entries.retain(|entry| entry.key == rest[0]),
            other => *other = Value::Table(Table::default()),
        }
    }
    match table.get_mut(first).map(|node| &mut node.value) {
        Some(Value::Table(inner)) => put(inner, rest, value, span),
        _ => {
            let message = format!("`--set` cannot reach `{}`: `{}` is not a table", shown(&path.join(".")), shown(first));
            Err(Diagnostic::new(span, message).label("no such place"))
        }
    }
}
