//! The constants of the rule, and what it says of one row at one look.

use std::fmt;

use super::GatePair;
use crate::schema::gate::{GateRule, GateVerdict};
use crate::schema::result::{Better, Interval};
use crate::stats::wilcoxon::{Tails, critical_sum};
use crate::stats::{interval, quantile, wilcoxon};

/// Family-wise error over the table and all looks, for each direction.
pub const ALPHA: f64 = 0.01;
/// Numbers of pairs after which a decision may be taken.
pub const LOOKS: [u32; 4] = [14, 24, 34, 44];
/// The slow-down that must be caught.
pub const THRESHOLD: f64 = 0.05;
/// Level of the interval of a row's ratio; not corrected for looks or rows.
pub const LEVEL: f64 = 0.99;

/// Most pairs of a look: so many sign patterns can still be counted.
const PAIRS_MAX: u32 = 126;
/// Above this 1/α no number of pairs allowed could fire.
const INVERSE_ALPHA_MAX: f64 = 1e9;

/// What is fixed before the first trial: the looks, and the rows that share α.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    inverse_alpha: u32,
    looks: Vec<Stage>,
    rows: u32,
}

/// A point at which a decision may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stage {
    pairs: u32,
    /// The interval runs from the k-th smallest difference to the k-th largest.
    k: usize,
}

/// What is fixed for one row before its first trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowSpec {
    /// Which way is better.
    pub better: Better,
    /// The slow-down that must be caught, as a share.
    pub threshold: f64,
    /// A difference of medians up to this says nothing, in the metric's unit.
    pub floor_absolute: f64,
    /// The largest effect that code layout alone had on this row, as a share; `None`: not measured.
    pub floor_layout: Option<f64>,
}

/// Why a rule or a row cannot be judged by; each a sentence fragment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RuleError {
    /// There is no look.
    NoLooks,
    /// A look would fall inside a block.
    OddLook(u32),
    /// A look after the one given is not larger.
    NotIncreasing(u32, u32),
    /// Too few pairs for an interval at [`LEVEL`].
    TooFewPairs(u32),
    /// More than can be counted exactly.
    TooManyPairs(u32),
    /// Not one over a whole number.
    Alpha(f64),
    /// No row shares α.
    NoRows,
    /// Even if every pair spoke against the candidate, no row could be `worse`: the pairs of the last look, and those it would take.
    CannotFire(u32, u32),
    /// Not a positive share.
    Threshold(f64),
    /// Not a number from 0.
    Floor(f64),
    /// The table has as many gated rows as share α.
    TableFull(u32),
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLooks => write!(f, "a gate needs at least one look"),
            Self::OddLook(pairs) => {
                write!(f, "a look after {pairs} pairs would fall inside a block of two pairs; use an even number")
            }
            Self::NotIncreasing(before, pairs) => write!(f, "looks must increase, and {pairs} follows {before}"),
            Self::TooFewPairs(pairs) => write!(f, "{pairs} pairs have no interval at {} %; a look needs at least 8", LEVEL * 100.0),
            Self::TooManyPairs(pairs) => write!(f, "a look after {pairs} pairs is past the {PAIRS_MAX} that are counted exactly"),
            Self::Alpha(alpha) => write!(f, "alpha must be one over a whole number from 2, such as 0.01 or 0.05, and not {alpha}"),
            Self::NoRows => write!(f, "a gate needs at least one row"),
            Self::CannotFire(pairs, needed) => {
                write!(f, "{pairs} pairs could not show any slow-down over so many rows; the last look needs at least {needed}")
            }
            Self::Threshold(threshold) => write!(f, "the threshold must be a share above 0, such as 0.05, and not {threshold}"),
            Self::Floor(floor) => write!(f, "a floor must be a number from 0, and not {floor}"),
            Self::TableFull(rows) => write!(f, "alpha is shared by {rows} rows, and one more was to be judged"),
        }
    }
}

impl std::error::Error for RuleError {}

