//! `[scenario.memory]`: blocks of memory, and where they are freed.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::sizes;
use crate::scenario::tree::{Origin, Table};
use crate::scenario::validate::integer;
use crate::workload::Workload;
use crate::workload::memory::{Lifetime, MemoryWorkload};
use crate::workload::tcp::SizeDistribution;

use super::{users, word};

const SIZE_BYTES: u64 = 64;
const LIVE: u64 = 256;
/// 15 µs at the 15 ns of a small block: what surrounds a round is lost in it.
const OPERATIONS_PER_ROUND: u64 = 1_024;
/// Memory that the users of a case may hold together.
const HELD_BYTES_MAX: u64 = 1 << 30;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("lifetime", Shape::OneOf(&["pair", "batch", "shift", "remote"]), "When and by whom a block is freed."),
    Field::optional("size", Shape::Sizes, "Bytes of a block; 64 when left out."),
    Field::optional("live", Shape::Integer(2, 1 << 20), "batch, shift: blocks of a user alive together; remote: handed over at once."),
    Field::optional("operations_per_round", Shape::Integer(1, 1 << 24), "Blocks of a user between two looks at the trial's state."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let lifetime = match word(scenario, "memory.lifetime") {
        Some("batch") => Lifetime::Batch,
        Some("shift") => Lifetime::Shift,
        Some("remote") => Lifetime::Remote,
        _ => Lifetime::Pair,
    };
    let lifetime_varies = scenario.at("memory.lifetime").is_some_and(|node| node.origin == Origin::Matrix);
    let own = |key: &str| scenario.at(&format!("memory.{key}")).filter(|node| node.origin != Origin::Defaults);
    if let (Lifetime::Pair, false, Some(node)) = (lifetime, lifetime_varies, own("live")) {
        let diagnostic = Diagnostic::new(&node.span, "a `pair` has one block alive").label("unused");
        findings.push(diagnostic.help("set `lifetime = \"batch\"`, or leave `live` out"));
    }
    let size = scenario.at("memory.size").and_then(sizes::read).unwrap_or(SizeDistribution::Fixed(SIZE_BYTES));
    let live = integer(scenario, "memory.live").unwrap_or(LIVE);
    let operations = integer(scenario, "memory.operations_per_round");
    let operations_per_round = match lifetime {
        Lifetime::Pair => operations.unwrap_or(OPERATIONS_PER_ROUND),
        Lifetime::Batch | Lifetime::Shift => operations.unwrap_or(OPERATIONS_PER_ROUND.next_multiple_of(live)),
        Lifetime::Remote => live,
    };
    if let (false, Some(node)) = (operations_per_round.is_multiple_of(live) || lifetime == Lifetime::Pair, own("operations_per_round")) {
        let diagnostic = Diagnostic::new(&node.span, format!("a round is made of whole batches of {live} blocks")).label("not a multiple");
        findings.push(diagnostic.help(format!("write {}", operations_per_round.next_multiple_of(live))));
    }
    judge_users(scenario, lifetime, live, &size, findings);
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let workload = MemoryWorkload { size, lifetime, live: count(live), operations_per_round: count(operations_per_round) };
    (Workload::Memory(workload), users(scenario))
}

fn judge_users(scenario: &Table, lifetime: Lifetime, live: u64, size: &SizeDistribution, findings: &mut Findings) {
    let (at, users) = (scenario.at("load.closed.users"), integer(scenario, "load.closed.users").unwrap_or(1));
    let at = at.or(scenario.at("memory.lifetime"));
    if let (Lifetime::Remote, 0..=1, Some(node)) = (lifetime, users, at) {
        let diagnostic = Diagnostic::new(&node.span, "`remote` needs two users or more").label("nobody else to free a block");
        findings.push(diagnostic.help("set `load.closed.users = 2`: each is a thread on a CPU of its own"));
    }
    let largest = match size {
        SizeDistribution::Fixed(bytes) | SizeDistribution::Range(_, bytes) => *bytes,
        SizeDistribution::Split(parts) => parts.iter().map(|part| part.0).max().unwrap_or(1),
    };
    let blocks = if lifetime == Lifetime::Pair { 1 } else { live };
    let held = users.saturating_mul(blocks).saturating_mul(largest);
    let at = scenario.at("memory.live").or(scenario.at("memory.size")).or(scenario.at("memory.lifetime"));
    if let (true, Some(node)) = (held > HELD_BYTES_MAX, at) {
        let message = format!("the users hold up to {} MiB together, more than {}", held >> 20, HELD_BYTES_MAX >> 20);
        findings.push(Diagnostic::new(&node.span, message).label("too much").help("lower `live`, `size` or the users"));
    }
}
