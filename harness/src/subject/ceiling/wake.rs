//! `latency` from outside without a runtime: the kernel's own way to wake a thread, and nothing around it.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use crate::measure::cpu;
use crate::measure::recorder::Recorder;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::latency::{LAST, burn};
use crate::subject::body::wakes_outside::{self, Random, Sleepers};
use crate::subject::body::{drive, users};
use crate::subject::not_pinned;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::threads;
use crate::workload::latency::{Beside, LatencyMode, LatencyWorkload, Waker};

/// A slot for each stamp under way; 0 is none. The thread takes them in the order in which they are filled.
struct Line {
    slots: Box<[AtomicU64]>,
    sleeper: OnceLock<Thread>,
}

impl Sleepers for Line {
    fn count(&self) -> usize {
        self.slots.len()
    }

    fn is_waiting(&self, number: usize) -> bool {
        self.slots[number].load(Ordering::Relaxed) == 0
    }

    fn wake(&self, number: usize, stamp: u64) {
        // Release pairs with the Acquire of `take`, and `unpark` with the end of `park`.
        self.slots[number].store(stamp.max(1), Ordering::Release);
        if let Some(thread) = self.sleeper.get() {
            // The standard library's parking is a futex, woken by a system call only where the thread sleeps in it.
            thread.unpark();
        }
    }
}

/// Runs the trial: a thread on the first CPU that is woken from the last.
///
/// # Errors
/// Class `unsupported`: woken from inside, where there is no inside. Else a [`Failure`] of the set-up.
pub(super) fn run(trial: &Trial, session: &Session, control: &Arc<Ledger>, workload: &LatencyWorkload) -> Result<TrialRecord, Failure> {
    if workload.from == Waker::Inside {
        return Err(drive::unsupported("waiting times inside a runtime need one: there is none here"));
    }
    let line = Line { slots: (0..users::count(trial)).map(|_| AtomicU64::new(0)).collect(), sleeper: OnceLock::new() };
    let outcome = thread::scope(|scope| {
        let sleeper = scope.spawn(|| sleep_and_take(trial, control, workload, &line));
        let outcome = wakes_outside::lead(control, trial, workload, session, &line);
        if outcome.is_err() {
            // The waking thread may have failed before its last stamps.
            (0..line.count()).for_each(|number| line.wake(number, LAST));
        }
        (outcome, sleeper.join().expect("no panic of ours"))
    });
    let (phases, wakes) = outcome.0?;
    let variant = if workload.mode == LatencyMode::Fairness { "in-turn" } else { "futex" };
    let mut record = drive::assemble(control, &phases, trial, threads::report(variant, trial));
    wakes.tell(&mut record, outcome.1);
    Ok(record)
}

/// Takes stamps until the last; how many.
fn sleep_and_take(trial: &Trial, control: &Arc<Ledger>, workload: &LatencyWorkload, line: &Line) -> u64 {
    if let Some(&cpu) = trial.cpus.first()
        && let Err(error) = cpu::pin_thread(cpu)
    {
        control.fail(not_pinned(cpu, &error));
        return 0;
    }
    line.sleeper.set(thread::current()).expect("set here alone");
    let mut recorder = Recorder::new(control);
    let mut random = Random(0);
    let (mut turn, mut taken) = (0, 0);
    let mut ended = 0;
    line.slots.iter().for_each(|_| control.user_ready());
    while ended < line.slots.len() {
        // Acquire pairs with the Release of `wake`.
        match line.slots[turn].swap(0, Ordering::Acquire) {
            0 if workload.mode != LatencyMode::Fairness => thread::park(),
            0 if workload.beside == Beside::Poll && !control.is_draining() => drop(burn(workload.poll_ns)),
            0 => std::hint::spin_loop(),
            LAST => {
                ended += 1;
                control.user_done();
                turn = (turn + 1) % line.slots.len();
            }
            stamp => {
                recorder.success(now_ns().saturating_sub(stamp), 0);
                taken += 1;
                turn = (turn + 1) % line.slots.len();
                if wakes_outside::works(workload) {
                    burn(random.work_ns());
                }
            }
        }
    }
    recorder.finish();
    taken
}
