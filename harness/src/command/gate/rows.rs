//! Which rows a gate has: every metric of every case against every base.

use std::time::Duration;

use zokio_report::judge::gate::{RowSpec, Rule, RuleError, Table, floor_absolute, has_value};
use zokio_report::schema::result::Better;

use super::arguments::GateArgs;
use super::sides::Base;
use crate::error::CommandError;
use crate::orchestrate::gate::contest::ContestRow;
use crate::plan::GateCase;
use crate::scenario::{self, is_measurable};

/// The slow-down that must be caught where nobody says otherwise.
pub(super) const TOLERANCE: f64 = 0.05;

/// A row before it has a place in the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowPlan {
    /// Place of the case.
    pub(super) case: usize,
    /// Place of the base.
    pub(super) base: usize,
    /// Metric id.
    pub(super) metric: String,
    /// The slow-down that must be caught.
    pub(super) tolerance: f64,
}

impl RowPlan {
    /// How it is judged, with the effect of code layout as a share, where that is known.
    pub(super) fn spec(&self, clock_tick: Duration, floor_layout: Option<f64>) -> RowSpec {
        RowSpec {
            better: scenario::metric(&self.metric).map_or(Better::Lower, |metric| metric.better),
            threshold: self.tolerance,
            floor_absolute: floor_absolute(&self.metric, clock_tick),
            floor_layout,
        }
    }
}

/// Metrics of a case with their tolerances: the scenario's, then those of the command line, which win.
pub(super) fn metrics(case: &GateCase, arguments: &GateArgs) -> Vec<(String, f64)> {
    let general = arguments.threshold.or(case.spec.tolerance).unwrap_or(TOLERANCE);
    let mut metrics: Vec<(String, f64)> = case.spec.metrics.iter().map(|metric| (metric.clone(), general)).collect();
    for (id, tolerance) in &arguments.metrics {
        let tolerance = tolerance.unwrap_or(general);
        match metrics.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => *known = tolerance,
            None if is_measurable(id, &case.case.header.primary_metric) => metrics.push((id.clone(), tolerance)),
            None => {}
        }
    }
    metrics
}

/// A metric of the command line that no case here has would be left out in silence.
///
/// # Errors
/// There is one.
pub(super) fn refuse_unknown(cases: &[GateCase], arguments: &GateArgs) -> Result<(), CommandError> {
    let is_anywhere = |id: &String| cases.iter().any(|case| is_measurable(id, &case.case.header.primary_metric));
    let Some((id, _)) = arguments.metrics.iter().find(|(id, _)| !has_value(id) || !is_anywhere(id)) else { return Ok(()) };
    let message = format!("no trial of a gate has the metric `{id}` here");
    let help =
        "a gate has rates of the scenario's own kind, bytes_per_s, achieved_rate_per_s, costs per operation, rss_peak_bytes and quantiles";
    Err(CommandError::usage(message, help))
}

/// All rows, base by base within a case.
pub(super) fn rows(cases: &[GateCase], bases: usize, arguments: &GateArgs) -> Vec<RowPlan> {
    let mut rows = Vec::new();
    for (case, gated) in cases.iter().enumerate() {
        for base in 0..bases {
            rows.extend(metrics(gated, arguments).into_iter().map(|(metric, tolerance)| RowPlan { case, base, metric, tolerance }));
        }
    }
    rows
}

/// The rule for so many gated rows.
///
/// # Errors
/// It has no meaning.
pub(super) fn rule(gated: usize, arguments: &GateArgs) -> Result<Rule, CommandError> {
    Rule::new(arguments.alpha, &arguments.looks, u32::try_from(gated.max(1)).unwrap_or(u32::MAX)).map_err(refuse)
}

fn refuse(error: RuleError) -> CommandError {
    CommandError::usage(error.to_string(), "see `zokio-bench gate --help`")
}

/// The table of these rows, and where each stands in it. `layout` is the effect of code layout on each row, as a share, where it is known.
///
/// # Errors
/// A rule without a meaning.
pub(super) fn table(
    plans: &[RowPlan],
    bases: &[Base],
    arguments: &GateArgs,
    clock_tick: Duration,
    layout: &[Option<f64>],
) -> Result<(Table, Vec<ContestRow>, Vec<usize>), CommandError> {
    let gated = plans.iter().filter(|plan| !bases[plan.base].about.identical).count();
    let mut table = Table::new(rule(gated, arguments)?);
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for (plan, floor_layout) in plans.iter().zip(layout) {
        let spec = plan.spec(clock_tick, *floor_layout);
        if bases[plan.base].about.identical {
            places.push(table.add_identical(spec).map_err(refuse)?);
            continue;
        }
        let index = table.add(spec).map_err(refuse)?;
        places.push(index);
        rows.push(ContestRow { case: plan.case, base: plan.base, metric: plan.metric.clone(), index });
    }
    Ok((table, rows, places))
}
