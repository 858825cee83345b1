//! Inside a trial: clock readings, per-thread recorders, CPU time, and when a warm-up is steady.
//!
//! ```text
//! operation ends ──stamp──▶ Recorder of this thread ──(thread ends)──▶ Tally ──▶ TrialRecord
//! ```
//! Nothing on the way of an operation takes a lock or allocates.

pub mod cpu;
pub mod recorder;
pub mod stamp;
pub mod steady;
pub mod tally;
