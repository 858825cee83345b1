//! The formats: what a subject writes, what the journal keeps, what a result is.
//!
//! Additive changes only; a change of meaning bumps [`SCHEMA_VERSION`]. Numbers are never infinite or NaN: what is missing is
//! `null`, with a validity entry that says why.
//!
//! [`journal`] is what happened, [`result`] what follows from it; [`record`] is the part a subject writes itself; [`gate`] is what a gate
//! found. The JSON Schema
//! of a result is made from these types: [`result_schema`].

pub mod compare;
pub mod comparison;
pub mod gate;
pub mod histogram;
pub mod host;
pub mod journal;
pub mod open;
pub mod record;
pub mod result;
pub mod scaling;
pub mod validity;

/// The `schema` field of every result.
pub const SCHEMA: &str = "zokio-bench/result";
/// The `schema_version` field of every result.
pub const SCHEMA_VERSION: &str = "1.0";

/// The JSON Schema (draft 2020-12) of `result.json`.
///
/// ```
/// let schema = zokio_report::schema::result_schema();
/// assert!(schema["properties"]["cases"].is_object());
/// ```
pub fn result_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(result::RunResult);
    schema.insert("title".into(), serde_json::Value::String(format!("{SCHEMA} {SCHEMA_VERSION}")));
    schema.to_value()
}

/// The JSON Schema (draft 2020-12) of `gate.json`.
///
/// ```
/// let schema = zokio_report::schema::gate_schema();
/// assert!(schema["properties"]["rows"].is_object());
/// ```
pub fn gate_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(gate::GateResult);
    schema.insert("title".into(), serde_json::Value::String(format!("{} {SCHEMA_VERSION}", gate::GATE_SCHEMA)));
    schema.to_value()
}

#[cfg(test)]
mod tests;
