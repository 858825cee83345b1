//! The rows of a gate in words, worst first.

use std::cmp::Ordering;

use crate::render::view::{self, interval};
use crate::schema::gate::{GateResult, GateRow, GateVerdict};
use crate::schema::result::Interval;
use crate::units::{ABSENT, Ratio, maybe_with_unit};

/// Every verdict, in the order in which rows are shown.
pub(super) const ORDER: [GateVerdict; 7] = [
    GateVerdict::Worse,
    GateVerdict::Invalid,
    GateVerdict::Inconclusive,
    GateVerdict::Better,
    GateVerdict::Same,
    GateVerdict::NotGated,
    GateVerdict::Identical,
];

/// Longest reason or note that is shown in full, in characters.
const TEXT_MAX: usize = 400;

/// The rows as they are shown: by verdict, then the larger slow-down first.
pub(super) fn rows(result: &GateResult) -> Vec<&GateRow> {
    let mut rows: Vec<&GateRow> = result.rows.iter().collect();
    let place = |row: &GateRow| ORDER.iter().position(|verdict| *verdict == row.verdict);
    rows.sort_by(|one, other| {
        let slower = other.ratio.partial_cmp(&one.ratio).unwrap_or(Ordering::Equal);
        place(one).cmp(&place(other)).then(slower)
    });
    rows
}

/// The rows of one verdict, as they are shown.
pub(super) fn rows_of(result: &GateResult, verdict: GateVerdict) -> Vec<&GateRow> {
    rows(result).into_iter().filter(|row| row.verdict == verdict).collect()
}

/// The verdict's word.
pub(super) fn word(verdict: GateVerdict) -> &'static str {
    match verdict {
        GateVerdict::Worse => "worse",
        GateVerdict::Invalid => "invalid",
        GateVerdict::Inconclusive => "inconclusive",
        GateVerdict::Better => "better",
        GateVerdict::Same => "same",
        GateVerdict::NotGated => "not gated",
        GateVerdict::Identical => "identical",
    }
}

/// `1 worse, 2 same`, in the order of the rows.
pub(super) fn counts(rows: &[&GateRow]) -> String {
    let count = |verdict: &GateVerdict| match rows.iter().filter(|row| row.verdict == *verdict).count() {
        0 => None,
        count => Some(format!("{count} {}", word(*verdict))),
    };
    ORDER.iter().filter_map(count).collect::<Vec<String>>().join(", ")
}

/// Rows are told apart by their base too.
pub(super) fn has_several_bases(result: &GateResult) -> bool {
    result.rows.iter().any(|row| row.base != result.rows[0].base)
}

/// `tcp-rr round_trips_per_s`, and `vs main` where there are several bases.
pub(super) fn name(result: &GateResult, row: &GateRow) -> String {
    let base = if has_several_bases(result) { format!(" vs {}", row.base) } else { String::new() };
    view::printable(&format!("{} {}{base}", row.case, row.metric))
}

/// The names of all suites, joined by `+`.
pub(super) fn suites(result: &GateResult) -> String {
    result.suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<&str>>().join("+")
}

/// How the candidate stands to the base, as `(what, interval)`: `worse by 1.052×` with `[1.041, 1.063]`, `better by 1.031×` with the
/// interval turned round too; where the interval holds 1, or there is none, neither word is known to be true and the ratio stands alone
/// (above 1 is worse).
pub(super) fn change(row: &GateRow) -> (String, String) {
    let usable = |ratio: &f64| ratio.is_finite() && *ratio > 0.0;
    let Some(ratio) = row.ratio.filter(usable) else { return (ABSENT.into(), ABSENT.into()) };
    let ci = row.ci.filter(|ci| usable(&ci.lo) && usable(&ci.hi));
    match ci {
        Some(ci) if ci.lo > 1.0 => (format!("worse by {}", Ratio(ratio)), interval(ci)),
        Some(ci) if ci.hi < 1.0 => {
            let turned = Interval { lo: 1.0 / ci.hi, hi: 1.0 / ci.lo, ..ci };
            (format!("better by {}", Ratio(1.0 / ratio)), interval(turned))
        }
        _ => (Ratio(ratio).to_string(), ci.map_or_else(|| ABSENT.into(), interval)),
    }
}

/// The base's and the candidate's value.
pub(super) fn values(row: &GateRow) -> [String; 2] {
    [row.base_value, row.candidate_value].map(|value| maybe_with_unit(value, &row.unit))
}

