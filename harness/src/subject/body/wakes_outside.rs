//! Wakes from a thread that is none of the runtime's: on a schedule of its own, whatever the runtime does.
//!
//! ```text
//!  thread:  wait until the next time of the schedule ─▶ stamp ─▶ put it into the next task's cell, which wakes the task
//!  task:    wait for a stamp ─▶ first instruction: how long ago was it? ─▶ the task's own work, if it is the load
//! ```
//! The schedule is absolute: a thread that was held up catches up. A task is woken only while it waits; when all of them still work or
//! wait to be run, the wake is left out and counted (`wakes_left_out`). Each stamp must come back (`wakes_made`, `wakes_taken`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::cell::HandOverCell;
use super::drive::assemble;
use super::latency::{LAST, burn, waited};
use super::stack::{Fleet, Stack};
use super::tasks::unbound;
use super::{coordinate, users};
use crate::load::closed::Control;
use crate::measure::cpu;
use crate::measure::recorder::ErrorClass;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::{not_pinned, threads};
use crate::workload::latency::{LatencyMode, LatencyWorkload};

/// Mean time between wakes of a runtime that has nothing to do: it sleeps each time.
const IDLE_GAP_NS: u64 = 200_000;
/// Mean time between wakes beside a task that takes all it gets.
const FAIRNESS_GAP_NS: u64 = 50_000;
/// CPU time of a woken task where those are the load: even between the two.
const WORK_NS_MIN: u64 = 1_000;
const WORK_NS_MAX: u64 = 5_000;

/// Runs the trial.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub(super) fn run<S: Stack, F: Fleet>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &LatencyWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let users = users::count(trial);
    let cells: Arc<[HandOverCell]> = (0..users).map(|_| HandOverCell::default()).collect();
    let taken = Arc::new(AtomicU64::new(0));
    for number in 0..users {
        let (control, cells, taken) = (Arc::clone(control), Arc::clone(&cells), Arc::clone(&taken));
        let works = works(workload);
        fleet.spawn_on(
            number as usize % fleet.workers(),
            unbound::<S>(async move {
                let mut random = Random(u64::from(number));
                control.user_ready();
                loop {
                    let stamp = cells[number as usize].take().await;
                    if stamp == LAST {
                        return control.user_done();
                    }
                    waited(&control, stamp);
                    taken.fetch_add(1, Ordering::Relaxed);
                    if works {
                        burn(random.work_ns());
                    }
                }
            }),
        );
    }
    let outcome = lead(control, trial, workload, session, &*cells);
    let report = fleet.shut_down();
    let (phases, wakes) = outcome?;
    let mut record = assemble(control, &phases, trial, report);
    wakes.tell(&mut record, taken.load(Ordering::Relaxed));
    Ok(record)
}

/// Whether the woken tasks do work of their own.
pub(crate) fn works(workload: &LatencyWorkload) -> bool {
    workload.mode == LatencyMode::Wake && workload.busy_percent > 0
}

/// Those that the thread wakes.
pub(crate) trait Sleepers: Sync {
    /// How many.
    fn count(&self) -> usize;
    /// Whether this one waits for its next stamp.
    fn is_waiting(&self, number: usize) -> bool;
    /// Gives it a stamp and wakes it.
    fn wake(&self, number: usize, stamp: u64);
}

impl Sleepers for [HandOverCell] {
    fn count(&self) -> usize {
        self.len()
    }

    fn is_waiting(&self, number: usize) -> bool {
        self[number].is_waited_for()
    }

    fn wake(&self, number: usize, stamp: u64) {
        self[number].put(stamp);
    }
}

/// What the thread did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wakes {
    made: u64,
    left_out: u64,
}

impl Wakes {
    /// Writes it into the record; a stamp that did not come back is an error.
    pub(crate) fn tell(self, record: &mut TrialRecord, taken: u64) {
        record.counters.insert("wakes_made".into(), self.made);
        record.counters.insert("wakes_left_out".into(), self.left_out);
        record.counters.insert("wakes_taken".into(), taken);
        let lost = self.made.abs_diff(taken);
        if lost > 0 {
            record.work.attempted += lost;
            *record.work.errors.entry(ErrorClass::Mismatch.name().into()).or_default() += lost;
        }
    }
}

