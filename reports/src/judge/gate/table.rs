//! The table of a gate: rows that are fed with pairs, and what became of each.

use super::power;
use super::rule::{Look, RowSpec, Rule, RuleError};
use super::{GatePair, GateRow, GateVerdict};
use crate::schema::result::Interval;
use crate::units::Share;

/// All rows of a gate under one rule.
///
/// ```
/// use zokio_report::judge::gate::{GatePair, GateVerdict, RowSpec, Rule, Table};
/// use zokio_report::schema::result::Better;
///
/// let mut table = Table::new(Rule::new(0.01, &[14, 24, 34, 44], 1)?);
/// let row = table.add(RowSpec { better: Better::Lower, threshold: 0.05, floor_absolute: 0.0, floor_layout: None })?;
/// for look in [14, 24, 34, 44] {
///     while table.pairs(row) < look {
///         let noise = f64::from(table.pairs(row) % 5);
///         table.push(row, GatePair { base: Some(100.0), candidate: Some(108.0 + noise), base_first: true, at_ns: 0 });
///     }
///     if table.is_decided(&[row]) {
///         break;
///     }
/// }
/// table.settle();
/// assert_eq!(table.verdict(row), GateVerdict::Worse);
/// assert_eq!(table.pairs(row), 14);
/// # Ok::<(), zokio_report::judge::gate::RuleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    rule: Rule,
    rows: Vec<Row>,
    /// Rows that share α and have been added.
    gated: u32,
}

/// What names a row in the gate's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowName {
    /// Name of the base.
    pub base: String,
    /// Name of the suite.
    pub suite: String,
    /// Scenario id.
    pub scenario: String,
    /// Case id.
    pub case: String,
    /// Metric id.
    pub metric: String,
    /// The metric's unit.
    pub unit: String,
}

/// Why a row is not judged by its pairs; the first that applies stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Aside {
    Identical,
    NotGated(String),
    Invalid(String),
    NotSteady(String),
}

#[derive(Clone, Debug)]
struct Row {
    spec: RowSpec,
    pairs: Vec<GatePair>,
    /// One per pair, up to the first pair without two usable values.
    logs: Vec<f64>,
    /// Looks taken, in pairs.
    looks: Vec<u32>,
    /// The last of them.
    look: Option<Look>,
    decided: Option<GateVerdict>,
    aside: Option<Aside>,
}

impl Table {
    /// An empty table.
    pub fn new(rule: Rule) -> Self {
        Self { rule, rows: Vec::new(), gated: 0 }
    }

    /// The rule.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// A row to judge; its index.
    ///
    /// # Errors
    /// A threshold or floor without a meaning, or more rows than share α.
    pub fn add(&mut self, spec: RowSpec) -> Result<usize, RuleError> {
        if self.gated == self.rule.rows() {
            return Err(RuleError::TableFull(self.gated));
        }
        let row = self.add_row(spec)?;
        self.gated += 1;
        Ok(row)
    }

    /// A row that is shown and has no part in α, because of `reason`; its index.
    ///
    /// # Errors
    /// A threshold or floor without a meaning.
    pub fn add_not_gated(&mut self, spec: RowSpec, reason: &str) -> Result<usize, RuleError> {
        let row = self.add_row(spec)?;
        self.not_gated(row, reason);
        Ok(row)
    }

    /// A row whose two executables are the same file: nothing is measured, and it has no part in α; its index.
    ///
    /// # Errors
    /// A threshold or floor without a meaning.
    pub fn add_identical(&mut self, spec: RowSpec) -> Result<usize, RuleError> {
        let row = self.add_row(spec)?;
        self.rows[row].set_aside(Aside::Identical);
        Ok(row)
    }

    fn add_row(&mut self, spec: RowSpec) -> Result<usize, RuleError> {
        spec.check()?;
        let row = Row { spec, pairs: Vec::new(), logs: Vec::new(), looks: Vec::new(), look: None, decided: None, aside: None };
        self.rows.push(row);
        Ok(self.rows.len() - 1)
    }

    /// The next pair of a row, in time order.
    ///
    /// Where it completes an early look of an undecided row, the look is taken. A value that is missing, zero, negative or not finite makes
    /// an undecided row invalid; a pair after the verdict is kept and not used.
    pub fn push(&mut self, row: usize, pair: GatePair) {
        self.rows[row].push(&self.rule, pair);
    }

