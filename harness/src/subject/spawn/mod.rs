//! Outside a trial: start, time out, kill, collect.
//!
//! ```text
//!  trial::run ──▶ Process (own group, clean environment, pinned before exec)
//!                   │ stdout ──reader thread──▶ Event::Line ──▶ Talk (what the protocol allows next)
//!                   │ exit   ──waiter thread──▶ Event::Exited ──▶ wait4: CPU, memory, switches, faults
//!                   └ /proc, CPU clock, kernel counters ──▶ Evidence, whatever the subject says of itself
//! ```
//!
//! Every way out of the protocol ends in a [`Failure`](zokio_report::schema::journal::Failure) with a class and a sentence: no hang, no zero.
//! While a trial measures, every thread here sleeps in the kernel.
//!
//! Where next: [`trial`] for one trial from start to evidence, [`talk`] for the state machine of the protocol.

pub mod combine;
pub mod conversation;
pub mod describe;
pub mod events;
pub mod interrupt;
pub mod kernel;
pub mod process;
pub mod talk;
pub mod trial;

use std::time::Duration;

/// How long a subject may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From its start to `ready`.
    pub ready: Duration,
    /// Beyond the planned length of the phases.
    pub margin: Duration,
    /// From its last line to its exit, and from its exit to the end of its output.
    pub exit: Duration,
    /// For `--describe`.
    pub describe: Duration,
}

impl Default for Limits {
    /// Generous beside what is normal (milliseconds), so that a loaded host does not turn into failed trials.
    fn default() -> Self {
        Self {
            ready: Duration::from_secs(10),
            margin: Duration::from_secs(5),
            exit: Duration::from_secs(2),
            describe: Duration::from_secs(10),
        }
    }
}

/// A failure with its class and sentence.
pub fn failure(class: &str, message: impl Into<String>) -> zokio_report::schema::journal::Failure {
    zokio_report::schema::journal::Failure { class: class.into(), message: message.into() }
}
