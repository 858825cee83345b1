//! `cancel`: tasks that are spawned, aborted in a state of their life, and joined as cancelled.
//!
//! A body never ends by itself. It ends as wrong when it is polled again and again after its abort, which shows a runtime that aborts nothing
//! where it can be shown at all: a task that sleeps for ever leaves its user waiting, and the trial without a round.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::lifecycle::Lifecycle;
use super::rounds::{Round, Rounds};
use super::stack::Fleet;
use super::tasks::unbound;
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{ExpectedSum, SchedulingWorkload, TaskState, task_value};

/// Polls of a body that may begin to look after its abort has returned: the one that was under way on another worker.
const LATE_MAX: u32 = 1;

/// Runs the trial on a fleet of workers. The record counts `begun_before_abort`: bodies that had been polled when their abort came, beside
/// `operations_ever`.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run<T: Lifecycle, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let (tasks, state) = (workload.tasks, workload.state.unwrap_or(TaskState::Queued));
    let begun = Arc::new(AtomicU64::new(0));
    let user = |number| {
        let (control, begun) = (Arc::clone(control), Arc::clone(&begun));
        unbound::<T>(async move {
            let mut aborter = Aborter::<T>::new(tasks, state);
            let mut rounds = Rounds::new(&control, number);
            while let Some(round) = rounds.next().await {
                let is_right = aborter.round(round, T::abort::<u64>).await;
                rounds.end(is_right, tasks.into());
            }
            begun.fetch_add(aborter.begun, Ordering::Relaxed);
            control.user_done();
        })
    };
    let mut record = users::run(fleet, control, trial, session, user)?;
    record.counters.insert("begun_before_abort".into(), begun.load(Ordering::Relaxed));
    Ok(record)
}

/// What the bodies of a round and the user that aborts them share.
#[derive(Debug, Default)]
struct Seen {
    /// Bodies that were polled.
    begun: AtomicU64,
    /// The values of the bodies that were dropped, added up.
    dropped: AtomicU64,
    /// Every abort of the round has returned.
    is_aborted: AtomicBool,
}

/// What a body holds; its end shows that the future is gone.
#[derive(Debug)]
struct Held {
    seen: Arc<Seen>,
    value: u64,
    late: u32,
}

impl Held {
    /// Whether this poll and one more began after the abort had returned.
    fn runs_on(&mut self) -> bool {
        // Relaxed: whoever sees it late is taken for the poll that was under way.
        self.late += u32::from(self.seen.is_aborted.load(Ordering::Relaxed));
        self.late > LATE_MAX
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Relaxed: read after the task was joined, which orders it.
        self.seen.dropped.fetch_add(self.value, Ordering::Relaxed);
    }
}

async fn body<T: Lifecycle>(mut held: Held, state: TaskState) -> u64 {
    held.seen.begun.fetch_add(1, Ordering::Relaxed);
    while !held.runs_on() {
        match state {
            TaskState::Running => T::yield_now().await,
            TaskState::Queued | TaskState::Waiting => asleep().await,
        }
    }
    held.value
}

/// Pending with its waker kept, as any future that waits for something keeps it; ready where somebody uses it.
async fn asleep() {
    let mut kept: Option<Waker> = None;
    std::future::poll_fn(|context| match kept {
        Some(_) => Poll::Ready(()),
        None => {
            kept = Some(context.waker().clone());
            Poll::Pending
        }
    })
    .await;
}

/// The user: one that spawns, aborts and joins.
struct Aborter<T: Lifecycle> {
    tasks: u32,
    state: TaskState,
    expected: ExpectedSum,
    handles: Vec<T::Join<u64>>,
    begun: u64,
}

impl<T: Lifecycle> Aborter<T> {
    fn new(tasks: u32, state: TaskState) -> Self {
        Self { tasks, state, expected: ExpectedSum::of(tasks), handles: Vec::with_capacity(tasks as usize), begun: 0 }
    }

    /// Whether all tasks of a round were cancelled and each of their futures dropped once.
    async fn round(&mut self, round: Round, abort: impl Fn(&T::Join<u64>)) -> bool {
        let seen = Arc::new(Seen::default());
        for number in 0..self.tasks {
            let damage = u64::from(round.is_damaged && number == self.tasks / 2);
            let value = task_value(u64::from(number), round.number) ^ damage;
            let held = Held { seen: Arc::clone(&seen), value, late: 0 };
            self.handles.push(T::spawn(body::<T>(held, self.state)));
        }
        // Relaxed: a body that was counted has begun, and that is all there is to know.
        while self.state != TaskState::Queued && seen.begun.load(Ordering::Relaxed) < u64::from(self.tasks) {
            T::yield_now().await;
        }
        self.handles.iter().for_each(abort);
        seen.is_aborted.store(true, Ordering::Relaxed);
        self.begun += seen.begun.load(Ordering::Relaxed);
        let mut are_cancelled = true;
        for handle in self.handles.drain(..) {
            are_cancelled &= handle.await.is_err_and(|lost| T::is_cancelled(&lost));
        }
        are_cancelled && seen.dropped.load(Ordering::Relaxed) == self.expected.in_round(round.number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::subject::tokio::stack::TokioStack;

    const ROUND: Round = Round { number: 7, times: 1, is_damaged: false };

    /// Ends tasks as `abort` does; `None`: a user that waits for ever.
    fn ends(state: TaskState, round: Round, abort: impl Fn(&tokio::task::JoinHandle<u64>)) -> Option<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let mut aborter = Aborter::<TokioStack>::new(40, state);
            tokio::time::timeout(Duration::from_millis(200), aborter.round(round, abort)).await.ok()
        })
    }

    #[test]
    fn a_round_is_right_when_every_task_was_cancelled() {
        for state in [TaskState::Queued, TaskState::Waiting, TaskState::Running] {
            assert_eq!(ends(state, ROUND, TokioStack::abort), Some(true), "{state:?}");
        }
    }

    #[test]
    fn a_runtime_that_aborts_nothing_never_has_a_right_round() {
        assert_eq!(ends(TaskState::Running, ROUND, |_| ()), Some(false), "they run on");
        for state in [TaskState::Queued, TaskState::Waiting] {
            assert_eq!(ends(state, ROUND, |_| ()), None, "they sleep on");
        }
    }

    #[test]
    fn one_task_that_is_left_out_is_seen() {
        let is_first = std::cell::Cell::new(true);
        let all_but_one = |task: &tokio::task::JoinHandle<u64>| {
            if !is_first.replace(false) {
                task.abort();
            }
        };
        assert_eq!(ends(TaskState::Running, ROUND, all_but_one), Some(false));
    }

    #[test]
    fn a_future_dropped_twice_or_not_at_all_does_not_add_up() {
        let damaged = Round { is_damaged: true, ..ROUND };
        assert_eq!(ends(TaskState::Waiting, damaged, TokioStack::abort), Some(false));
    }
}
