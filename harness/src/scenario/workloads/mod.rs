//! The workload tables, a file each: the keys, and what they mean together with the load beside them.

pub(crate) mod atomics;
pub(crate) mod custom;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod io;
pub(crate) mod latency;
pub(crate) mod memory;
pub(crate) mod paced;
pub(crate) mod polling;
pub(crate) mod pool;
pub(crate) mod scheduling;
pub(crate) mod sleep;
pub(crate) mod stealing;
pub(crate) mod storage;
pub(crate) mod tcp;

use crate::load::{ClosedLoad, Load};
use crate::workload::Workload;

use super::case::SUBJECTS;
use super::diagnostic::{Diagnostic, Findings};
use super::sizes;
use super::tree::{Node, Origin, Table};
use super::validate::integer;

/// Subjects of a scenario that names none: those that have the workload.
pub(crate) fn subjects(workload: &str) -> &'static [&'static str] {
    match workload {
        "atomics" => &["zokio", "tokio", "ceiling"],
        "memory" => &["zokio", "system", "mimalloc", "ceiling"],
        "pool" => &["zokio", "array-queue", "mutex", "ceiling"],
        _ => &SUBJECTS,
    }
}

/// The workload and its load.
pub(crate) fn build(scenario: &Table, workload: &str, findings: &mut Findings) -> (Workload, Load) {
    let (workload, load) = match workload {
        "latency" => latency::build(scenario, findings),
        "scheduling" => scheduling::build(scenario, findings),
        "stealing" => stealing::build(scenario, findings),
        "polling" => polling::build(scenario, findings),
        "atomics" => atomics::build(scenario, findings),
        "memory" => memory::build(scenario, findings),
        "pool" => pool::build(scenario, findings),
        "http" => http::build(scenario, findings),
        "io" => io::build(scenario, findings),
        "file" => file::build(scenario, findings),
        "custom" => custom::build(scenario),
        "sleep" => sleep::build(scenario),
        _ => tcp::build(scenario, findings),
    };
    let load = paced::load(scenario, &workload, load.users(), findings).unwrap_or(load);
    (workload, load)
}

fn closed(users: u64) -> Load {
    Load::Closed(ClosedLoad { users: u32::try_from(users).unwrap_or(u32::MAX) })
}

/// A size that must not vary, with the reason why; `None` when absent or reported.
fn single_size(scenario: &Table, path: &str, why: &str, findings: &mut Findings) -> Option<u64> {
    let node = scenario.at(path)?;
    let sizes = sizes::read(node)?;
    if sizes.fixed().is_none() {
        let message = format!("`{path}` is a single size: {why}");
        findings.push(Diagnostic::new(&node.span, message).label("several sizes").help("use a matrix over sizes"));
    }
    sizes.fixed()
}

/// The closed load of a workload whose users need nothing of their own.
fn users(scenario: &Table) -> Load {
    let default = if paced::is_paced(scenario) { paced::USERS } else { 1 };
    closed(integer(scenario, paced::users_path(scenario)).unwrap_or(default))
}

/// Reports a key of this workload that its mode does not use; defaults and the other points of a matrix over modes may well need it.
fn refuse(scenario: &Table, workload: &str, key: &str, mode: &str, findings: &mut Findings) {
    // A mode that is no mode was reported; nothing follows from it.
    let is_fixed = |node: &Node| node.origin != Origin::Matrix && node.text() == Some(mode);
    let mode_is_fixed = scenario.at(&format!("{workload}.mode")).is_some_and(is_fixed);
    if let Some(node) = scenario.at(&format!("{workload}.{key}")).filter(|node| node.origin != Origin::Defaults && mode_is_fixed) {
        let message = format!("`{key}` has no effect in the mode `{mode}`");
        findings.push(Diagnostic::new(&node.span, message).label("unused").help("leave the key out"));
    }
}

/// The word at a path, if it was given and is right.
fn word<'a>(scenario: &'a Table, path: &str) -> Option<&'a str> {
    scenario.at(path).and_then(Node::text)
}

/// A whole number at a path, or what stands for it.
fn number(scenario: &Table, path: &str, default: u32) -> u32 {
    integer(scenario, path).map_or(default, |number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// Users and connections of the workload in `table`, which are the same number: a connection belongs to one user.
///
/// They default to each other. Given both, the nearer one wins (`--set` over the scenario, the scenario over defaults); given both by the
/// same, they must agree. `takes_defaults`: users of `[defaults]` speak of this workload too.
fn connections(scenario: &Table, table: &str, takes_defaults: bool, findings: &mut Findings) -> u64 {
    let given = |path: &str| scenario.at(path).zip(integer(scenario, path));
    match (given(&format!("{table}.connections")), given(paced::users_path(scenario))) {
        (None, None) if paced::is_paced(scenario) => paced::USERS,
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
