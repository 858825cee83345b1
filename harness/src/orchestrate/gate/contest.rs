//! Feeding the rows of a gate with pairs, case by case and look by look.
//!
//! ```text
//!  case 1: 14 pairs ─ all rows decided? ─ 24 ─ … ─ 44 │ case 2: … │ then the last look, over all cases together
//! ```
//! Bases take turns block by block, so that all of them meet the candidate in the same minute.

use std::time::{Duration, Instant};

use zokio_report::judge::gate::{GatePair, Table, TrialValues};
use zokio_report::schema::journal::{JournalTrial, Outcome};

use super::pairs::{Match, PairOfTrials, Pairs, Stop};
use super::sides::Side;
use crate::measure::planted::Planted;
use crate::plan::GateCase;

/// Above this share of the CPUs, used by others in the median trial, a rate is theirs rather than the candidate's.
const FOREIGN_SHARE_MAX: f64 = 0.4;

/// The metric that has a value per batch where the subject reads it so.
const CPU: &str = "cpu_ns_per_op";

/// A row under judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContestRow {
    /// Place of its case.
    pub case: usize,
    /// Place of its base.
    pub base: usize,
    /// Metric id.
    pub metric: String,
    /// Its index in the table.
    pub index: usize,
}

/// What is measured, and against what.
pub struct Contest<'a> {
    /// The cases.
    pub cases: &'a [GateCase],
    /// The candidate.
    pub candidate: &'a Side,
    /// The bases by place; those that are not measured have no rows.
    pub bases: &'a [Side],
    /// The rows.
    pub rows: &'a [ContestRow],
    /// More work for the candidate than it has.
    pub planted: Option<Planted>,
    /// The resolution of the clock.
    pub clock_tick: Duration,
    /// Measuring ends then.
    pub deadline: Option<Instant>,
}

/// How measuring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every case came to its verdicts or to the last look.
    Whole,
    /// Time was over.
    OutOfTime,
}

impl Contest<'_> {
    /// Measures all cases; `told` hears of each block. The last look is left to the caller, who settles the table.
    ///
    /// # Errors
    /// It was interrupted, or a trial gave no record: what was fed until then stays in the table.
    pub fn measure(&self, pairs: &mut Pairs<'_>, table: &mut Table, mut told: impl FnMut(&GateCase, u32)) -> Result<Ended, Stop> {
        let looks: Vec<u32> = table.rule().looks().collect();
        for (place, case) in self.cases.iter().enumerate() {
            let first_trial = pairs.trials.len();
            for &look in &looks {
                while let Some(open) = self.open(place, look, table) {
                    for base in open {
                        told(case, self.pairs_of(place, base, table));
                        self.block(place, base, pairs, table)?;
                        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                            return Ok(Ended::OutOfTime);
                        }
                    }
                }
                if table.is_decided(&self.indices(|row| row.case == place)) {
                    break;
                }
            }
            self.judge_load(place, &pairs.trials[first_trial..], table);
        }
        Ok(Ended::Whole)
    }

    /// Bases that want more pairs of this case before the look.
    fn open(&self, case: usize, look: u32, table: &Table) -> Option<Vec<usize>> {
        let wants = |base: &usize| {
            let indices = self.indices(|row| row.case == case && row.base == *base);
            !indices.is_empty() && !table.is_decided(&indices) && table.pairs(indices[0]) < look
        };
        let open: Vec<usize> = (0..self.bases.len()).filter(wants).collect();
        (!open.is_empty()).then_some(open)
    }

    fn indices(&self, wanted: impl Fn(&ContestRow) -> bool) -> Vec<usize> {
        self.rows.iter().filter(|row| wanted(row)).map(|row| row.index).collect()
    }

    fn pairs_of(&self, case: usize, base: usize, table: &Table) -> u32 {
        self.rows.iter().find(|row| row.case == case && row.base == base).map_or(0, |row| table.pairs(row.index))
    }

    fn block(&self, case: usize, base: usize, pairs: &mut Pairs<'_>, table: &mut Table) -> Result<(), Stop> {
        let number = self.pairs_of(case, base, table) / 2;
        let sides = Match { base: &self.bases[base], candidate: self.candidate, planted: self.planted };
        for pair in pairs.block(&self.cases[case], sides, number)? {
            for row in self.rows.iter().filter(|row| row.case == case && row.base == base) {
                table.push(row.index, of_trials(&pair, &row.metric, &pairs.trials, self.clock_tick));
            }
        }
        Ok(())
    }

    /// Rates are not gated where others took the CPUs; CPU per operation still is.
    fn judge_load(&self, case: usize, trials: &[JournalTrial], table: &mut Table) {
        let mut foreign: Vec<f64> = trials.iter().filter_map(|trial| trial.evidence.foreign_cpu_share).collect();
        foreign.sort_by(f64::total_cmp);
        let Some(&median) = foreign.get(foreign.len() / 2) else { return };
        if median <= FOREIGN_SHARE_MAX {
            return;
        }
        let reason =
            format!("others took {:.0} % of the CPUs: a rate or a time says nothing then, CPU per operation is gated", median * 100.0);
        for row in self.rows.iter().filter(|row| row.case == case && !survives_load(&row.metric)) {
            table.not_gated(row.index, &reason);
        }
    }
}

/// Costs per operation are counted, not timed by the wall.
fn survives_load(metric: &str) -> bool {
    metric.ends_with("_per_op") || metric.ends_with("_bytes")
}

/// One metric of a pair.
pub fn of_trials(pair: &PairOfTrials, metric: &str, trials: &[JournalTrial], clock_tick: Duration) -> GatePair {
    let values = |index: usize| {
        let trial = &trials[index];
        let Outcome::Record(record) = &trial.outcome else { return None };
        let values = TrialValues::of(record, &trial.evidence, clock_tick).ok()?;
        Some((values.get(metric), values.cheapest_batch()))
    };
    let (base, candidate) = (values(pair.base), values(pair.candidate));
    let window = |values: Option<(Option<f64>, Option<f64>)>| values.and_then(|(window, _)| window);
    let batch = |values: Option<(Option<f64>, Option<f64>)>| values.and_then(|(_, batch)| batch);
    // Both by the batch or both by the window.
    let batches = batch(base).zip(batch(candidate)).filter(|_| metric == CPU);
    let (base, candidate) = batches.map_or_else(|| (window(base), window(candidate)), |(base, candidate)| (Some(base), Some(candidate)));
    let at_ns = trials[pair.base].at_ns.min(trials[pair.candidate].at_ns);
    GatePair { base, candidate, base_first: pair.base_first, at_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_costs_survive_foreign_load_and_rates_and_times_do_not() {
        for (metric, survives) in [
            ("cpu_ns_per_op", true),
            ("syscalls_per_op", true),
            ("rss_peak_bytes", true),
            ("tasks_per_s", false),
            ("bytes_per_s", false),
            ("service_time_ns_p99", false),
        ] {
            assert_eq!(survives_load(metric), survives, "{metric}");
        }
    }
}
