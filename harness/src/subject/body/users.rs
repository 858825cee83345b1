//! A trial whose users are tasks that need nothing but their worker: no sockets, no files.

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::coordinate;
use super::drive::assemble;
use super::stack::Fleet;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;

/// Users of a trial.
pub fn count(trial: &Trial) -> u32 {
    trial.load.users()
}

/// Starts the users in turn on the workers of a fleet, leads them through all phases and writes the record.
///
/// A user says [`user_ready`](crate::load::closed::Control::user_ready), waits at the gate, works until
/// [`is_draining`](crate::load::closed::Control::is_draining), and says [`user_done`](crate::load::closed::Control::user_done).
///
/// # Errors
/// A [`Failure`] of the set-up; errors of single operations are counted instead.
pub fn run<F: Fleet, U: Future<Output = ()> + Send + 'static>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    session: &Session,
    mut user: impl FnMut(u32) -> U,
) -> Result<TrialRecord, Failure> {
    let users = count(trial);
    for number in 0..users {
        fleet.spawn_on(number as usize % fleet.workers(), user(number));
    }
    let outcome = coordinate::lead(control, u64::from(users), &[], trial, session);
    let report = fleet.shut_down();
    Ok(assemble(control, &outcome?, trial, report))
}
