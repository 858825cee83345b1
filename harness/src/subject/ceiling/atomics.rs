//! The same atomic operations on bare pinned threads.

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::tally::Ledger;
use crate::subject::body::atomics::Shared;
use crate::subject::body::users;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::threads;
use crate::workload::atomics::AtomicsWorkload;

/// Runs a trial.
///
/// # Errors
/// A [`Failure`] of the set-up, or class `mismatch`.
pub fn run(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &AtomicsWorkload) -> Result<TrialRecord, Failure> {
    let shared = Shared::new(workload, users::count(trial));
    let record = threads::run(trial, session, control, "ceiling", threads::report("bare-threads", trial), |users| {
        threads::rounds(
            control,
            users,
            |number| shared.user(number),
            |user, pieces| shared.double(user, pieces),
            |user, recorder| shared.round(user, control, recorder),
            |user, _| shared.end(&user),
        );
        Ok(())
    })?;
    shared.judged(record)
}
