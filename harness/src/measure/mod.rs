//! What measures: the clock, the bounds and the speed of this host, and inside a trial the recorders, CPU time and the steady state.
//!
//! ```text
//! operation ends ──stamp──▶ Recorder of this thread ──(thread ends)──▶ Tally ──▶ TrialRecord
//! ```
//! Nothing on the way of an operation takes a lock or allocates.

pub mod calibrate;
pub mod clock;
pub mod cpu;
pub mod doubling;
#[cfg(target_os = "linux")]
pub mod file_set;
pub mod file_system;
pub mod load_test;
pub mod paced;
#[cfg(target_os = "linux")]
pub mod page_cache;
pub mod planted;
pub mod private_memory;
pub mod recorder;
mod ring_nop;
pub mod speed_probe;
pub mod stamp;
pub mod steady;
#[cfg(target_os = "linux")]
pub mod syscalls;
pub mod tally;
pub mod watch;
pub mod workdir;
