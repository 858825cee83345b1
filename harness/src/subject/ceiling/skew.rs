//! `stealing`, mode `skew`, as if somebody had known: every thread has its share of the tasks from the start, and none waits for another.

use std::hint::black_box;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::recorder::Recorder;
use crate::measure::tally::Ledger;
use crate::subject::body::coordinate;
use crate::subject::body::drive;
use crate::subject::body::scheduling::record;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::{threads, worker_cpus};
use crate::workload::stealing::{StealingWorkload, toil};

/// Runs the trial: one user thread per CPU, each with every n-th task.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &StealingWorkload) -> Result<TrialRecord, Failure> {
    let cpus = worker_cpus(trial);
    let threads = cpus.len();
    let body = |worker: usize| {
        rounds(control, worker, threads, workload);
        Ok(())
    };
    let phases = threads::pinned(control, &cpus, "ceiling", body, || coordinate::lead(control, threads as u64, &[], trial, session))?;
    Ok(drive::assemble(control, &phases, trial, threads::report("static-split", trial)))
}

fn rounds(control: &Arc<Ledger>, worker: usize, threads: usize, workload: &StealingWorkload) {
    let mut recorder = Recorder::new(control);
    let mine = || (worker as u32..workload.items).step_by(threads);
    let sum = || mine().fold(0u64, |sum, number| sum.wrapping_add(toil(number.into(), workload.turns)));
    let expected = sum();
    for rounds in control.doubling(worker as u32) {
        (0..rounds).for_each(|_| {
            black_box(sum());
        });
    }
    control.user_ready();
    control.gate().wait_thread();
    while !control.is_draining() && mine().len() > 0 {
        let is_damaged = control.takes_corruption(worker as u32);
        record(&mut recorder, sum() ^ u64::from(is_damaged) == expected, mine().len() as u64);
    }
    control.user_done();
    recorder.finish();
}
