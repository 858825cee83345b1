//! `[scenario.sleep]`: a control.

use crate::load::Load;
use crate::scenario::case::duration;
use crate::scenario::keys::MS;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::{SleepWorkload, Workload};

use super::users;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[Field::required("duration", Shape::Duration(1, 60_000 * MS, 1), "Requested length of one sleep.")];

pub(super) fn build(scenario: &Table) -> (Workload, Load) {
    let duration_ns = duration(scenario, "sleep.duration").map_or(1_000, |duration| duration.as_nanos() as u64);
    (Workload::Sleep(SleepWorkload { duration_ns }), users(scenario))
}
