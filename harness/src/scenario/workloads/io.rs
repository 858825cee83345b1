//! `[scenario.io]` and its load.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Node, Origin, Table};
use crate::workload::Workload;
use crate::workload::io::{IoMode, IoWorkload};
use crate::workload::storage::BLOCK_BYTES;

use super::storage::{CACHE, DIR, size, storage};
use super::{number, refuse, users, word};

/// As large as the largest caches of most CPUs, and written and read within a tenth of a second.
const FILE_BYTES: u64 = 32 << 20;
const FILE_BYTES_MAX: u64 = 1 << 40;
const BLOCK_BYTES_MAX: u64 = 16 << 20;
const WIDTH: u32 = 8;
/// The kernel takes no more buffers in one call (`IOV_MAX`).
const WIDTH_MAX: u64 = 1024;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["nop", "read", "vectored", "splice", "batch"]), "What an operation is."),
    // `nop` has no file; `build` demands it of the others.
    Field { required: false, ..CACHE },
    DIR,
    Field::optional("size", Shape::Size(BLOCK_BYTES, FILE_BYTES_MAX, BLOCK_BYTES), "Length of the file; 32 MiB when left out."),
    Field::optional("block", Shape::Size(BLOCK_BYTES, BLOCK_BYTES_MAX, BLOCK_BYTES), "Length of a block; 4 KiB when left out."),
    Field::optional("width", Shape::Integer(1, WIDTH_MAX), "vectored: blocks of a read; batch: reads begun together; 8 when left out."),
];

/// The modes that have a file.
const READERS: &[IoMode] = &[IoMode::Read, IoMode::Vectored, IoMode::Splice, IoMode::Batch];

/// The modes that a key belongs to.
const OWNERS: &[(&str, &[IoMode])] =
    &[("cache", READERS), ("dir", READERS), ("size", READERS), ("block", READERS), ("width", &[IoMode::Vectored, IoMode::Batch])];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let (mode, name) = match word(scenario, "io.mode") {
        Some("nop") => (IoMode::Nop, "nop"),
        Some("vectored") => (IoMode::Vectored, "vectored"),
        Some("splice") => (IoMode::Splice, "splice"),
        Some("batch") => (IoMode::Batch, "batch"),
        _ => (IoMode::Read, "read"),
    };
    for (key, modes) in OWNERS {
        if !modes.contains(&mode) {
            refuse(scenario, "io", key, name, findings);
        }
    }
    let mode_node = scenario.at("io.mode");
    if let (true, None, Some(node)) = (mode != IoMode::Nop, scenario.at("io.cache"), mode_node) {
        let help = format!("`cache`: {}. {}", CACHE.shape.wanted(), CACHE.doc);
        findings.push(Diagnostic::new(&node.span, "`io` lacks `cache`").label("reads a file").help(help));
    }
    if let (IoMode::Splice, Some("cold" | "direct"), Some(node)) = (mode, word(scenario, "io.cache"), scenario.at("io.cache")) {
        let help = "write cache = \"warm\"; `read` and `batch` measure the device";
        findings.push(Diagnostic::new(&node.span, "`splice` moves pages of the page cache").label("they are not there").help(help));
    }
    let workload = IoWorkload {
        mode,
        storage: (mode != IoMode::Nop).then(|| storage(scenario, "io", findings)),
        file_bytes: size(scenario, "io.size").unwrap_or(FILE_BYTES),
        block_bytes: size(scenario, "io.block").unwrap_or(BLOCK_BYTES),
        width: if matches!(mode, IoMode::Vectored | IoMode::Batch) { number(scenario, "io.width", WIDTH) } else { 1 },
    };
    let load = users(scenario);
    check_room(scenario, &workload, &load, mode_node, findings);
    (Workload::Io(workload), load)
}

/// Every user needs a part of the file of its own, of two reads at least: a cold file is read once, and then dropped.
fn check_room(scenario: &Table, workload: &IoWorkload, load: &Load, mode: Option<&Node>, findings: &mut Findings) {
    let users = load.users_of_closed_loop().unwrap_or(1);
    let of_a_user = workload.block_bytes.saturating_mul(workload.width.into()).saturating_mul(2);
    let needed = of_a_user.saturating_mul(users.into());
    let of_the_matrix = |node: &&Node| node.origin == Origin::Matrix;
    let at = ["io.size", "load.closed.users", "io.block", "io.width"].into_iter().filter_map(|path| scenario.at(path));
    let at = at.clone().find(|node| !of_the_matrix(node)).or(at.clone().next()).or(mode);
    if let (true, Some(node)) = (workload.storage.is_some() && workload.file_bytes < needed, at) {
        let message =
            format!("{users} users need a file of {} KiB, two reads for each; it has {}", needed >> 10, workload.file_bytes >> 10);
        findings.push(Diagnostic::new(&node.span, message).label("too small").help("make `size` larger"));
    }
}
