//! `[scenario.load.open]` and `[scenario.load.overload]`: operations that start by a schedule.

use std::time::Duration;

use crate::load::{Arrival, Load, OpenLoad, OverloadLoad};
use crate::scenario::case::duration;
use crate::scenario::diagnostic::{Diagnostic, Findings};
use crate::scenario::keys::{HOUR, MS, USERS_MAX};
use crate::scenario::quantity::RATE;
use crate::scenario::shape::{Field, Shape};
use crate::scenario::tree::{Node, Table};
use crate::scenario::validate::integer;
use crate::scenario::walk::number;
use crate::workload::Workload;
use crate::workload::scheduling::SchedulingMode;
use crate::workload::tcp::TcpMode;

/// As many connections as the guide's rows have.
pub(super) const USERS: u64 = 64;
const MAX_IN_FLIGHT: u64 = 4_096;
const OFFERED: f64 = 1.5;
const AFTER: f64 = 0.5;
const OVERLOAD_TIME: Duration = Duration::from_secs(1);
const RECOVERY_TIME: Duration = Duration::from_millis(500);
/// No subject starts more; a schedule of nanoseconds ends there too.
const RATE_MAX: u64 = 1_000_000_000;

const USERS_DOC: &str = "Operations that can be at work at the same time: connections, or tasks that start others; 64 when left out.";
const ARRIVAL_DOC: &str = "How starts are spread; poisson when left out.";
const LIMIT_DOC: &str =
    "Operations offered and not ended, at most; those offered beyond are errors of class `overload`; 4,096 when left out.";
const ARRIVALS: &[&str] = &["uniform", "poisson"];
const IN_FLIGHT_MAX: u64 = 10_000_000;

/// The keys of `load.open`.
pub(crate) const OPEN: &[Field] = &[
    Field::required("rate", Shape::Rate(1, RATE_MAX), "Operations offered per second, whatever becomes of those before."),
    Field::optional("arrival", Shape::OneOf(ARRIVALS), ARRIVAL_DOC),
    Field::optional("users", Shape::Integer(1, USERS_MAX), USERS_DOC),
    Field::optional("max_in_flight", Shape::Integer(1, IN_FLIGHT_MAX), LIMIT_DOC),
];

/// The keys of `load.overload`.
pub(crate) const OVERLOAD: &[Field] = &[
    Field::optional("users", Shape::Integer(1, USERS_MAX), "Users of the closed loop at full load, and at work at the same time after it."),
    Field::optional("offered", Shape::Positive, "Rate offered in the overload, as a share of the rate at full load; 1.5 when left out."),
    Field::optional("time", Shape::Duration(MS, HOUR, MS), "Length of the overload; 1 s when left out."),
    Field::optional("after", Shape::Positive, "Rate offered after it, as a share of the rate at full load; 0.5 when left out."),
    Field::optional("recovery", Shape::Duration(MS, HOUR, MS), "How long that is offered; 500 ms when left out."),
    Field::optional("arrival", Shape::OneOf(ARRIVALS), ARRIVAL_DOC),
    Field::optional("max_in_flight", Shape::Integer(1, IN_FLIGHT_MAX), LIMIT_DOC),
];

/// Where the users of the scenario's load stand.
pub(super) fn users_path(scenario: &Table) -> &'static str {
    match name(scenario) {
        Some("open") => "load.open.users",
        Some("overload") => "load.overload.users",
        _ => "load.closed.users",
    }
}

/// Whether operations start by a schedule.
pub(super) fn is_paced(scenario: &Table) -> bool {
    name(scenario).is_some()
}

fn name(scenario: &Table) -> Option<&'static str> {
    ["open", "overload"].into_iter().find(|name| scenario.at(&format!("load.{name}")).is_some())
}

/// The load of the scenario, where it follows a schedule; `users` are those that the workload would have.
pub(super) fn load(scenario: &Table, workload: &Workload, users: u32, findings: &mut Findings) -> Option<Load> {
    let name = name(scenario)?;
    let at = |key: &str| scenario.at(&format!("load.{name}.{key}"));
    let node = scenario.at(&format!("load.{name}"))?;
    refuse(scenario, workload, node, name, findings);
    let at_work = u64::from(users) * u64::from(workload.operations_per_arrival());
    let max_in_flight = integer(scenario, &format!("load.{name}.max_in_flight")).unwrap_or(MAX_IN_FLIGHT.max(at_work));
    if let (true, Some(node)) = (max_in_flight < at_work, at("max_in_flight")) {
        let message = format!("`max_in_flight` leaves some of the {users} users without work");
        findings.push(Diagnostic::new(&node.span, message).label("fewer than they can have").help(format!("write {at_work} or more")));
    }
    let max_in_flight = u32::try_from(max_in_flight).unwrap_or(u32::MAX);
    let arrival = if at("arrival").and_then(Node::text) == Some("uniform") { Arrival::Uniform } else { Arrival::Poisson };
    if name == "open" {
        let rate_per_s = at("rate").and_then(Node::text).and_then(|rate| RATE.parse(rate).ok()).unwrap_or(1);
        return Some(Load::Open(OpenLoad { rate_per_s, arrival, users, max_in_flight }));
    }
    let mut share = |key: &str, default: f64, fits: fn(f64) -> bool, must: &str| {
        let given = at(key).and_then(number).unwrap_or(default);
        if let (false, Some(node)) = (fits(given), at(key)) {
            let message = format!("`load.overload.{key}` must be {must} 1: it is a share of the rate at full load");
            findings.push(Diagnostic::new(&node.span, message).label("1 is full load").help(format!("as `{key} = {default}`")));
        }
        given
    };
    let offered = share("offered", OFFERED, |share| share > 1.0, "above");
    let after = share("after", AFTER, |share| share < 1.0, "below");
    Some(Load::Overload(OverloadLoad { users, offered, after, arrival, max_in_flight }))
}