impl Rule {
    /// `looks` in pairs, even and increasing; `rows` share `alpha`, which is one over a whole number.
    ///
    /// # Errors
    /// Anything the rule has no meaning for, and a rule that could never find a slow-down.
    ///
    /// ```
    /// use zokio_report::judge::gate::{Rule, RuleError};
    /// assert!(Rule::new(0.01, &[14, 24, 34, 44], 20).is_ok());
    /// assert_eq!(Rule::new(0.01, &[14, 25], 20), Err(RuleError::OddLook(25)));
    /// assert_eq!(Rule::new(0.03, &[14], 20), Err(RuleError::Alpha(0.03)));
    /// ```
    pub fn new(alpha: f64, looks: &[u32], rows: u32) -> Result<Self, RuleError> {
        let inverse = (1.0 / alpha).round();
        if !((2.0..=INVERSE_ALPHA_MAX).contains(&inverse) && (alpha * inverse - 1.0).abs() < 1e-9) {
            return Err(RuleError::Alpha(alpha));
        }
        if rows == 0 {
            return Err(RuleError::NoRows);
        }
        let mut stages: Vec<Stage> = Vec::with_capacity(looks.len());
        for &pairs in looks {
            if pairs % 2 != 0 {
                return Err(RuleError::OddLook(pairs));
            }
            if pairs > PAIRS_MAX {
                return Err(RuleError::TooManyPairs(pairs));
            }
            if let Some(before) = stages.last().filter(|before| before.pairs >= pairs) {
                return Err(RuleError::NotIncreasing(before.pairs, pairs));
            }
            let k = interval::order_index(pairs as usize, LEVEL).ok_or(RuleError::TooFewPairs(pairs))?;
            stages.push(Stage { pairs, k });
        }
        let rule = Self { inverse_alpha: inverse as u32, looks: stages, rows };
        let last = rule.looks.last().ok_or(RuleError::NoLooks)?.pairs;
        let needed = rule.pairs_to_fire();
        if last < needed { Err(RuleError::CannotFire(last, needed)) } else { Ok(rule) }
    }

    /// The rule of a gate's file.
    ///
    /// # Errors
    /// As [`Rule::new`], and a threshold that is not a positive share.
    pub fn of(rule: &GateRule) -> Result<Self, RuleError> {
        positive(rule.threshold)?;
        Self::new(rule.alpha, &rule.looks, rule.rows)
    }

    /// The looks, in pairs.
    pub fn looks(&self) -> impl Iterator<Item = u32> + '_ {
        self.looks.iter().map(|stage| stage.pairs)
    }

    /// Pairs at the last look.
    pub fn last_look(&self) -> u32 {
        self.looks.last().map_or(0, |stage| stage.pairs)
    }

    /// Rows that share α.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Pairs below which no row can be `worse`, whatever they say: the smallest p of n pairs is 2^−n.
    pub fn pairs_to_fire(&self) -> u32 {
        let patterns = u128::from(self.inverse_alpha) * self.bonferroni();
        (1..128).find(|&pairs| 1u128 << pairs >= patterns).unwrap_or(128)
    }

    /// What α is divided by where all rows and looks share it evenly.
    pub(super) fn bonferroni(&self) -> u128 {
        self.looks.len() as u128 * u128::from(self.rows)
    }

    /// p shared over looks and rows, at most 1.
    pub(super) fn adjusted(&self, p: f64) -> f64 {
        (self.bonferroni() as f64 * p).min(1.0)
    }

    /// The least sum of positive ranks that shows a slow-down at the last look, whatever the other rows do.
    pub(super) fn critical_sum(&self) -> Option<usize> {
        critical_sum(self.last_look() as usize, u128::from(self.inverse_alpha), self.bonferroni())
    }

    /// Whether `pairs` is a look before the last one.
    pub(super) fn is_early_look(&self, pairs: usize) -> bool {
        self.looks.split_last().is_some_and(|(_, early)| early.iter().any(|stage| stage.pairs as usize == pairs))
    }

    /// Whether a tail is significant at an early look: every row and look has the same part of α.
    pub(super) fn is_significant_early(&self, tail: u128, tails: Tails) -> bool {
        Tails::is_significant(tail, tails.nonzero, u128::from(self.inverse_alpha), self.bonferroni())
    }

    /// Which tails of the rows undecided at the last look are significant, in their order: the smallest p against
    /// α / (L·(m − R)), the next against α / (L·(m − R − 1)) and so on, until the first that is not. `decided` is R, the rows already found
    /// to go that way.
    ///
    /// # Source
    /// Holm 1979, on the part α / L of the last look.
    pub(super) fn significant_last(&self, tails: &[(u128, u32)], decided: u32) -> Vec<bool> {
        let p = |index: usize| tails[index].0 as f64 / f64::from(tails[index].1).exp2();
        let mut order: Vec<usize> = (0..tails.len()).collect();
        order.sort_by(|&left, &right| p(left).total_cmp(&p(right)));
        let mut significant = vec![false; tails.len()];
        for (step, index) in order.into_iter().enumerate() {
            let left = self.rows.saturating_sub(decided).saturating_sub(step as u32).max(1);
            let divisor = self.looks.len() as u128 * u128::from(left);
            let (tail, nonzero) = tails[index];
            if !Tails::is_significant(tail, nonzero, u128::from(self.inverse_alpha), divisor) {
                break;
            }
            significant[index] = true;
        }
        significant
    }
}

