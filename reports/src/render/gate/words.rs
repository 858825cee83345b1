//! What stands around the rows: what was compared, by which rule, which limits there were, and what to do next.

use super::view::{ORDER, clipped, name, percent, rows_of, word};
use crate::exit;
use crate::render::view;
use crate::schema::gate::{GateBase, GateBaseKind, GateResult, GateRow, GateSide, GateThreshold, GateVerdict, GateWord, UnlikeField};
use crate::units::ABSENT;

/// Rows named in one piece of advice.
const NAMED_MAX: usize = 3;
/// Most pairs worth proposing: beyond that, another host is the better advice.
const PAIRS_MAX: f64 = 2_000.0;

/// The verdict in one sentence.
pub(super) fn verdict(result: &GateResult) -> String {
    let outcome = &result.outcome;
    let share = format!("{} of {} rows", outcome.rows, outcome.of);
    let failed = result.thresholds.iter().filter(|threshold| threshold.fails).count();
    let limits = match failed {
        0 => String::new(),
        1 => "; one threshold does not hold".into(),
        failed => format!("; {failed} thresholds do not hold"),
    };
    let sees =
        outcome.sees.map_or_else(String::new, |share| format!(". Every gated row would have shown a slow-down of {}", percent(share)));
    let rows = match outcome.word {
        GateWord::Passed => format!("Nothing got worse: {share} passed"),
        GateWord::Regressed => format!("{share} worse"),
        GateWord::Inconclusive => format!("{share} undecided"),
        GateWord::Invalid => format!("{share} no measurement"),
        GateWord::Error => "The gate could not be run".into(),
    };
    format!("{rows}{limits}{sees}.")
}

/// What the exit code means.
pub(super) fn exit_code(result: &GateResult) -> String {
    let code = result.outcome.exit_code;
    let meaning = exit::MEANINGS.iter().find(|(known, _)| *known == code).map_or("unknown", |(_, meaning)| meaning);
    format!("exit {code}: {meaning}")
}

/// The first characters of a hash.
pub(super) fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// Where a build comes from: `origin/main, 5f0c9a1be07d of 2026-11-22T18:03:11Z, release by rustc 1.95.0, sha256 5e5e5e5e5e5e`.
pub(super) fn side(side: &GateSide) -> String {
    let mut parts = vec![side.source.clone()];
    if let Some(revision) = &side.revision {
        let date = side.committed_at.as_ref().map_or_else(String::new, |date| format!(" of {date}"));
        let dirty = if side.dirty == Some(true) { " with uncommitted changes" } else { "" };
        parts.push(format!("{}{date}{dirty}", short(revision)));
    }
    let rustc = side.build.rustc.as_deref().unwrap_or("an unknown rustc");
    parts.push(format!("{} {}, {} build by {rustc}", side.subject, side.version, side.build.profile));
    parts.extend(side.binary_sha256.as_ref().map(|hash| format!("sha256 {}", short(hash))));
    clipped(&parts.join(", "))
}

/// A base: what kind, where from, and what limits what it can tell.
pub(super) fn base(base: &GateBase) -> String {
    let kind = match base.kind {
        GateBaseKind::Binary => "executable",
        GateBaseKind::Revision => "built from a revision",
        GateBaseKind::Stored => "stored result, informs and never fails",
    };
    let identical = if base.identical { "; byte for byte the candidate, so nothing was measured" } else { "" };
    let layout = match base.layouts {
        _ if base.identical || base.kind == GateBaseKind::Stored => String::new(),
        None => "; the effect of code layout was not measured".into(),
        Some(layouts) => format!("; {layouts} other code layouts measured against it"),
    };
    format!("{}{identical}{layout} ({kind})", side(&base.side))
}

/// Fields in which the host of a stored base is unlike this one, one line each.
pub(super) fn unlike(base: &GateBase) -> Vec<String> {
    let known = |value: &Option<String>| value.as_deref().unwrap_or("not known").to_string();
    let line = |field: &UnlikeField| {
        let effect = if field.refused { "so it is not compared" } else { "a warning" };
        clipped(&format!(
            "{}: host unlike in {}: {} there, {} here; {effect}",
            base.name,
            field.field,
            known(&field.base),
            known(&field.here)
        ))
    };
    base.unlike.iter().map(line).collect()
}

/// The rule in one line.
pub(super) fn rule(result: &GateResult) -> String {
    let rule = &result.rule;
    let looks: Vec<String> = rule.looks.iter().map(u32::to_string).collect();
    let time = rule
        .max_time_s
        .filter(|seconds| seconds.is_finite())
        .map_or_else(|| "no limit of time".into(), |seconds| format!("at most {seconds} s"));
    let undecided = rule.max_inconclusive.map_or_else(String::new, |share| format!(", at most {} inconclusive", percent(share)));
    let strict = if rule.strict { ", strict" } else { "" };
    format!(
        "a slow-down of {} fails; false alarms at most {} over {} rows and looks after {} pairs; {time}{undecided}{strict}; seed {}",
        percent(rule.threshold),
        percent(rule.alpha),
        rule.rows,
        looks.join(", "),
        result.seed
    )
}

