//! Simulated gates: the rule errs as seldom and finds as much as it promises, on the noise of shared hosts.
//!
//! ```text
//!  spell    slow for many pairs, autocorrelated, both trials of a pair alike      ▁▁▁▃▅▅▄▃▂▂▁▁▁
//!  burst    a state that comes and goes, hits single trials, up to +35 %          ▁▁█▁▁█▁▁▁▁▁▁▁
//!  noise    one-sided, half of it common to the four metrics of a case
//! ```
//!
//! A debug build simulates fewer gates than an optimized one, and allows chance more for it.

use super::tests::SPEC;
use super::*;
use crate::stats::interval::median_interval_at;
use crate::stats::quantile;
use crate::stats::random::Random;

/// Gates of a simulation: 2,000, and in a debug build as many as take a second.
const fn gates(debug: u32) -> u32 {
    if cfg!(debug_assertions) { debug } else { 2_000 }
}

/// Metrics of a case, measured by the same trials.
const METRICS: u32 = 4;

/// Where the trials of a case run.
struct Host {
    random: Random,
    spell: f64,
    in_burst: bool,
    /// Robust standard deviation of a log ratio.
    scatter: f64,
}

impl Host {
    fn new(seed: u64, scatter: f64) -> Self {
        Self { random: Random(seed), spell: 0.0, in_burst: false, scatter }
    }

    fn one_sided(&mut self) -> f64 {
        -(1.0 - self.random.unit()).ln()
    }

    /// Times of one pair, base and candidate, for each metric of a case; the candidate is slower by `effect`.
    fn pair(&mut self, effect: f64) -> [(f64, f64); METRICS as usize] {
        self.spell = 0.9 * self.spell + 0.02 * self.one_sided();
        let turn = self.random.unit();
        self.in_burst = if self.in_burst { turn > 0.25 } else { turn < 0.02 };
        let common = [self.trial(), self.trial()];
        std::array::from_fn(|_| {
            // Two one-sided parts of a trial each make a difference whose robust deviation is 1.81 × their size / 2.
            let size = self.scatter / 1.81;
            let [base, candidate] = common.map(|common| (self.spell + common + size * self.one_sided()).exp());
            (base, candidate * (1.0 + effect))
        })
    }

    fn trial(&mut self) -> f64 {
        let burst = if self.in_burst && self.random.unit() < 0.5 { 0.35 * self.random.unit() } else { 0.0 };
        burst + self.scatter / 1.81 * self.one_sided()
    }
}

/// Verdicts of all rows of a gate whose candidate is slower by `effect`, measured as an orchestrator does it.
fn gate(seed: u64, rows: u32, scatter: f64, effect: f64) -> Vec<GateVerdict> {
    let mut table = Table::new(Rule::new(ALPHA, &LOOKS, rows).unwrap());
    let all: Vec<usize> = (0..rows).map(|_| table.add(SPEC).unwrap()).collect();
    for (number, case) in all.chunks(METRICS as usize).enumerate() {
        let mut host = Host::new(seed * 1_000 + number as u64, scatter);
        while table.pairs(case[0]) < LOOKS[3] && !table.is_decided(case) {
            let pairs = host.pair(effect);
            case.iter().zip(pairs).for_each(|(&row, (base, candidate))| table.push(row, tests::pair(base, candidate)));
        }
    }
    table.settle();
    all.into_iter().map(|row| table.verdict(row)).collect()
}

/// Shares of all rows of `gates` gates.
struct Shares {
    worse: f64,
    better: f64,
    same: f64,
    /// Gates in which some row was worse, and better.
    gates_worse: u32,
    gates_better: u32,
}

fn simulate(gates: u32, rows: u32, scatter: f64, effect: f64) -> Shares {
    let all: Vec<Vec<GateVerdict>> = (0..gates).map(|seed| gate(u64::from(seed), rows, scatter, effect)).collect();
    let share = |verdict| all.iter().flatten().filter(|found| **found == verdict).count() as f64 / f64::from(gates * rows);
    let gates_with = |verdict| all.iter().filter(|found| found.contains(&verdict)).count() as u32;
    Shares {
        worse: share(GateVerdict::Worse),
        better: share(GateVerdict::Better),
        same: share(GateVerdict::Same),
        gates_worse: gates_with(GateVerdict::Worse),
        gates_better: gates_with(GateVerdict::Better),
    }
}

/// So many of `runs` may err at `rate` before it is no longer chance: three standard deviations.
fn allowed(runs: u32, rate: f64) -> u32 {
    let mean = f64::from(runs) * rate;
    (mean + 3.0 * (mean * (1.0 - rate)).sqrt()).ceil() as u32
}

