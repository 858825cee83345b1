//! The workload tables, a file each: the keys, and what they mean together with the load beside them.

pub(crate) mod http;
pub(crate) mod sleep;
pub(crate) mod tcp;

use crate::load::{ClosedLoad, Load};
use crate::workload::Workload;

use super::diagnostic::{Diagnostic, Findings};
use super::tree::{Node, Origin, Table};
use super::validate::integer;

/// The workload and its load.
pub(crate) fn build(scenario: &Table, workload: &str, findings: &mut Findings) -> (Workload, Load) {
    match workload {
        "http" => http::build(scenario, findings),
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

/// Users and connections of the workload in `table`, which are the same number: a connection belongs to one user.
///
/// They default to each other. Given both, the nearer one wins (`--set` over the scenario, the scenario over defaults); given both by the
/// same, they must agree. `takes_defaults`: users of `[defaults]` speak of this workload too.
fn connections(scenario: &Table, table: &str, takes_defaults: bool, findings: &mut Findings) -> u64 {
    let given = |path: &str| scenario.at(path).zip(integer(scenario, path));
    match (given(&format!("{table}.connections")), given("load.closed.users")) {
        (None, None) => 1,
        (Some((_, connections)), None) => connections,
        (None, Some((node, _))) if !takes_defaults && node.origin == Origin::Defaults => 1,
        (None, Some((_, users))) => users,
        (Some((_, connections)), Some((_, users))) if connections == users => connections,
        (Some((connection_node, connections)), Some((user_node, users))) => match (connection_node.origin, user_node.origin) {
            (Origin::Defaults, Origin::Defaults) | (Origin::Scenario, Origin::Scenario) | (Origin::Set, Origin::Set) => {
                disagree(table, connection_node, connections, users, findings)
            }
            (_, Origin::Defaults) | (Origin::Set, Origin::Scenario) => connections,
            (Origin::Defaults, _) | (Origin::Scenario, Origin::Set) => users,
            // A matrix of the one and a value of the other cannot both be meant.
            _ => disagree(table, connection_node, connections, users, findings),
        },
    }
}

fn disagree(table: &str, node: &Node, connections: u64, users: u64, findings: &mut Findings) -> u64 {
    let message = format!("{connections} connections and {users} users: each user has one connection");
    let help = format!("give one of `{table}.connections` and `load.closed.users`, or the same number for both");
    let diagnostic = Diagnostic::new(&node.span, message).label("differs from `load.closed.users`").help(help);
    findings.push(match node.origin {
        Origin::Set => diagnostic.help("`--set scenario.ID.load.closed.users=…` replaces an axis of the matrix"),
        _ => diagnostic,
    });
    users
}