/// Leads the trial through its phases with the waking thread beside it, which runs on the trial's last CPU.
pub(crate) fn lead<P: Sleepers + ?Sized>(
    control: &Control,
    trial: &Trial,
    workload: &LatencyWorkload,
    session: &Session,
    sleepers: &P,
) -> Result<(coordinate::PhaseReport, Wakes), Failure> {
    let (made, left_out) = (AtomicU64::new(0), AtomicU64::new(0));
    let body = |_| {
        if let Some(&cpu) = trial.cpus.last() {
            cpu::pin_thread(cpu).map_err(|error| not_pinned(cpu, &error))?;
        }
        let wakes = wake_all(control, trial, workload, sleepers);
        made.store(wakes.made, Ordering::Relaxed);
        left_out.store(wakes.left_out, Ordering::Relaxed);
        Ok(())
    };
    let users = sleepers.count() as u64;
    let phases = threads::beside(control, 1, "outside", body, || coordinate::lead(control, users, &[], trial, session))?;
    Ok((phases, Wakes { made: made.into_inner(), left_out: left_out.into_inner() }))
}

fn wake_all<P: Sleepers + ?Sized>(control: &Control, trial: &Trial, workload: &LatencyWorkload, sleepers: &P) -> Wakes {
    let mut random = Random(trial.seed);
    let mut wakes = Wakes::default();
    let mut turn = 0;
    // With a CPU of its own the thread spins; otherwise it would take the one that the woken task needs.
    let wait_until = |time: u64| {
        while let Some(rest) = time.checked_sub(now_ns()).filter(|&rest| rest > 0) {
            if trial.cpus.len() > 1 { std::hint::spin_loop() } else { std::thread::sleep(Duration::from_nanos(rest)) }
        }
    };
    control.gate().wait_thread();
    let mut next = now_ns();
    while !control.is_draining() {
        next += random.gap_ns(workload);
        wait_until(next);
        if sleepers.is_waiting(turn) {
            sleepers.wake(turn, now_ns());
            wakes.made += 1;
            turn = (turn + 1) % sleepers.count();
        } else {
            wakes.left_out += 1;
        }
    }
    // The last stamps are taken before the end is told; a task that was starved is not waited for longer than the drain lasts.
    let deadline = now_ns() + trial.phases.drain_ms * 500_000;
    for number in 0..sleepers.count() {
        while !sleepers.is_waiting(number) && now_ns() < deadline {
            std::thread::sleep(Duration::from_micros(20));
        }
        sleepers.wake(number, LAST);
    }
    wakes
}

/// A small generator (Steele, Lea and Flood 2014, "SplitMix"); the same schedule for every subject.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// CPU time of one woken task.
    pub(crate) fn work_ns(&mut self) -> u64 {
        WORK_NS_MIN + self.next() % (WORK_NS_MAX - WORK_NS_MIN)
    }

    /// Time to the next wake: as of independent arrivals where they are the load, else spread around the mean.
    fn gap_ns(&mut self, workload: &LatencyWorkload) -> u64 {
        if works(workload) {
            let mean_ns = (WORK_NS_MIN + WORK_NS_MAX) * 50 / u64::from(workload.busy_percent);
            let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
            return (-(1.0 - unit).ln() * mean_ns as f64) as u64;
        }
        let mean_ns = if workload.mode == LatencyMode::Fairness { FAIRNESS_GAP_NS } else { IDLE_GAP_NS };
        mean_ns / 2 + self.next() % mean_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::latency::{Beside, Waker, Workers};

    #[test]
    fn arrivals_bring_as_much_work_as_the_load_says() {
        for busy_percent in [10, 50, 90] {
            let workload = LatencyWorkload {
                mode: LatencyMode::Wake,
                busy_percent,
                workers: Workers::One,
                from: Waker::Outside,
                period_ns: 0,
                beside: Beside::Poll,
                poll_ns: 1_000_000,
            };
            let (mut time, mut work) = (Random(1), Random(2));
            let (time, work) = (0..100_000).fold((0, 0), |sum, _| (sum.0 + time.gap_ns(&workload), sum.1 + work.work_ns()));
            let load = work as f64 * 100.0 / time as f64;
            assert!((load / f64::from(busy_percent) - 1.0).abs() < 0.02, "{load} % in place of {busy_percent}");
        }
    }
}
