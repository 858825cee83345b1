//! What is believed: from the journal of a run to its result. Pure, so a result can be made again from its records at any time.
//!
//! ```text
//!  RunHeader, JournalTrial…, RunEnd
//!        │ row        the counted trials of one subject in one case, histograms decoded once
//!        ├─ metrics   one value per trial → median and interval
//!        ├─ guards    what has to hold before a number is believed
//!        ├─ compare   pairs inside a half block → ratio, interval, exact p; verdict after Holm over the whole run
//!        ├─ targets · thresholds
//!        ├─ scaling   cases that differ in their workers alone → the Universal Scalability Law
//!        ▼
//!  RunResult ──▶ verdict: exit code and one line
//! ```
//!
//! A gate asks another question, whether *one* subject got worse, and has its own rule: [`gate`].
//!
//! Where next: [`summarize()`] for the order of the steps, `guards` for what makes a row invalid, [`compare`] for the statistics. Results of
//! two runs: [`hosts`] says whether they may be compared, [`across`] compares them, [`stored`] is the form a gate needs.

pub mod across;
pub mod calibration;
pub mod compare;
pub mod gate;
mod guards;
pub mod hosts;
mod metrics;
mod row;
pub(crate) mod scaling;
pub mod stored;
mod stress;
mod summarize;
mod targets;
mod thresholds;
pub mod verdict;

#[cfg(test)]
mod tests;

pub use self::guards::{IDLE_STATE_BYTES, NOT_RUN, clocks_disagree, doubles};
pub use self::metrics::time_id;
pub use self::summarize::summarize;
pub use self::verdict::exit_code;
