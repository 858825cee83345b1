//! The users of `scheduling`: tasks that spawn and join, yield, start a chain, or meet others, in rounds of fixed size.
//!
//! A round is written down when its witness holds, with the operations the scenario gives it; a round whose sum or count is wrong is an
//! error of class `mismatch` and adds nothing to the rate.

use std::hint::black_box;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::cell::HandOverCell;
use super::lifecycle::Lifecycle;
use super::rounds::Rounds;
use super::stack::Stack;
use super::tasks::{Outside, Tasks, unbound};
use super::{cancel, fan_in, idle_tasks, mutex, outside, pacer, ping_pong, timers, users};
use crate::measure::recorder::{ErrorClass, Recorder};
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{ExpectedSum, SchedulingMode, SchedulingWorkload, task_value};

/// Writes down a round that has ended.
#[inline]
pub fn record(recorder: &mut Recorder, is_right: bool, operations: u64) {
    if is_right {
        recorder.round(operations, 0);
    } else {
        recorder.failure(ErrorClass::Mismatch, None);
    }
}

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<T: Stack + Lifecycle, F: Outside<T>>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let (shared, tasks, repeat) = (|| Arc::clone(control), workload.tasks, workload.repeat);
    match workload.mode {
        SchedulingMode::SpawnOutside => outside::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::SpawnInside => {
            pacer::start::<T, F>(&fleet, control, trial);
            users::run(fleet, control, trial, session, |number| unbound::<T>(spawner::<T>(shared(), number, tasks)))
        }
        SchedulingMode::Yield => users::run(fleet, control, trial, session, |number| {
            let control = shared();
            unbound::<T>(async move {
                yielder(Rounds::long(&control, number), repeat, T::yield_now).await;
                control.user_done();
            })
        }),
        SchedulingMode::PingPong => ping_pong::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::MpscFanIn => fan_in::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::MutexContended => mutex::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::Timers => timers::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::Cancel => cancel::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::IdleTasks => idle_tasks::run::<T, F>(fleet, control, trial, workload, session),
        SchedulingMode::Chain => users::run(fleet, control, trial, session, |number| unbound::<T>(chainer::<T>(shared(), number, tasks))),
    }
}

/// The task of a round: its value follows from its number, the round, and whether a test asked for damage.
#[inline]
pub fn task(number: u32, round: u64, is_damaged: bool) -> impl Future<Output = u64> + Send + Unpin + 'static {
    // Three words, as a small real task has; built by hand so that no subject gets a smaller one.
    std::future::poll_fn(move |_| Poll::Ready(black_box(task_value(u64::from(number), round) ^ u64::from(is_damaged))))
}

async fn spawner<T: Tasks>(control: Arc<Ledger>, user: u32, tasks: u32) {
    let expected = ExpectedSum::of(tasks);
    let mut handles = Vec::with_capacity(tasks as usize);
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        for number in 0..tasks {
            handles.push(T::spawn(task(number, round.number, round.is_damaged && number == tasks / 2)));
        }
        let (mut sum, mut are_all_there) = (0u64, true);
        for handle in handles.drain(..) {
            match handle.await {
                Ok(value) => sum = sum.wrapping_add(value),
                Err(_) => are_all_there = false,
            }
        }
        rounds.end(are_all_there && sum == expected.in_round(round.number), u64::from(tasks));
    }
    control.user_done();
}

/// Rounds of `repeat` yields until the last; `yield_now` makes the future of one. The polls of a round are counted where they arrive.
pub async fn yielder<Y: Future<Output = ()>>(mut rounds: Rounds<'_>, repeat: u32, yield_now: impl Fn() -> Y) {
    while let Some(round) = rounds.next().await {
        // A test's damage: one yield is left out.
        let yields = repeat.saturating_mul(round.times) - u32::from(round.is_damaged);
        let mut polls = 0u64;
        {
            let mut round = pin!(async {
                for _ in 0..yields {
                    yield_now().await;
                }
            });
            std::future::poll_fn(|context| {
                polls = black_box(polls + 1);
                round.as_mut().poll(context)
            })
            .await;
        }
        rounds.end(polls == u64::from(repeat) + 1, u64::from(repeat));
    }
}

async fn chainer<T: Tasks>(control: Arc<Ledger>, user: u32, tasks: u32) {
    let expected = ExpectedSum::of(tasks);
    let end = Arc::new(HandOverCell::default());
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        let (sum, end_of_chain) = (u64::from(round.is_damaged), Arc::clone(&end));
        drop(T::spawn(Link::<T> { number: 0, tasks, round: round.number, sum, end: end_of_chain, runtime: PhantomData }));
        rounds.end(end.take().await == expected.in_round(round.number), u64::from(tasks));
    }
    control.user_done();
}

/// One task of a chain; an `async fn` cannot spawn itself.
struct Link<T> {
    number: u32,
    tasks: u32,
    round: u64,
    sum: u64,
    end: Arc<HandOverCell>,
    runtime: PhantomData<fn() -> T>,
}

impl<T: Tasks> Future for Link<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let Self { number, tasks, round, end, .. } = &*self;
        let sum = black_box(self.sum.wrapping_add(task_value(u64::from(*number), *round)));
        if number + 1 == *tasks {
            end.put(sum);
        } else {
            let (number, tasks, round) = (number + 1, *tasks, *round);
            drop(T::spawn(Self { number, tasks, round, sum, end: Arc::clone(end), runtime: PhantomData }));
        }
        Poll::Ready(())
    }
}
