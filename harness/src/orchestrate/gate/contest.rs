//! Feeding the rows of a gate with pairs, case by case and look by look.
//!
//! ```text
//!  case 1: 14 pairs ─ all rows decided? ─ 24 ─ … ─ 44 │ case 2: … │ then the last look, over all cases together
//! ```
//! Bases take turns block by block, so that all of them meet the candidate in the same minute.

use std::time::{Duration, Instant};

use zokio_report::judge::gate::{GatePair, Table, TrialValues};
use zokio_report::schema::journal::{JournalTrial, Outcome};
use zokio_report::stats::quantile;

use super::pairs::{Match, PairOfTrials, Pairs, Stop};
use super::sides::Side;
use crate::measure::planted::Planted;
use crate::plan::GateCase;

/// Above this share of the CPUs, used by others in the median trial, a rate is theirs rather than the candidate's.
pub const FOREIGN_SHARE_MAX: f64 = 0.4;

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
    /// [`FOREIGN_SHARE_MAX`], unless a test runs beside others.
    pub foreign_share_max: f64,
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
                        if let Err(stop) = self.block(place, base, pairs, table) {
                            self.judge_load(place, &pairs.trials[first_trial..], table);
                            return Err(stop);
                        }
                        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                            self.judge_load(place, &pairs.trials[first_trial..], table);
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
        let rows: Vec<&ContestRow> = self.rows.iter().filter(|row| row.case == case && row.base == base).collect();
        let metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
        for pair in pairs.block(&self.cases[case], sides, number)? {
            for (row, values) in rows.iter().zip(of_trials(&pair, &metrics, &pairs.trials, self.clock_tick)) {
                table.push(row.index, values);
            }
        }
        Ok(())
    }

    fn judge_load(&self, case: usize, trials: &[JournalTrial], table: &mut Table) {
        let rows: Vec<&ContestRow> = self.rows.iter().filter(|row| row.case == case).collect();
        judge_load(&rows, trials.iter().filter_map(|trial| trial.evidence.foreign_cpu_share), self.foreign_share_max, table);
    }
}

/// Rates are not gated where others took the CPUs; CPU per operation still is. `foreign` is the share of others in each trial.
fn judge_load(rows: &[&ContestRow], foreign: impl Iterator<Item = f64>, most: f64, table: &mut Table) {
    let Some(median) = quantile::median(&foreign.collect::<Vec<f64>>()).filter(|median| *median > most) else { return };
    let reason = format!("others took {:.0} % of the CPUs: a rate or a time says nothing then, CPU per operation is gated", median * 100.0);
    for row in rows.iter().filter(|row| !survives_load(&row.metric)) {
        table.not_gated(row.index, &reason);
    }
}

/// Costs per operation are counted, not timed by the wall.
fn survives_load(metric: &str) -> bool {
    metric.ends_with("_per_op") || metric.ends_with("_bytes")
}

/// The metrics of a pair, in their order; distributions are decoded once.
pub fn of_trials(pair: &PairOfTrials, metrics: &[&str], trials: &[JournalTrial], clock_tick: Duration) -> Vec<GatePair> {
    let values = |index: usize| {
        let trial: &JournalTrial = &trials[index];
        let Outcome::Record(record) = &trial.outcome else { return None };
        TrialValues::of(record, &trial.evidence, clock_tick).ok()
    };
    let (base, candidate) = (values(pair.base), values(pair.candidate));
    let batches = |values: &Option<TrialValues<'_>>| values.as_ref().and_then(TrialValues::cheapest_batch);
    // Both by the batch or both by the window.
    let by_batch = batches(&base).zip(batches(&candidate));
    let at_ns = trials[pair.base].at_ns.min(trials[pair.candidate].at_ns);
    let of_metric = |metric: &&str| {
        let window = |values: &Option<TrialValues<'_>>| values.as_ref().and_then(|values| values.get(metric));
        let (base, candidate) = match by_batch.filter(|_| *metric == CPU) {
            Some((base, candidate)) => (Some(base), Some(candidate)),
            None => (window(&base), window(&candidate)),
        };
        GatePair { base, candidate, base_first: pair.base_first, at_ns }
    };
    metrics.iter().map(of_metric).collect()
}

#[cfg(test)]
mod tests {
    use zokio_report::judge::gate::{RowSpec, Rule};
    use zokio_report::schema::gate::GateVerdict;
    use zokio_report::schema::result::Better;

    use super::*;

    /// A rate and a cost of one case, both twice as bad in every pair.
    fn worse_in_both() -> (Table, Vec<ContestRow>) {
        let mut table = Table::new(Rule::new(0.01, &[14], 2).expect("a rule"));
        let spec = |better| RowSpec { better, threshold: 0.05, floor_absolute: 0.0, floor_layout: None };
        let mut row = |metric: &str, better| {
            let index = table.add(spec(better)).expect("room");
            ContestRow { case: 0, base: 0, metric: metric.into(), index }
        };
        let rows = vec![row("tasks_per_s", Better::Higher), row(CPU, Better::Lower)];
        for at_ns in 0..14 {
            let pair = |base, candidate| GatePair { base: Some(base), candidate: Some(candidate), base_first: true, at_ns };
            table.push(rows[0].index, pair(200.0 + at_ns as f64, 100.0));
            table.push(rows[1].index, pair(100.0, 200.0 + at_ns as f64));
        }
        table.settle();
        (table, rows)
    }

    #[test]
    fn under_foreign_load_a_cost_still_fails_the_gate_and_a_rate_does_not() {
        for (foreign, of_rate) in [([0.1, 0.9, 0.2], GateVerdict::Worse), ([0.1, 0.9, 0.5], GateVerdict::NotGated)] {
            let (mut table, rows) = worse_in_both();
            judge_load(&rows.iter().collect::<Vec<_>>(), foreign.into_iter(), FOREIGN_SHARE_MAX, &mut table);
            assert_eq!((table.verdict(rows[0].index), table.verdict(rows[1].index)), (of_rate, GateVerdict::Worse), "{foreign:?}");
        }
    }

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
