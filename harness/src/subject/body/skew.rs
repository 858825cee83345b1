//! `stealing`, mode `skew`: one task spawns all the work on its own worker and joins it; how much of it others do shows in the rate.

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::rounds::Rounds;
use super::stack::Fleet;
use super::tasks::{Tasks, unbound};
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::stealing::{StealingWorkload, toil};

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &StealingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let expected = expected_sum(0, workload);
    users::run(fleet, control, trial, session, |number| unbound::<T>(spawner::<T>(Arc::clone(control), number, workload.clone(), expected)))
}

/// What the tasks from this number on sum up to in a round; the same each round, since all the work is in the turns.
pub fn expected_sum(first: u32, workload: &StealingWorkload) -> u64 {
    (first..workload.items).fold(0, |sum, number| sum.wrapping_add(toil(number.into(), workload.turns)))
}

async fn spawner<T: Tasks>(control: Arc<Ledger>, user: u32, workload: StealingWorkload, expected: u64) {
    let (items, turns) = (workload.items, workload.turns);
    let mut handles = Vec::with_capacity(items as usize);
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        for number in 0..items {
            let mark = u64::from(round.is_damaged && number == items / 2);
            handles.push(T::spawn(async move { toil(number.into(), turns) ^ mark }));
        }
        let (mut sum, mut are_all_there) = (0u64, true);
        for handle in handles.drain(..) {
            match handle.await {
                Ok(value) => sum = sum.wrapping_add(value),
                Err(_) => are_all_there = false,
            }
        }
        rounds.end(are_all_there && sum == expected, u64::from(items));
    }
    control.user_done();
}
