//! Result schema, statistics, judgement and rendering of `zokio-bench`.
//!
//! Everything here is a pure function from one plain value to the next: no clock, no thread, no socket.
//!
//! ```text
//! journal (schema::journal) ──judge::summarize──▶ RunResult (schema::result) ──render──▶ terminal · html · json · markdown · csv
//! ```
//!
//! Where next: [`schema`] for what is written to disk, [`judge`] for what is believed, [`render`] for what is shown.
#![deny(unsafe_code)]

pub mod exit;
pub mod judge;
pub mod render;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod stats;
pub mod units;
