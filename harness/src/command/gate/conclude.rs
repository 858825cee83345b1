//! From the trials to the result of a gate: guards, rows, outcome, files.

use zokio_report::exit;
use zokio_report::judge;
use zokio_report::judge::gate::{Circumstances, RowName, Table, outcome};
use zokio_report::schema::SCHEMA_VERSION;
use zokio_report::schema::gate::{GATE_SCHEMA, GateOutcome, GateResult, GateRow, GateRule, GateThreshold};
use zokio_report::schema::journal::{JournalTrial, RunEnd, RunHeader};
use zokio_report::schema::result::{RunResult, Severity};
use zokio_report::schema::validity::ValidityState;

use super::rows::{RowPlan, TOLERANCE};
use super::sides::CANDIDATE;
use super::{Gate, Measured};
use crate::error::CommandError;
use crate::orchestrate::gate::contest::Ended;
use crate::orchestrate::gate::pairs::Stop;
use crate::orchestrate::output::OutputFolder;
use crate::scenario;

/// The gate's result in its folder.
pub const GATE_NAME: &str = "gate.json";

/// What was measured, as it came out of the trials.
pub struct Trials<'a> {
    /// The journal's first line.
    pub header: &'a RunHeader,
    /// All trials.
    pub trials: &'a [JournalTrial],
    /// How it ended.
    pub end: &'a RunEnd,
}

/// The rows, and where each stands in the table.
pub struct Rows<'a> {
    /// The table, settled.
    pub table: Table,
    /// What each row is.
    pub plans: &'a [RowPlan],
    /// Its index in the table.
    pub places: &'a [usize],
}

/// Judges, writes and shows; the outcome.
///
/// # Errors
/// A file cannot be written, or a trial failed so that there is nothing to judge.
pub fn conclude(gate: &Gate<'_>, measured: Measured, of: &Trials<'_>, mut rows: Rows<'_>, output: &OutputFolder) -> Result<GateOutcome, CommandError> {
    let run = judge::summarize(of.header, of.trials, Some(of.end));
    let mut notes = measured.notes;
    guard(&run, gate, &mut rows, &mut notes);
    let thresholds = thresholds(&run);
    let reported: Vec<GateRow> = rows.plans.iter().zip(rows.places).map(|(plan, place)| rows.table.report(*place, name(gate, plan))).collect();
    let arguments = gate.arguments;
    let mut errors = Vec::new();
    match &measured.stop {
        Some(Stop::Failed { case, side, failure }) => {
            errors.push(exit::COULD_NOT_RUN);
            notes.push(format!("{side} in {case}: {} ({})", failure.message, failure.class));
        }
        Some(Stop::Journal(error)) => return Err(CommandError::could_not_run(error.to_string(), "make room, or choose another folder with --out")),
        Some(Stop::Interrupted) | None => {}
    }
    if measured.ended == Some(Ended::OutOfTime) {
        notes.push("the time of --max-time was over before every row was decided".into());
    }
    let circumstances = Circumstances {
        strict: arguments.strict,
        max_inconclusive: arguments.max_inconclusive,
        interrupted: of.end.interrupted,
        errors: &errors,
    };
    let outcome = outcome(&reported, &thresholds, circumstances);
    let result = GateResult {
        schema: GATE_SCHEMA.into(),
        schema_version: SCHEMA_VERSION.into(),
        gate_id: of.header.run_id.clone(),
        started_at: of.header.started_at.clone(),
        duration_s: Some(of.end.duration_s),
        complete: of.end.complete && measured.ended == Some(Ended::Whole),
        seed: of.header.seed,
        command: of.header.command.clone(),
        tool: of.header.tool.clone(),
        suites: gate.all.suites.iter().map(scenario::Suite::info).collect(),
        host: of.header.host.clone(),
        calibration: run.calibration.clone(),
        candidate: gate.about_candidate.clone(),
        bases: gate.bases.iter().map(|base| base.about.clone()).collect(),
        rule: GateRule {
            threshold: arguments.threshold.unwrap_or(TOLERANCE),
            alpha: arguments.alpha,
            looks: rows.table.rule().looks().collect(),
            rows: rows.table.rule().rows(),
            max_time_s: arguments.max_time.map(|time| time.as_secs_f64()),
            max_inconclusive: arguments.max_inconclusive,
            strict: arguments.strict,
        },
        rows: reported,
        thresholds,
        notes,
        outcome: outcome.clone(),
    };
    super::show::write(&result, arguments, output)?;
    super::show::print(&result, arguments, output);
    Ok(outcome)
}

fn name(gate: &Gate<'_>, plan: &RowPlan) -> RowName {
    let header = &gate.all.cases[plan.case].case.header;
    RowName {
        base: gate.bases[plan.base].about.name.clone(),
        suite: gate.all.suites[gate.all.suite_of[plan.case]].name.clone(),
        scenario: header.scenario.clone(),
        case: header.id.clone(),
        metric: plan.metric.clone(),
        unit: scenario::metric(&plan.metric).map_or_else(String::new, |metric| metric.unit.to_owned()),
    }
}

/// A row is no measurement when a guard says so of either side; what is merely suspect is told.
fn guard(run: &RunResult, gate: &Gate<'_>, rows: &mut Rows<'_>, notes: &mut Vec<String>) {
    for (place, case) in run.cases.iter().enumerate() {
        for subject in &case.subjects {
            let reason = subject.validity.reason.as_deref().unwrap_or("no reason was given");
            match subject.validity.state {
                ValidityState::Invalid => {
                    let concerned = |plan: &RowPlan| {
                        plan.case == place && (subject.subject == CANDIDATE || gate.bases[plan.base].about.name == subject.subject)
                    };
                    for (_, index) in rows.plans.iter().zip(rows.places).filter(|(plan, _)| concerned(plan)) {
                        rows.table.invalidate(*index, &format!("{}: {reason}", subject.subject));
                    }
                }
                ValidityState::Suspect => notes.push(format!("{} of {} is suspect: {reason}", subject.subject, case.id)),
                ValidityState::Valid | ValidityState::Skipped => {}
            }
        }
    }
}

/// Thresholds on the candidate.
fn thresholds(run: &RunResult) -> Vec<GateThreshold> {
    let mut found = Vec::new();
    for case in &run.cases {
        for threshold in case.thresholds.iter().filter(|threshold| threshold.subject == CANDIDATE) {
            found.push(GateThreshold {
                case: case.id.clone(),
                fails: threshold.passed == Some(false) && threshold.severity == Severity::Fail,
                grace: threshold.grace.zip(threshold.misses),
                threshold: Some(threshold.clone()),
                target: None,
            });
        }
    }
    found
}
