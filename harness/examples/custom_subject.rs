//! A program of your own as a subject: `zokio-bench run sleep-floor --subject mine=target/release/examples/custom_subject`.
use std::time::{Duration, Instant};

use zokio_bench::subject::protocol::{PhaseName, SubjectDescription, Trial};
use zokio_bench::subject::serve::{Session, Subject, serve};
use zokio_bench::workload::Workload;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::{TrialRecord, Work};

struct Mine;

impl Subject for Mine {
    fn describe(&self) -> SubjectDescription {
        SubjectDescription { name: "mine".into(), version: "1.0.0".into(), build: Default::default(), workloads: vec!["sleep".into()] }
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        let Workload::Sleep(sleep) = &trial.workload else {
            return Err(Failure { class: "unsupported".into(), message: "this program only sleeps".into() });
        };
        session.ready(&[]);
        session.phase(PhaseName::Measure);
        let (started, mut slept) = (Instant::now(), 0);
        while started.elapsed() < Duration::from_millis(trial.phases.measure_ms) {
            std::thread::sleep(Duration::from_nanos(sleep.duration_ns));
            slept += 1;
        }
        let elapsed_ns = started.elapsed().as_nanos() as u64;
        session.phase(PhaseName::Drain);
        let work = Work { attempted: slept, ok: slept, verified: slept, ..Work::default() };
        Ok(TrialRecord { elapsed_ns, work, batches: vec![(slept, elapsed_ns)], driver: "none".into(), ..TrialRecord::default() })
    }
}

fn main() -> std::process::ExitCode {
    serve(&[&Mine])
}
