//! The generator of an open loop: a task per worker that tells its lane of every operation when it is due.
//!
//! ```text
//!  schedule ── next intended start ──▶ far off: the runtime's own timer, short of it by what that timer may be late
//!                                      near:    yields, so that the worker's other tasks run, and looks at the clock
//!                                      past:    told at once, however late: no start is left out or moved
//! ```
//! The pacer is a task of the runtime it loads and its CPU time is the subject's: at rates whose distances are shorter than the timer's
//! resolution it keeps its worker awake. On a worker with other work it is told of the time as often as the scheduler comes round; how late that
//! was is in the record (`lag`), and a response time includes it.

use std::sync::Arc;
use std::time::Duration;

use super::stack::{Fleet, Stack};
use crate::load::offer::Rate;
use crate::load::schedule::{Schedule, Share};
use crate::measure::recorder::{self, ErrorClass};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;

/// A timer sleeps no longer at once, so that a change of the rate is seen.
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// Operations told at once before the users have their turn.
const BURST: u32 = 64;

/// Makes the lanes of an open loop, one per worker, and starts their pacers; nothing to do in a closed loop.
pub fn start<S: Stack, F: Fleet>(fleet: &F, control: &Arc<Ledger>, trial: &Trial) {
    let Some(pacing) = trial.load.pacing() else { return };
    let lanes = fleet.workers().min(trial.load.users() as usize).max(1);
    control.offer().open_lanes(pacing, lanes, trial.workload.operations_per_arrival());
    for lane in 0..lanes {
        let (control, share, seed) = (Arc::clone(control), Share { lane, of: lanes }, trial.seed);
        fleet.spawn_on(lane, async move {
            control.gate().wait().await;
            let mut epoch = 0;
            while let Some(rate) = control.offer().next_rate(epoch).await {
                epoch = rate.epoch;
                pace::<S>(&control, rate, share, seed ^ epoch).await;
            }
        });
    }
}

/// Tells the lane of every operation of one rate, until another is offered or none.
async fn pace<S: Stack>(control: &Arc<Ledger>, rate: Rate, share: Share, seed: u64) {
    let offer = control.offer();
    // The schedule is one of arrivals, the rate one of operations.
    let mut schedule = Schedule::new(offer.arrival(), rate.per_s / f64::from(offer.weight()), rate.start_ns, share, seed);
    let mut told_at_once = 0;
    loop {
        let intended_ns = schedule.next_ns();
        let Some(now) = wait_until::<S>(control, intended_ns, rate.epoch).await else { return };
        tell(control, share.lane, intended_ns, now);
        told_at_once += 1;
        if told_at_once >= BURST {
            told_at_once = 0;
            S::yield_now().await;
        }
    }
}

fn tell(control: &Arc<Ledger>, lane: usize, intended_ns: u64, now: u64) {
    let operations = u64::from(control.offer().weight());
    let is_full = control.offer().lanes()[lane].arrive(intended_ns).is_err();
    recorder::with(control, |recorder| {
        recorder.intended(intended_ns, now, operations);
        if is_full {
            recorder.failures(ErrorClass::Overload, operations);
        }
    });
}

/// Waits for an instant of the trial's clock; the time it is then, or `None` when another rate is offered.
async fn wait_until<S: Stack>(control: &Ledger, deadline_ns: u64, epoch: u64) -> Option<u64> {
    loop {
        // What was due before the change is still told, late as it is.
        if control.offer().is_past(epoch) && control.offer().rate_start_ns().is_none_or(|start| deadline_ns >= start) {
            return None;
        }
        let now = now_ns();
        let Some(wait) = deadline_ns.checked_sub(now).filter(|wait| *wait > 0) else { return Some(now) };
        match Duration::from_nanos(wait).checked_sub(S::TIMER_LATENESS).filter(|sleep| !sleep.is_zero()) {
            Some(sleep) => S::sleep(sleep.min(SLEEP_MAX)).await,
            None => S::yield_now().await,
        }
    }
}
