//! From the trials to the result of a gate: guards, rows, outcome, files.

use zokio_report::exit;
use zokio_report::judge;
use zokio_report::judge::gate::{Circumstances, RowName, Table, outcome};
use zokio_report::schema::SCHEMA_VERSION;
use zokio_report::schema::gate::{GATE_SCHEMA, GateBase, GateResult, GateRow, GateRule};
use zokio_report::schema::journal::{JournalTrial, RunEnd, RunHeader};
use zokio_report::schema::result::RunResult;
use zokio_report::schema::validity::ValidityState;

use super::arguments::GateArgs;
use super::limits::{self, Limits};
use super::measure::Measured;
use super::rows::{RowPlan, TOLERANCE};
use super::sides::CANDIDATE;
use super::{Gate, show};
use crate::error::CommandError;
use crate::orchestrate::gate::contest::Ended;
use crate::orchestrate::gate::pairs::Stop;
use crate::orchestrate::output::OutputFolder;
use crate::scenario;

/// The gate's result in its folder.
pub(super) const GATE_NAME: &str = "gate.json";

/// What was measured, as it came out of the trials.
pub(super) struct Trials<'a> {
    /// The journal's first line.
    pub(super) header: &'a RunHeader,
    /// All trials.
    pub(super) trials: &'a [JournalTrial],
    /// How it ended.
    pub(super) end: &'a RunEnd,
}

/// Judges, writes and shows; the result.
///
/// # Errors
/// A file cannot be written.
pub(super) fn conclude(
    gate: &Gate<'_>,
    mut measured: Measured,
    limits: Option<Limits>,
    stored: Vec<GateBase>,
    of: &Trials<'_>,
    output: &OutputFolder,
) -> Result<GateResult, CommandError> {
    let run = judge::summarize(of.header, of.trials, Some(of.end));
    let mut notes = [std::mem::take(&mut measured.notes), gate.sides.notes.clone()].concat();
    guard(&run, gate, &mut measured, &mut notes);
    let mut errors = Vec::new();
    match &measured.stop {
        Some(Stop::Failed { case, side, failure }) => {
            errors.push(exit::COULD_NOT_RUN);
            notes.push(format!("{side} in {case}: {} ({})", failure.message, failure.class));
        }
        Some(Stop::Journal(error)) => {
            return Err(CommandError::could_not_run(error.to_string(), "make room, or choose another folder with --out"));
        }
        Some(Stop::Interrupted) | None => {}
    }
    if measured.ended == Some(Ended::OutOfTime) {
        notes.push("the time of --max-time was over before every row was decided".into());
    }
    let table = &measured.table;
    let mut rows: Vec<GateRow> =
        measured.plans.iter().zip(&measured.places).map(|(plan, place)| table.report(*place, name(gate, plan))).collect();
    // Equal executables are not measured, and so there is nothing that could hold or not.
    let mut thresholds = if of.trials.is_empty() { Vec::new() } else { limits::of_result(&run, CANDIDATE) };
    if let Some(limits) = limits {
        rows.extend(limits.rows);
        thresholds.extend(limits.thresholds);
        notes.extend(limits.notes);
        errors.extend(limits.could_not_run.then_some(exit::COULD_NOT_RUN));
    } else if gate.all.cases.iter().any(|case| case.case.header.targets.iter().any(|target| target.severity.is_some())) {
        notes.push("relative targets are judged without a base: `gate SCENARIO` alone".into());
    }
    let arguments = gate.arguments;
    let circumstances = Circumstances {
        strict: arguments.strict,
        max_inconclusive: arguments.max_inconclusive,
        interrupted: of.end.interrupted,
        errors: &errors,
    };
    let outcome = outcome(&rows, &thresholds, circumstances);
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
        candidate: gate.sides.about.clone(),
        bases: gate.sides.bases.iter().map(|base| base.about.clone()).chain(stored).collect(),
        rule: rule(arguments, table),
        rows,
        thresholds,
        notes,
        outcome,
    };
    show::write(&result, arguments, output)?;
    show::print(&result, arguments, output);
    Ok(result)
}

fn rule(arguments: &GateArgs, table: &Table) -> GateRule {
    GateRule {
        threshold: arguments.threshold.unwrap_or(TOLERANCE),
        alpha: arguments.alpha,
        looks: table.rule().looks().collect(),
        rows: table.rule().rows(),
        max_time_s: arguments.max_time.map(|time| time.as_secs_f64()),
        max_inconclusive: arguments.max_inconclusive,
        strict: arguments.strict,
    }
}

fn name(gate: &Gate<'_>, plan: &RowPlan) -> RowName {
    let header = &gate.all.cases[plan.case].case.header;
    RowName {
        base: gate.sides.bases[plan.base].about.name.clone(),
        suite: gate.all.suites[gate.all.suite_of[plan.case]].name.clone(),
        scenario: header.scenario.clone(),
        case: header.id.clone(),
        metric: plan.metric.clone(),
        unit: scenario::metric(&plan.metric).map_or_else(String::new, |metric| metric.unit.to_owned()),
    }
}

/// A row is no measurement when a guard says so of either side; what is merely suspect is told.
fn guard(run: &RunResult, gate: &Gate<'_>, measured: &mut Measured, notes: &mut Vec<String>) {
    for (place, case) in run.cases.iter().enumerate() {
        for subject in &case.subjects {
            let reason = subject.validity.reason.as_deref().unwrap_or("no reason was given");
            match subject.validity.state {
                ValidityState::Invalid => {
                    let concerned = |plan: &RowPlan| {
                        plan.case == place && (subject.subject == CANDIDATE || gate.sides.bases[plan.base].about.name == subject.subject)
                    };
                    for (_, index) in measured.plans.iter().zip(&measured.places).filter(|(plan, _)| concerned(plan)) {
                        measured.table.invalidate(*index, &format!("{}: {reason}", subject.subject));
                    }
                }
                ValidityState::Suspect => notes.push(format!("{} of {} is suspect: {reason}", subject.subject, case.id)),
                ValidityState::Valid | ValidityState::Skipped => {}
            }
        }
    }
}
