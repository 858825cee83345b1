//! `zokio`: a work-stealing async runtime with one io_uring per worker.
#![deny(unsafe_code)]

pub mod buf;
#[cfg_attr(not(test), expect(dead_code, reason = "the scheduler that turns the drivers is not here yet"))]
mod driver;
pub mod net;
mod op;
pub mod topology;

pub use driver::{DriverCounters, DriverKind, DriverReport, IoDriver};
