//! Whether the host was fit to measure on while these trials ran.

use super::super::row::{Recorded, Row};
use super::finding::Finding;
use crate::stats::quantile;
use crate::units::Share;

/// Share of the CPUs used by others that is worth a word, and that makes a row suspect.
const FOREIGN_CPU: (f64, f64) = (0.05, 0.15);
/// Share of CPU time taken by the hypervisor that makes a row suspect.
const STEAL_SUSPECT: f64 = 0.01;
/// A cache-line round trip that changes by more than this factor means that the virtual CPUs were moved.
pub(in super::super) const CORE_STATE_FACTOR: f64 = 1.5;
/// More flipped trials than this share make a row suspect: then the median is one of two machines.
const FLIPPED_SHARE_MAX: f64 = 0.25;

/// `noise`: how much of the CPUs anything else used, in the median trial.
pub(super) fn noise(row: &Row<'_>) -> Option<Finding> {
    let Some((median, worst)) = shares(row, |trial| trial.evidence.foreign_cpu_share) else {
        return Some(Finding::skipped("the CPU use of others was not read"));
    };
    let detail = format!("others used {} of the CPUs in the median trial, {} at worst", Share(median), Share(worst));
    let (notable, suspect) = FOREIGN_CPU;
    let finding = if median > suspect {
        Finding::suspect(detail)
    } else if median > notable {
        Finding::pass(format!("warning: {detail}"))
    } else {
        Finding::pass(detail)
    };
    Some(finding.with(median, suspect))
}

/// `throttle`: how much CPU time the hypervisor took, in the median trial.
pub(super) fn throttle(row: &Row<'_>) -> Option<Finding> {
    let Some((median, worst)) = shares(row, |trial| trial.evidence.steal_share) else {
        return Some(Finding::skipped("stolen CPU time was not read"));
    };
    let detail = format!("the hypervisor took {} of CPU time in the median trial, {} at worst", Share(median), Share(worst));
    Some(if median > STEAL_SUSPECT { Finding::suspect(detail) } else { Finding::pass(detail) }.with(median, STEAL_SUSPECT))
}

fn shares(row: &Row<'_>, share: impl Fn(&Recorded<'_>) -> Option<f64>) -> Option<(f64, f64)> {
    let shares: Vec<f64> = row.recorded().filter_map(|trial| share(&trial)).filter(|share| share.is_finite()).collect();
    Some((quantile::median(&shares)?, shares.iter().copied().fold(0.0, f64::max)))
}

/// `debug-build`: the subject was built for speed.
pub(super) fn debug_build(row: &Row<'_>) -> Option<Finding> {
    let profile = row.about.map_or("", |about| about.build.profile.as_str());
    Some(match profile {
        "" => Finding::skipped("the subject does not say how it was built"),
        "release" => Finding::pass("release build"),
        other => Finding::suspect(format!("`{other}` build: its speed says nothing about a release build")),
    })
}

/// `core-state`: the CPUs were as far apart after each trial as before.
///
/// A trial that flipped is repeated, and one that flipped to the last forms no pair with a trial of either state. A few of them leave the
/// row what it is; many mean that the median mixes two machines.
pub(super) fn core_state(row: &Row<'_>) -> Option<Finding> {
    let flips: Vec<bool> = row.recorded().filter_map(|trial| has_flipped(&trial)).collect();
    let (flipped, all) = (flips.iter().filter(|&&flipped| flipped).count(), flips.len());
    if all == 0 {
        return Some(Finding::skipped("the round trip between the CPUs was not measured"));
    }
    let share = flipped as f64 / all as f64;
    let detail = format!("the virtual CPUs were moved during {flipped} of {all} trials, which form no pairs");
    let finding = match flipped {
        0 => Finding::pass("the CPUs were as far apart after each trial as before"),
        _ if share > FLIPPED_SHARE_MAX => Finding::suspect(detail),
        _ => Finding::pass(detail),
    };
    Some(finding.with(share, FLIPPED_SHARE_MAX))
}

fn has_flipped(trial: &Recorded<'_>) -> Option<bool> {
    let (before, after) = (trial.evidence.core_state_before_ns?, trial.evidence.core_state_after_ns?);
    let factor = before.max(after) / before.min(after);
    Some(factor > CORE_STATE_FACTOR || factor.is_nan())
}