    /// A guard or verification failed: whatever was found, the row is no measurement.
    pub fn invalidate(&mut self, row: usize, reason: &str) {
        self.rows[row].set_aside(Aside::Invalid(reason.into()));
    }

    /// Its trials did not reach a steady state: the row is inconclusive whatever the test says.
    pub fn not_steady(&mut self, row: usize, reason: &str) {
        self.rows[row].set_aside(Aside::NotSteady(reason.into()));
    }

    /// The row is shown and not judged, even where it is invalid. It goes on counting among the rows that share α.
    pub fn not_gated(&mut self, row: usize, reason: &str) {
        self.rows[row].set_aside(Aside::NotGated(reason.into()));
    }

    /// What is fixed for a row.
    pub fn spec(&self, row: usize) -> &RowSpec {
        &self.rows[row].spec
    }

    /// Pairs of a row.
    pub fn pairs(&self, row: usize) -> u32 {
        self.rows[row].pairs.len() as u32
    }

    /// No row of `rows`, those of a case, needs another pair. Before [`Table::settle`] this is never so for what is left to the last look.
    pub fn is_decided(&self, rows: &[usize]) -> bool {
        rows.iter().all(|&row| self.rows[row].is_decided())
    }

    /// What was found of a row; `Inconclusive` as long as it is undecided.
    pub fn verdict(&self, row: usize) -> GateVerdict {
        self.rows[row].verdict()
    }

    /// The last look, over all cases together: call it once, when no more pairs will come. Rows that did not come so far stay undecided.
    pub fn settle(&mut self) {
        let last = self.rule.last_look() as usize;
        let family: Vec<usize> = (0..self.rows.len()).filter(|&row| self.rows[row].reached(last)).collect();
        let [worse_before, better_before] = [GateVerdict::Worse, GateVerdict::Better].map(|verdict| self.count(verdict));
        for &row in &family {
            self.rows[row].look_at(last);
        }
        let tails: Vec<_> = family.iter().map(|&row| self.rows[row].look.as_ref().and_then(|look| look.tails)).collect();
        // A row without tails, which no usable row is, could not be significant.
        let side = |tail: fn(&crate::stats::wilcoxon::Tails) -> u128| -> Vec<(u128, u32)> {
            tails.iter().map(|tails| tails.as_ref().map_or((1, 0), |tails| (tail(tails), tails.nonzero))).collect()
        };
        let worse = self.rule.significant_last(&side(|tails| tails.up), worse_before);
        let better = self.rule.significant_last(&side(|tails| tails.down), better_before);
        for (place, row) in family.into_iter().enumerate() {
            self.rows[row].decide(worse[place], better[place]);
        }
    }

    fn count(&self, verdict: GateVerdict) -> u32 {
        self.rows.iter().filter(|row| row.verdict() == verdict).count() as u32
    }

    /// The row as the gate's file has it.
    pub fn report(&self, row: usize, name: RowName) -> GateRow {
        let row = &self.rows[row];
        let look = row.shown();
        let of_look = |value: fn(&Look) -> f64| look.as_ref().map(value);
        let p = row.look.as_ref().and_then(Look::p);
        GateRow {
            base: name.base,
            suite: name.suite,
            scenario: name.scenario,
            case: name.case,
            metric: name.metric,
            unit: name.unit,
            better: row.spec.better,
            threshold: row.spec.threshold,
            floor_absolute: row.spec.floor_absolute,
            floor_layout: row.spec.floor_layout,
            verdict: row.verdict(),
            excludes_worse: row.aside == Some(Aside::Identical) || look.as_ref().is_some_and(|look| look.excludes_worse(&row.spec)),
            n: look.as_ref().map_or(0, |look| look.pairs),
            looks: row.looks.clone(),
            ratio: of_look(|look| look.median.exp()),
            ci: look.as_ref().and_then(|look| look.ci).map(|ci| Interval { lo: ci.lo.exp(), hi: ci.hi.exp(), ..ci }),
            p,
            p_adjusted: p.map(|p| self.rule.adjusted(p)),
            sees: look.as_ref().and_then(|look| power::least_found(&row.logs, &self.rule, &row.spec, look.base)).map(|sight| sight.share),
            base_value: of_look(|look| look.base),
            candidate_value: of_look(|look| look.candidate),
            pairs: row.pairs.clone(),
            reason: row.reason(&self.rule),
        }
    }
}

