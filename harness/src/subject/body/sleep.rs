//! The control `sleep-floor`: users that sleep, one sleep after the other; an operation is a sleep that was at least as long as asked.

use std::sync::Arc;
use std::time::Duration;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::stack::{Fleet, Stack};
use super::users;
use crate::measure::recorder::{self, ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::SleepWorkload;

/// Writes down one sleep that ended now; one that ended early is an error.
#[inline]
pub fn record(recorder: &mut Recorder, asked_ns: u64, slept_ns: u64) {
    if slept_ns >= asked_ns {
        recorder.success(slept_ns, 0);
    } else {
        recorder.failure(ErrorClass::Early, None);
    }
}

async fn user<S: Stack>(control: Arc<Ledger>, duration_ns: u64) {
    control.user_ready();
    control.gate().wait().await;
    let mut start = now_ns();
    while !control.is_draining() {
        S::sleep(Duration::from_nanos(duration_ns)).await;
        let end = now_ns();
        recorder::with(&control, |recorder| record(recorder, duration_ns, end - start));
        start = end;
    }
    control.user_done();
}

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<S: Stack, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SleepWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    users::run(fleet, control, trial, session, |_| user::<S>(Arc::clone(control), workload.duration_ns))
}
