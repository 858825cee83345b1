//! The subject `crossbeam-deque`: the work-stealing queue that `zokio` is built on, alone on bare threads.
//!
//! First in, first out, as a runtime uses it; one item a theft, so that a steal is a steal and not a share of a batch.
#![cfg(target_os = "linux")]

use std::sync::Arc;

use crossbeam_deque::{Steal, Stealer, Worker};
use serde_json::json;
use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::TrialRecord;

use super::body::drive;
use super::body::stack::FleetReport;
use super::protocol::{SubjectDescription, Trial};
use super::queue::{self, OwnerEnd, ThiefEnd};
use super::serve::{Session, Subject};
use crate::measure::tally::Ledger;
use crate::workload::Workload;
use crate::workload::stealing::StealingMode;

/// Version of the queue in this build, as the lock file has it.
const VERSION: &str = "0.8.8";

/// `crossbeam-deque`.
#[derive(Clone, Copy, Debug)]
pub struct CrossbeamDeque;

impl CrossbeamDeque {
    /// Runs a trial whose control the caller holds.
    ///
    /// # Errors
    /// A [`Failure`] of the set-up.
    pub fn run_with(trial: &Trial, session: &Session, control: &Arc<Ledger>) -> Result<TrialRecord, Failure> {
        match &trial.workload {
            Workload::Stealing(workload) if workload.mode == StealingMode::Queue => {
                let config = [("flavor".to_owned(), json!("fifo")), ("steal".to_owned(), json!("one"))].into_iter().collect();
                let report = FleetReport { driver: "none".into(), config, ..FleetReport::default() };
                queue::run::<Fifo>(trial, session, control, workload, report)
            }
            _ => Err(drive::unsupported("a queue alone runs no tasks: it has `stealing` in the mode `queue`")),
        }
    }
}

impl Subject for CrossbeamDeque {
    fn describe(&self) -> SubjectDescription {
        let workloads = vec!["stealing".to_owned()];
        SubjectDescription { name: "crossbeam-deque".into(), version: VERSION.into(), build: super::build_info(), workloads }
    }

    fn run(&self, trial: &Trial, session: &Session) -> Result<TrialRecord, Failure> {
        Self::run_with(trial, session, &Arc::new(Ledger::default()))
    }
}

struct Fifo(Worker<u32>);

#[derive(Clone)]
struct Thief(Stealer<u32>);

impl OwnerEnd for Fifo {
    type Thief = Thief;

    fn new(_items: u32) -> (Self, Thief) {
        let worker = Worker::new_fifo();
        let thief = Thief(worker.stealer());
        (Self(worker), thief)
    }

    #[inline]
    fn push(&mut self, item: u32) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<u32> {
        self.0.pop()
    }
}

impl ThiefEnd for Thief {
    #[inline]
    fn steal(&self) -> Option<u32> {
        loop {
            match self.0.steal() {
                Steal::Success(item) => return Some(item),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }
}
