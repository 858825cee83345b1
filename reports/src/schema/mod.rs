//! The formats: what a subject writes, what the journal keeps, what a result is.
//!
//! Additive changes only; a change of meaning bumps [`SCHEMA_VERSION`]. Numbers are never infinite or NaN: what is missing is
//! `null`, with a validity entry that says why.

pub mod host;
pub mod journal;
pub mod record;
pub mod result;
pub mod validity;

/// The `schema` field of every result.
pub const SCHEMA: &str = "zokio-bench/result";
/// The `schema_version` field of every result.
pub const SCHEMA_VERSION: &str = "1.0";