/// How long the overload and the time after it last; zero in other loads.
pub(crate) fn overload_times(scenario: &Table) -> (Duration, Duration) {
    match name(scenario) {
        Some("overload") => (
            duration(scenario, "load.overload.time").unwrap_or(OVERLOAD_TIME),
            duration(scenario, "load.overload.recovery").unwrap_or(RECOVERY_TIME),
        ),
        _ => (Duration::ZERO, Duration::ZERO),
    }
}

/// A schedule is for operations that begin one by one and that somebody may wait for.
fn refuse(scenario: &Table, workload: &Workload, node: &Node, name: &str, findings: &mut Findings) {
    let fits = match workload {
        Workload::Tcp(tcp) => tcp.mode != TcpMode::Stream,
        Workload::Http(_) => true,
        Workload::Scheduling(scheduling) => scheduling.mode == SchedulingMode::SpawnInside,
        _ => false,
    };
    if !fits {
        let message = format!("the operations of this `{}` scenario cannot start by a schedule", workload.name());
        let help =
            "`load.open` and `load.overload` are for tcp (rr, crr, churn), http and scheduling (spawn-inside); others: `load.closed`";
        findings.push(Diagnostic::new(&node.span, message).label(format!("no `{name}` load here")).help(help));
    }
    let apart = scenario.at("placement.endpoints").filter(|node| node.text() == Some("apart"));
    if let (true, Some(endpoints)) = (fits, apart) {
        let message = format!("`load.{name}` has no client of its own: with endpoints apart the client is a closed loop");
        findings.push(Diagnostic::new(&endpoints.span, message).label("apart").help("write `endpoints = \"together\"`"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Source, Suite, parse};

    fn suite(load: &str, workload: &str) -> Result<Suite, Vec<Diagnostic>> {
        let head = "schema = 1\n[suite]\nname = \"s\"\nquestion = \"Which?\"\n[[scenario]]\nid = \"a\"\n";
        parse(Source::new("a.toml", &format!("{head}{load}\n{workload}\n")), "a.toml", &[])
    }

    const RR: &str = "[scenario.tcp]\nmode = \"rr\"";

    #[test]
    fn what_is_left_out_of_a_schedule_is_poisson_on_64_connections() {
        let suite = suite("[scenario.load.open]\nrate = \"20k/s\"", RR).expect("sound");
        let open = OpenLoad { rate_per_s: 20_000, arrival: Arrival::Poisson, users: 64, max_in_flight: 4_096 };
        assert_eq!(suite.cases[0].load, Load::Open(open));
        assert_eq!(suite.cases[0].primary_metric, "response_time_ns_p99", "an open loop is ranked by what its users wait");
        let Workload::Tcp(tcp) = &suite.cases[0].workload else { panic!("tcp") };
        assert_eq!(tcp.connections, 64);
    }

    #[test]
    fn an_overload_is_ranked_by_its_rate_at_full_load() {
        let suite = suite("[scenario.load.overload]\nusers = 8\noffered = 2\ntime = \"3s\"", RR).expect("sound");
        let Load::Overload(load) = &suite.cases[0].load else { panic!("overload") };
        assert_eq!((load.users, load.offered, load.after), (8, 2.0, 0.5));
        assert_eq!((suite.cases[0].overload, suite.cases[0].recovery), (Duration::from_secs(3), Duration::from_millis(500)));
        assert_eq!(suite.cases[0].primary_metric, "round_trips_per_s");
    }

    #[test]
    fn what_a_schedule_cannot_do_is_a_mistake_that_names_what_it_can() {
        let rate = "[scenario.load.open]\nrate = \"20k/s\"";
        let cases = [
            (rate, "[scenario.memory]\nlifetime = \"pair\"", "tcp (rr, crr, churn), http and scheduling (spawn-inside)"),
            (rate, "[scenario.tcp]\nmode = \"stream\"", "cannot start by a schedule"),
            (rate, "[scenario.scheduling]\nmode = \"yield\"", "cannot start by a schedule"),
            (rate, "[scenario.tcp]\nmode = \"rr\"\n[scenario.placement]\nendpoints = \"apart\"", "a closed loop"),
            ("[scenario.load.open]\nrate = 20000", RR, "needs its unit"),
            ("[scenario.load.open]\nrate = \"0/s\"", RR, "at least 1/s"),
            ("[scenario.load.open]\nusers = 4", RR, "lacks `rate`"),
            ("[scenario.load.open]\nrate = \"1k/s\"\nusers = 8\nmax_in_flight = 7", RR, "fewer than they can have"),
            ("[scenario.load.overload]\noffered = 0.9", RR, "must be above 1"),
            ("[scenario.load.overload]\nafter = 1.0", RR, "must be below 1"),
        ];
        for (load, workload, message) in cases {
            let shown = crate::scenario::render(&suite(load, workload).expect_err(load));
            assert!(shown.contains(message), "{load} {workload}: {shown}");
        }
    }
}
