//! `[scenario.atomics]`: a row of the hardware.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::scenario::validate::integer;
use crate::workload::Workload;
use crate::workload::atomics::{AtomicMode, AtomicsWorkload, MIXED_TURN, Sharing};

use super::{users, word};

/// Long enough that what surrounds a round is below 1 % of it (32,768 loads take 10 µs, a runtime's yield 30 to 100 ns), short enough
/// that a contended round (1.6 ms at 50 ns an addition) fits a slice of the window many times.
const OPERATIONS_PER_ROUND: u64 = 32_768;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["load", "fetch_add", "cas", "mixed"]), "What one operation is."),
    Field::optional("sharing", Shape::OneOf(&["shared", "adjacent", "padded"]), "Which words the users work on; padded when left out."),
    Field::optional("operations_per_round", Shape::Integer(8, 1 << 24), "Operations of a user between two looks at the trial's state."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let mode = match word(scenario, "atomics.mode") {
        Some("load") => AtomicMode::Load,
        Some("cas") => AtomicMode::Cas,
        Some("mixed") => AtomicMode::Mixed,
        _ => AtomicMode::FetchAdd,
    };
    let sharing = match word(scenario, "atomics.sharing") {
        Some("shared") => Sharing::Shared,
        Some("adjacent") => Sharing::Adjacent,
        _ => Sharing::Padded,
    };
    let operations = integer(scenario, "atomics.operations_per_round").unwrap_or(OPERATIONS_PER_ROUND);
    if let (AtomicMode::Mixed, false, Some(node)) =
        (mode, operations.is_multiple_of(MIXED_TURN.into()), scenario.at("atomics.operations_per_round"))
    {
        let message = format!("a round of `mixed` is made of turns of {MIXED_TURN} operations");
        let help = format!("write {}", operations.next_multiple_of(MIXED_TURN.into()));
        findings.push(Diagnostic::new(&node.span, message).label("not a multiple").help(help));
    }
    let operations_per_round = u32::try_from(operations).unwrap_or(u32::MAX);
    (Workload::Atomics(AtomicsWorkload { mode, sharing, operations_per_round }), users(scenario))
}
