//! What code layout alone does to a row: the base against builds of it whose functions stand in another order.
//!
//! Two builds of equal source may differ by some per cent, because the order of functions decides what shares a cache line or a page. A gate
//! that does not know by how much blames the change. Each layout meets the base in the pairs of a first look; the largest effect is the
//! row's floor.

use std::time::Duration;

use zokio_report::judge::gate::GatePair;
use zokio_report::stats::quantile;

use super::contest::of_trials;
use super::pairs::{Match, Pairs, Stop};
use super::sides::Side;
use crate::plan::GateCase;

/// Blocks of a layout: the pairs of a first look.
const BLOCKS: u32 = 7;
/// Blocks of a build against itself: enough pairs to see a scatter.
const PROBE_BLOCKS: u32 = 5;

/// The pairs of a side against another that is meant to be its equal, by metric.
fn equals(case: &GateCase, base: &Side, equal: &Side, blocks: u32, metrics: &[String], pairs: &mut Pairs<'_>, tick: Duration) -> Result<Vec<Vec<f64>>, Stop> {
    let mut logs = vec![Vec::new(); metrics.len()];
    for number in 0..blocks {
        for pair in pairs.block(case, Match { base, candidate: equal, planted: None }, number)? {
            for (metric, logs) in metrics.iter().zip(&mut logs) {
                logs.extend(log_ratio(&of_trials(&pair, metric, &pairs.trials, tick)));
            }
        }
    }
    Ok(logs)
}

fn log_ratio(pair: &GatePair) -> Option<f64> {
    let ratio = pair.candidate? / pair.base?;
    (ratio.is_finite() && ratio > 0.0).then(|| ratio.ln())
}

/// The largest effect of the layouts on each metric, as a share.
///
/// # Errors
/// It was interrupted, or a trial gave no record.
pub fn effects(case: &GateCase, base: &Side, layouts: &[Side], metrics: &[String], pairs: &mut Pairs<'_>, tick: Duration) -> Result<Vec<Option<f64>>, Stop> {
    let mut largest: Vec<Option<f64>> = vec![None; metrics.len()];
    for layout in layouts {
        for (logs, largest) in equals(case, base, layout, BLOCKS, metrics, pairs, tick)?.iter().zip(&mut largest) {
            let effect = quantile::median(logs).map(|median| median.abs().exp_m1());
            *largest = [*largest, effect].into_iter().flatten().reduce(f64::max);
        }
    }
    Ok(largest)
}

/// The scatter of the base against itself, by metric: the log ratios of a few pairs.
///
/// # Errors
/// It was interrupted, or a trial gave no record.
pub fn probe(case: &GateCase, base: &Side, metrics: &[String], pairs: &mut Pairs<'_>, tick: Duration) -> Result<Vec<Vec<f64>>, Stop> {
    let again = Side { label: format!("{}-again", base.label), ..base.clone() };
    equals(case, base, &again, PROBE_BLOCKS, metrics, pairs, tick)
}
