//! `ping-pong`: a value to another task and its answer back, over the runtime's own channels or a cell that is the same for all.

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::cell::HandOverCell;
use super::rounds::Rounds;
use super::stack::Fleet;
use super::tasks::{Tasks, unbound};
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{ExpectedSum, HandOver, SchedulingWorkload, answer, question};

/// The last value to a partner of [`cells`]: no question is as large.
const GOODBYE: u64 = u64::MAX;

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let (shared, repeat) = (|| Arc::clone(control), workload.repeat);
    match workload.hand_over.unwrap_or(HandOver::Channel) {
        HandOver::Channel => users::run(fleet, control, trial, session, |number| unbound::<T>(channels::<T>(shared(), number, repeat))),
        HandOver::Oneshot => users::run(fleet, control, trial, session, |number| unbound::<T>(oneshots::<T>(shared(), number, repeat))),
        HandOver::Cell => users::run(fleet, control, trial, session, |number| unbound::<T>(cells::<T>(shared(), number, repeat))),
    }
}

async fn channels<T: Tasks>(control: Arc<Ledger>, user: u32, repeat: u32) {
    let ((there, mut questions), (back, mut answers)) = (T::channel(1), T::channel(1));
    let partner = T::spawn(async move {
        while let Some(question) = T::receive(&mut questions).await {
            // An asker that is gone wants no answer; an answer that is lost shows by the sum.
            let _ = T::send(&back, answer(question)).await;
        }
    });
    let expected = ExpectedSum::of(repeat);
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        let mut sum = Some(0u64);
        for number in 0..repeat {
            let _ = T::send(&there, question(number, round.number) ^ u64::from(round.is_damaged && number == 0)).await;
            sum = sum.zip(T::receive(&mut answers).await).map(|(sum, answer)| sum.wrapping_add(answer));
        }
        rounds.end(sum == Some(expected.of_answers(round.number)), repeat.into());
    }
    drop(there);
    // A partner that is gone too early has shown itself by its missing answers.
    let _ = partner.await;
    control.user_done();
}

async fn oneshots<T: Tasks>(control: Arc<Ledger>, user: u32, repeat: u32) {
    let expected = ExpectedSum::of(repeat);
    let mut handles = Vec::with_capacity(repeat as usize);
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        for number in 0..repeat {
            handles.push(T::spawn(pair::<T>(question(number, round.number) ^ u64::from(round.is_damaged && number == 0))));
        }
        let mut sum = Some(0u64);
        for handle in handles.drain(..) {
            let value = handle.await.ok().flatten();
            sum = sum.zip(value).map(|(sum, answer)| sum.wrapping_add(answer));
        }
        rounds.end(sum == Some(expected.of_answers(round.number)), repeat.into());
    }
    control.user_done();
}

/// One round trip with a partner of its own.
async fn pair<T: Tasks>(question: u64) -> Option<u64> {
    let ((there, asked), (back, answered)) = (T::oneshot(), T::oneshot());
    drop(T::spawn(async move {
        if let Some(question) = T::receive_one(asked).await {
            T::send_one(back, answer(question));
        }
    }));
    T::send_one(there, question);
    T::receive_one(answered).await
}

async fn cells<T: Tasks>(control: Arc<Ledger>, user: u32, repeat: u32) {
    let (there, back) = (Arc::new(HandOverCell::default()), Arc::new(HandOverCell::default()));
    let partner = T::spawn(answerer(Arc::clone(&there), Arc::clone(&back)));
    let expected = ExpectedSum::of(repeat);
    let mut rounds = Rounds::new(&control, user);
    while let Some(round) = rounds.next().await {
        let mut sum = 0u64;
        for number in 0..repeat {
            there.put(question(number, round.number) ^ u64::from(round.is_damaged && number == 0));
            sum = sum.wrapping_add(back.take().await);
        }
        rounds.end(sum == expected.of_answers(round.number), repeat.into());
    }
    there.put(GOODBYE);
    let _ = partner.await;
    control.user_done();
}

async fn answerer(there: Arc<HandOverCell>, back: Arc<HandOverCell>) {
    loop {
        match there.take().await {
            GOODBYE => return,
            question => back.put(answer(question)),
        }
    }
}
