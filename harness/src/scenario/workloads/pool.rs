//! `[scenario.pool]`: objects taken from a pool and given back.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::scenario::validate::integer;
use crate::workload::Workload;
use crate::workload::pool::{Empty, Hold, PoolWorkload};

use super::{users, word};

const CAPACITY: u64 = 64;
/// 10 µs at 2 to 5 ns an object: what surrounds a round is lost in it.
const OPERATIONS_PER_ROUND: u64 = 4_096;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::optional("capacity", Shape::Integer(1, 1 << 20), "Objects that the pool keeps, 1 KiB each; 64 when left out."),
    Field::optional("hold", Shape::OneOf(&["none", "work"]), "What is done with an object; work: all of it is written and added up."),
    Field::optional("held", Shape::Integer(1, 1 << 16), "Objects of a user held together; 1 when left out."),
    Field::optional("empty", Shape::OneOf(&["create", "wait"]), "What an acquire does that finds nothing; create when left out."),
    Field::optional("operations_per_round", Shape::Integer(1, 1 << 24), "Objects of a user between two looks at the trial's state."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let hold = if word(scenario, "pool.hold") == Some("work") { Hold::Work } else { Hold::None };
    let empty = if word(scenario, "pool.empty") == Some("wait") { Empty::Wait } else { Empty::Create };
    let held = integer(scenario, "pool.held").unwrap_or(1);
    let given = integer(scenario, "pool.operations_per_round");
    let operations = given.unwrap_or(OPERATIONS_PER_ROUND.next_multiple_of(held));
    if let (false, Some(node)) = (operations.is_multiple_of(held), scenario.at("pool.operations_per_round")) {
        let diagnostic =
            Diagnostic::new(&node.span, format!("a round is made of whole handfuls of {held} objects")).label("not a multiple");
        findings.push(diagnostic.help(format!("write {}", operations.next_multiple_of(held))));
    }
    // Two users that each hold a part and wait for the rest would wait for ever.
    if let (Empty::Wait, true, Some(node)) = (empty, held > 1, scenario.at("pool.held")) {
        let diagnostic = Diagnostic::new(&node.span, "who waits for a pool may hold nothing of it").label("could wait for ever");
        findings.push(diagnostic.help("hold one object at a time, or set `empty = \"create\"`"));
    }
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let capacity = count(integer(scenario, "pool.capacity").unwrap_or(CAPACITY));
    let workload = PoolWorkload { capacity, hold, held: count(held), empty, operations_per_round: count(operations) };
    (Workload::Pool(workload), users(scenario))
}
