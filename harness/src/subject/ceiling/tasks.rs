//! `scheduling` and `polling` without a runtime; [`super`] has the table of variants.

use std::cell::Cell;
use std::hint::black_box;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::executor::{Executor, run_in_turn};
use super::meeting;
use super::ping_pong::{pairs, two_slots};
use crate::measure::recorder::{self, Recorder};
use crate::measure::tally::Ledger;
use crate::subject::body::rounds::Rounds;
use crate::subject::body::scheduling::{record, task, yielder};
use crate::subject::body::{drive, polling};
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::threads;
use crate::workload::polling::PollingWorkload;
use crate::workload::scheduling::{ExpectedSum, HandOver, SchedulingMode, SchedulingWorkload, task_value};

/// The rounds of a thread's users, of so many operations each.
type Loop = fn(&Arc<Ledger>, Range<u32>, u32);

/// Runs a trial of `scheduling`.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run_scheduling(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &SchedulingWorkload,
) -> Result<TrialRecord, Failure> {
    let (tasks, repeat) = (workload.tasks, workload.repeat);
    let (variant, body, operations): (&str, Loop, u32) = match workload.mode {
        SchedulingMode::SpawnInside => ("local-executor", spawn, tasks),
        SchedulingMode::Chain => ("local-executor", chain, tasks),
        SchedulingMode::Yield => ("in-turn", yields, repeat),
        SchedulingMode::PingPong if workload.hand_over == Some(HandOver::Oneshot) => ("local-executor", pairs, repeat),
        SchedulingMode::PingPong => ("two-slots", two_slots, repeat),
        SchedulingMode::MpscFanIn => return meeting::fan_in(trial, session, control, workload),
        SchedulingMode::MutexContended => return meeting::mutex(trial, session, control, workload),
        SchedulingMode::SpawnOutside => {
            return Err(drive::unsupported("the ceiling has one kind of thread: nothing is outside it; leave it out of `subjects`"));
        }
        SchedulingMode::Timers => return Err(drive::unsupported("the ceiling has no timers: a wheel by hand would be one more runtime's")),
        SchedulingMode::Cancel => {
            return Err(drive::unsupported("the ceiling has nobody who could abort a task: it is one loop; leave it out of `subjects`"));
        }
        SchedulingMode::IdleTasks => {
            return Err(drive::unsupported("an idle task of the ceiling is its future and nothing else; leave it out of `subjects`"));
        }
    };
    threads::run(trial, session, control, "ceiling", threads::report(variant, trial), |users| {
        on_thread(control, users.clone(), || body(control, users.clone(), operations));
        Ok(())
    })
}

/// Runs a trial of `polling`.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run_polling(
    trial: &Trial,
    session: &Session,
    control: &Arc<Ledger>,
    workload: &PollingWorkload,
) -> Result<TrialRecord, Failure> {
    let mut record = threads::run(trial, session, control, "ceiling", threads::report("bare-loop", trial), |users| {
        on_thread(control, users.clone(), || {
            in_turn(control, users.clone(), |control, number, kind| {
                let (control, workload) = (Arc::clone(control), workload.clone());
                Box::pin(async move { polling::rounds(kind(&control, number), &workload).await })
            });
        });
        Ok(())
    })?;
    record.counters.insert("future_bytes".into(), polling::future_bytes(workload));
    Ok(record)
}

/// What every thread does around its work; one without users is no worker, and does not show in the record.
pub(super) fn on_thread(control: &Arc<Ledger>, users: Range<u32>, work: impl FnOnce()) {
    if users.is_empty() {
        return;
    }
    recorder::install(control);
    work();
    users.for_each(|_| control.user_done());
    recorder::finish_thread();
}

/// All users of a thread are ready, and wait for the start.
fn enter(control: &Ledger, users: Range<u32>) {
    users.for_each(|_| control.user_ready());
    control.gate().wait_thread();
}

/// Which rounds a user shall do.
type Kind = for<'a> fn(&'a Arc<Ledger>, u32) -> Rounds<'a>;

/// Polls the users of a thread in turn: the first one for its doubling, then all of them for the trial.
fn in_turn(control: &Arc<Ledger>, users: Range<u32>, user: impl Fn(&Arc<Ledger>, u32, Kind) -> Pin<Box<dyn Future<Output = ()>>>) {
    run_in_turn(users.clone().take(1).map(|number| user(control, number, |control, number| Rounds::doubling(control, number))).collect());
    enter(control, users.clone());
    run_in_turn(users.map(|number| user(control, number, |control, number| Rounds::trial(control, number))).collect());
}

/// Lets `round` do a round of each user in turn until the drain; it says whether its witness holds.
pub(super) fn in_rounds(control: &Arc<Ledger>, users: Range<u32>, operations: u32, mut round: impl FnMut(u64, bool) -> bool) {
    let mut number = 0;
    for rounds in control.doubling(users.start) {
        for _ in 0..rounds {
            black_box(round(number, false));
            number += 1;
        }
    }
    enter(control, users.clone());
    while !control.is_draining() {
        for user in users.clone() {
            let is_right = round(number, control.takes_corruption(user));
            recorder::with(control, |recorder: &mut Recorder| record(recorder, is_right, operations.into()));
        }
        number += 1;
    }
}

fn spawn(control: &Arc<Ledger>, users: Range<u32>, tasks: u32) {
    let expected = ExpectedSum::of(tasks);
    let executor = Executor::new();
    let mut handles = Vec::with_capacity(tasks as usize);
    in_rounds(control, users, tasks, |round, is_damaged| {
        for number in 0..tasks {
            handles.push(executor.spawn(task(number, round, is_damaged && number == tasks / 2)));
        }
        executor.run();
        let mut sum = Some(0u64);
        for handle in handles.drain(..) {
            sum = sum.zip(executor.join(handle)).map(|(sum, value)| sum.wrapping_add(value));
        }
        sum == Some(expected.in_round(round))
    });
}

/// One task of a chain.
struct Link {
    executor: Rc<Executor<Link>>,
    number: u32,
    tasks: u32,
    round: u64,
    sum: u64,
    end: Rc<Cell<Option<u64>>>,
}

impl Future for Link {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        let Self { executor, number, tasks, round, end, .. } = &*self;
        let sum = black_box(self.sum.wrapping_add(task_value(u64::from(*number), *round)));
        if number + 1 == *tasks {
            end.set(Some(sum));
        } else {
            let (number, tasks, round) = (number + 1, *tasks, *round);
            let next = Self { executor: Rc::clone(executor), number, tasks, round, sum, end: Rc::clone(end) };
            executor.detach(next);
        }
        Poll::Ready(sum)
    }
}

fn chain(control: &Arc<Ledger>, users: Range<u32>, tasks: u32) {
    let expected = ExpectedSum::of(tasks);
    let (executor, end) = (Rc::new(Executor::new()), Rc::new(Cell::new(None)));
    in_rounds(control, users, tasks, |round, is_damaged| {
        let sum = u64::from(is_damaged);
        executor.detach(Link { executor: Rc::clone(&executor), number: 0, tasks, round, sum, end: Rc::clone(&end) });
        executor.run();
        end.take() == Some(expected.in_round(round))
    });
}

/// Pending once, without asking to be woken: whoever polls in turn comes back by itself.
pub(super) async fn suspend() {
    let mut is_back = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut is_back, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

fn yields(control: &Arc<Ledger>, users: Range<u32>, repeat: u32) {
    in_turn(control, users, |control, number, kind| {
        let control = Arc::clone(control);
        Box::pin(async move { yielder(kind(&control, number), repeat, suspend).await })
    });
}
