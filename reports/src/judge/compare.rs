//! One subject against another: paired log ratios inside a half block.
//!
//! ```text
//!  block 0            block 1
//!  A B C │ C B A      B C A │ A C B        one half holds each subject once: the trials of A and B in it are a pair
//! ```
//!
//! A drift or a burst hits both trials of a pair alike and leaves their ratio alone; it would not leave a ratio of two medians
//! alone. The ratio is `exp(median of ln(subject / against))`, its interval comes from order statistics, its p from the exact
//! signed-rank test. Pairs whose trials ran in different core states are left out and counted: virtual CPUs that were moved
//! between two trials change CPU per operation by more than the subjects differ.

use super::guards::host::CORE_STATE_FACTOR;
use crate::schema::result::{Better, Comparison, Interval, Metric, SubjectResult, Verdict};
use crate::schema::validity::ValidityState;
use crate::stats::{holm, interval, quantile, wilcoxon};

/// A difference must be significant at this level, after Holm over the primary metrics of the run.
pub const ALPHA: f64 = 0.05;
/// A significant difference below this is not called one. Two builds of the same source differ by up to about 2 % through code
/// layout alone, so a smaller difference between subjects says nothing about their design.
pub const EFFECT_FLOOR: f64 = 0.02;
/// `same` means that the whole interval of the ratio lies within this share of 1.
pub const SAME_MARGIN: f64 = 0.05;

/// The paired ratio of one metric between two subjects of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedRatio {
    /// exp of the median log ratio, subject / against; `None` without a pair.
    pub ratio: Option<f64>,
    /// Its interval; `None` below 6 pairs.
    pub ci: Option<Interval>,
    /// Exact two-sided p of this one comparison; `None` below 6 pairs, where no outcome could be significant.
    pub p: Option<f64>,
    /// Pairs used.
    pub pairs: u32,
    /// Pairs left out: different core states, or no positive number in one trial.
    pub left_out: u32,
}

/// The paired ratio of `metric` between `subject` and `against`, subject / against of the raw values.
pub fn paired_ratio(subject: &SubjectResult, against: &SubjectResult, metric: &str) -> PairedRatio {
    let (mut logs, mut left_out) = (Vec::new(), 0);
    for (index, point) in subject.trials.iter().enumerate() {
        let same_half = |other: &crate::schema::result::TrialPoint| (other.block, other.half) == (point.block, point.half);
        let Some(partner) = against.trials.iter().position(same_half) else { continue };
        let like = core_states_agree(point.core_state_ns, against.trials[partner].core_state_ns);
        match trial_value(subject, metric, index).zip(trial_value(against, metric, partner)).filter(|_| like) {
            Some((value, other)) => logs.push((value / other).ln()),
            None => left_out += 1,
        }
    }
    let ci = interval::median_interval(&logs);
    PairedRatio {
        ratio: quantile::median(&logs).map(f64::exp),
        ci: ci.map(|ci| Interval { level: ci.level, lo: ci.lo.exp(), hi: ci.hi.exp() }),
        p: ci.and_then(|_| wilcoxon::signed_rank(&logs)).map(|test| test.p),
        pairs: logs.len() as u32,
        left_out,
    }
}

fn trial_value(subject: &SubjectResult, metric: &str, index: usize) -> Option<f64> {
    let value = *find(subject, metric)?.trials.get(index)?;
    value.filter(|value| value.is_finite() && *value > 0.0)
}

/// A state that was not measured agrees with any: there is one CPU, or nothing is known.
fn core_states_agree(left: Option<f64>, right: Option<f64>) -> bool {
    match left.zip(right) {
        Some((left, right)) => left.max(right) <= CORE_STATE_FACTOR * left.min(right),
        None => true,
    }
}

/// The metric of a row.
pub fn find<'a>(subject: &'a SubjectResult, metric: &str) -> Option<&'a Metric> {
    subject.metrics.iter().find(|candidate| candidate.id == metric)
}

/// Whether a row may be ranked at all.
pub fn is_rankable(subject: &SubjectResult) -> bool {
    matches!(subject.validity.state, ValidityState::Valid | ValidityState::Suspect)
}

/// The first subject of a case against each other, on the primary metric and on CPU per operation.
///
/// The verdicts of primary metrics are [`Verdict::Inconclusive`] until [`settle`] has seen the whole run; `p` is not adjusted yet.
pub(super) fn comparisons(subjects: &[SubjectResult], primary: &str) -> Vec<Comparison> {
    let Some((first, others)) = subjects.split_first() else { return Vec::new() };
    let mut metrics = vec![primary];
    metrics.extend(["cpu_ns_per_op"].into_iter().filter(|metric| *metric != primary));
    let mut comparisons = Vec::new();
    for metric in metrics {
        for other in others {
            comparisons.push(comparison(first, other, metric, metric == primary));
        }
    }
    comparisons
}

pub(super) fn comparison(subject: &SubjectResult, against: &SubjectResult, metric: &str, is_primary: bool) -> Comparison {
    let names = (subject.subject.clone(), against.subject.clone());
    if !is_rankable(subject) || !is_rankable(against) {
        let (subject, against) = names;
        let metric = metric.into();
        return Comparison {
            metric,
            subject,
            against,
            ratio: None,
            ci: None,
            p: None,
            n: 0,
            pairs_left_out: 0,
            verdict: Verdict::Inconclusive,
        };
    }
    let paired = paired_ratio(subject, against, metric);
    let better = find(subject, metric).map_or(Better::Higher, |metric| metric.better);
    Comparison {
        metric: metric.into(),
        subject: names.0,
        against: names.1,
        ratio: paired.ratio,
        ci: paired.ci,
        p: paired.p.filter(|_| is_primary),
        n: paired.pairs,
        pairs_left_out: paired.left_out,
        verdict: if is_primary { Verdict::Inconclusive } else { by_interval(&paired, better) },
    }
}

