//! The loop over the plan: start, judge whether the trial may count, write it down, go on.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use zokio_report::judge::clocks_disagree;
use zokio_report::schema::journal::{Evidence, Failure, JournalLine, JournalTrial, Outcome, RunEnd};

use super::identity::without_paths;
use super::journal::{Journal, JournalError};
use super::placement::{core_pair, parts};
use super::progress::Progress;
use super::roster::Roster;
use crate::measure::doubling::Doubling;
use crate::measure::workdir;
use crate::plan::{Case, Endpoints, Plan, PlannedTrial};
use crate::subject::spawn::interrupt::Interrupt;
use crate::subject::spawn::{Limits, failure, trial};

/// A core state that changes by more than this during a trial has moved the virtual CPUs under it.
const FLIP_RATIO: f64 = 1.5;
/// How often a trial is run again that the host disturbed.
const REPEATS_MAX: u32 = 2;
/// After so many failures in a row a subject's other trials of the case would fail as well, and only cost time.
const FAILURES_IN_A_ROW_MAX: u32 = 3;
/// Failures that say "not here" rather than "went wrong".
const CANNOT_RUN: [&str; 5] = ["unsupported", "io_uring-denied", "not-found", "not-executable", "unknown-subject"];
/// The subject whose client drives all where server and client are apart.
pub const CLIENT_SUBJECT: &str = "ceiling";

/// Cache-line round trip between two CPUs, in nanoseconds.
pub type CoreProbe<'a> = dyn Fn(u32, u32) -> Option<f64> + 'a;

/// Everything a run needs.
pub struct Run<'a> {
    /// What will run, in order.
    pub plan: &'a Plan,
    /// Where its subjects are.
    pub roster: &'a Roster,
    /// Where standard errors go.
    pub stderr_folder: &'a Path,
    /// How long subjects may take.
    pub limits: Limits,
    /// What stops it early.
    pub interrupt: &'a Interrupt,
    /// Tells the core state before and after each trial.
    pub core_state: &'a CoreProbe<'a>,
    /// Keep absolute paths in what subjects say.
    pub with_identity: bool,
}

/// A subject in a case, as the run goes on.
#[derive(Default)]
struct Standing {
    failed_in_a_row: u32,
    /// Why its other trials of this case are left out: skipped, or given up on.
    left_out: Option<LeftOut>,
}

enum LeftOut {
    /// It cannot run here; one line in the journal says so.
    Skipped,
    /// It failed again and again; each trial left out is a failed one.
    GivenUp(Failure),
}

struct Position<'a> {
    index: usize,
    planned: &'a PlannedTrial,
    case: &'a Case,
    started: Instant,
}

