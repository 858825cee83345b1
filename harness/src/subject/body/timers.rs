//! `timers`: many timers are live, and each operation makes one more and cancels the oldest.
//!
//! ```text
//!  slots   [live][live][ – ][live] … [live]      timers + 1 places that stay where they are; one of them is vacant
//!                        ▲ └─ the oldest: cancelled, and vacant for the next operation
//!                        └─── the new timer: put in its place, polled once
//! ```
//! The timers are polled with a waker that counts. The runtime keeps one clone of it for each timer that it has registered and uses it when
//! one fires, so the waker knows how many are live and whether one was early, whatever the runtime says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::lifecycle::Lifecycle;
use super::rounds::Rounds;
use super::stack::Fleet;
use super::tasks::unbound;
use super::users;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::scheduling::{SchedulingWorkload, far_ahead};

/// Operations of one poll of the user: nothing else makes it give way, and a worker that never comes back from a poll fires no timer.
const OPERATIONS_PER_POLL: u32 = 64;
/// No timer is due sooner after it was made.
const NEAREST: Duration = Duration::from_secs(1);
/// The timer that is waited for at the end.
const BELL: Duration = Duration::from_millis(5);
/// It may be so late: a timer that the host held up, not one that was lost.
const BELL_LATE: Duration = Duration::from_millis(500);

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up; class `timer` where the timer at the end was early, late, or never fired.
pub(super) fn run<T: Lifecycle, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let (live, repeat, seed) = (workload.timers.unwrap_or(1), workload.repeat, trial.seed);
    let user = |number| {
        let control = Arc::clone(control);
        unbound::<T>(async move {
            let timers = Timers::<T>::new(live, seed.wrapping_add(number)).await;
            turner(timers, &control, number as u32, repeat).await;
            control.user_done();
        })
    };
    let record = users::run(fleet, control, trial, session, |number| user(u64::from(number)))?;
    control.check()?;
    match record.work.in_flight_at_end {
        0 => Ok(record),
        lost => Err(failed(format!("{lost} users wait for a timer of {BELL:?} that never fires"))),
    }
}

fn failed(message: String) -> Failure {
    Failure { class: "timer".into(), message }
}

async fn turner<T: Lifecycle>(mut timers: Timers<T>, control: &Arc<Ledger>, user: u32, repeat: u32) {
    let mut rounds = Rounds::new(control, user);
    while let Some(round) = rounds.next().await {
        // A test's damage: the first timer of the round is not polled before the witness looks.
        let is_right = timers.round(repeat, round.is_damaged).await;
        rounds.end(is_right, repeat.into());
    }
    let began = Instant::now();
    T::timer(BELL).await;
    let took = began.elapsed();
    if took < BELL || took > BELL + BELL_LATE {
        control.fail(failed(format!("a timer of {BELL:?} beside the live ones fired after {took:?}")));
    }
    let kept = timers.clear();
    if kept > 0 {
        control.fail(failed(format!("{kept} timers are held although all were cancelled")));
    }
}

/// The waker of all timers of a user, and how often it was used.
#[derive(Debug, Default)]
struct Fired(AtomicU64);

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Relaxed: a count; it is read by the user alone, which misses one of another thread for a round at most.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The timers of a user.
struct Timers<T: Lifecycle> {
    slots: Vec<Pin<Box<Option<T::Timer>>>>,
    /// The vacant slot.
    vacant: usize,
    /// Timers made so far, and what tells the deadlines of two trials apart.
    made: u64,
    seed: u64,
    fired: Arc<Fired>,
    waker: Waker,
    /// Starts of the turn around all slots before this one, and of this one: every live timer was made after the first.
    turns: [Instant; 2],
}

impl<T: Lifecycle> Timers<T> {
    async fn new(live: u32, seed: u64) -> Self {
        let slots = (0..=live).map(|_| Box::pin(None)).collect();
        let fired = Arc::new(Fired::default());
        let waker = Waker::from(Arc::clone(&fired));
        let mut timers = Self { slots, vacant: 0, made: 0, seed, fired, waker, turns: [Instant::now(); 2] };
        timers.fill().await;
        timers
    }

