//! `schema scenario|result|gate`: the JSON Schema of what a user writes, and of what a run and a gate give.

use std::io::Write;

use zokio_report::exit;
use zokio_report::schema::result::RunResult;

use crate::scenario;

/// Prints the JSON Schema of a scenario file.
pub fn scenario() -> u8 {
    print(&scenario::json_schema())
}

/// Prints the JSON Schema of `result.json`.
pub fn result() -> u8 {
    print(&schemars::schema_for!(RunResult).to_value())
}

/// Prints the JSON Schema of `gate.json`.
pub fn gate() -> u8 {
    print(&zokio_report::schema::gate_schema())
}

/// Prints a JSON document, indented.
fn print(document: &serde_json::Value) -> u8 {
    let mut out = std::io::stdout().lock();
    // A reader that goes away has seen what it wanted.
    let _ = writeln!(out, "{document:#}");
    exit::PASSED
}
