//! The users of `polling`: tasks that poll futures in place, or let the runtime poll them, and count each poll where it arrives.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::rounds::Rounds;
use super::stack::Fleet;
use super::tasks::{Tasks, unbound};
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::polling::{PollingMode, PollingWorkload};
use crate::workload::scheduling::{ExpectedSum, task_value};

/// What a future gives: its value, and how often it was polled by its own count.
type Polled = (u64, u64);

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &PollingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let mut record = users::run(fleet, control, trial, session, |user| {
        let (control, workload) = (Arc::clone(control), workload.clone());
        unbound::<T>(async move {
            rounds(Rounds::long(&control, user), &workload).await;
            control.user_done();
        })
    })?;
    record.counters.insert("future_bytes".into(), future_bytes(workload));
    Ok(record)
}

/// Bytes of one future of this mode; of a boxed one what lies on the heap.
pub fn future_bytes(workload: &PollingWorkload) -> u64 {
    let bytes = match workload.mode {
        PollingMode::Ready => size_of::<ReadyNow>(),
        PollingMode::AsyncFn => size_of_val(&compiled(0, workload.suspensions)),
        PollingMode::StateMachine | PollingMode::Boxed => size_of::<Machine<false>>(),
        PollingMode::Wake => size_of::<Machine<true>>(),
    };
    bytes as u64
}

/// Rounds of polls until the last.
pub async fn rounds(mut rounds: Rounds<'_>, workload: &PollingWorkload) {
    let expected = ExpectedSum::of(workload.futures);
    while let Some(round) = rounds.next().await {
        let (mut sum, mut polls) = (0u64, 0u64);
        // A future that is ready at once cannot be polled less: there the damage is a future less.
        for number in u32::from(round.is_damaged)..workload.futures.saturating_mul(round.times) {
            let (value, own_count) = one(number, workload).await;
            sum = sum.wrapping_add(value);
            polls += own_count;
        }
        let is_right = sum == expected.in_round(0) && polls == workload.polls_per_round();
        rounds.end(is_right, workload.polls_per_round());
    }
}

#[inline]
async fn one(number: u32, workload: &PollingWorkload) -> Polled {
    let suspensions = workload.suspensions;
    match workload.mode {
        PollingMode::Ready => black_box(ReadyNow { number }).await,
        PollingMode::AsyncFn => in_place(pin!(compiled(number, suspensions))),
        PollingMode::StateMachine => in_place(pin!(Machine::<false>::new(number, suspensions))),
        PollingMode::Boxed => {
            let mut boxed: Pin<Box<dyn Future<Output = Polled> + Send>> = black_box(Box::pin(Machine::<false>::new(number, suspensions)));
            in_place(boxed.as_mut())
        }
        PollingMode::Wake => Machine::<true>::new(number, suspensions).await,
    }
}

/// Polls to the end without going back to the runtime; nothing here is ever waited for.
#[inline]
fn in_place<F: Future<Output = Polled> + ?Sized>(mut future: Pin<&mut F>) -> Polled {
    let mut context = Context::from_waker(std::task::Waker::noop());
    loop {
        if let Poll::Ready(polled) = black_box(&mut future).as_mut().poll(&mut context) {
            return polled;
        }
    }
}

/// Ready at its first poll.
struct ReadyNow {
    number: u32,
}

impl Future for ReadyNow {
    type Output = Polled;

    #[inline]
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Polled> {
        Poll::Ready((task_value(black_box(self.number).into(), 0), 1))
    }
}

/// The same steps as [`Machine`], as the compiler builds them.
async fn compiled(number: u32, suspensions: u32) -> Polled {
    let mut polls = 1;
    for _ in 0..suspensions {
        PendingOnce { is_done: false }.await;
        polls = black_box(polls + 1);
    }
    (task_value(number.into(), 0), polls)
}

struct PendingOnce {
    is_done: bool,
}

impl Future for PendingOnce {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.is_done {
            return Poll::Ready(());
        }
        self.is_done = true;
        Poll::Pending
    }
}

/// Pending so many times, then ready, by hand; `WAKES`: asks to be polled again each time.
struct Machine<const WAKES: bool> {
    number: u32,
    left: u32,
    polls: u64,
}

impl<const WAKES: bool> Machine<WAKES> {
    fn new(number: u32, suspensions: u32) -> Self {
        Self { number, left: suspensions, polls: 0 }
    }
}

impl<const WAKES: bool> Future for Machine<WAKES> {
    type Output = Polled;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Polled> {
        self.polls = black_box(self.polls + 1);
        if self.left == 0 {
            return Poll::Ready((task_value(self.number.into(), 0), self.polls));
        }
        self.left -= 1;
        if WAKES {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
