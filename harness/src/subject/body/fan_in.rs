//! `mpsc-fan-in`: many producers send into one bounded channel as fast as it takes, one consumer receives.
//!
//! ```text
//!  producer 0 ─┐
//!  producer 1 ─┼─▶ channel of `capacity` ─▶ consumer: rounds of `repeat` messages, each the next one of its producer
//!  producer n ─┘                            then closes, receives the rest, and compares with what the producers say
//! ```
//! The consumer is the user of the trial. Producers stop when the channel is closed, as any producer does: they look at nothing else.

use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::rounds::Rounds;
use super::shares::{Shares, WindowEdges};
use super::stack::Fleet;
use super::tasks::{Tasks, unbound};
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{Audit, FanIn, SchedulingWorkload, Sent, message};

/// Why the channel of a trial must not end by itself.
const ENDED: &str = "the channel ended while its producers were at work";

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up; class `bad-request`: a workload without its channel; class `mismatch`: what was received is not what was sent.
pub fn run<T: Tasks, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let (fan_in, repeat) = (channel_of(workload)?, workload.repeat);
    let shares = Arc::new(Shares::default());
    let mut record = users::run(fleet, control, trial, session, |number| {
        let (control, shares) = (Arc::clone(control), Arc::clone(&shares));
        unbound::<T>(async move {
            if let Err(problem) = consumer::<T>(&control, number, fan_in, repeat, &shares).await {
                control.fail(mismatch(problem));
            }
            control.user_done();
        })
    })?;
    shares.write(&mut record.counters);
    Ok(record)
}

/// The channel of the workload.
///
/// # Errors
/// Class `bad-request`: it has none.
pub fn channel_of(workload: &SchedulingWorkload) -> Result<FanIn, Failure> {
    let missing = || Failure { class: "bad-request".into(), message: "`mpsc-fan-in` needs `fan_in`: its producers and capacity".into() };
    workload.fan_in.ok_or_else(missing)
}

/// A trial whose witness does not hold.
pub fn mismatch(message: String) -> Failure {
    Failure { class: "mismatch".into(), message }
}

/// The messages of each producer between two counts.
pub fn between(edges: Option<(Vec<u64>, Vec<u64>)>) -> Vec<u64> {
    let (begin, end) = edges.unwrap_or_default();
    begin.into_iter().zip(end).map(|(begin, end)| end - begin).collect()
}

async fn consumer<T: Tasks>(control: &Arc<Ledger>, user: u32, fan_in: FanIn, repeat: u32, shares: &Shares) -> Result<(), String> {
    let (sender, mut receiver) = T::channel(fan_in.capacity as usize);
    let producers: Vec<_> = (0..fan_in.producers).map(|number| T::spawn(producer::<T>(sender.clone(), number))).collect();
    drop(sender);
    let mut audit = Audit::new(fan_in.producers);
    let mut edges = WindowEdges::default();
    let mut rounds = Rounds::new(control, user);
    while let Some(round) = rounds.next().await {
        if round.is_damaged {
            // A test's damage: a message is lost.
            T::receive(&mut receiver).await.ok_or(ENDED)?;
        }
        let mut is_right = true;
        for _ in 0..repeat {
            is_right &= audit.take(T::receive(&mut receiver).await.ok_or(ENDED)?);
        }
        edges.look(control, || audit.of_each().to_vec());
        rounds.end(is_right, repeat.into());
    }
    edges.look(control, || audit.of_each().to_vec());
    T::close_channel(&mut receiver);
    while let Some(message) = T::receive(&mut receiver).await {
        audit.take(message);
    }
    let mut sent = Vec::with_capacity(producers.len());
    for producer in producers {
        sent.push(producer.await.map_err(|_| "a producer was lost")?);
    }
    shares.add(&between(edges.edges()));
    audit.difference(&sent).map_or(Ok(()), Err)
}

async fn producer<T: Tasks>(sender: T::Sender, number: u32) -> Sent {
    let mut sent = Sent::default();
    loop {
        let message = message(number, sent.count);
        if !T::send(&sender, message).await {
            return sent;
        }
        sent.add(message);
    }
}