#[test]
fn the_noise_is_as_wide_as_it_says() {
    for scatter in [0.03, 0.2] {
        let mut host = Host::new(5, scatter);
        let logs: Vec<f64> = (0..4_000).map(|_| host.pair(0.0)[0]).map(|(base, candidate)| (candidate / base).ln().abs()).collect();
        let robust = quantile::median(&logs).unwrap() * 1.4826;
        assert!((robust / scatter - 1.0).abs() < 0.06, "{scatter}: {robust}");
    }
}

/// Where the floor does not help, α alone holds: with 20 % of scatter medians beyond 2.5 % are common.
#[test]
fn without_a_change_some_row_is_called_worse_in_at_most_one_gate_of_a_hundred() {
    for (rows, scatter, gates) in [(1, 0.03, gates(400)), (1, 0.2, gates(400)), (20, 0.03, gates(100)), (20, 0.2, gates(25))] {
        let found = simulate(gates, rows, scatter, 0.0);
        let most = allowed(gates, ALPHA);
        assert!(found.gates_worse <= most, "m = {rows}, scatter {scatter}: {} of {gates} gates worse", found.gates_worse);
        assert!(found.gates_better <= most, "m = {rows}, scatter {scatter}: {} of {gates} gates better", found.gates_better);
        if scatter < 0.1 {
            assert!(found.same >= 0.98, "m = {rows}: {} of the rows are the same", found.same);
        }
    }
}

#[test]
fn a_change_is_found() {
    for (rows, gates) in [(1, gates(300)), (20, gates(20))] {
        let [two, five, ten, faster] = [0.02, 0.05, 0.10, -0.05].map(|effect| simulate(gates, rows, 0.03, effect));
        assert!(five.worse >= 0.98, "m = {rows}: +5 % found in {}", five.worse);
        assert!(five.same <= 0.01, "m = {rows}: +5 % is `same` in {}", five.same);
        // One in a thousand may be hidden by bursts in most of its pairs; then it is inconclusive.
        assert!(ten.worse >= 0.999 && ten.same == 0.0, "m = {rows}: +10 % found in {}, the same in {}", ten.worse, ten.same);
        assert!(faster.better >= 0.98, "m = {rows}: −5 % found in {}", faster.better);
        assert_eq!((ten.gates_better, five.gates_better, faster.gates_worse), (0, 0, 0));
        // +2 % is near half the threshold: medians of 14 pairs often lie beyond it, most do not.
        assert!(two.worse <= 0.35, "m = {rows}: +2 % is worse in {}", two.worse);
        assert!(two.same >= 0.6, "m = {rows}: +2 % is the same in {}", two.same);
        assert_eq!(two.gates_better, 0);
    }
}

#[test]
fn the_interval_covers_as_often_as_it_says() {
    // 99.82, 99.34, 99.10 and 99.04 % at the four looks.
    let runs = 2 * gates(400);
    for (pairs, missed) in LOOKS.into_iter().zip([0.001_831, 0.006_611, 0.009_041, 0.009_560]) {
        let mut outside = 0;
        for seed in 0..runs {
            // Bursts are rare enough to leave pairs that are independent of each other, as the interval takes them.
            let mut host = Host::new(u64::from(seed) + 77, 0.1);
            let logs: Vec<f64> = (0..pairs).map(|_| host.pair(0.0)[0]).map(|(base, candidate)| (candidate / base).ln()).collect();
            let ci = median_interval_at(&logs, LEVEL).unwrap();
            outside += u32::from(ci.lo > 0.0 || ci.hi < 0.0);
        }
        let expected = f64::from(runs) * missed;
        let slack = 3.5 * expected.sqrt().max(1.0);
        assert!((f64::from(outside) - expected).abs() <= slack, "{pairs} pairs: {outside} of {runs} miss, expected {expected}");
    }
}

/// What a row is said to see is what gates with that slow-down find: nine in ten at the last look, and a few less where bursts come in clusters,
/// because a draw takes each pair by itself.
#[test]
fn about_nine_in_ten_gates_find_what_a_row_sees() {
    let rule = Rule::new(ALPHA, &[44], 1).unwrap();
    for scatter in [0.03, 0.15] {
        let mut host = Host::new(3, scatter);
        let logs: Vec<f64> = (0..400).map(|_| host.pair(0.0)[0]).map(|(base, candidate)| (candidate / base).ln()).collect();
        let sees = least_found(&logs, &rule, &SPEC, 1.0).unwrap().share;
        let gates = gates(400);
        let found = (0..gates).filter(|seed| {
            let mut host = Host::new(u64::from(*seed) + 4_711, scatter);
            let mut table = Table::new(rule.clone());
            let row = table.add(SPEC).unwrap();
            (0..44).map(|_| host.pair(sees)[0]).for_each(|(base, candidate)| table.push(row, tests::pair(base, candidate)));
            table.settle();
            table.verdict(row) == GateVerdict::Worse
        });
        let share = found.count() as f64 / f64::from(gates);
        assert!((0.78..=0.96).contains(&share), "scatter {scatter}: {sees} is found in {share}");
    }
}
