//! A program of the user's own as a subject, by a closure alone: [`serve_fn`] for what computes, [`serve_async`] for what waits.
//!
//! ```text
//! [scenario.custom]                       the suite: any load, phases and thresholds
//! zokio-bench run my.toml --subject mine=./my-program,older=./my-program-of-last-week
//! ```
//! The closure says how many of its operations hold; those that do not are errors, and a rate counts none of them.

use std::process::ExitCode;
use std::sync::Arc;

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::body::stack::FleetReport;
use super::body::{drive, users};
use super::protocol::{SubjectDescription, Trial};
use super::serve::{Session, Subject, serve};
use super::threads;
use super::zokio::fleet::Workers;
use crate::measure::doubling::Pieces;
use crate::measure::recorder::{self, ErrorClass, Recorder};
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::workload::{CustomWorkload, Workload};

/// Said by subjects that are not the user's own.
pub(crate) const ONLY_CUSTOM: &str = "`custom` is what a program of your own does: --subject mine=./my-program";

/// The whole `main` of a program whose work is a closure: `operation(n)` does n operations and returns how many of them hold.
///
/// One user runs on one pinned thread, and with more users so do those of the other CPUs. Operations are counted in rounds, and not
/// timed one by one. Before the trial the closure proves that twice the work takes twice as long.
pub fn serve_fn(name: &str, operation: impl Fn(u64) -> u64 + Sync) -> ExitCode {
    serve(&[&Closure { name, operation }])
}

/// The whole `main` of a program whose operation waits: each user of the closed loop is a task on `zokio` that awaits one
/// `operation(user)` after the other. An operation returns whether it holds; its time is its service time.
pub fn serve_async<O, F>(name: &str, operation: O) -> ExitCode
where
    O: Fn(u32) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    serve(&[&Application { name, operation }])
}

struct Closure<'a, O> {
    name: &'a str,
    operation: O,
}

struct Application<'a, O> {
    name: &'a str,
    operation: O,
}

fn describe(name: &str) -> SubjectDescription {
    SubjectDescription { name: name.into(), version: "0".into(), build: super::build_info(), workloads: vec!["custom".into()] }
}

fn workload(trial: &Trial) -> Result<&CustomWorkload, Failure> {
    match &trial.workload {
        Workload::Custom(workload) => Ok(workload),
        _ => Err(drive::unsupported("this program runs `[scenario.custom]` alone")),
    }
}

impl<O: Fn(u64) -> u64 + Sync> Subject for Closure<'_, O> {
    fn describe(&self) -> SubjectDescription {
        describe(self.name)
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        let round = workload(trial)?.operations_per_round.max(1);
        let counters = [("operations_per_round".to_owned(), round)].into();
        let report = FleetReport { driver: "none".into(), counters, ..FleetReport::default() };
        let control = Arc::new(Ledger::default());
        threads::run(trial, session, &control, self.name, report, |users| {
            let one_round = |(): &mut (), recorder: &mut Recorder| {
                let holds = (self.operation)(round).min(round);
                recorder.round(holds, 0);
                (holds..round).for_each(|_| recorder.failure(ErrorClass::Mismatch, None));
            };
            let double = |(): &mut (), pieces: Pieces<'_>| {
                pieces.for_each(|times| {
                    std::hint::black_box((self.operation)(round.saturating_mul(times)));
                });
            };
            threads::rounds(&control, users, |_| (), double, one_round, |(), _| ());
            Ok(())
        })
    }
}

impl<O, F> Subject for Application<'_, O>
where
    O: Fn(u32) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    fn describe(&self) -> SubjectDescription {
        describe(self.name)
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        workload(trial)?;
        let control = Arc::new(Ledger::default());
        let fleet = Workers::start(trial, &control)?;
        users::run(fleet, &control, trial, session, |number| user(Arc::clone(&control), number, self.operation.clone()))
    }
}

async fn user<F: Future<Output = bool>>(control: Arc<Ledger>, number: u32, operation: impl Fn(u32) -> F) {
    control.user_ready();
    control.gate().wait().await;
    let mut start = now_ns();
    while !control.is_draining() {
        let holds = operation(number).await;
        let end = now_ns();
        recorder::with(&control, |recorder| match holds {
            true => recorder.success(end - start, 0),
            false => recorder.failure(ErrorClass::Mismatch, None),
        });
        start = end;
    }
    control.user_done();
}