impl Run<'_> {
    /// Runs the plan; the journal gets a line per trial and the last one. Returns what it wrote.
    ///
    /// # Errors
    /// The journal cannot be written; what was written before stays.
    pub fn execute(&self, journal: &mut Journal, progress: &mut Progress) -> Result<(Vec<JournalTrial>, RunEnd), JournalError> {
        let started = Instant::now();
        let mut standings: BTreeMap<(usize, &str), Standing> = BTreeMap::new();
        let mut written = Vec::new();
        for (index, planned) in self.plan.trials.iter().enumerate() {
            if self.interrupt.is_raised() {
                break;
            }
            let position = Position { index, planned, case: &self.plan.cases[planned.case_index], started };
            let standing = standings.entry((planned.case_index, &planned.subject)).or_default();
            progress.starting(&position.case.header.id, &planned.subject);
            let trials = match &standing.left_out {
                Some(LeftOut::Skipped) => Vec::new(),
                Some(LeftOut::GivenUp(cause)) => vec![self.left_out_trial(&position, Outcome::Failed(cause.clone()))],
                None => self.run_planned(&position, standing, progress),
            };
            progress.done(1);
            for trial in trials {
                journal.append(&JournalLine::Trial(Box::new(trial.clone())))?;
                written.push(trial);
            }
        }
        if let Some(note) = repeats(&written) {
            progress.note(&note);
        }
        progress.clear();
        let interrupted = self.interrupt.is_raised();
        let end = RunEnd { complete: !interrupted, interrupted, duration_s: started.elapsed().as_secs_f64() };
        journal.append(&JournalLine::End(end.clone()))?;
        Ok((written, end))
    }

    /// One planned trial: the attempt that counts, after those that were dropped. Empty when it was interrupted.
    fn run_planned(&self, position: &Position<'_>, standing: &mut Standing, progress: &mut Progress) -> Vec<JournalTrial> {
        let mut attempts = Vec::new();
        for attempt in 0..=REPEATS_MAX {
            let Some(mut trial) = self.attempt(position, attempt) else { break };
            trial.disturbed = disturbance(&trial).map(str::to_owned);
            trial.counted = attempt == REPEATS_MAX || trial.disturbed.is_none();
            attempts.push(trial);
            if attempts.last().is_some_and(|trial| trial.counted) {
                break;
            }
        }
        // An interruption between attempts leaves the last one counted: it is a whole trial.
        if let Some(last) = attempts.last_mut() {
            last.counted = true;
            self.judge_standing(position, standing, &last.outcome, progress);
        }
        attempts
    }

    fn judge_standing(&self, position: &Position<'_>, standing: &mut Standing, outcome: &Outcome, progress: &mut Progress) {
        let subject = &position.planned.subject;
        match outcome {
            Outcome::Record(_) => standing.failed_in_a_row = 0,
            Outcome::Skipped(why) => {
                progress.note(&format!("skipped: {subject} in {}: {}", name(position), why.message));
                standing.left_out = Some(LeftOut::Skipped);
            }
            Outcome::Failed(cause) => {
                standing.failed_in_a_row += 1;
                progress.note(&format!("failed: {subject} in {}: {} ({})", name(position), cause.message, cause.class));
                if standing.failed_in_a_row == FAILURES_IN_A_ROW_MAX {
                    progress.note(&format!(
                        "warning: {subject} failed {FAILURES_IN_A_ROW_MAX} times in a row; its other trials of {} are not started",
                        name(position)
                    ));
                    let message = format!("not started after {FAILURES_IN_A_ROW_MAX} failures in a row, the last: {}", cause.message);
                    standing.left_out = Some(LeftOut::GivenUp(Failure { class: cause.class.clone(), message }));
                }
            }
        }
    }

    /// Runs the trial once; `None` when it was interrupted.
    fn attempt(&self, position: &Position<'_>, attempt: u32) -> Option<JournalTrial> {
        let case = position.case;
        if let Some(why) = self.why_not(position) {
            return Some(self.left_out_trial(position, Outcome::Skipped(why)));
        }
        let (subject, client) = (self.roster.find(&position.planned.subject)?, self.roster.find(CLIENT_SUBJECT));
        let at_ns = nanoseconds(position.started);
        let trial_id = trial_id(position, attempt);
        let probe = || core_pair(&case.endpoints).and_then(|(one, other)| (self.core_state)(one, other));
        let before = probe();
        let parts = parts(case, &trial_id, position.index, position.planned.seed, subject, client.unwrap_or(subject));
        let ran = trial::run(parts, self.stderr_folder, &self.limits, self.interrupt);
        if !matches!(ran.outcome, Some(Outcome::Record(_))) {
            sweep_after(case);
        }
        let outcome = ran.outcome?;
        let evidence = Evidence { core_state_before_ns: before, core_state_after_ns: probe(), ..ran.evidence };
        Some(JournalTrial {
            trial_id,
            attempt,
            at_ns,
            evidence,
            outcome: self.judged(outcome),
            ..self.left_out_trial(position, Outcome::Skipped(failure("", "")))
        })
    }

    /// Why a subject cannot run a case at all, known without starting it.
    fn why_not(&self, position: &Position<'_>) -> Option<Failure> {
        let (subject, workload) = (&position.planned.subject, &position.case.header.workload);
        let Some(entry) = self.roster.find(subject) else {
            let known = self.roster.names().join(", ");
            return Some(failure("not-found", format!("no subject `{subject}` on this machine; there are {known}")));
        };
        if !entry.description.workloads.is_empty() && !entry.description.workloads.contains(workload) {
            return Some(failure("unsupported", format!("{subject} does not have the workload `{workload}`")));
        }
        if matches!(position.case.endpoints, Endpoints::Apart { .. }) && self.roster.find(CLIENT_SUBJECT).is_none() {
            return Some(failure("not-found", format!("`{CLIENT_SUBJECT}`, whose client drives this case, is not on this machine")));
        }
        None
    }

    /// An outcome as it is written down: what cannot run here is skipped, and no path of this machine is told.
    fn judged(&self, outcome: Outcome) -> Outcome {
        let Outcome::Failed(mut cause) = outcome else { return outcome };
        if !self.with_identity {
            cause.message = without_paths(&cause.message);
        }
        if CANNOT_RUN.contains(&cause.class.as_str()) { Outcome::Skipped(cause) } else { Outcome::Failed(cause) }
    }

    /// A trial of this place in the plan without any evidence.
    fn left_out_trial(&self, position: &Position<'_>, outcome: Outcome) -> JournalTrial {
        let PlannedTrial { block, half, position: place, seed, .. } = *position.planned;
        JournalTrial {
            trial_id: trial_id(position, 0),
            case: position.case.header.id.clone(),
            subject: position.planned.subject.clone(),
            block,
            position: place,
            half,
            attempt: 0,
            counted: true,
            disturbed: None,
            seed,
            at_ns: nanoseconds(position.started),
            outcome,
            evidence: Evidence::default(),
        }
    }
}

