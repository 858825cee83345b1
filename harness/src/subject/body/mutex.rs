//! `mutex-contended`: tasks of one runtime acquire one mutex, count up what it guards, and release it, again and again.
//!
//! The user of the trial is the group: its leader makes the mutex, shows alone that twice the work takes twice as long, and then starts
//! the tasks. What is guarded is read before the critical section and written after it, so a mutex that let two tasks in would lose counts.

use std::hint::black_box;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::fan_in::mismatch;
use super::scheduling::record;
use super::shares::{Shares, WindowEdges};
use super::stack::Fleet;
use super::tasks::{Guarded, Tasks, unbound};
use super::users;
use crate::measure::recorder;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{Hold, SchedulingWorkload};

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up; class `mismatch`: the mutex guards other counts than the tasks say.
pub fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let shares = Arc::new(Shares::default());
    let (tasks, repeat) = (workload.tasks, workload.repeat);
    let hold = workload.hold.unwrap_or(Hold::Yield);
    let mut record = users::run(fleet, control, trial, session, |user| {
        let (control, shares) = (Arc::clone(control), Arc::clone(&shares));
        unbound::<T>(async move {
            let contender = Contender { number: 0, acquired: 0, user, repeat, hold };
            if let Err(problem) = group::<T>(&control, contender, tasks, &shares).await {
                control.fail(mismatch(problem));
            }
            control.user_done();
        })
    })?;
    shares.write(&mut record.counters);
    Ok(record)
}

/// One of the tasks.
#[derive(Clone, Copy, Debug)]
struct Contender {
    number: usize,
    /// Acquires so far.
    acquired: u64,
    user: u32,
    repeat: u32,
    hold: Hold,
}

async fn group<T: Tasks>(control: &Arc<Ledger>, mut first: Contender, tasks: u32, shares: &Shares) -> Result<(), String> {
    let mutex = Arc::new(T::mutex(Guarded::new(tasks)));
    for rounds in control.doubling(first.user) {
        for _ in 0..rounds {
            black_box(first.round::<T>(&mutex, false).await);
        }
    }
    control.user_ready();
    control.gate().wait().await;
    let others = (1..tasks as usize).map(|number| Contender { number, acquired: 0, ..first });
    let contenders: Vec<_> =
        [first].into_iter().chain(others).map(|one| T::spawn(one.work::<T>(Arc::clone(control), Arc::clone(&mutex)))).collect();
    let (mut of_task, mut in_window) = (Vec::new(), Vec::new());
    for contender in contenders {
        let (acquired, shared) = contender.await.map_err(|_| "a task was lost")?;
        of_task.push(acquired);
        in_window.push(shared);
    }
    shares.add(&in_window);
    let told = Guarded { count: of_task.iter().sum(), of_task };
    let held = T::lock(&mutex).await;
    if *held == told { Ok(()) } else { Err(format!("the mutex guards {:?}, the tasks say {told:?}", *held)) }
}

impl Contender {
    /// Rounds until the drain; the acquires of the whole trial, and those of the window.
    async fn work<T: Tasks>(mut self, control: Arc<Ledger>, mutex: Arc<T::Mutex>) -> (u64, u64) {
        let mut edges = WindowEdges::default();
        while !control.is_draining() {
            let is_damaged = self.number == 0 && control.takes_corruption(self.user);
            let is_right = self.round::<T>(&mutex, is_damaged).await;
            edges.look(&control, || self.acquired);
            recorder::with(&control, |recorder| record(recorder, is_right, self.repeat.into()));
        }
        edges.look(&control, || self.acquired);
        (self.acquired, edges.edges().map_or(0, |(begin, end)| end - begin))
    }

    async fn round<T: Tasks>(&mut self, mutex: &T::Mutex, is_damaged: bool) -> bool {
        let mut is_right = true;
        for _ in 0..self.repeat {
            let mut held = T::lock(mutex).await;
            let (count, of_task) = (held.count, held.of_task[self.number]);
            if self.hold == Hold::Yield {
                T::yield_now().await;
            }
            held.count = black_box(count) + 1;
            held.of_task[self.number] = black_box(of_task) + 1;
            drop(held);
            is_right &= of_task == self.acquired;
            self.acquired += 1;
        }
        if is_damaged {
            // A test's damage: one of the counts is left out.
            T::lock(mutex).await.of_task[self.number] -= 1;
        }
        if self.hold == Hold::Nothing {
            T::yield_now().await;
        }
        is_right
    }
}
