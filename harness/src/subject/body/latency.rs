//! Waiting times: users that wake, spawn and sleep, and the neighbours that make them wait.

use std::sync::Arc;
use std::time::Duration;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::cell::HandOverCell;
use super::stack::{Fleet, Stack};
use super::tasks::{Tasks, unbound};
use super::{users, wakes_outside};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::measure::{cpu, recorder};
use crate::subject::not_pinned;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::workload::latency::{Beside, LatencyMode, LatencyWorkload, Waker, Workers};

/// One period of all busy neighbours of a worker.
const PERIOD_NS: u64 = 2_000_000;
/// CPU time that a busy neighbour takes in one poll.
const SLICE_NS: u64 = 20_000;
/// So many busy neighbours share the load of a worker, one after the other through the period. One alone would be a coin: with two workers
/// and two such tasks, which worker they end on decides a whole trial.
const NEIGHBOURS: u32 = 8;

/// Runs the trial on the fleet that `start` makes.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<S: Stack, F: Fleet>(
    start: impl FnOnce(&Trial) -> Result<F, Failure>,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &LatencyWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let is_alone = workload.workers == Workers::One || workload.from == Waker::Outside;
    let fleet = if is_alone { start_on_one_cpu(start, trial)? } else { start(trial)? };
    spawn_neighbours::<S, F>(&fleet, control, workload);
    if workload.from == Waker::Outside {
        return wakes_outside::run::<S, F>(fleet, control, trial, workload, session);
    }
    let users = u64::from(users::count(trial));
    users::run(fleet, control, trial, session, |number| {
        let (control, workload) = (Arc::clone(control), workload.clone());
        unbound::<S>(async move {
            control.user_ready();
            control.gate().wait().await;
            match workload.mode {
                LatencyMode::Wake | LatencyMode::Fairness => wakes::<S>(&control).await,
                LatencyMode::Spawn => spawns::<S>(&control).await,
                LatencyMode::Timer => sleeps::<S>(&control, workload.period_ns, u64::from(number), users).await,
            }
            control.user_done();
        })
    })
}

/// A fleet of one worker on the trial's first CPU; this thread goes to the last one. With free placement nothing is confined.
fn start_on_one_cpu<F>(start: impl FnOnce(&Trial) -> Result<F, Failure>, trial: &Trial) -> Result<F, Failure> {
    let (Some(&first), Some(&last)) = (trial.cpus.first(), trial.cpus.last()) else { return start(trial) };
    let narrowed = Trial { cpus: vec![first], ..trial.clone() };
    let pin = |cpu| cpu::pin_thread(cpu).map_err(|error| not_pinned(cpu, &error));
    // A runtime that does not pin its threads gets them where the thread that starts it may run.
    pin(first)?;
    let fleet = start(&narrowed)?;
    pin(last)?;
    Ok(fleet)
}

fn spawn_neighbours<S: Stack, F: Fleet>(fleet: &F, control: &Arc<Ledger>, workload: &LatencyWorkload) {
    for worker in 0..fleet.workers() {
        let control = || Arc::clone(control);
        match (workload.mode, workload.beside) {
            (LatencyMode::Timer, _) => {}
            (LatencyMode::Fairness, Beside::Poll) => fleet.spawn_on(worker, unbound::<S>(long_polls::<S>(control(), workload.poll_ns))),
            (LatencyMode::Fairness, Beside::Pair) => fleet.spawn_on(worker, unbound::<S>(pair::<S>(control()))),
            // From outside the woken tasks are the load.
            _ if workload.busy_percent == 0 || workload.from == Waker::Outside => {}
            _ => {
                for number in 0..NEIGHBOURS {
                    fleet.spawn_on(worker, unbound::<S>(busy::<S>(control(), number, workload.busy_percent)));
                }
            }
        }
    }
}

/// The two cells of two tasks that wake each other.
type Cells = Arc<(HandOverCell, HandOverCell)>;

/// Wakes a task, which wakes back; each of the two writes down how long it waited.
async fn wakes<T: Tasks>(control: &Arc<Ledger>) {
    let cells = Cells::default();
    let (far, far_control) = (Arc::clone(&cells), Arc::clone(control));
    drop(T::spawn(async move {
        loop {
            let stamp = far.0.take().await;
            waited(&far_control, stamp);
            let is_last = far_control.is_draining();
            far.1.put(if is_last { LAST } else { now_ns() });
            if is_last {
                return;
            }
        }
    }));
    loop {
        cells.0.put(now_ns());
        match cells.1.take().await {
            LAST => return,
            stamp => waited(control, stamp),
        }
    }
}

/// A stamp that no clock gives: the other side has ended.
pub(crate) const LAST: u64 = u64::MAX;

/// Writes down one wait that began at `stamp` and ended now.
pub(super) fn waited(control: &Arc<Ledger>, stamp: u64) {
    let waited_ns = now_ns().saturating_sub(stamp);
    recorder::with(control, |recorder| recorder.success(waited_ns, 0));
}

/// Spawns one task after the other.
async fn spawns<T: Tasks>(control: &Arc<Ledger>) {
    let ended = Arc::new(HandOverCell::default());
    while !control.is_draining() {
        let (child_control, child_ended) = (Arc::clone(control), Arc::clone(&ended));
        let stamp = now_ns();
        drop(T::spawn(async move {
            waited(&child_control, stamp);
            child_ended.put(LAST);
        }));
        ended.take().await;
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

/// Takes its part of the neighbours' share of a worker, a slice at a time, when its turn in the period comes.
async fn busy<S: Stack>(control: Arc<Ledger>, number: u32, percent: u32) {
    control.gate().wait().await;
    let busy_ns = PERIOD_NS * u64::from(percent) / u64::from(100 * NEIGHBOURS);
    let offset_ns = PERIOD_NS * u64::from(number) / u64::from(NEIGHBOURS);
    let mut period = now_ns() + offset_ns;
    S::sleep(Duration::from_nanos(offset_ns)).await;
    while !control.is_draining() {
        let mut taken = 0;
        while taken < busy_ns {
            let part = burn(SLICE_NS.min(busy_ns - taken));
            recorder::with(&control, |recorder| recorder.beside(part));
            taken += part;
            S::yield_now().await;
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

/// Takes all it gets, so much at a time.
async fn long_polls<T: Tasks>(control: Arc<Ledger>, poll_ns: u64) {
    control.gate().wait().await;
    while !control.is_draining() {
        burn(poll_ns);
        T::yield_now().await;
    }
}

/// Two tasks that wake each other and do nothing else.
async fn pair<T: Tasks>(control: Arc<Ledger>) {
    control.gate().wait().await;
    let cells = Cells::default();
    let (far, far_control) = (Arc::clone(&cells), Arc::clone(&control));
    drop(T::spawn(async move {
        while far.0.take().await != LAST {
            far.1.put(if far_control.is_draining() { LAST } else { 1 });
        }
    }));
    loop {
        cells.0.put(1);
        if cells.1.take().await == LAST {
            return cells.0.put(LAST);
        }
    }
}

/// Keeps the CPU for so long; how long it was.
pub(crate) fn burn(ns: u64) -> u64 {
    let start = now_ns();
    loop {
        let taken = now_ns() - start;
        if taken >= ns {
            return taken;
        }
        std::hint::spin_loop();
    }
}
