//! What a gate judges without a base: thresholds and relative targets of the scenarios, and stored baselines, which only inform.
//!
//! Both want the trials of a run, not those of a gate: a threshold speaks of the window that its scenario measures, a relative target of another
//! subject of the same run, and a stored result was made by one.

use zokio_report::judge;
use zokio_report::judge::stored::{self, FreshMedian};
use zokio_report::schema::gate::{GateRow, GateThreshold};
use zokio_report::schema::journal::{CaseRole, JournalLine, RunHeader, TargetKind};
use zokio_report::schema::result::{Better, RunResult, Severity};

use super::Gate;
use super::prepare;
use super::rows;
use crate::command::arguments::Format;
use crate::command::subjects::{described, own_executable};
use crate::command::{run, write};
use crate::error::CommandError;
use crate::host;
use crate::orchestrate::journal::Journal;
use crate::orchestrate::output::OutputFolder;
use crate::orchestrate::placement::allowed_cpus;
use crate::orchestrate::preflight;
use crate::orchestrate::progress::Progress;
use crate::orchestrate::roster::Roster;
use crate::orchestrate::run::Run;
use crate::plan::{PlanOptions, plan};
use crate::scenario::{self, Suite};

/// A stored result, and its name in the rows.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Its name.
    pub(super) name: String,
    /// The result.
    pub(super) result: RunResult,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    /// Thresholds and targets.
    pub(super) thresholds: Vec<GateThreshold>,
    /// Rows against stored results.
    pub(super) rows: Vec<GateRow>,
    /// Warnings.
    pub(super) notes: Vec<String>,
    /// It was interrupted.
    pub(super) interrupted: bool,
    /// The candidate gave no record somewhere.
    pub(super) could_not_run: bool,
}

/// Runs every suite as `run` does, with the candidate and whom its targets name, and judges it.
///
/// # Errors
/// The plan, the folder or the journal.
pub(super) fn judge(gate: &Gate<'_>, stored: &[Stored], output: &OutputFolder) -> Result<Limits, CommandError> {
    let mut limits = Limits::default();
    for suite in &gate.all.suites {
        let result = run_suite(gate, suite, output)?;
        limits.interrupted |= gate.interrupt.is_raised();
        let subject = subject(suite);
        limits.could_not_run |= result
            .cases
            .iter()
            .any(|case| case.role == CaseRole::Measured && case.subjects.first().is_some_and(judge::verdict::could_not_run));
        limits.thresholds.extend(of_result(&result, &subject));
        for base in stored {
            for row in stored::rows(&base.name, &base.result, &medians(gate, suite, &result, &subject)) {
                limits.notes.extend(row.warning);
                limits.rows.push(row.row);
            }
        }
    }
    Ok(limits)
}

/// The subject that a suite names first.
fn subject(suite: &Suite) -> String {
    suite.cases.iter().find(|case| case.role == CaseRole::Measured).and_then(|case| case.subjects.first()).cloned().unwrap_or_default()
}

/// The candidate, then those that its gating targets name.
fn subjects(suite: &Suite) -> Vec<String> {
    let mut subjects = vec![subject(suite)];
    for target in suite.cases.iter().flat_map(|case| &case.targets) {
        if let (TargetKind::Relative { of, .. }, Some(_)) = (&target.kind, target.severity)
            && !subjects.contains(of)
        {
            subjects.push(of.clone());
        }
    }
    subjects
}

fn run_suite(gate: &Gate<'_>, suite: &Suite, output: &OutputFolder) -> Result<RunResult, CommandError> {
    let subjects = subjects(suite);
    let options = PlanOptions { seed: gate.arguments.seed, subjects: Some(subjects.clone()), ..PlanOptions::default() };
    let plan = plan(suite, &allowed_cpus(), &options).map_err(run::plan_error)?;
    preflight::check_host(&plan)?;
    let folder = OutputFolder::create(Some(&output.path().join(format!("run-{}", suite.name))), &suite.name, "")?;
    let mut roster = Roster::of(&own_executable()?, described());
    let mut candidate = gate
        .sides
        .candidate
        .entry(&subjects[0])
        .map_err(|failure| CommandError::could_not_run(failure.message, "name the subject: PATH#SUBJECT"))?;
    candidate.name.clone_from(&subjects[0]);
    roster.put(candidate);
    let header = RunHeader {
        cases: plan.cases.iter().map(|case| case.header.clone()).collect(),
        subjects: roster.headers(&subjects),
        suite: suite.info(),
        ..prepare::header(&gate.all, &gate.sides, &gate.here, plan.seed, gate.arguments)
    };
    let mut journal = Journal::create(&folder.journal())?;
    journal.append(&JournalLine::Header(Box::new(header.clone())))?;
    let run = Run {
        plan: &plan,
        roster: &roster,
        stderr_folder: &folder.stderr(),
        limits: gate.limits,
        interrupt: gate.interrupt,
        core_state: &host::noise::core_state,
        with_identity: gate.arguments.with_identity,
    };
    let (trials, end) = run.execute(&mut journal, &mut Progress::new(plan.trials.len()))?;
    let result = judge::summarize(&header, &trials, Some(&end));
    write::write(Format::Json, std::slice::from_ref(&result), folder.path())?;
    Ok(result)
}

/// Thresholds and relative targets on the candidate.
pub(super) fn of_result(run: &RunResult, subject: &str) -> Vec<GateThreshold> {
    let mut found = Vec::new();
    for case in &run.cases {
        for threshold in case.thresholds.iter().filter(|threshold| threshold.subject == subject) {
            found.push(GateThreshold {
                case: case.id.clone(),
                fails: threshold.passed == Some(false) && threshold.severity == Severity::Fail,
                grace: threshold.grace.zip(threshold.misses),
                threshold: Some(threshold.clone()),
                target: None,
            });
        }
        for target in case.targets.iter().filter(|target| target.subject == subject && target.severity.is_some()) {
            found.push(GateThreshold {
                case: case.id.clone(),
                fails: target.reached == Some(false) && target.severity == Some(Severity::Fail),
                grace: None,
                threshold: None,
                target: Some(target.clone()),
            });
        }
    }
    found
}

/// The candidate's medians, of the metrics that are gated.
fn medians(gate: &Gate<'_>, suite: &Suite, run: &RunResult, subject: &str) -> Vec<FreshMedian> {
    let mut medians = Vec::new();
    for gated in gate.all.cases.iter() {
        let header = &gated.case.header;
        let Some(case) = run.cases.iter().find(|case| case.id == header.id) else { continue };
        let row = case.subjects.iter().find(|row| row.subject == subject);
        for (metric, threshold) in rows::metrics(gated, gate.arguments) {
            let known = scenario::metric(&metric);
            let value = row.and_then(|row| row.metrics.iter().find(|candidate| candidate.id == metric)).and_then(|metric| metric.value);
            medians.push(FreshMedian {
                suite: suite.name.clone(),
                scenario: header.scenario.clone(),
                case: header.id.clone(),
                workload_sha256: header.workload_sha256.clone(),
                workload_version: header.workload_version,
                subject: subject.to_owned(),
                unit: known.as_ref().map_or_else(String::new, |metric| metric.unit.to_owned()),
                better: known.map_or(Better::Lower, |metric| metric.better),
                metric,
                threshold,
                value,
            });
        }
    }
    medians
}