fn positive(threshold: f64) -> Result<(), RuleError> {
    if threshold.is_finite() && threshold > 0.0 { Ok(()) } else { Err(RuleError::Threshold(threshold)) }
}

impl RowSpec {
    /// # Errors
    /// A threshold that is not a positive share, a floor that is not a number from 0.
    pub(super) fn check(&self) -> Result<(), RuleError> {
        positive(self.threshold)?;
        match [Some(self.floor_absolute), self.floor_layout].into_iter().flatten().find(|floor| !(floor.is_finite() && *floor >= 0.0)) {
            Some(floor) => Err(RuleError::Floor(floor)),
            None => Ok(()),
        }
    }

    /// What the median log ratio must exceed for `worse` or `better`: half the threshold, and what code layout alone did to this row.
    pub(super) fn effect_log(&self) -> f64 {
        (self.threshold / 2.0).max(self.floor_layout.unwrap_or(0.0)).ln_1p()
    }

    /// ln(candidate / base) or its negative, so that above 0 the candidate is worse; `None` unless both values are positive numbers.
    ///
    /// As a difference of logarithms, which swapping the sides turns into exactly its negative, so that mirrored pairs tie.
    pub fn log_ratio(&self, pair: &GatePair) -> Option<f64> {
        let log = |value: Option<f64>| value.filter(|value| value.is_finite() && *value > 0.0).map(f64::ln);
        let (base, candidate) = (log(pair.base)?, log(pair.candidate)?);
        Some(if self.better == Better::Lower { candidate - base } else { base - candidate })
    }
}

/// What the pairs of a row say at one look.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub(super) pairs: u32,
    /// Median of the log ratios.
    pub(super) median: f64,
    /// Its interval at [`LEVEL`], where there are pairs enough for one.
    pub(super) ci: Option<Interval>,
    pub(super) tails: Option<Tails>,
    pub(super) base: f64,
    pub(super) candidate: f64,
}

impl Look {
    /// Of as many log ratios as pairs; `None` without a pair.
    pub(super) fn of(logs: &[f64], pairs: &[GatePair]) -> Option<Self> {
        let middle = |value: fn(&GatePair) -> Option<f64>| quantile::median(&pairs.iter().filter_map(value).collect::<Vec<f64>>());
        Some(Self {
            pairs: logs.len() as u32,
            median: quantile::median(logs)?,
            ci: interval::median_interval_at(logs, LEVEL),
            tails: wilcoxon::tails(logs),
            base: middle(|pair| pair.base)?,
            candidate: middle(|pair| pair.candidate)?,
        })
    }

    /// First match wins; `None`: undecided.
    pub(super) fn verdict(&self, spec: &RowSpec, worse: bool, better: bool) -> Option<GateVerdict> {
        let is_seen = (self.candidate - self.base).abs() > spec.floor_absolute;
        if worse && self.median > spec.effect_log() && is_seen {
            return Some(GateVerdict::Worse);
        }
        if better && self.median < -spec.effect_log() && is_seen {
            return Some(GateVerdict::Better);
        }
        let limit = spec.threshold.ln_1p();
        self.ci.is_some_and(|ci| ci.hi < limit && ci.lo > -limit).then_some(GateVerdict::Same)
    }

    /// The interval excludes a slow-down of the threshold.
    pub(super) fn excludes_worse(&self, spec: &RowSpec) -> bool {
        self.ci.is_some_and(|ci| ci.hi < spec.threshold.ln_1p())
    }

    /// Exact one-sided p of the direction the median points to.
    pub(super) fn p(&self) -> Option<f64> {
        let tails = self.tails?;
        let tail = if self.median >= 0.0 { tails.up } else { tails.down };
        Some(tail as f64 / f64::from(tails.nonzero).exp2())
    }
}
