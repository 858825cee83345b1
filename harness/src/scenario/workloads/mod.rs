//! The workload tables, a file each: the keys, and what they mean together with the load beside them.

pub(crate) mod custom;
pub(crate) mod sleep;
pub(crate) mod tcp;

use crate::load::{ClosedLoad, Load};
use crate::workload::Workload;

use super::diagnostic::Findings;
use super::tree::Table;
use super::validate::integer;

/// The workload and its load.
pub(crate) fn build(scenario: &Table, workload: &str, findings: &mut Findings) -> (Workload, Load) {
    match workload {
        "custom" => custom::build(scenario),
        "sleep" => sleep::build(scenario),
        _ => tcp::build(scenario, findings),
    }
}

fn closed(users: u64) -> Load {
    Load::Closed(ClosedLoad { users: u32::try_from(users).unwrap_or(u32::MAX) })
}

/// The closed load of a workload whose users need nothing of their own.
fn users(scenario: &Table) -> Load {
    closed(integer(scenario, "load.closed.users").unwrap_or(1))
}
