//! command
pub mod host;
