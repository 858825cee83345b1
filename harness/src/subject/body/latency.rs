//! Waiting times: users that wake, spawn and sleep, and the neighbours that make them wait.

use std::sync::Arc;
use std::time::Duration;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::bell::{Bell, pass};
use super::stack::{Fleet, Stack};
use super::users;
use crate::measure::recorder;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::latency::{Beside, LatencyMode, LatencyWorkload};

/// One period of a busy neighbour.
const PERIOD_NS: u64 = 2_000_000;
/// CPU time that a busy neighbour takes in one poll.
const SLICE_NS: u64 = 20_000;
/// CPU time of one poll of [`Beside::Poll`].
const LONG_POLL_NS: u64 = 1_000_000;

/// Runs the trial on a fleet of workers.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<S: Stack, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &LatencyWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    for worker in 0..fleet.workers() {
        let control = Arc::clone(control);
        match (workload.mode, workload.beside) {
            (LatencyMode::Timer, _) => {}
            (LatencyMode::Fairness, Beside::Poll) => start_on::<S, F>(&fleet, worker, long_polls(control)),
            (LatencyMode::Fairness, Beside::Pair) => start_on::<S, F>(&fleet, worker, pair::<S>(control)),
            _ if workload.busy_percent == 0 => {}
            _ => start_on::<S, F>(&fleet, worker, busy::<S>(control, workload.busy_percent)),
        }
    }
    let users = u64::from(users::count(trial));
    users::run(fleet, control, trial, session, |number| {
        let (control, workload) = (Arc::clone(control), workload.clone());
        let user = async move {
            control.user_ready();
            control.gate().wait().await;
            match workload.mode {
                LatencyMode::Wake | LatencyMode::Fairness => wakes::<S>(&control).await,
                LatencyMode::Spawn => spawns::<S>(&control).await,
                LatencyMode::Timer => sleeps::<S>(&control, workload.period_ns, u64::from(number), users).await,
            }
            control.user_done();
        };
        async { S::spawn(user) }
    })
}

/// Starts a task on this worker, from where a runtime that balances may take it: nothing here is bound to a worker.
fn start_on<S: Stack, F: Fleet>(fleet: &F, worker: usize, task: impl Future<Output = ()> + Send + 'static) {
    fleet.spawn_on(worker, async { S::spawn(task) });
}

/// Wakes a task, which wakes back; each of the two writes down how long it waited.
async fn wakes<S: Stack>(control: &Arc<Ledger>) {
    let bells = Arc::new((Bell::default(), Bell::default()));
    let (far, far_control) = (Arc::clone(&bells), Arc::clone(control));
    S::spawn(async move {
        loop {
            let stamp = far.0.listen().await;
            waited(&far_control, stamp);
            let is_last = far_control.is_draining();
            far.1.ring(if is_last { LAST } else { now_ns() });
            if is_last {
                return;
            }
        }
    });
    loop {
        bells.0.ring(now_ns());
        match bells.1.listen().await {
            LAST => return,
            stamp => waited(control, stamp),
        }
    }
}

/// A stamp that no clock gives: the other side has ended.
const LAST: u64 = u64::MAX;

/// Writes down one wait that began at `stamp` and ended now.
fn waited(control: &Arc<Ledger>, stamp: u64) {
    let waited_ns = now_ns().saturating_sub(stamp);
    recorder::with(control, |recorder| recorder.success(waited_ns, 0));
}

/// Spawns one task after the other.
async fn spawns<S: Stack>(control: &Arc<Ledger>) {
    let bell = Arc::new(Bell::default());
    while !control.is_draining() {
        let (child_control, child_bell) = (Arc::clone(control), Arc::clone(&bell));
        let stamp = now_ns();
        S::spawn(async move {
            waited(&child_control, stamp);
            child_bell.ring(LAST);
        });
        bell.listen().await;
    }
}

/// Sleeps from deadline to deadline, at this user's place in the period.
async fn sleeps<S: Stack>(control: &Arc<Ledger>, period_ns: u64, number: u64, users: u64) {
    let mut deadline = now_ns() + u64::try_from(u128::from(period_ns) * u128::from(number + 1) / u128::from(users)).unwrap_or(period_ns);
    while !control.is_draining() {
        S::sleep(Duration::from_nanos(deadline.saturating_sub(now_ns()))).await;
        let now = now_ns();
        recorder::with(control, |recorder| match now.checked_sub(deadline) {
            Some(late_ns) => recorder.success(late_ns, 0),
            None => recorder.failure(recorder::ErrorClass::Early, None),
        });
        // A deadline that has passed already would only be counted late twice.
        deadline += period_ns * (now.saturating_sub(deadline) / period_ns + 1);
    }
}

/// Takes a share of its worker, a slice at a time.
async fn busy<S: Stack>(control: Arc<Ledger>, percent: u32) {
    control.gate().wait().await;
    let busy_ns = PERIOD_NS * u64::from(percent) / 100;
    let mut period = now_ns();
    while !control.is_draining() {
        let mut taken = 0;
        while taken < busy_ns {
            taken += burn(SLICE_NS.min(busy_ns - taken));
            pass().await;
        }
        period += PERIOD_NS;
        // Periods that were missed are not made up for: the share is of the time there was.
        let now = now_ns();
        if let Some(rest) = period.checked_sub(now) {
            S::sleep(Duration::from_nanos(rest)).await;
        } else {
            period = now;
        }
    }
}

/// Takes all it gets, a millisecond at a time.
async fn long_polls(control: Arc<Ledger>) {
    control.gate().wait().await;
    while !control.is_draining() {
        burn(LONG_POLL_NS);
        pass().await;
    }
}

/// Two tasks that wake each other and do nothing else.
async fn pair<S: Stack>(control: Arc<Ledger>) {
    control.gate().wait().await;
    let bells = Arc::new((Bell::default(), Bell::default()));
    let (far, far_control) = (Arc::clone(&bells), Arc::clone(&control));
    S::spawn(async move {
        while far.0.listen().await != LAST {
            far.1.ring(if far_control.is_draining() { LAST } else { 1 });
        }
    });
    loop {
        bells.0.ring(1);
        if bells.1.listen().await == LAST {
            return bells.0.ring(LAST);
        }
    }
}

/// Keeps the CPU for so long; how long it was.
fn burn(ns: u64) -> u64 {
    let start = now_ns();
    loop {
        let taken = now_ns() - start;
        if taken >= ns {
            return taken;
        }
        std::hint::spin_loop();
    }
}
