//! `mpsc-fan-in` and `mutex-contended` without a runtime: all tasks of a group on one thread, in turn.
//!
//! Nothing is woken and nobody waits, since each one's turn comes when there is room, or when the mutex is free. What is left is the data
//! structure and the order: as fair as can be.

use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::tasks::{in_rounds, on_thread};
use crate::measure::tally::Ledger;
use crate::subject::body::fan_in::{between, channel_of, mismatch};
use crate::subject::body::shares::{Shares, WindowEdges};
use crate::subject::body::tasks::Guarded;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::threads;
use crate::workload::scheduling::{Audit, FanIn, SchedulingWorkload, Sent, message};

/// Runs a trial of `mpsc-fan-in`.
///
/// # Errors
/// A [`Failure`] of the set-up; class `mismatch`: what was received is not what was sent.
pub(super) fn fan_in(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &SchedulingWorkload,
) -> Result<TrialRecord, Failure> {
    let (fan_in, repeat) = (channel_of(workload)?, workload.repeat);
    run(trial, session, control, "round-robin", |users, shares| round_robin(control, users, fan_in, repeat, shares))
}

/// Runs a trial of `mutex-contended`.
///
/// # Errors
/// A [`Failure`] of the set-up; class `mismatch`: the mutex guards other counts than were made.
pub(super) fn mutex(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &SchedulingWorkload,
) -> Result<TrialRecord, Failure> {
    let (tasks, repeat) = (workload.tasks, workload.repeat);
    run(trial, session, control, "cas-in-turn", |users, shares| cas_in_turn(control, users, tasks, repeat, shares))
}

fn run(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    variant: &str,
    body: impl Fn(Range<u32>, &Shares) -> Result<(), String> + Sync,
) -> Result<TrialRecord, Failure> {
    let shares = Shares::default();
    let mut record = threads::run(trial, session, control, "ceiling", threads::report(variant, trial), |users| {
        let mut outcome = Ok(());
        on_thread(control, users.clone(), || outcome = body(users.clone(), &shares));
        outcome.map_err(mismatch)
    })?;
    shares.write(&mut record.counters);
    Ok(record)
}

/// The producers put a message each into the ring until it is full, then the consumer takes all of them out.
fn round_robin(control: &Arc<Ledger>, users: Range<u32>, fan_in: FanIn, repeat: u32, shares: &Shares) -> Result<(), String> {
    let mut ring = VecDeque::with_capacity(fan_in.capacity as usize);
    let mut sent = vec![Sent::default(); fan_in.producers as usize];
    let (mut turn, mut audit) = (0, Audit::new(fan_in.producers));
    let mut edges = WindowEdges::default();
    in_rounds(control, users, repeat, |_, is_damaged| {
        let (mut left, mut is_right) = (repeat, true);
        while left > 0 {
            let handful = left.min(fan_in.capacity);
            for _ in 0..handful {
                let message = message(turn as u32, sent[turn].count);
                sent[turn].add(message);
                black_box(&mut ring).push_back(message);
                turn = if turn + 1 == sent.len() { 0 } else { turn + 1 };
            }
            if is_damaged && left == repeat {
                // A test's damage: a message is lost.
                ring.pop_front();
            }
            while let Some(message) = black_box(&mut ring).pop_front() {
                is_right &= audit.take(message);
            }
            left -= handful;
        }
        edges.look(control, || audit.of_each().to_vec());
        is_right
    });
    edges.look(control, || audit.of_each().to_vec());
    shares.add(&between(edges.edges()));
    audit.difference(&sent).map_or(Ok(()), Err)
}

/// Each task in turn takes the lock, counts, and gives it back.
fn cas_in_turn(control: &Arc<Ledger>, users: Range<u32>, tasks: u32, repeat: u32, shares: &Shares) -> Result<(), String> {
    let is_held = AtomicBool::new(false);
    let (mut guarded, mut told) = (Guarded::new(tasks), Guarded::new(tasks));
    let (mut turn, mut edges) = (0, WindowEdges::default());
    in_rounds(control, users, repeat, |_, is_damaged| {
        let mut is_right = true;
        for _ in 0..repeat {
            // Acquire and Release pair with each other, as they would between threads.
            let is_mine = black_box(&is_held).compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok();
            let guarded = black_box(&mut guarded);
            is_right &= is_mine && guarded.of_task[turn] == told.of_task[turn];
            guarded.count += 1;
            guarded.of_task[turn] += 1;
            is_held.store(false, Ordering::Release);
            told.of_task[turn] += 1;
            turn = if turn + 1 == told.of_task.len() { 0 } else { turn + 1 };
        }
        // A test's damage: one of the counts is left out.
        guarded.of_task[turn] -= u64::from(is_damaged);
        edges.look(control, || guarded.of_task.clone());
        is_right
    });
    edges.look(control, || guarded.of_task.clone());
    shares.add(&between(edges.edges()));
    told.count = told.of_task.iter().sum();
    if guarded == told { Ok(()) } else { Err(format!("the mutex guards {guarded:?}, the tasks say {told:?}")) }
}