/// A subject that was killed could not remove its files.
fn sweep_after(case: &Case) {
    if let Some(files) = case.workload.files() {
        workdir::sweep(&workdir::parent(files.storage));
    }
}

fn name<'a>(position: &Position<'a>) -> &'a str {
    &position.case.header.id
}

/// `0012-zokio`, repeats `0012-zokio-r1`; also the name of the trial's standard error.
fn trial_id(position: &Position<'_>, attempt: u32) -> String {
    let repeat = if attempt == 0 { String::new() } else { format!("-r{attempt}") };
    format!("{:04}-{}{repeat}", position.index, position.planned.subject)
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// What the host did to a trial that its repetition may be spared. A subject that does this by itself does it again, and the last trial counts.
fn disturbance(trial: &JournalTrial) -> Option<&'static str> {
    let record = match &trial.outcome {
        Outcome::Record(record) => record,
        // Pages are reclaimed whenever the host wants them.
        Outcome::Failed(cause) => return (cause.class == "cache-state").then_some("pages were reclaimed"),
        Outcome::Skipped(_) => return None,
    };
    let did_nothing = record.work.ok == 0 && record.work.errors.is_empty();
    let is_no_work = || Doubling::read(&record.counters).is_some_and(|doubling| !doubling.is_work());
    let has_flipped = || is_flipped(trial.evidence.core_state_before_ns, trial.evidence.core_state_after_ns);
    if did_nothing {
        Some("no operation ended")
    } else if is_no_work() {
        Some("work did not double")
    } else if clocks_disagree(record, &trial.evidence) {
        Some("clocks disagreed")
    } else {
        has_flipped().then_some("the core state flipped")
    }
}

/// How many attempts were repeated, and why; `None` where none was.
fn repeats(trials: &[JournalTrial]) -> Option<String> {
    let mut causes: BTreeMap<&str, u32> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| !trial.counted) {
        *causes.entry(trial.disturbed.as_deref().unwrap_or("interrupted")).or_default() += 1;
    }
    let total: u32 = causes.values().sum();
    let causes: Vec<String> = causes.iter().map(|(cause, count)| format!("{cause} in {count}")).collect();
    let causes = causes.join(", ");
    (total > 0).then(|| format!("note: the host disturbed {total} trials ({causes}); they were repeated and do not count"))
}

/// Whether two readings of the core state are of different states; without both there is nothing to compare.
fn is_flipped(before: Option<f64>, after: Option<f64>) -> bool {
    before.zip(after).is_some_and(|(before, after)| before.max(after) > FLIP_RATIO * before.min(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_state_flips_either_way_and_only_when_it_was_read() {
        let cases = [
            (Some(50.0), Some(60.0), false),
            (Some(50.0), Some(76.0), true),
            (Some(400.0), Some(50.0), true),
            (None, Some(50.0), false),
            (Some(50.0), None, false),
        ];
        for (before, after, flipped) in cases {
            assert_eq!(is_flipped(before, after), flipped, "{before:?} {after:?}");
        }
    }
}
