//! `[scenario.tcp]` and its load.
//!
//! In `rr`, `crr` and `churn` a connection belongs to one user; a stream says itself how many connections it has.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::USERS_MAX;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::sizes;
use crate::scenario::tree::{Node, Origin, Table};
use crate::scenario::validate::{boolean, integer};
use crate::workload::Workload;
use crate::workload::tcp::{SizeDistribution, TcpMode, TcpWorkload};

use super::{closed, connections};

const MESSAGE_BYTES: u64 = 64;
const STREAM_WRITE_BYTES: u64 = 64 << 10;
const CHURN_OPERATIONS: u64 = 10;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::required("mode", Shape::OneOf(&["rr", "crr", "stream", "churn"]), "What one operation is."),
    Field::optional("request", Shape::Sizes, "Bytes the client sends per operation; stream: per write."),
    Field::optional("response", Shape::Sizes, "Bytes the server answers; not for stream."),
    Field::optional("connections", Shape::Integer(1, USERS_MAX), "Connections open at the same time; rr, crr, churn: one per user."),
    Field::optional("operations_per_connection", Shape::Integer(1, 1_000_000), "churn: requests and responses on one connection."),
    Field::optional("nodelay", Shape::Boolean, "TCP_NODELAY on both ends; true when left out."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let mode = match scenario.at("tcp.mode").and_then(Node::text) {
        Some("crr") => TcpMode::Crr,
        Some("stream") => TcpMode::Stream,
        Some("churn") => TcpMode::Churn,
        _ => TcpMode::Rr,
    };
    let mode_varies = scenario.at("tcp.mode").is_some_and(|node| node.origin == Origin::Matrix);
    let own = |key: &str| scenario.at(&format!("tcp.{key}")).filter(|node| node.origin != Origin::Defaults && !mode_varies);
    let size = |key: &str, bytes: u64| scenario.at(&format!("tcp.{key}")).and_then(sizes::read).unwrap_or(SizeDistribution::Fixed(bytes));
    if let (TcpMode::Stream, Some(node)) = (mode, own("response")) {
        findings.push(
            Diagnostic::new(&node.span, "a stream has no response").label("unused").help("leave `response` out, or set `mode = \"rr\"`"),
        );
    }
    let given = integer(scenario, "tcp.operations_per_connection");
    if let (false, Some(node)) = (mode == TcpMode::Churn || (mode == TcpMode::Crr && given == Some(1)), own("operations_per_connection")) {
        let message = "`operations_per_connection` is for churn alone";
        findings.push(Diagnostic::new(&node.span, message).label("unused").help("set `mode = \"churn\"`, or leave the key out"));
    }
    let operations = if mode == TcpMode::Churn { given.unwrap_or(CHURN_OPERATIONS) } else { 1 };
    let connections = connections(scenario, "tcp", mode != TcpMode::Stream, findings);
    let default_request = if mode == TcpMode::Stream { STREAM_WRITE_BYTES } else { MESSAGE_BYTES };
    let workload = TcpWorkload {
        mode,
        request: size("request", default_request),
        response: size("response", MESSAGE_BYTES),
        connections: u32::try_from(connections).unwrap_or(u32::MAX),
        operations_per_connection: u32::try_from(operations).unwrap_or(u32::MAX),
        nodelay: boolean(scenario, "tcp.nodelay").unwrap_or(true),
    };
    (Workload::Tcp(workload), closed(connections))
}
