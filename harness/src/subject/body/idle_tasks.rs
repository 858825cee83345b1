//! `idle-tasks`: what a task that waits takes in memory, and the proof that it is there.
//!
//! ```text
//!  1,000 tasks ─▶ private memory ─▶ `tasks` more, polled once each ─▶ private memory ─▶ rounds: some are woken and answer ─▶ all answer
//! ```
//! A task is one future of [`IDLE_STATE_BYTES`], the same for every subject; nobody keeps its handle. It waits with its waker in a cell of
//! the user, which was touched before. What the first tasks cost (arenas, queues, chunks) is touched by them and stays.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use zokio_report::judge::IDLE_STATE_BYTES;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::cell::HandOverCell;
use super::lifecycle::Lifecycle;
use super::rounds::Rounds;
use super::stack::Fleet;
use super::tasks::unbound;
use super::{drive, users};
use crate::measure::private_memory::private_bytes;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{ExpectedSum, SchedulingWorkload, answer, question, task_value};

/// Tasks that are there before the memory is read, and those spawned between two looks for their first polls: no queue holds more.
const BATCH: u32 = 1_000;
/// The last value to a task: no question is as large.
const GOODBYE: u64 = u64::MAX;

/// Runs the trial on a fleet of workers. The record counts `idle_tasks` and `idle_bytes`.
///
/// # Errors
/// A [`Failure`] of the set-up, class `unsupported` where the system does not tell private memory; class `lost-task` where a task does not answer at
/// the end.
pub(super) fn run<T: Lifecycle, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    if users::count(trial) != 1 {
        return Err(drive::unsupported("idle-tasks has one user: the memory of a process is read once"));
    }
    let (tasks, repeat) = (workload.tasks, workload.repeat);
    let grown = Arc::new(AtomicU64::new(0));
    let user = |number| {
        let (control, grown) = (Arc::clone(control), Arc::clone(&grown));
        unbound::<T>(async move {
            let park = Arc::new(Park::of(BATCH + tasks));
            match populate::<T>(&park, tasks).await {
                Some(bytes) => grown.store(bytes, Ordering::Relaxed),
                None => control.fail(drive::unsupported("this system does not tell the private memory of a process")),
            }
            waker(&park, &control, number, repeat).await;
            control.user_done();
        })
    };
    let mut record = users::run(fleet, control, trial, session, user)?;
    if record.work.in_flight_at_end > 0 {
        return Err(Failure { class: "lost-task".into(), message: "an idle task did not answer at the end".into() });
    }
    record.counters.insert("idle_tasks".into(), tasks.into());
    record.counters.insert("idle_bytes".into(), grown.load(Ordering::Relaxed));
    Ok(record)
}

/// Spawns the tasks; the bytes by which the process grew for those after the first batch.
async fn populate<T: Lifecycle>(park: &Arc<Park>, tasks: u32) -> Option<u64> {
    spawn::<T>(park, 0, BATCH).await;
    let before = private_bytes()?;
    let mut first = BATCH;
    while first < BATCH + tasks {
        let count = BATCH.min(BATCH + tasks - first);
        spawn::<T>(park, first, count).await;
        first += count;
    }
    Some(private_bytes()?.saturating_sub(before))
}

/// Spawns so many tasks and waits until each has been polled.
async fn spawn<T: Lifecycle>(park: &Arc<Park>, first: u32, count: u32) {
    for number in first..first + count {
        drop(T::spawn(Idle { park: Arc::clone(park), number, has_begun: false, state: state(number) }));
    }
    // Relaxed: a task that was counted has begun; its waker is taken from behind a lock.
    while park.begun.load(Ordering::Relaxed) < u64::from(first + count) {
        T::yield_now().await;
    }
}

async fn waker(park: &Arc<Park>, control: &Arc<Ledger>, user: u32, repeat: u32) {
    let expected = ExpectedSum::of(repeat);
    let mut rounds = Rounds::new(control, user);
    let (all, mut next) = (park.cells.len(), 0);
    while let Some(round) = rounds.next().await {
        let sum = park.ask(repeat, |number| {
            next = (next + 1) % all;
            // A test's damage: one question is another.
            (next, question(number, round.number) ^ u64::from(round.is_damaged && number == 0))
        });
        rounds.end(sum.await == expected.of_answers(round.number), repeat.into());
    }
    // Every one of them, those of the first batch too: none was lost, and each has kept its state.
    let sum = park.ask(all as u32, |number| (number as usize, GOODBYE)).await;
    if sum != all as u64 {
        control.fail(Failure { class: "lost-task".into(), message: format!("{sum} of {all} idle tasks have kept their state") });
    }
}

