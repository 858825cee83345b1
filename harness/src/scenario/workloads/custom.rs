//! `[scenario.custom]`: what a program of the user's own does.

use crate::load::Load;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::scenario::validate::integer;
use crate::workload::{CustomWorkload, Workload};

use super::users;

/// Operations of a round: for most programs a small part of a millisecond.
const OPERATIONS_PER_ROUND: u64 = 1_000;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[Field::optional(
    "operations_per_round",
    Shape::Integer(1, 1_000_000_000),
    "Operations between two looks at the state of the trial; 1,000 by default.",
)];

pub(super) fn build(scenario: &Table) -> (Workload, Load) {
    let operations_per_round = integer(scenario, "custom.operations_per_round").unwrap_or(OPERATIONS_PER_ROUND);
    (Workload::Custom(CustomWorkload { operations_per_round }), users(scenario))
}