impl Row {
    fn push(&mut self, rule: &Rule, pair: GatePair) {
        self.pairs.push(pair);
        let is_in_order = self.logs.len() + 1 == self.pairs.len();
        match self.spec.log_ratio(&pair).filter(|_| is_in_order) {
            Some(log) => self.logs.push(log),
            None if !self.is_decided() => {
                let reason = fault(self.pairs.len(), &pair);
                self.set_aside(Aside::Invalid(reason));
            }
            None => {}
        }
        if !self.is_decided() && rule.is_early_look(self.logs.len()) {
            self.look_at(self.logs.len());
            if let Some(tails) = self.look.as_ref().and_then(|look| look.tails) {
                self.decide(rule.is_significant_early(tails.up, tails), rule.is_significant_early(tails.down, tails));
            }
        }
    }

    fn look_at(&mut self, pairs: usize) {
        self.looks.push(pairs as u32);
        self.look = Look::of(&self.logs[..pairs], &self.pairs[..pairs]);
    }

    fn decide(&mut self, worse: bool, better: bool) {
        self.decided = self.look.as_ref().and_then(|look| look.verdict(&self.spec, worse, better));
    }

    /// Undecided, and with the pairs of the last look.
    fn reached(&self, last: usize) -> bool {
        !self.is_decided() && self.logs.len() >= last && self.looks.last().is_none_or(|&taken| (taken as usize) < last)
    }

    fn is_decided(&self) -> bool {
        self.decided.is_some() || self.aside.is_some()
    }

    fn set_aside(&mut self, aside: Aside) {
        self.aside = Some(self.aside.take().map_or(aside.clone(), |before| before.min(aside)));
    }

    fn verdict(&self) -> GateVerdict {
        match &self.aside {
            Some(Aside::Identical) => GateVerdict::Identical,
            Some(Aside::NotGated(_)) => GateVerdict::NotGated,
            Some(Aside::Invalid(_)) => GateVerdict::Invalid,
            Some(Aside::NotSteady(_)) => GateVerdict::Inconclusive,
            None => self.decided.unwrap_or(GateVerdict::Inconclusive),
        }
    }

    /// What is shown: the look that decided, or all pairs where none was taken; nothing of what is no measurement.
    fn shown(&self) -> Option<Look> {
        if matches!(self.aside, Some(Aside::Invalid(_))) {
            return None;
        }
        self.look.clone().or_else(|| Look::of(&self.logs, &self.pairs[..self.logs.len()]))
    }

    fn reason(&self, rule: &Rule) -> Option<String> {
        match (&self.aside, self.decided) {
            (Some(Aside::Identical), _) => Some("the executables are the same file".into()),
            (Some(Aside::NotGated(reason) | Aside::Invalid(reason) | Aside::NotSteady(reason)), _) => Some(reason.clone()),
            (None, Some(_)) => None,
            (None, None) => Some(self.why_undecided(rule)),
        }
    }

    fn why_undecided(&self, rule: &Rule) -> String {
        let last = rule.last_look();
        let Some(look) = self.look.as_ref().filter(|look| look.pairs == last) else {
            return format!("measuring ended after {} pairs, before the last look after {last}", self.pairs.len());
        };
        let Some(ci) = look.ci else { return format!("{last} pairs have no interval") };
        let (lo, hi) = (ci.lo.exp(), ci.hi.exp());
        let range = format!("after {last} pairs the ratio may be anything from {lo:.3} to {hi:.3}");
        let tail = look.tails.map(|tails| (if look.median > 0.0 { tails.up } else { tails.down }, tails));
        let is_effect = look.median.abs() > (self.spec.threshold / 2.0).ln_1p();
        if !(is_effect && tail.is_some_and(|(tail, tails)| rule.is_significant_early(tail, tails))) {
            return range;
        }
        match self.spec.floor_layout {
            Some(layout) if look.median.abs() <= layout.ln_1p() => {
                format!("{range}, and code layout alone changes this row by {}", Share(layout))
            }
            _ => format!("{range}, and the difference is not above the {} that the clock can tell apart", self.spec.floor_absolute),
        }
    }
}

/// What is wrong with the pair at 1-based `place`.
fn fault(place: usize, pair: &GatePair) -> String {
    let is_usable = |value: Option<f64>| value.is_some_and(|value| value.is_finite() && value > 0.0);
    let (side, value) = if is_usable(pair.base) { ("candidate", pair.candidate) } else { ("base", pair.base) };
    match value {
        None => format!("pair {place}: the {side} gave no value"),
        Some(value) => format!("pair {place}: the {side}'s value is {value}, not a positive number"),
    }
}
