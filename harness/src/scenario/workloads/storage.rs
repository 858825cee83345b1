//! The keys that workloads with files share: where the files are, and in which state the page cache is.

use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::quantity::SIZE;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Node, Origin, Table};
use crate::workload::storage::{CacheState, Storage};

use super::word;

/// The key `cache`, which workloads with files demand.
pub(crate) const CACHE: Field = Field {
    name: "cache",
    shape: Shape::OneOf(&["warm", "cold", "direct"]),
    required: true,
    doc: "The page cache before and during the trial, verified: all of the files in it, none, or passed by (O_DIRECT).",
};
/// The key `dir`.
pub(crate) const DIR: Field =
    Field::optional("dir", Shape::Text, "The folder below which each trial makes its own; the system's for temporary files when left out.");

/// Where and how, as the table says; a state that is missing was reported.
pub(crate) fn storage(scenario: &Table, table: &str, findings: &mut Findings) -> Storage {
    let dir = scenario.at(&format!("{table}.dir"));
    if let Some(node) = dir.filter(|node| node.origin == Origin::Matrix) {
        let message = "a folder is no axis: it would name the cases, and results hold no paths";
        findings.push(Diagnostic::new(&node.span, message).label("in a matrix").help("run once for each, with --set"));
    }
    let cache = match word(scenario, &format!("{table}.cache")) {
        Some("cold") => CacheState::Cold,
        Some("direct") => CacheState::Direct,
        _ => CacheState::Warm,
    };
    Storage { dir: dir.and_then(Node::text).map(str::to_owned), cache }
}

/// A size at a path; `None` when absent or reported.
pub(crate) fn size(scenario: &Table, path: &str) -> Option<u64> {
    SIZE.parse(scenario.at(path)?.text()?).ok()
}
