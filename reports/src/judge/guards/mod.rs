//! The honesty guards: what has to hold before a number is believed.
//!
//! | where | guards |
//! |---|---|
//! | [`claims`]: the record against itself | `finite` `timer-floor` `work-done` `errors` `connections` `tail-support` |
//! | [`bounds`]: the record against this machine | `physical-bound` `cpu-evidence` |
//! | [`floor`]: the record against the least that its own operation costs | `empty-loop` `doubling` |
//! | [`kernel`]: the record against the orchestrator and the kernel | `wall-clock` `kernel-counters` `workers-observed` `placement` |
//! | [`load`]: whether the load was what it claims | `littles-law` `generator` `coordinated-omission` `steady` |
//! | [`open`]: the same of open loops | `generator` `coordinated-omission` |
//! | [`shares`]: whether everybody got a share | `fairness` |
//! | [`host`]: whether the host was fit to measure on | `noise` `throttle` `debug-build` `core-state` |
//!
//! A guard that applies gives a check, a passed one too; one whose evidence is missing is `skipped` and says what is missing.
//! `invalid` means that the number is not a measurement of what it claims; `suspect`, that it may be disturbed.

mod bounds;
mod claims;
mod finding;
mod floor;
pub(super) mod host;
mod kernel;
mod load;
mod open;
#[cfg(test)]
mod open_tests;
mod shares;
#[cfg(test)]
mod tests;

pub use self::claims::IDLE_STATE_BYTES;
use self::finding::Finding;
pub use self::floor::doubles;
pub use self::kernel::clocks_disagree;
use super::row::Row;
use crate::schema::validity::{Check, CheckState, Validity, ValidityState};

/// `None`: the guard does not apply to this kind of row.
type Guard = fn(&Row<'_>) -> Option<Finding>;

/// Every guard of a row, in the order of the result.
const GUARDS: [(&str, Guard); 23] = [
    ("finite", claims::finite),
    ("timer-floor", claims::timer_floor),
    ("physical-bound", bounds::physical_bound),
    ("empty-loop", floor::empty_loop),
    ("doubling", floor::doubling),
    ("work-done", claims::work_done),
    ("errors", claims::errors),
    ("connections", claims::connections),
    ("littles-law", load::littles_law),
    ("wall-clock", kernel::wall_clock),
    ("cpu-evidence", bounds::cpu_evidence),
    ("kernel-counters", kernel::kernel_counters),
    ("generator", load::generator),
    ("coordinated-omission", load::coordinated_omission),
    ("workers-observed", kernel::workers_observed),
    ("fairness", shares::fairness),
    ("steady", load::steady),
    ("noise", host::noise),
    ("throttle", host::throttle),
    ("placement", kernel::placement),
    ("debug-build", host::debug_build),
    ("tail-support", claims::tail_support),
    ("core-state", host::core_state),
];

/// All checks of a row and what follows from them. A row without any record is `skipped`, with its cause and no checks.
pub(super) fn judge(row: &Row<'_>) -> Validity {
    if row.recorded().next().is_none() {
        return Validity { state: ValidityState::Skipped, reason: Some(why_no_record(row)), checks: Vec::new() };
    }
    let checks: Vec<Check> = GUARDS.iter().filter_map(|(id, guard)| guard(row).map(|finding| finding.into_check(id))).collect();
    let worst = checks.iter().map(|check| check.state).max().unwrap_or(CheckState::Pass);
    let state = match worst {
        CheckState::Invalid => ValidityState::Invalid,
        CheckState::Suspect => ValidityState::Suspect,
        CheckState::Pass | CheckState::Skipped => ValidityState::Valid,
    };
    let reason = (state != ValidityState::Valid).then(|| {
        let causes = checks.iter().filter(|check| check.state == worst);
        causes.map(|check| format!("{}: {}", check.id, check.detail)).collect::<Vec<String>>().join("; ")
    });
    Validity { state, reason, checks }
}

/// The reason of a row none of whose trials was reached.
pub const NOT_RUN: &str = "not run: the run ended before its first trial";

fn why_no_record(row: &Row<'_>) -> String {
    match row.failures().next() {
        None => NOT_RUN.into(),
        Some(failure) => {
            let others = row.failures().filter(|other| other.class != failure.class).count();
            let also = if others > 0 { format!(" (and {others} trials that failed otherwise)") } else { String::new() };
            format!("{}: {}{also}", failure.class, failure.message)
        }
    }
}
