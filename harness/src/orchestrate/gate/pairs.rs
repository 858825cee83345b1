//! The trials of one block, run and written down.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use zokio_report::schema::journal::{Failure, JournalLine, JournalTrial, Outcome};

use super::sides::Side;
use crate::measure::planted::Planted;
use crate::orchestrate::journal::{Journal, JournalError};
use crate::orchestrate::placement::parts;
use crate::orchestrate::roster::Entry;
use crate::plan::{GateCase, SplitMix, case_word};
use crate::subject::protocol::GateTrial;
use crate::subject::spawn::Limits;
use crate::subject::spawn::interrupt::Interrupt;
use crate::subject::spawn::trial::{self, Parts};

/// A trial whose pages the host reclaimed is run again so often; it says nothing about either side.
const CACHE_RETRIES: u32 = 2;

/// Why a block did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// Ctrl-C.
    Interrupted,
    /// A trial gave no record.
    Failed {
        /// The case.
        case: String,
        /// The side.
        side: String,
        /// The cause.
        failure: Failure,
    },
    /// The journal cannot be written.
    Journal(JournalError),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// Runs blocks; every trial goes to the journal at once.
pub struct Pairs<'a> {
    /// Where standard errors go.
    pub stderr_folder: &'a Path,
    /// How long subjects may take.
    pub limits: Limits,
    /// What stops it early.
    pub interrupt: &'a Interrupt,
    /// The order of trials and their work follow from it.
    pub seed: u64,
    /// The start of the gate.
    pub started: Instant,
    /// The ceiling's client, for cases with their ends apart.
    pub client: Option<Entry>,
    /// Where trials are written down.
    pub journal: &'a mut Journal,
    /// All trials so far, in time order.
    pub trials: Vec<JournalTrial>,
    /// Who has shown that twice its work takes twice as long, and where.
    proved: BTreeSet<(String, String)>,
}

/// Two sides that meet in a block: the base (or whatever stands for it) and the other.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// A.
    pub base: &'a Side,
    /// B.
    pub candidate: &'a Side,
    /// More work for B than it has.
    pub planted: Option<Planted>,
}

/// Both trials of a pair, as places in [`Pairs::trials`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairOfTrials {
    /// The base's.
    pub base: usize,
    /// The candidate's.
    pub candidate: usize,
    /// The base ran first.
    pub base_first: bool,
}

impl<'a> Pairs<'a> {
    /// No trial yet.
    pub fn new(journal: &'a mut Journal, stderr_folder: &'a Path, limits: Limits, interrupt: &'a Interrupt, seed: u64) -> Self {
        let (started, client) = (Instant::now(), None);
        Self { stderr_folder, limits, interrupt, seed, started, client, journal, trials: Vec::new(), proved: BTreeSet::new() }
    }

    /// One block: two pairs, in opposite orders.
    ///
    /// # Errors
    /// It was interrupted, a trial gave no record, or the journal cannot be written.
    pub fn block(&mut self, case: &GateCase, sides: Match<'_>, number: u32) -> Result<[PairOfTrials; 2], Stop> {
        let id = case_word(&case.case.header.id);
        let base_word = case_word(&sides.base.label);
        let base_first = SplitMix::mixed([self.seed, id, base_word, number.into()]).next() & 1 == 0;
        let mut pairs = [PairOfTrials { base: 0, candidate: 0, base_first: true }; 2];
        for (half, pair) in pairs.iter_mut().enumerate() {
            pair.base_first = base_first == (half == 0);
            let seed = SplitMix::mixed([self.seed, id, number.into(), half as u64]).next();
            for place in 0..2 {
                let is_base = pair.base_first == (place == 0);
                let (side, planted) = if is_base { (sides.base, None) } else { (sides.candidate, sides.planted) };
                let position = Position { block: number, half: half as u32, position: half as u32 * 2 + place, seed };
                let index = self.trial(case, side, planted, position)?;
                *(if is_base { &mut pair.base } else { &mut pair.candidate }) = index;
            }
        }
        Ok(pairs)
    }

    fn trial(&mut self, case: &GateCase, side: &Side, planted: Option<Planted>, at: Position) -> Result<usize, Stop> {
        let failed = |failure: Failure| Stop::Failed { case: case.case.header.id.clone(), side: side.label.clone(), failure };
        let entry = side.entry(&case.subject).map_err(failed)?;
        for attempt in 0..=CACHE_RETRIES {
            if self.interrupt.is_raised() {
                return Err(Stop::Interrupted);
            }
            let trial = self.attempt(case, &entry, planted, at, attempt).ok_or(Stop::Interrupted)?;
            self.journal.append(&JournalLine::Trial(Box::new(trial.clone())))?;
            match &trial.outcome {
                Outcome::Failed(failure) if failure.class == "cache-state" && attempt < CACHE_RETRIES => {}
                Outcome::Failed(failure) | Outcome::Skipped(failure) => return Err(failed(failure.clone())),
                Outcome::Record(_) => {
                    self.trials.push(trial);
                    return Ok(self.trials.len() - 1);
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    fn attempt(&mut self, case: &GateCase, entry: &Entry, planted: Option<Planted>, at: Position, attempt: u32) -> Option<JournalTrial> {
        let at_ns = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let index = self.trials.len();
        let trial_id = format!("{index:05}-{}{}", entry.name, if attempt == 0 { String::new() } else { format!("-r{attempt}") });
        let client = self.client.clone();
        let mut parts = parts(&case.case, &trial_id, index, at.seed, entry, client.as_ref().unwrap_or(entry));
        // The first trial of each side shows it; in the others it would take longer than they do.
        let no_doubling = !self.proved.insert((case.case.header.id.clone(), entry.name.clone()));
        let gate = GateTrial { no_doubling, planted };
        match &mut parts {
            Parts::Together(part) => part.trial.gate = gate,
            Parts::Apart { server, client } => {
                server.trial.gate = gate.clone();
                client.trial.gate.no_doubling = gate.no_doubling;
            }
        }
        let ran = trial::run(parts, self.stderr_folder, &self.limits, self.interrupt);
        Some(JournalTrial {
            trial_id,
            case: case.case.header.id.clone(),
            subject: entry.name.clone(),
            block: at.block,
            position: at.position,
            half: at.half,
            attempt,
            counted: true,
            disturbed: None,
            seed: at.seed,
            at_ns,
            outcome: ran.outcome?,
            evidence: ran.evidence,
        })
    }
}

/// Where a trial stands in its block.
#[derive(Clone, Copy, Debug)]
struct Position {
    block: u32,
    half: u32,
    position: u32,
    seed: u64,
}