/// Adjusts the p values of all primary comparisons of a run together, and gives their verdicts.
///
/// `rows` holds each primary comparison with the direction of its metric.
pub(super) fn settle(rows: &mut [(&mut Comparison, Better)]) {
    let p_values: Vec<Option<f64>> = rows.iter().map(|(row, _)| row.p).collect();
    for ((row, better), p) in rows.iter_mut().zip(holm::adjusted(&p_values)) {
        row.p = p;
        row.verdict = by_test(row.ratio, row.ci, p, *better);
    }
}

/// First match wins: significant, beyond the floor, and on one side of 1 with the whole interval; the whole interval near 1; otherwise nothing
/// can be said. Where test and interval disagree, a reader who sees the interval must not find a verdict beside it that it does not bear.
pub(super) fn by_test(ratio: Option<f64>, ci: Option<Interval>, p: Option<f64>, better: Better) -> Verdict {
    let (Some(ratio), Some(ci), Some(p)) = (ratio, ci, p) else { return Verdict::Inconclusive };
    let one_sided = ci.lo > 1.0 || ci.hi < 1.0;
    if p <= ALPHA && one_sided && ratio.ln().abs() > EFFECT_FLOOR.ln_1p() {
        return direction(ratio, better);
    }
    within_margin(ci)
}

/// Metrics beside the primary one take no part in the family of tests: their whole interval must lie beyond the floor.
fn by_interval(paired: &PairedRatio, better: Better) -> Verdict {
    let (Some(ratio), Some(ci)) = (paired.ratio, paired.ci) else { return Verdict::Inconclusive };
    if ci.lo > 1.0 + EFFECT_FLOOR || ci.hi < 1.0 / (1.0 + EFFECT_FLOOR) {
        return direction(ratio, better);
    }
    within_margin(ci)
}

fn direction(ratio: f64, better: Better) -> Verdict {
    if (ratio > 1.0) == (better == Better::Higher) { Verdict::Better } else { Verdict::Worse }
}

fn within_margin(ci: Interval) -> Verdict {
    let inside = ci.hi < 1.0 + SAME_MARGIN && ci.lo > 1.0 / (1.0 + SAME_MARGIN);
    if inside { Verdict::Same } else { Verdict::Inconclusive }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ci(lo: f64, hi: f64) -> Option<Interval> {
        Some(Interval { level: 0.95, lo, hi })
    }

    #[test]
    fn verdicts_follow_from_ratio_interval_and_p() {
        use Better::{Higher, Lower};
        let cases = [
            // (ratio, interval, adjusted p, which way is better, verdict)
            (Some(1.14), ci(1.12, 1.16), Some(0.01), Higher, Verdict::Better),
            (Some(1.14), ci(1.12, 1.16), Some(0.01), Lower, Verdict::Worse),
            (Some(0.90), ci(0.88, 0.93), Some(0.05), Higher, Verdict::Worse),
            (Some(0.90), ci(0.88, 0.93), Some(0.05), Lower, Verdict::Better),
            // Significant, but below the floor: near enough to be the same.
            (Some(1.01), ci(1.005, 1.015), Some(0.001), Higher, Verdict::Same),
            // Large, but not significant.
            (Some(1.14), ci(0.95, 1.30), Some(0.2), Higher, Verdict::Inconclusive),
            // Significant, but the interval of the median does not bear it.
            (Some(1.17), ci(0.96, 1.30), Some(0.04), Higher, Verdict::Inconclusive),
            (Some(1.00), ci(0.96, 1.04), Some(0.9), Higher, Verdict::Same),
            (Some(1.00), ci(0.94, 1.04), Some(0.9), Higher, Verdict::Inconclusive),
            (Some(1.14), None, None, Higher, Verdict::Inconclusive),
            (None, None, None, Higher, Verdict::Inconclusive),
        ];
        for (ratio, interval, p, better, verdict) in cases {
            assert_eq!(by_test(ratio, interval, p, better), verdict, "{ratio:?} {interval:?} {p:?} {better:?}");
        }
    }

    #[test]
    fn metrics_outside_the_family_are_judged_by_their_interval_alone() {
        let cases = [((1.03, 1.08), Verdict::Worse), ((1.01, 1.08), Verdict::Inconclusive), ((0.99, 1.01), Verdict::Same)];
        for ((lo, hi), verdict) in cases {
            let paired = PairedRatio { ratio: Some(1.05), ci: ci(lo, hi), p: None, pairs: 10, left_out: 0 };
            assert_eq!(by_interval(&paired, Better::Lower), verdict, "[{lo}, {hi}]");
        }
    }

    #[test]
    fn only_like_core_states_form_a_pair() {
        assert!(core_states_agree(Some(50.0), Some(70.0)));
        assert!(!core_states_agree(Some(50.0), Some(400.0)));
        assert!(core_states_agree(None, Some(400.0)));
    }
}
