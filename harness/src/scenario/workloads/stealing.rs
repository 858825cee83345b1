//! `[scenario.stealing]` and its load.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::Table;
use crate::scenario::validate::integer;
use crate::workload::Workload;
use crate::workload::stealing::{Owner, StealingMode, StealingWorkload};

use super::{closed, number, refuse, users, word};

const ITEMS: u32 = 10_000;
/// About a microsecond: a turn, a multiplication and an addition that wait for each other, took 1.07 ns on an AMD EPYC.
const TURNS: u32 = 900;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["queue", "skew"]), "queue: the queue alone on bare threads; skew: a whole runtime."),
    Field::optional("items", Shape::Integer(1, 1_000_000), "Items or tasks of a round."),
    Field::optional("thieves", Shape::Integer(1, 64), "queue: threads that steal, beside the owner."),
    Field::optional("owner", Shape::OneOf(&["push", "push-pop"]), "queue: whether the owner takes items too; only stolen ones count."),
    Field::optional("turns", Shape::Integer(1, 1_000_000), "skew: turns of dependent arithmetic in a task, the same on every host."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let is_skew = word(scenario, "stealing.mode") == Some("skew");
    let (mode, name) = if is_skew { (StealingMode::Skew, "skew") } else { (StealingMode::Queue, "queue") };
    let unused: &[&str] = if is_skew { &["thieves", "owner"] } else { &["turns"] };
    for key in unused {
        refuse(scenario, "stealing", key, name, findings);
    }
    let workload = StealingWorkload {
        mode,
        items: number(scenario, "stealing.items", ITEMS),
        thieves: if is_skew { 0 } else { number(scenario, "stealing.thieves", 1) },
        owner: if word(scenario, "stealing.owner") == Some("push-pop") { Owner::PushPop } else { Owner::Push },
        turns: if is_skew { number(scenario, "stealing.turns", TURNS) } else { 0 },
    };
    (Workload::Stealing(workload), load(scenario, is_skew, findings))
}

/// A queue has one owner.
fn load(scenario: &Table, is_skew: bool, findings: &mut Findings) -> Load {
    let given = scenario.at("load.closed.users").zip(integer(scenario, "load.closed.users"));
    match given {
        Some((node, wanted)) if !is_skew && wanted > 1 => {
            let message = format!("{wanted} users: a queue has one owner");
            findings.push(Diagnostic::new(&node.span, message).label("1 here").help("more threads that steal: `stealing.thieves`"));
            closed(1)
        }
        _ => users(scenario),
    }
}
