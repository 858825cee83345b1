//! Trials without a runtime: one pinned thread per CPU, for the ceiling and for libraries that are measured alone.

use std::ops::Range;
use std::sync::Arc;
use std::thread;

use serde_json::json;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::body::stack::FleetReport;
use super::body::users;
use super::body::{coordinate, drive};
use super::protocol::Trial;
use super::serve::Session;
use super::{not_pinned, worker_cpus};
use crate::load::closed::Control;
use crate::measure::cpu;
use crate::measure::doubling::Pieces;
use crate::measure::recorder::Recorder;
use crate::measure::tally::Ledger;

/// Runs a whole trial: the users are dealt out to the threads in consecutive ranges, and `body` runs one thread's range.
///
/// `body` says [`Control::user_ready`] for each of its users, waits at the gate, works until [`Control::is_draining`], says
/// [`Control::user_done`] for each, and hands over its recorder. A thread without users is no worker: it ends at once, and does not show in
/// the record.
///
/// # Errors
/// A [`Failure`] of the set-up or of a thread.
pub fn run(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    name: &str,
    report: FleetReport,
    body: impl Fn(Range<u32>) -> Result<(), Failure> + Sync,
) -> Result<TrialRecord, Failure> {
    let (users, cpus) = (users::count(trial), worker_cpus(trial));
    let body = |worker: usize| {
        let users = share(users, worker, cpus.len());
        if users.is_empty() { Ok(()) } else { body(users) }
    };
    let phases = pinned(control, &cpus, name, body, || coordinate::lead(control, u64::from(users), &[], trial, session))?;
    Ok(drive::assemble(control, &phases, trial, report))
}

/// What the record says of such a trial: no driver, and which hand-written loop or library it was.
pub fn report(variant: &str, trial: &Trial) -> FleetReport {
    let config = [("variant".to_owned(), json!(variant)), ("pinned_cpus".to_owned(), json!(worker_cpus(trial)))].into_iter().collect();
    FleetReport { driver: "none".into(), config, ..FleetReport::default() }
}

/// One thread whose users work in rounds, in turn, until the drain. The first user of all does the pieces of the doubling before it is ready.
pub fn rounds<U>(
    control: &Arc<Ledger>,
    users: Range<u32>,
    start: impl Fn(u32) -> U,
    double: impl Fn(&mut U, Pieces<'_>),
    mut round: impl FnMut(&mut U, &mut Recorder),
    end: impl Fn(U, &mut Recorder),
) {
    let mut recorder = Recorder::new(control);
    let ready = |number| {
        let mut user = start(number);
        double(&mut user, control.doubling(number));
        control.user_ready();
        user
    };
    let mut users: Vec<U> = users.map(ready).collect();
    control.gate().wait_thread();
    while !control.is_draining() {
        users.iter_mut().for_each(|user| round(user, &mut recorder));
    }
    for user in users {
        end(user, &mut recorder);
        control.user_done();
    }
    recorder.finish();
}

/// The users of one thread of so many.
fn share(users: u32, worker: usize, workers: usize) -> Range<u32> {
    let edge = |worker: usize| (u64::from(users) * worker as u64 / workers.max(1) as u64) as u32;
    edge(worker)..edge(worker + 1)
}

/// Runs `body` on a pinned thread per CPU and `coordinate` here; a failure of any thread ends all.
///
/// # Errors
/// What `coordinate` returned, or the first failure of a thread.
pub fn pinned<T>(
    control: &Control,
    cpus: &[u32],
    name: &str,
    body: impl Fn(usize) -> Result<(), Failure> + Sync,
    coordinate: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let body = |worker: usize| {
        let cpu = cpus[worker];
        cpu::pin_thread(cpu).map_err(|error| not_pinned(cpu, &error))?;
        body(worker)
    };
    beside(control, cpus.len(), name, body, coordinate)
}

/// As [`pinned`], on so many threads that run where this one may.
///
/// # Errors
/// As [`pinned`].
pub fn beside<T>(
    control: &Control,
    threads: usize,
    name: &str,
    body: impl Fn(usize) -> Result<(), Failure> + Sync,
    coordinate: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let body = &body;
    let outcome = thread::scope(|scope| {
        for number in 0..threads {
            let run = move || {
                if let Err(failure) = body(number) {
                    control.fail(failure);
                }
            };
            let started = thread::Builder::new().name(format!("{name}-{number}")).spawn_scoped(scope, run);
            if let Err(error) = started {
                control.fail(Failure { class: "threads".into(), message: format!("cannot start a thread: {error}") });
            }
        }
        let outcome = coordinate();
        // Lets every thread go that still waits or runs.
        control.stop();
        control.gate().open();
        outcome
    });
    control.check()?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn every_user_has_one_thread() {
        for (users, workers) in [(0, 1), (1, 2), (5, 2), (64, 3), (7, 7), (3, 8)] {
            let shares: Vec<_> = (0..workers).map(|worker| share(users, worker, workers)).collect();
            assert_eq!(shares.iter().cloned().flatten().collect::<Vec<u32>>(), (0..users).collect::<Vec<u32>>());
        }
    }
}
