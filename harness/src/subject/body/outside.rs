//! `spawn-outside`: users are threads that are none of the runtime's; they spawn onto it and join from where they are.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::coordinate;
use super::drive::assemble;
use super::scheduling::{record, task};
use super::tasks::{Outside, Place, Tasks};
use super::users;
use crate::measure::recorder::Recorder;
use crate::measure::tally::Ledger;
use crate::subject::protocol::Trial;
use crate::subject::serve::Session;
use crate::subject::threads;
use crate::workload::scheduling::{ExpectedSum, SchedulingWorkload};

/// Runs the trial: a thread per user beside the workers, on the same CPUs.
///
/// # Errors
/// A [`Failure`] of the set-up.
pub fn run<T: Tasks, F: Outside<T>>(
    fleet: F,
    control: &Arc<Ledger>,
    trial: &Trial,
    workload: &SchedulingWorkload,
    session: &Session,
) -> Result<TrialRecord, Failure> {
    let users = users::count(trial);
    let spawn = |user: usize| {
        spawner::<T, F>(&fleet, control, user as u32, workload.tasks);
        Ok(())
    };
    let outcome =
        threads::beside(control, users as usize, "outside", spawn, || coordinate::lead(control, u64::from(users), &[], trial, session));
    let report = fleet.shut_down();
    Ok(assemble(control, &outcome?, trial, report))
}

fn spawner<T: Tasks, F: Outside<T>>(fleet: &F, control: &Arc<Ledger>, user: u32, tasks: u32) {
    let mut recorder = Recorder::new(control);
    let expected = ExpectedSum::of(tasks);
    let mut handles = Vec::with_capacity(tasks as usize);
    let mut number = 0;
    let mut round = |is_damaged: bool| {
        for place in 0..tasks {
            handles.push(fleet.spawn(Place { number: place, of: tasks }, task(place, number, is_damaged && place == tasks / 2)));
        }
        let (mut sum, mut are_all_there) = (0u64, true);
        for handle in handles.drain(..) {
            match block_on(handle) {
                Ok(value) => sum = sum.wrapping_add(value),
                Err(_) => are_all_there = false,
            }
        }
        let is_right = are_all_there && sum == expected.in_round(number);
        number += 1;
        is_right
    };
    for rounds in control.doubling(user) {
        (0..rounds).for_each(|_| {
            black_box(round(false));
        });
    }
    control.user_ready();
    control.gate().wait_thread();
    while !control.is_draining() {
        let is_right = round(control.takes_corruption(user));
        record(&mut recorder, is_right, u64::from(tasks));
    }
    control.user_done();
    recorder.finish();
}

/// Waits for a future on a thread without a runtime; the same code on all subjects.
fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Parker(thread::current())));
    }
    let mut future = pin!(future);
    WAKER.with(|waker| {
        let mut context = Context::from_waker(waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            thread::park();
        }
    })
}

struct Parker(Thread);

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