    /// All slots but one get new timers.
    async fn fill(&mut self) {
        self.clear();
        self.turns = [Instant::now(); 2];
        self.fired.0.store(0, Ordering::Relaxed);
        for slot in 1..self.slots.len() {
            if slot % OPERATIONS_PER_POLL as usize == 1 {
                T::yield_now().await;
            }
            self.make(slot);
            self.poll(slot);
        }
        self.vacant = 0;
    }

    /// Cancels all timers; those that the runtime still holds.
    fn clear(&mut self) -> usize {
        self.slots.iter_mut().for_each(|slot| slot.as_mut().set(None));
        self.registered()
    }

    /// `repeat` operations; whether every poll was pending and the waker tells what it should.
    async fn round(&mut self, repeat: u32, is_damaged: bool) -> bool {
        let mut are_pending = true;
        let damaged = is_damaged.then_some(self.vacant);
        for number in 0..repeat {
            if number % OPERATIONS_PER_POLL == 0 {
                T::yield_now().await;
            }
            let slot = self.vacant;
            self.make(slot);
            if !(is_damaged && number == 0) {
                are_pending &= self.poll(slot);
            }
            self.cancel_oldest();
        }
        let is_right = self.witness().await;
        if let Some(slot) = damaged {
            self.poll(slot);
        }
        are_pending && is_right
    }

    fn make(&mut self, slot: usize) {
        let ahead = far_ahead(self.seed.wrapping_add(self.made));
        self.made += 1;
        self.slots[slot].as_mut().set(Some(T::timer(ahead)));
    }

    /// Whether the timer is pending.
    fn poll(&mut self, slot: usize) -> bool {
        let mut context = Context::from_waker(&self.waker);
        self.slots[slot].as_mut().as_pin_mut().is_some_and(|timer| timer.poll(&mut context).is_pending())
    }

    fn cancel_oldest(&mut self) {
        self.vacant += 1;
        if self.vacant == self.slots.len() {
            self.vacant = 0;
            self.turns = [self.turns[1], Instant::now()];
        }
        self.slots[self.vacant].as_mut().set(None);
    }

    /// Clones of the waker that the runtime holds.
    fn registered(&self) -> usize {
        Arc::strong_count(&self.fired) - 2
    }

    /// Whether each live timer is registered and none was early. Where the host held the process up for so long that timers were due, all
    /// begin anew: that says nothing about the runtime.
    async fn witness(&mut self) -> bool {
        if self.fired.0.load(Ordering::Relaxed) == 0 {
            return self.registered() == self.slots.len() - 1;
        }
        let is_due = self.turns[0].elapsed() >= NEAREST;
        self.fill().await;
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::tokio::stack::TokioStack;

    /// Runs `body` on a runtime of one thread.
    fn inside<O>(body: impl Future<Output = O>) -> O {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(body)
    }

    #[test]
    fn the_waker_knows_how_many_timers_are_live() {
        inside(async {
            let mut timers = Timers::<TokioStack>::new(500, 3).await;
            assert_eq!(timers.registered(), 500);
            for _ in 0..20 {
                assert!(timers.round(130, false).await);
            }
            assert_eq!((timers.registered(), timers.made), (500, 500 + 20 * 130));
            assert_eq!(timers.clear(), 0);
        });
    }

    #[test]
    fn a_timer_that_is_not_registered_or_not_cancelled_is_seen() {
        inside(async {
            let mut timers = Timers::<TokioStack>::new(50, 3).await;
            assert!(!timers.round(10, true).await, "one was never polled");
            assert!(timers.round(10, false).await, "it was made good");
            // A runtime that drops a timer's future and keeps the timer holds its waker.
            let kept = timers.waker.clone();
            assert!(!timers.round(10, false).await, "one more is held than live");
            drop(kept);
            assert!(timers.round(10, false).await);
        });
    }

    #[test]
    fn a_timer_that_fires_early_is_seen_and_one_that_was_due_is_none() {
        inside(async {
            let mut timers = Timers::<TokioStack>::new(50, 3).await;
            timers.waker.wake_by_ref();
            assert!(!timers.round(10, false).await, "no timer was due");
            timers.waker.wake_by_ref();
            timers.turns = [Instant::now() - NEAREST; 2];
            assert!(timers.round(10, false).await, "the host may have slept for as long as that");
            assert_eq!((timers.registered(), timers.fired.0.load(Ordering::Relaxed)), (50, 0));
        });
    }
}
