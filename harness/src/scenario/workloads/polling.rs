//! `[scenario.polling]` and its load.

use crate::load::Load;
use crate::scenario::diagnostic::Findings;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::workload::Workload;
use crate::workload::polling::{PollingMode, PollingWorkload};

use super::{number, refuse, users, word};

const SUSPENSIONS: u32 = 3;
const FUTURES: u32 = 10_000;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["ready", "async-fn", "state-machine", "boxed", "wake"]), "Which future, polled by whom."),
    Field::optional("suspensions", Shape::Integer(1, 1_000), "Times a future is pending before it is ready; not for ready."),
    Field::optional("futures", Shape::Integer(1, 1_000_000), "Futures of a round."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let mode = match word(scenario, "polling.mode") {
        Some("async-fn") => PollingMode::AsyncFn,
        Some("state-machine") => PollingMode::StateMachine,
        Some("boxed") => PollingMode::Boxed,
        Some("wake") => PollingMode::Wake,
        _ => PollingMode::Ready,
    };
    let is_ready = mode == PollingMode::Ready;
    if is_ready {
        refuse(scenario, "polling", "suspensions", "ready", findings);
    }
    let suspensions = if is_ready { 0 } else { number(scenario, "polling.suspensions", SUSPENSIONS) };
    (Workload::Polling(PollingWorkload { mode, suspensions, futures: number(scenario, "polling.futures", FUTURES) }), users(scenario))
}
