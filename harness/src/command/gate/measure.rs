//! The measuring of a gate: what this host sees, what code layout does, then the pairs.
//!
//! ```text
//!  per case: base against itself ─▶ "sees" before │ base against its layouts ─▶ floor │ candidate against each base ─▶ rows
//! ```

use std::time::{Duration, Instant};

use zokio_report::judge::gate::{RowSpec, Table, least_found};
use zokio_report::schema::gate::GateVerdict;
use zokio_report::stats::quantile;

use super::Gate;
use super::rows::{self, RowPlan};
use super::sides::Base;
use crate::error::CommandError;
use crate::measure::planted::Planted;
use crate::orchestrate::gate::contest::{Contest, ContestRow, Ended, FOREIGN_SHARE_MAX, of_trials};
use crate::orchestrate::gate::layout::{self, Ground};
use crate::orchestrate::gate::pairs::{Match, Pairs, Stop};
use crate::orchestrate::gate::sides::Side;
use crate::orchestrate::progress::Progress;

/// Fresh pairs of `--confirm`, in blocks.
const CONFIRM_BLOCKS: u32 = 7;
/// One-sided p that they must reach.
const CONFIRM_P: f64 = 0.05;

/// What became of it.
pub(super) struct Measured {
    /// Why it ended early.
    pub(super) stop: Option<Stop>,
    /// How it ended otherwise.
    pub(super) ended: Option<Ended>,
    /// The table, settled.
    pub(super) table: Table,
    /// What each row is.
    pub(super) plans: Vec<RowPlan>,
    /// Where each row stands in the table.
    pub(super) places: Vec<usize>,
    /// What the reader must know.
    pub(super) notes: Vec<String>,
}

/// What the parts of a gate share while they measure.
struct Work<'a, 'b> {
    gate: &'a Gate<'a>,
    pairs: &'a mut Pairs<'b>,
    tick: Duration,
    deadline: Option<Instant>,
    progress: Progress,
    notes: Vec<String>,
}

/// Measures everything; the rows are settled whatever happens on the way.
///
/// # Errors
/// A rule without a meaning.
pub(super) fn measure(gate: &Gate<'_>, pairs: &mut Pairs<'_>, tick: Duration) -> Result<Measured, CommandError> {
    let plans = rows::rows(&gate.all.cases, gate.sides.bases.len(), gate.arguments);
    let deadline = gate.arguments.max_time.map(|time| pairs.started + time);
    let measured_bases = gate.sides.bases.iter().filter(|base| !base.about.identical).count();
    let most = gate.arguments.looks.last().copied().unwrap_or(0) as usize * gate.all.cases.len() * measured_bases;
    let mut work = Work { gate, pairs, tick, deadline, progress: Progress::new(most), notes: Vec::new() };
    let (floors, mut stop) = match work.floors(&plans) {
        Ok(floors) => (floors, None),
        Err(stop) => (vec![None; plans.len()], Some(stop)),
    };
    let (mut table, contest_rows, places) = rows::table(&plans, &gate.sides.bases, gate.arguments, tick, &floors)?;
    let mut ended = None;
    if stop.is_none() {
        match work.contest(&contest_rows, &mut table) {
            Ok(how) => ended = Some(how),
            Err(why) => stop = Some(why),
        }
    }
    table.settle();
    if stop.is_none() && gate.arguments.confirm {
        stop = work.confirm(&contest_rows, &mut table).err();
    }
    work.progress.clear();
    let notes = work.notes;
    Ok(Measured { stop, ended, table, plans, places, notes })
}

impl Work<'_, '_> {
    /// The probe and the layouts of every case, and the floors that follow, row by row.
    fn floors(&mut self, plans: &[RowPlan]) -> Result<Vec<Option<f64>>, Stop> {
        let gate = self.gate;
        let mut floors = vec![None; plans.len()];
        let (mut blind, mut left_out) = (Vec::new(), Vec::new());
        for (place, case) in gate.all.cases.iter().enumerate() {
            let mut is_probed = false;
            for (number, base) in gate.sides.bases.iter().enumerate().filter(|(_, base)| !base.about.identical) {
                if self.is_late() {
                    left_out.push(case.case.header.id.clone());
                    break;
                }
                let rows: Vec<usize> = (0..plans.len()).filter(|row| plans[*row].case == place && plans[*row].base == number).collect();
                let metrics: Vec<&str> = rows.iter().map(|row| plans[*row].metric.as_str()).collect();
                let specs: Vec<RowSpec> = rows.iter().map(|row| plans[*row].spec(self.tick, None)).collect();
                let ground = Ground { case, base: &base.side, metrics: &metrics, specs: &specs, clock_tick: self.tick };
                self.progress.starting(&case.case.header.id, "what this host sees");
                if !std::mem::replace(&mut is_probed, true) {
                    blind.extend(self.probe(ground, plans.len())?);
                }
                for (row, effect) in rows.iter().zip(self.layouts(ground, base)?) {
                    floors[*row] = effect;
                }
            }
        }
        if !left_out.is_empty() {
            self.notes.push(format!("--max-time left no time to look at noise and code layout of {}", left_out.join(", ")));
        }
        if !blind.is_empty() {
            self.notes
                .push(format!("before measuring, this host saw no slow-down of the size that must be caught in {}", blind.join(", ")));
        }
        Ok(floors)
    }