/// Where the tasks wait, and what they tell.
#[derive(Debug)]
struct Park {
    cells: Box<[HandOverCell]>,
    begun: AtomicU64,
    sum: AtomicU64,
    left: AtomicU32,
    answered: HandOverCell,
}

impl Park {
    fn of(tasks: u32) -> Self {
        // Written one by one, in one block: no memory is given back that a task could get instead of new one.
        let cells = (0..tasks).map(|_| HandOverCell::default()).collect();
        Self { cells, begun: AtomicU64::new(0), sum: AtomicU64::new(0), left: AtomicU32::new(0), answered: HandOverCell::default() }
    }

    /// Asks `count` different tasks at once; the sum of their answers.
    async fn ask(&self, count: u32, mut ask: impl FnMut(u32) -> (usize, u64)) -> u64 {
        // Relaxed: the tasks see both behind the lock of the cell that wakes them.
        self.sum.store(0, Ordering::Relaxed);
        self.left.store(count, Ordering::Relaxed);
        for number in 0..count {
            let (cell, question) = ask(number);
            self.cells[cell].put(question);
        }
        self.answered.take().await
    }

    fn tell(&self, answer: u64) {
        self.sum.fetch_add(answer, Ordering::Relaxed);
        // AcqRel: the last one has seen what all others added before they counted down.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.answered.put(self.sum.load(Ordering::Relaxed));
        }
    }
}

/// What a task of this number keeps while it waits.
fn state(number: u32) -> [u64; 6] {
    std::array::from_fn(|word| task_value(number.into(), word as u64))
}

/// A task that waits: 64 bytes, of which 48 are its own affair.
#[derive(Debug)]
struct Idle {
    park: Arc<Park>,
    number: u32,
    has_begun: bool,
    state: [u64; 6],
}

const _: () = assert!(size_of::<Idle>() as u64 == IDLE_STATE_BYTES);

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            let asked = pin!(this.park.cells[this.number as usize].take()).poll(context);
            if asked.is_pending() && !this.has_begun {
                this.has_begun = true;
                this.park.begun.fetch_add(1, Ordering::Relaxed);
            }
            let asked = ready!(asked);
            let is_whole = this.state == state(this.number);
            if asked == GOODBYE {
                this.park.tell(is_whole.into());
                return Poll::Ready(());
            }
            this.park.tell(answer(asked).wrapping_add(u64::from(!is_whole)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::body::tasks::Tasks as _;
    use crate::subject::tokio::stack::TokioStack;

    fn inside<O>(body: impl Future<Output = O>) -> O {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(body)
    }

    #[test]
    fn those_asked_answer_and_the_others_stay_idle() {
        inside(async {
            let park = Arc::new(Park::of(40));
            spawn::<TokioStack>(&park, 0, 40).await;
            assert!(park.cells.iter().all(HandOverCell::is_waited_for));
            let sum = park.ask(7, |number| (number as usize * 3, question(number, 5))).await;
            assert_eq!(sum, ExpectedSum::of(7).of_answers(5));
            assert_eq!(park.ask(40, |number| (number as usize, GOODBYE)).await, 40);
        });
    }

    #[test]
    fn a_task_whose_memory_was_overwritten_does_not_answer_right() {
        inside(async {
            let park = Arc::new(Park::of(2));
            let mut broken = Idle { park: Arc::clone(&park), number: 1, has_begun: false, state: state(1) };
            broken.state[3] ^= 1;
            spawn::<TokioStack>(&park, 0, 1).await;
            drop(TokioStack::spawn(broken));
            assert_ne!(park.ask(2, |number| (number as usize, question(number, 5))).await, ExpectedSum::of(2).of_answers(5));
            assert_eq!(park.ask(2, |number| (number as usize, GOODBYE)).await, 1);
        });
    }
}
