//! Which rows a gate has: every metric of every case against every base.

use zokio_report::judge::gate::{RowSpec, Rule, Table, floor_absolute};
use zokio_report::schema::gate::GateBase;

use std::time::Duration;

use super::arguments::GateArgs;
use crate::error::CommandError;
use crate::orchestrate::gate::contest::ContestRow;
use crate::plan::GateCase;
use crate::scenario::{self, is_measurable};

/// The slow-down that must be caught where nobody says otherwise.
pub const TOLERANCE: f64 = 0.05;

/// A row before it has a place in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct RowPlan {
    /// Place of the case.
    pub case: usize,
    /// Place of the base.
    pub base: usize,
    /// Metric id.
    pub metric: String,
    /// The slow-down that must be caught.
    pub tolerance: f64,
}

/// Metrics of a case with their tolerances: the scenario's, then those of the command line, which win.
pub fn metrics(case: &GateCase, arguments: &GateArgs) -> Vec<(String, f64)> {
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

/// All rows, base by base within a case.
pub fn rows(cases: &[GateCase], bases: usize, arguments: &GateArgs) -> Vec<RowPlan> {
    let mut rows = Vec::new();
    for (case, gated) in cases.iter().enumerate() {
        for base in 0..bases {
            rows.extend(metrics(gated, arguments).into_iter().map(|(metric, tolerance)| RowPlan { case, base, metric, tolerance }));
        }
    }
    rows
}

/// The table of these rows, and where each stands in it. `layout` is the effect of code layout on a row, as a share, where it is known.
///
/// # Errors
/// A rule without a meaning.
pub fn table(
    plans: &[RowPlan],
    bases: &[GateBase],
    arguments: &GateArgs,
    clock_tick: Duration,
    layout: impl Fn(&RowPlan) -> Option<f64>,
) -> Result<(Table, Vec<ContestRow>, Vec<usize>), CommandError> {
    let refuse = |error: zokio_report::judge::gate::RuleError| CommandError::usage(error.to_string(), "see `zokio-bench gate --help`");
    let gated = plans.iter().filter(|plan| !bases[plan.base].identical).count();
    let rule = Rule::new(arguments.alpha, &arguments.looks, u32::try_from(gated.max(1)).unwrap_or(u32::MAX)).map_err(refuse)?;
    let mut table = Table::new(rule);
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for plan in plans {
        let better = scenario::metric(&plan.metric).map_or(zokio_report::schema::result::Better::Lower, |metric| metric.better);
        let spec = RowSpec {
            better,
            threshold: plan.tolerance,
            floor_absolute: floor_absolute(&plan.metric, clock_tick),
            floor_layout: layout(plan),
        };
        if bases[plan.base].identical {
            places.push(table.add_identical(spec).map_err(refuse)?);
            continue;
        }
        let index = table.add(spec).map_err(refuse)?;
        places.push(index);
        rows.push(ContestRow { case: plan.case, base: plan.base, metric: plan.metric.clone(), index });
    }
    Ok((table, rows, places))
}
