//! How a plan becomes a journal: one trial after the other, each in fresh processes, each written down at once.
//!
//! ```text
//!  Plan ─▶ preflight (limits, ports, space) ─▶ run: for each trial
//!            core state ─▶ spawn::trial ─▶ core state ─▶ flipped? again, at most twice ─▶ journal, one line
//!  signals ─────────────────┘ Ctrl-C: kill the trial, write the end, keep what is there
//! ```
//!
//! Where next: [`run`] for the loop, [`journal`] for what survives a kill, [`roster`] for where subjects come from.

pub mod gate;
pub mod identity;
pub mod journal;
pub mod output;
pub mod placement;
pub mod preflight;
pub mod progress;
pub mod roster;
pub mod run;
pub mod signals;
