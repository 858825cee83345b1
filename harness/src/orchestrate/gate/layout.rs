//! What code layout alone does to a row: the base against builds of it whose functions stand in another order.
//!
//! Two builds of equal source may differ by some per cent, because the order of functions decides what shares a cache line or a page. A gate
//! that does not know by how much blames the change. Each layout meets the base in the pairs of a first look; the largest effect is the
//! row's floor.

use std::fs;
use std::path::Path;
use std::time::Duration;

use zokio_report::judge::gate::RowSpec;
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

/// Where equals meet: a case, the base, and the metrics with how each is judged.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The case.
    pub case: &'a GateCase,
    /// The base.
    pub base: &'a Side,
    /// The metrics.
    pub metrics: &'a [&'a str],
    /// Which way each is worse.
    pub specs: &'a [RowSpec],
    /// The resolution of the clock.
    pub clock_tick: Duration,
}

impl Ground<'_> {
    /// The log ratios of the base against a side that is meant to be its equal, by metric.
    fn equals(&self, equal: &Side, blocks: u32, pairs: &mut Pairs<'_>) -> Result<Vec<Vec<f64>>, Stop> {
        let mut logs = vec![Vec::new(); self.metrics.len()];
        for number in 0..blocks {
            for pair in pairs.block(self.case, Match { base: self.base, candidate: equal, planted: None }, number)? {
                let values = of_trials(&pair, self.metrics, &pairs.trials, self.clock_tick);
                for ((spec, pair), logs) in self.specs.iter().zip(&values).zip(&mut logs) {
                    logs.extend(spec.log_ratio(pair));
                }
            }
        }
        Ok(logs)
    }

    /// The largest effect of the layouts on each metric, as a share.
    ///
    /// # Errors
    /// It was interrupted, or a trial gave no record.
    pub fn effects(&self, layouts: &[Side], pairs: &mut Pairs<'_>) -> Result<Vec<Option<f64>>, Stop> {
        let mut largest: Vec<Option<f64>> = vec![None; self.metrics.len()];
        for layout in layouts {
            for (logs, largest) in self.equals(layout, BLOCKS, pairs)?.iter().zip(&mut largest) {
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
    pub fn probe(&self, pairs: &mut Pairs<'_>) -> Result<Vec<Vec<f64>>, Stop> {
        let again = Side { label: format!("{}-again", self.base.label), ..self.base.clone() };
        self.equals(&again, PROBE_BLOCKS, pairs)
    }

    /// Names what was measured: the base, the case as a gate runs it, the kind of host, the metrics.
    pub fn key(&self, base_sha256: &str, host_class: &str) -> String {
        let header = &self.case.case.header;
        let phases = serde_json::to_string(&self.case.case.phases).unwrap_or_default();
        let parts = [base_sha256, host_class, &header.id, &header.workload_sha256, &phases, &self.metrics.join(",")];
        sha256(parts.join("\n").as_bytes())
    }
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
