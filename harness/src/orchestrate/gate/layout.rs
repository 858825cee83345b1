//! What code layout alone does to a row: the base against builds of it whose functions stand in another order.
//!
//! Two builds of equal source may differ by some per cent, because the order of functions decides what shares a cache line or a page. A gate
//! that does not know by how much blames the change. Each layout meets the base in the pairs of a first look; the largest effect is the
//! row's floor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use zokio_report::judge::gate::GatePair;
use zokio_report::stats::quantile;

use super::contest::of_trials;
use super::pairs::{Match, Pairs, Stop};
use super::sides::Side;
use crate::orchestrate::output::write_whole;
use crate::plan::GateCase;
use crate::scenario::sha256;

/// Blocks of a layout: the pairs of a first look.
const BLOCKS: u32 = 7;
/// Blocks of a build against itself: enough pairs to see a scatter.
const PROBE_BLOCKS: u32 = 5;

/// The pairs of a side against another that is meant to be its equal, by metric.
fn equals(
    case: &GateCase,
    base: &Side,
    equal: &Side,
    blocks: u32,
    metrics: &[String],
    pairs: &mut Pairs<'_>,
    tick: Duration,
) -> Result<Vec<Vec<f64>>, Stop> {
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
pub fn effects(
    case: &GateCase,
    base: &Side,
    layouts: &[Side],
    metrics: &[String],
    pairs: &mut Pairs<'_>,
    tick: Duration,
) -> Result<Vec<Option<f64>>, Stop> {
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

/// Names what was measured: the base, the case as a gate runs it, the kind of host, the metrics.
pub fn key(case: &GateCase, base_sha256: &str, host_class: &str, metrics: &[String]) -> String {
    let header = &case.case.header;
    let phases = serde_json::to_string(&case.case.phases).unwrap_or_default();
    let parts = [base_sha256, host_class, &header.id, &header.workload_sha256, &phases, &metrics.join(",")];
    sha256(parts.join("\n").as_bytes())
}

/// Effects that an earlier gate measured; `None` where there are none that make sense.
pub fn recall(store: &Path, key: &str, count: usize) -> Option<Vec<Option<f64>>> {
    let text = fs::read_to_string(store.join(format!("layout-{key}.json"))).ok()?;
    serde_json::from_str::<Vec<Option<f64>>>(&text).ok().filter(|effects| effects.len() == count)
}

/// Keeps effects for the next gate on this base; without room for them they are measured again.
pub fn keep(store: &Path, key: &str, effects: &[Option<f64>]) {
    let text = serde_json::to_string(effects).expect("numbers");
    let _ = write_whole(&store.join(format!("layout-{key}.json")), text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_kept_whole_or_not_at_all() {
        let store = tempfile::tempdir().expect("a temporary folder");
        let effects = vec![Some(0.012), None];
        keep(store.path(), "k", &effects);
        assert_eq!(recall(store.path(), "k", 2), Some(effects));
        assert_eq!(recall(store.path(), "k", 3), None, "other metrics");
        assert_eq!(recall(store.path(), "other", 2), None);
        fs::write(store.path().join("layout-k.json"), "[0.01").expect("half a file");
        assert_eq!(recall(store.path(), "k", 2), None);
    }
}
