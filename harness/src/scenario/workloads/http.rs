//! `[scenario.http]` and its load.

use crate::load::Load;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::USERS_MAX;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Node, Origin, Table};
use crate::scenario::validate::{boolean, integer};
use crate::workload::Workload;
use crate::workload::http::{HttpMethod, HttpWorkload};

use super::{closed, connections, single_size};

/// As in "Hello, World!".
const BODY_BYTES: u64 = 13;
const REQUEST_BODY_BYTES: u64 = 64;

/// The keys of the table.
pub(crate) const KEYS: &[Field] = &[
    Field::optional(
        "connection",
        Shape::OneOf(&["keep-alive", "close"]),
        "close: a connection for each request; keep-alive when left out.",
    ),
    Field::optional("method", Shape::OneOf(&["get", "post"]), "What a request asks for; get when left out."),
    Field::optional("body", Shape::Sizes, "Bytes of an answer's body, a single size."),
    Field::optional("request_body", Shape::Sizes, "post: bytes of a request's body, a single size."),
    Field::optional(
        "requests_per_connection",
        Shape::Integer(1, 1_000_000),
        "keep-alive: requests before a connection is closed and a new one opened; kept to the end when left out.",
    ),
    Field::optional("connections", Shape::Integer(1, USERS_MAX), "Connections open at the same time, one per user."),
    Field::optional("nodelay", Shape::Boolean, "TCP_NODELAY on both ends; true when left out."),
];

pub(super) fn build(scenario: &Table, findings: &mut Findings) -> (Workload, Load) {
    let word = |key: &str| scenario.at(&format!("http.{key}")).and_then(Node::text);
    let (closes, posts) = (word("connection") == Some("close"), word("method") == Some("post"));
    let varies = |key: &str| scenario.at(&format!("http.{key}")).is_some_and(|node| node.origin == Origin::Matrix);
    let own = |key: &str| scenario.at(&format!("http.{key}")).filter(|node| node.origin != Origin::Defaults);
    if let (false, false, Some(node)) = (posts, varies("method"), own("request_body")) {
        let message = "`request_body` is for post alone";
        findings.push(Diagnostic::new(&node.span, message).label("unused").help("set `method = \"post\"`, or leave the key out"));
    }
    if let (true, false, Some(node)) = (closes, varies("connection"), own("requests_per_connection")) {
        let message = "`requests_per_connection` is for keep-alive alone";
        findings.push(Diagnostic::new(&node.span, message).label("unused").help("leave it out, or set `connection = \"keep-alive\"`"));
    }
    let size = |key: &str, findings: &mut Findings| {
        single_size(scenario, &format!("http.{key}"), "the body of every message is the same", findings)
    };
    let connections = connections(scenario, "http", true, findings);
    let requests = if closes { 1 } else { integer(scenario, "http.requests_per_connection").unwrap_or(0) };
    let workload = HttpWorkload {
        method: if posts { HttpMethod::Post } else { HttpMethod::Get },
        body: size("body", findings).unwrap_or(BODY_BYTES),
        request_body: if posts { size("request_body", findings).unwrap_or(REQUEST_BODY_BYTES) } else { 0 },
        requests_per_connection: u32::try_from(requests).unwrap_or(u32::MAX),
        connections: u32::try_from(connections).unwrap_or(u32::MAX),
        nodelay: boolean(scenario, "http.nodelay").unwrap_or(true),
    };
    (Workload::Http(workload), closed(connections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, Suite, parse};

    fn suite(table: &str) -> Result<Suite, Vec<Diagnostic>> {
        let head =
            "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n[[scenario]]\nid = \"a\"\n[scenario.load.closed]\nusers = 8\n";
        parse(Source::new("a.toml", &format!("{head}[scenario.http]\n{table}\n")), "a.toml", &[])
    }

    fn workload(table: &str) -> HttpWorkload {
        let suite = suite(table).expect("sound");
        let Workload::Http(workload) = suite.cases[0].workload.clone() else { panic!("http") };
        workload
    }

    #[test]
    fn an_empty_table_is_the_small_page_on_kept_connections_one_per_user() {
        let plain = workload("");
        let expected =
            HttpWorkload { method: HttpMethod::Get, body: 13, request_body: 0, requests_per_connection: 0, connections: 8, nodelay: true };
        assert_eq!(plain, expected);
        assert_eq!(workload("connection = \"close\"").requests_per_connection, 1);
        assert_eq!(workload("requests_per_connection = 5").requests_per_connection, 5);
        assert_eq!(workload("method = \"post\"\nrequest_body = \"2KiB\"").bytes_per_operation(), 13 + 2_048);
    }

    #[test]
    fn what_has_no_effect_or_no_single_size_is_a_mistake() {
        let cases = [
            ("request_body = \"1KiB\"", "for post alone"),
            ("connection = \"close\"\nrequests_per_connection = 5", "for keep-alive alone"),
            ("body = { range = [\"1B\", \"9B\"] }", "a single size"),
            ("connections = 9", "each user has one connection"),
            ("method = \"put\"", "method"),
        ];
        for (table, message) in cases {
            let shown = crate::scenario::render(&suite(table).expect_err(table));
            assert!(shown.contains(message), "{table}: {shown}");
        }
    }
}
