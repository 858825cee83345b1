//! Message sizes: `"64B"`, `{ range = ["64B", "1KiB"] }` or `{ split = [["64B", 9], ["1KiB", 1]] }`.

use crate::workload::tcp::SizeDistribution;

use super::diagnostic::{Diagnostic, Findings, list, nearest, shown};
use super::quantity::{QuantityError, SIZE};
use super::source::Span;
use super::tree::{Node, Value};
use super::walk::bad_quantity;

/// A message is held in memory once per connection.
const MESSAGE_BYTES_MAX: u64 = 64 << 20;
/// A split has at most this many parts.
const PARTS_MAX: usize = 64;

/// Reports every mistake of a size.
pub(crate) fn check(node: &Node, path: &str, findings: &mut Findings) {
    if let Err(found) = judge(node, path) {
        found.into_iter().for_each(|diagnostic| findings.push(diagnostic));
    }
}

/// The distribution; `None` for what [`check`] has reported.
pub(crate) fn read(node: &Node) -> Option<SizeDistribution> {
    judge(node, "").ok()
}

fn judge(node: &Node, path: &str) -> Result<SizeDistribution, Vec<Diagnostic>> {
    let table = match &node.value {
        Value::Table(table) => table,
        _ => return size(node, path).map(SizeDistribution::Fixed).map_err(|diagnostic| vec![diagnostic]),
    };
    let wrong = |span: &Span, message: String| {
        vec![Diagnostic::new(span, message).help("a size, `{ range = [low, high] }` or `{ split = [[size, weight], …] }`")]
    };
    match table.entries.as_slice() {
        [entry] if entry.key == "range" => range(&entry.node, path),
        [entry] if entry.key == "split" => split(&entry.node, path),
        [] => Err(wrong(&node.span, format!("`{path}` names neither `range` nor `split`"))),
        [entry] => {
            let found = wrong(&entry.key_span, format!("unknown key `{}`", shown(&entry.key)));
            let near = nearest(&entry.key, ["range", "split"]);
            Err(found.into_iter().map(|d| if let Some(near) = &near { d.help(format!("did you mean `{near}`?")) } else { d }).collect())
        }
        [_, second, ..] => {
            let keys = list(table.entries.iter().take(4).map(|entry| entry.key.as_str()));
            Err(wrong(&second.key_span, format!("`{path}` takes one of `range` and `split`, not {keys}")))
        }
    }
}

fn size(node: &Node, path: &str) -> Result<u64, Diagnostic> {
    let Some(text) = node.text() else {
        let message = format!("`{path}` is a size and needs its unit");
        return Err(Diagnostic::new(&node.span, message).label(node.kind()).help(SIZE.help(&QuantityError::NoUnit)));
    };
    let bytes = SIZE.parse(text).map_err(|error| bad_quantity(&SIZE, &error, text, path, &node.span))?;
    if (1..=MESSAGE_BYTES_MAX).contains(&bytes) {
        return Ok(bytes);
    }
    let bound = if bytes == 0 { "at least 1B".to_owned() } else { format!("at most {}MiB", MESSAGE_BYTES_MAX >> 20) };
    Err(Diagnostic::new(&node.span, format!("`{path}` must be {bound}")).label(format!("{bytes} bytes")))
}

fn range(node: &Node, path: &str) -> Result<SizeDistribution, Vec<Diagnostic>> {
    let [low, high] = node.elements() else {
        return Err(vec![Diagnostic::new(&node.span, format!("`{path}.range` is a list of two sizes, low and high")).label("not two")]);
    };
    match (size(low, path), size(high, path)) {
        (Ok(low), Ok(high)) if low <= high => Ok(SizeDistribution::Range(low, high)),
        (Ok(_), Ok(_)) => Err(vec![Diagnostic::new(&node.span, format!("`{path}.range` begins above its end")).label("low, then high")]),
        (low, high) => Err(low.err().into_iter().chain(high.err()).collect()),
    }
}

fn split(node: &Node, path: &str) -> Result<SizeDistribution, Vec<Diagnostic>> {
    let parts = node.elements();
    if parts.is_empty() || parts.len() > PARTS_MAX {
        let message = format!("`{path}.split` is a list of 1 to {PARTS_MAX} pairs of size and weight");
        return Err(vec![Diagnostic::new(&node.span, message).label("as `[[\"64B\", 9], [\"1KiB\", 1]]`")]);
    }
    let mut found = Vec::new();
    let mut pairs = Vec::new();
    for part in parts {
        let [bytes, weight] = part.elements() else {
            found.push(Diagnostic::new(&part.span, format!("`{path}.split` holds pairs of size and weight")).label("not a pair"));
            continue;
        };
        let whole = match weight.value {
            Value::Integer(weight) => u32::try_from(weight).ok().filter(|weight| (1..=1_000_000).contains(weight)),
            _ => None,
        };
        match (size(bytes, path), whole) {
            (Ok(bytes), Some(weight)) => pairs.push((bytes, weight)),
            (bytes, whole) => {
                found.extend(bytes.err());
                if whole.is_none() {
                    found.push(Diagnostic::new(&weight.span, "a weight is a whole number from 1 to 1000000").label(weight.kind()));
                }
            }
        }
    }
    if found.is_empty() { Ok(SizeDistribution::Split(pairs)) } else { Err(found) }
}