/// The row in one sentence: `worse by 1.052× [1.041, 1.063] (99 %), 252 k/s → 233 k/s, 24 pairs, adjusted p = 0.0012`.
pub(super) fn line(row: &GateRow) -> String {
    let (what, ci) = change(row);
    let [base, candidate] = values(row);
    let ci = row.ci.map_or_else(String::new, |level| format!(" {ci} ({})", percent(level.level)));
    let p = p_adjusted(row).map_or_else(String::new, |p| format!(", adjusted p {p}"));
    let sees = row.sees.filter(|share| share.is_finite()).map_or_else(String::new, |share| format!(", sees {} or more", percent(share)));
    let excludes = if row.excludes_worse { format!("; a slow-down of {} is excluded", percent(row.threshold)) } else { String::new() };
    match (row.ratio, row.base_value.or(row.candidate_value)) {
        (None, None) => "no value".into(),
        (None, _) => format!("{base} → {candidate}, {} pairs", row.n),
        _ => format!("{what}{ci}, {base} → {candidate}, {} pairs{p}{sees}{excludes}", row.n),
    }
}

/// The p shared over looks and rows: `= 0.0012`, `< 0.0001`.
pub(super) fn p_adjusted(row: &GateRow) -> Option<String> {
    let p = row.p_adjusted.filter(|p| p.is_finite())?;
    Some(if p < 0.000_1 { "< 0.0001".into() } else { format!("= {p:.4}") })
}

/// Why there is no verdict, clipped.
pub(super) fn reason(row: &GateRow) -> Option<String> {
    row.reason.as_deref().map(clipped)
}

/// Text without control characters, cut where it is longer than anybody reads.
pub(super) fn clipped(text: &str) -> String {
    let text = view::printable(text);
    if text.chars().count() <= TEXT_MAX { text } else { text.chars().take(TEXT_MAX).chain(" …".chars()).collect() }
}

/// A share in per cent: `5 %`, `4.2 %`; [`ABSENT`] where it is no number.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if !percent.is_finite() {
        return ABSENT.into();
    }
    if (percent - percent.round()).abs() < 1e-6 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// `tcp-rr/load.closed.users=64` as `tcp-rr/users=64`.
pub(super) fn short_case(case: &str) -> String {
    let Some((scenario, point)) = case.split_once('/') else { return case.into() };
    let short = |part: &str| match part.split_once('=') {
        Some((key, value)) => format!("{}={value}", key.rsplit('.').next().unwrap_or(key)),
        None => part.to_string(),
    };
    format!("{scenario}/{}", point.split(',').map(short).collect::<Vec<String>>().join(","))
}

/// Text of at most `longest` characters, for a place that has no more room.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let text = view::printable(text);
    if text.chars().count() <= longest { text } else { text.chars().take(longest - 2).chain("..".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::gate;

    #[test]
    fn a_word_is_said_only_where_the_whole_interval_says_it() {
        let mut row = gate::gate().rows[2].clone();
        let cases = [
            (Some(1.052), Some((1.041, 1.063)), ("worse by 1.052×", "[1.041, 1.063]")),
            (Some(0.95), Some((0.93, 0.97)), ("better by 1.053×", "[1.031, 1.075]")),
            (Some(1.03), Some((0.99, 1.07)), ("1.030×", "[0.990, 1.070]")),
            (Some(1.2), None, ("1.200×", ABSENT)),
            (Some(1.2), Some((0.0, f64::INFINITY)), ("1.200×", ABSENT)),
            (Some(0.0), Some((1.1, 1.2)), (ABSENT, ABSENT)),
            (None, None, (ABSENT, ABSENT)),
        ];
        for (ratio, ci, (what, shown)) in cases {
            (row.ratio, row.ci) = (ratio, ci.map(|(lo, hi)| Interval { level: 0.99, lo, hi }));
            assert_eq!(change(&row), (what.to_string(), shown.to_string()), "{ratio:?}");
        }
    }

    #[test]
    fn a_small_p_is_not_said_to_be_nothing() {
        let mut row = gate::gate().rows[2].clone();
        for (p, text) in [(Some(0.001_22), Some("= 0.0012")), (Some(1e-9), Some("< 0.0001")), (Some(f64::NAN), None), (None, None)] {
            row.p_adjusted = p;
            assert_eq!(p_adjusted(&row).as_deref(), text);
        }
    }
}
