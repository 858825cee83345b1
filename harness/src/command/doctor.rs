//! `doctor`: is this host fit to measure on, and which command would mend it. Read-only.
//!
//! Exit code 0 when nothing blocks a gate, 3 when something does: the host lacks what a gate needs.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use zokio_report::exit;

use super::arguments::DoctorArgs;
use crate::doctor::{self, Check, State};

/// Examines this host and prints what was found; the exit code.
pub fn run(arguments: &DoctorArgs) -> u8 {
    let checks = doctor::check(&doctor::read());
    let code = exit_code(&checks);
    let text = if arguments.json {
        json(&checks)
    } else {
        let color = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        lines(&checks, color)
    };
    // A reader that goes away has seen what it wanted.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    code
}

fn exit_code(checks: &[Check]) -> u8 {
    let blocks = checks.iter().any(|check| check.state == State::BlocksGate);
    if blocks { exit::COULD_NOT_RUN } else { exit::PASSED }
}

fn json(checks: &[Check]) -> String {
    let blocks = exit_code(checks) != exit::PASSED;
    let value = serde_json::json!({"schema": "zokio-bench/doctor", "schema_version": "1.0", "blocks_gate": blocks, "checks": checks});
    format!("{value:#}\n")
}

fn word(state: State) -> &'static str {
    match state {
        State::Ok => "ok",
        State::Unknown => "unknown",
        State::Warn => "warn",
        State::BlocksGate => "blocks-gate",
    }
}

/// A line per check; below those that are not ok, why it matters and what would mend it.
fn lines(checks: &[Check], color: bool) -> String {
    let width = checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let code = match check.state {
            State::Ok => "32",
            State::Unknown => "2",
            State::Warn => "33",
            State::BlocksGate => "1;31",
        };
        let state = format!("{:<11}", word(check.state));
        let state = if color { format!("\x1b[{code}m{state}\x1b[0m") } else { state };
        let found: String = check.found.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let _ = writeln!(text, "{state}  {:width$}  {found}", check.id);
        if check.state != State::Ok {
            let _ = writeln!(text, "{:11}  {:width$}  why: {}", "", "", check.why);
        }
        if let Some(command) = &check.mend {
            let _ = writeln!(text, "{:11}  {:width$}  mend: {command}", "", "");
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (ok, unknown, warn, blocks) = (count(State::Ok), count(State::Unknown), count(State::Warn), count(State::BlocksGate));
    let _ = writeln!(text, "\n{ok} ok, {unknown} unknown, {warn} to warn of, {blocks} that block a gate; nothing was changed");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: State, mend: Option<&str>) -> Check {
        Check { id: "swap", state, found: "9 pages\u{7}".into(), why: "it is slow", mend: mend.map(Into::into) }
    }

    #[test]
    fn only_what_blocks_a_gate_changes_the_exit_code() {
        for state in [State::Ok, State::Unknown, State::Warn] {
            assert_eq!(exit_code(&[check(state, None)]), exit::PASSED);
        }
        assert_eq!(exit_code(&[check(State::Ok, None), check(State::BlocksGate, None)]), exit::COULD_NOT_RUN);
    }

    #[test]
    fn every_line_says_what_was_found_and_the_bad_ones_why_and_how() {
        let checks = [check(State::Ok, None), check(State::Unknown, None), check(State::BlocksGate, Some("swapoff -a"))];
        let expected = "ok           swap  9 pages \n\
                        unknown      swap  9 pages \n                   why: it is slow\n\
                        blocks-gate  swap  9 pages \n                   why: it is slow\n                   mend: swapoff -a\n\n\
                        1 ok, 1 unknown, 0 to warn of, 1 that block a gate; nothing was changed\n";
        assert_eq!(lines(&checks, false), expected);
        assert!(lines(&checks, true).contains("\x1b[1;31mblocks-gate\x1b[0m"));
    }

    #[test]
    fn json_holds_everything() {
        let value: serde_json::Value = serde_json::from_str(&json(&[check(State::BlocksGate, Some("swapoff -a"))])).expect("JSON");
        assert_eq!(value["blocks_gate"], true);
        assert_eq!(value["checks"][0]["state"], "blocks-gate");
        assert_eq!(value["checks"][0]["mend"], "swapoff -a");
    }
}