/// A limit that needs no base, with its case and what came of it.
pub(super) fn threshold(threshold: &GateThreshold) -> String {
    let limit = match (&threshold.threshold, &threshold.target) {
        (Some(limit), _) => view::threshold_line(limit),
        (None, Some(target)) => format!("{} {}, {}: {}", target.subject, target.metric, target.source, view::target_outcome(target)),
        (None, None) => ABSENT.into(),
    };
    let grace = threshold.grace.map_or_else(String::new, |(allowed, missed)| format!("; {missed} of {allowed} misses forgiven"));
    clipped(&format!("{}: {limit}{grace}", threshold.case))
}

/// Whether a limit held; `None` where it could not be judged.
pub(super) fn held(threshold: &GateThreshold) -> Option<bool> {
    match (&threshold.threshold, &threshold.target) {
        (Some(limit), _) => limit.passed,
        (None, Some(target)) if target.comparable => target.reached,
        _ => None,
    }
}

/// Notes of the gate and of its bases, clipped.
pub(super) fn notes(result: &GateResult) -> Vec<String> {
    let early = (!result.complete).then(|| "The gate ended before every row came to a verdict or its last look.".to_string());
    let notes = result.notes.iter().map(|note| clipped(note));
    early.into_iter().chain(notes).chain(result.bases.iter().flat_map(unlike)).collect()
}

/// What to do next, one line for each kind of row there is.
pub(super) fn next_steps(result: &GateResult) -> Vec<String> {
    let step = |verdict: &GateVerdict| {
        let rows = rows_of(result, *verdict);
        let advice = (!rows.is_empty()).then(|| advice(result, *verdict, &rows))??;
        Some(format!("{}: {advice}", word(*verdict)))
    };
    let mut steps: Vec<String> = ORDER.iter().filter_map(step).collect();
    if result.thresholds.iter().any(|threshold| threshold.fails) {
        steps.push("threshold: the limit is the scenario's own; mend the candidate, or change the limit where it is written".into());
    }
    steps
}

fn advice(result: &GateResult, verdict: GateVerdict, rows: &[&GateRow]) -> Option<String> {
    match verdict {
        GateVerdict::Worse => {
            Some("look at the pairs in the HTML page; --confirm measures again, a nearer --base-rev narrows the change down".into())
        }
        GateVerdict::Invalid => Some("a guard says why; until that is mended the row says nothing, neither good nor bad".into()),
        GateVerdict::Inconclusive => Some(more_pairs(result, rows)),
        GateVerdict::NotGated => Some("shown for information; only --base-rev and --base-bin, measured here, can fail".into()),
        GateVerdict::Identical => Some("the two executables are one file; --self-test shows that the gate would see a difference".into()),
        GateVerdict::Better | GateVerdict::Same => None,
    }
}

fn more_pairs(result: &GateResult, rows: &[&GateRow]) -> String {
    let wanted = |row: &&GateRow| Some(format!("about {} for {}", pairs_wanted(row)?, name(result, row)));
    let named: Vec<String> = rows.iter().filter_map(wanted).take(NAMED_MAX).collect();
    let pairs = if named.is_empty() { "more pairs".into() } else { format!("more pairs ({})", named.join("; ")) };
    format!("{pairs} by --looks and --max-time, or a quieter host; --strict makes it fail")
}

/// Pairs after which this row would see its threshold: the interval of a median narrows with the root of their number.
///
/// `None` where it sees that much already (the slow-down itself is close to the threshold), or where no sensible number would do.
pub(super) fn pairs_wanted(row: &GateRow) -> Option<u32> {
    let factor = row.sees.filter(|sees| sees.is_finite() && *sees > row.threshold && row.threshold > 0.0)? / row.threshold;
    let pairs = f64::from(row.n) * factor * factor;
    // Looks are even: a block is two pairs.
    (row.n > 0 && pairs <= PAIRS_MAX).then(|| (pairs / 2.0).ceil() as u32 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::gate;

    #[test]
    fn twice_the_scatter_wants_four_times_the_pairs() {
        let mut row = gate::gate().rows[3].clone();
        (row.n, row.threshold) = (44, 0.05);
        let cases =
            [(Some(0.1), Some(176)), (Some(0.05), None), (Some(0.06), Some(64)), (Some(9.0), None), (None, None), (Some(f64::NAN), None)];
        for (sees, pairs) in cases {
            row.sees = sees;
            assert_eq!(pairs_wanted(&row), pairs, "{sees:?}");
        }
    }

    #[test]
    fn advice_is_given_for_what_there_is_and_for_nothing_else() {
        let steps = next_steps(&gate::gate());
        let begins: Vec<&str> = steps.iter().filter_map(|step| step.split(':').next()).collect();
        assert_eq!(begins, ["worse", "invalid", "inconclusive", "not gated", "identical", "threshold"]);
        assert!(next_steps(&gate::passed()).is_empty());
    }
}
