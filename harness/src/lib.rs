//! The harness: scenario file → plan → fresh subject processes → journal → result.
//!
//! ```text
//! scenario ──▶ plan ──▶ orchestrate ──▶ records.jsonl ──▶ zokio_report::judge ──▶ zokio_report::render
//!                          │ starts, times out, collects
//!                          ▼
//!                       subject (a process that speaks the protocol; this binary, a peer, a user's program)
//!                          └── workload · load · measure: all that touches clock, threads and sockets of a measurement
//! ```
//!
//! Where next: [`scenario`] for what a user writes, [`plan`] for what will run, [`orchestrate`] for how it runs,
//! [`subject`] for the protocol and the subjects shipped, [`workload`] for what one operation is.
#![deny(unsafe_code)]

pub mod baseline;
pub mod cli;
pub mod command;
pub mod doctor;
pub mod error;
pub mod host;
pub mod load;
pub mod measure;
pub mod orchestrate;
pub mod plan;
pub mod scenario;
pub mod subject;
pub mod workload;

pub use measure::load_test::{LoadTest, LoadTestResults};