    /// Half of the time is for the pairs that decide.
    fn is_late(&self) -> bool {
        self.gate.arguments.max_time.is_some_and(|time| self.pairs.started.elapsed() > time / 2)
    }

    /// The rows whose tolerance is below what this host sees now, with what it sees.
    fn probe(&mut self, ground: Ground<'_>, rows: usize) -> Result<Vec<String>, Stop> {
        let logs = ground.probe(self.pairs)?;
        let Ok(rule) = rows::rule(rows, self.gate.arguments) else { return Ok(Vec::new()) };
        let mut blind = Vec::new();
        for ((metric, spec), logs) in ground.metrics.iter().zip(ground.specs).zip(&logs) {
            // The floor in the metric's unit is of no account for a prediction: rates have none, times are far above it.
            let sight = least_found(logs, &rule, spec, f64::MAX).filter(|sight| sight.share > spec.threshold);
            blind.extend(sight.map(|sight| format!("{} {metric} (sees >= {sight})", ground.case.case.header.id)));
        }
        Ok(blind)
    }

    fn layouts(&mut self, ground: Ground<'_>, base: &Base) -> Result<Vec<Option<f64>>, Stop> {
        if base.layouts.is_empty() {
            return Ok(vec![None; ground.metrics.len()]);
        }
        let binary = base.about.side.binary_sha256.as_deref().unwrap_or_default();
        let key = ground.key(binary, &self.gate.here.host.fingerprint.class);
        let store = self.gate.sides.cache.as_deref();
        if let Some(known) = store.and_then(|store| layout::recall(store, &key, ground.metrics.len())) {
            return Ok(known);
        }
        self.progress.starting(&ground.case.case.header.id, "code layouts");
        let effects = ground.effects(&base.layouts, self.pairs)?;
        if let Some(store) = store {
            layout::keep(store, &key, &effects);
        }
        Ok(effects)
    }

    fn contest(&mut self, rows: &[ContestRow], table: &mut Table) -> Result<Ended, Stop> {
        let gate = self.gate;
        let sides: Vec<Side> = gate.sides.bases.iter().map(|base| base.side.clone()).collect();
        let contest = Contest {
            cases: &gate.all.cases,
            candidate: &gate.sides.candidate,
            bases: &sides,
            rows,
            planted: self.planted(),
            clock_tick: self.tick,
            deadline: self.deadline,
            foreign_share_max: if gate.arguments.allow_debug { f64::INFINITY } else { FOREIGN_SHARE_MAX },
        };
        let progress = &mut self.progress;
        contest.measure(self.pairs, table, |case, pairs| {
            progress.starting(&case.case.header.id, &format!("{pairs} pairs"));
            progress.done(2);
        })
    }

    fn planted(&self) -> Option<Planted> {
        self.gate.arguments.plant.map(|share| Planted { share, one_in: self.gate.arguments.plant_one_in })
    }

    /// Worse rows once more, with pairs that the verdict has not seen; rows of one case and base from the same trials.
    fn confirm(&mut self, rows: &[ContestRow], table: &mut Table) -> Result<(), Stop> {
        let gate = self.gate;
        let worse: Vec<&ContestRow> = rows.iter().filter(|row| table.verdict(row.index) == GateVerdict::Worse).collect();
        for rows in worse.chunk_by(|one, other| (one.case, one.base) == (other.case, other.base)) {
            let (case, base) = (&gate.all.cases[rows[0].case], &gate.sides.bases[rows[0].base].side);
            let metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
            let mut logs = vec![Vec::new(); rows.len()];
            // Numbers past those of the looks, so that the order and the work are fresh too.
            for number in 1_000..1_000 + CONFIRM_BLOCKS {
                let sides = Match { base, candidate: &gate.sides.candidate, planted: self.planted() };
                for pair in self.pairs.block(case, sides, number)? {
                    let values = of_trials(&pair, &metrics, &self.pairs.trials, self.tick);
                    for ((row, pair), logs) in rows.iter().zip(&values).zip(&mut logs) {
                        logs.extend(table.spec(row.index).log_ratio(pair));
                    }
                }
            }
            for (row, logs) in rows.iter().zip(&logs) {
                if !is_confirmed(logs, table.spec(row.index).threshold) {
                    table.not_steady(row.index, "worse at first, and not confirmed by fresh pairs");
                }
            }
        }
        Ok(())
    }
}

fn is_confirmed(logs: &[f64], threshold: f64) -> bool {
    let found = zokio_report::stats::wilcoxon::signed_rank(logs).zip(quantile::median(logs));
    found.is_some_and(|(test, median)| test.p_up <= CONFIRM_P && median > (threshold / 2.0).ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worse_row_is_confirmed_by_pairs_that_agree_and_by_no_others() {
        let steady: Vec<f64> = (0..14).map(|place| 0.05 + f64::from(place % 3) * 0.001).collect();
        assert!(is_confirmed(&steady, 0.05));
        let small: Vec<f64> = steady.iter().map(|log| log - 0.04).collect();
        assert!(!is_confirmed(&small, 0.05), "significant, and too small");
        let wild: Vec<f64> = (0..14).map(|place| if place % 2 == 0 { 0.2 } else { -0.1 }).collect();
        assert!(!is_confirmed(&wild, 0.05), "large, and by chance");
        assert!(!is_confirmed(&[], 0.05));
    }
}
