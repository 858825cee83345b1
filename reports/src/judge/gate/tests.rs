//! The rule by its known answers, and what must hold of it whatever is measured.

use proptest::prelude::*;

use super::*;
use crate::schema::result::Better;
use crate::stats::wilcoxon::critical_sum;

pub(super) const SPEC: RowSpec = RowSpec { better: Better::Lower, threshold: 0.05, floor_absolute: 0.0, floor_layout: None };

pub(super) fn pair(base: f64, candidate: f64) -> GatePair {
    GatePair { base: Some(base), candidate: Some(candidate), base_first: true, at_ns: 0 }
}

fn rule(rows: u32) -> Rule {
    Rule::new(ALPHA, &LOOKS, rows).unwrap()
}

/// A table of one row with these pairs, as far as the row needs them; settled.
fn judged(rows: u32, spec: RowSpec, pairs: impl IntoIterator<Item = GatePair>) -> Table {
    let mut table = Table::new(rule(rows));
    let row = table.add(spec).unwrap();
    for pair in pairs {
        if !table.is_decided(&[row]) {
            table.push(row, pair);
        }
    }
    table.settle();
    table
}

fn report(table: &Table, row: usize) -> GateRow {
    table.report(row, RowName { metric: "service_time_ns_p50".into(), unit: "ns".into(), ..RowName::default() })
}

fn of_logs(logs: &[f64]) -> Vec<GatePair> {
    logs.iter().map(|log| pair(100.0, 100.0 * log.exp())).collect()
}

/// n log ratios of the sizes 1 % to n % whose sum of positive ranks is `statistic`, with few negative ones, which begin early.
fn with_statistic(n: usize, statistic: usize) -> Vec<f64> {
    let (mut up, mut down, mut missing) = (Vec::new(), Vec::new(), n * (n + 1) / 2 - statistic);
    for rank in (1..=n).rev() {
        let size = rank as f64 / 100.0;
        if rank <= missing {
            missing -= rank;
            down.push(-size);
        } else {
            up.push(size);
        }
    }
    let mut mixed = Vec::new();
    while !(up.is_empty() && down.is_empty()) {
        mixed.extend(up.pop().into_iter().chain(down.pop()));
    }
    mixed
}

#[test]
fn constants_are_those_of_the_rule() {
    assert!((SPEC.effect_log() - 0.024_692_6).abs() < 1e-7);
    assert!((SPEC.threshold.ln_1p() - 0.048_790_2).abs() < 1e-7);
    // Smallest n with 2^−n ≤ α / (L·m).
    for (rows, pairs) in [(1, 9), (20, 13), (40, 14), (41, 15)] {
        assert_eq!(rule(rows).pairs_to_fire(), pairs, "m = {rows}");
    }
    // The largest effect that layout alone had takes the place of T/2 where it is larger.
    for (layout, effect) in [(0.01, 0.025f64), (0.025, 0.025), (0.04, 0.04)] {
        assert_eq!(RowSpec { floor_layout: Some(layout), ..SPEC }.effect_log(), effect.ln_1p(), "{layout}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_its_reason() {
    let cases = [
        (0.01, &[][..], 1, "a gate needs at least one look"),
        (0.01, &[14, 25], 1, "a look after 25 pairs would fall inside a block of two pairs; use an even number"),
        (0.01, &[24, 14], 1, "looks must increase, and 14 follows 24"),
        (0.01, &[14, 14], 1, "looks must increase, and 14 follows 14"),
        (0.01, &[6, 14], 1, "6 pairs have no interval at 99 %; a look needs at least 8"),
        (0.01, &[14, 128], 1, "a look after 128 pairs is past the 126 that are counted exactly"),
        (0.03, &[14], 1, "alpha must be one over a whole number from 2, such as 0.01 or 0.05, and not 0.03"),
        (0.0, &[14], 1, "alpha must be one over a whole number from 2, such as 0.01 or 0.05, and not 0"),
        (1.0, &[14], 1, "alpha must be one over a whole number from 2, such as 0.01 or 0.05, and not 1"),
        (f64::NAN, &[14], 1, "alpha must be one over a whole number from 2, such as 0.01 or 0.05, and not NaN"),
        (0.01, &[14], 0, "a gate needs at least one row"),
        (0.01, &[8, 10], 20, "10 pairs could not show any slow-down over so many rows; the last look needs at least 12"),
    ];
    for (alpha, looks, rows, message) in cases {
        assert_eq!(Rule::new(alpha, looks, rows).unwrap_err().to_string(), message);
    }
    let mut table = Table::new(rule(1));
    for (spec, error) in [
        (RowSpec { threshold: 0.0, ..SPEC }, RuleError::Threshold(0.0)),
        (RowSpec { threshold: f64::INFINITY, ..SPEC }, RuleError::Threshold(f64::INFINITY)),
        (RowSpec { floor_absolute: -1.0, ..SPEC }, RuleError::Floor(-1.0)),
        (RowSpec { floor_layout: Some(-0.01), ..SPEC }, RuleError::Floor(-0.01)),
    ] {
        assert_eq!(table.add(spec), Err(error));
    }
    assert_eq!(table.add(SPEC), Ok(0));
    assert_eq!(table.add(SPEC), Err(RuleError::TableFull(1)));
}

#[test]
fn p_ratio_and_interval_are_those_of_scipy() {
    // SciPy 1.17.1, with k = 2, 6, 10, 14 the largest with binom.cdf(k - 1, n, 0.5) <= 0.005:
    //   d = np.log([(100 + shift + ((37*i + 11) % (2*n + 3) - n) / 5) / 100 for i in range(n)])
    //   wilcoxon(d, alternative="greater", method="exact").pvalue   ("less" below the median 1)
    //   s = np.exp(np.sort(d)); np.exp(np.median(d)), s[k - 1], s[n - k]
    let cases = [
        (14, 3.0, 6.103_515_625e-5, [1.034_999_516_908_1, 1.010, 1.058]),
        (24, -4.0, 3.278_255_462_646_484_4e-6, [0.958_999_478_623_424_4, 0.932, 0.988]),
        (34, 1.5, 0.018_713_727_768_044_92, [1.013_995_562_120_466_2, 0.985, 1.049]),
        (44, 0.7, 0.152_456_173_292_080_17, [1.012_998_025_664_413_7, 0.977, 1.045]),
    ];
    for (n, shift, p, [ratio, lo, hi]) in cases {
        let candidate = |i: i32| 100.0 + shift + f64::from((37 * i + 11) % (2 * n + 3) - n) / 5.0;
        let mut table = Table::new(Rule::new(ALPHA, &[n as u32], 1).unwrap());
        let row = table.add(SPEC).unwrap();
        (0..n).for_each(|i| table.push(row, pair(100.0, candidate(i))));
        table.settle();
        let row = report(&table, row);
        let ci = row.ci.unwrap();
        for (got, want) in [(row.p.unwrap(), p), (row.ratio.unwrap(), ratio), (ci.lo, lo), (ci.hi, hi)] {
            assert!((got / want - 1.0).abs() < 1e-12, "n = {n}: {got} is not {want}");
        }
        assert_eq!((ci.level, row.n, row.p_adjusted), (0.99, n as u32, row.p));
    }
}

#[test]
fn verdicts_in_their_order() {
    let noise = |place: usize| ((place * 7) % 11) as f64 / 5.5 - 0.9;
    let around = |middle: f64, scatter: f64| (0..44).map(move |place| pair(1_000.0, 1_000.0 * middle * (1.0 + scatter * noise(place))));
    let layout = RowSpec { floor_layout: Some(0.08), ..SPEC };
    let coarse = RowSpec { floor_absolute: 70.0, ..SPEC };
    let rate = RowSpec { better: Better::Higher, ..SPEC };
    let wide = RowSpec { threshold: 0.20, ..SPEC };
    use GateVerdict::{Better as Improved, Inconclusive, Same, Worse};
    let cases = [
        // (what the row is, factor of the candidate, scatter, verdict, pairs it took)
        (SPEC, 1.06, 0.02, Worse, 14),
        (SPEC, 0.94, 0.02, Improved, 14),
        (SPEC, 1.00, 0.02, Same, 14),
        // Significant and below half the threshold: no regression.
        (SPEC, 1.02, 0.01, Same, 14),
        (wide, 1.06, 0.02, Same, 14),
        (rate, 1.06, 0.02, Improved, 14),
        (rate, 0.94, 0.02, Worse, 14),
        // Code layout, or the clock, explains it: neither worse nor same.
        (layout, 1.06, 0.02, Inconclusive, 44),
        (layout, 1.10, 0.02, Worse, 14),
        (layout, 0.94, 0.02, Inconclusive, 44),
        (layout, 1.00, 0.02, Same, 14),
        (coarse, 1.06, 0.02, Inconclusive, 44),
        (coarse, 1.08, 0.02, Worse, 14),
        // Too noisy for 14 pairs; and for 44.
        (SPEC, 1.03, 0.08, Worse, 34),
        (SPEC, 1.00, 0.20, Inconclusive, 44),
    ];
    for (spec, middle, scatter, verdict, pairs) in cases {
        let table = judged(1, spec, around(middle, scatter));
        assert_eq!((table.verdict(0), table.pairs(0)), (verdict, pairs), "{spec:?} × {middle} ± {scatter}");
    }
    let reason = |spec, middle| report(&judged(1, spec, around(middle, 0.02)), 0).reason.unwrap();
    assert!(reason(layout, 1.06).ends_with("and code layout alone changes this row by 8.00 %"), "{}", reason(layout, 1.06));
    assert!(reason(coarse, 1.06).ends_with("is not above the 70 that the clock can tell apart"), "{}", reason(coarse, 1.06));
}

#[test]
fn more_rows_ask_for_more() {
    // W = 96 at 14 pairs is significant for one row, 104 for twenty.
    for (rows, statistic, verdict) in [(1, 96, true), (1, 95, false), (20, 104, true), (20, 103, false)] {
        let table = judged(rows, SPEC, of_logs(&with_statistic(14, statistic)));
        assert_eq!(table.verdict(0) == GateVerdict::Worse, verdict, "m = {rows}, W = {statistic}");
    }
}

#[test]
fn the_last_look_is_shared_by_all_cases_and_by_holm() {
    let [alone, of_two] = [1, 2].map(|divisor| critical_sum(44, 100, divisor).unwrap());
    assert!(alone < of_two);
    let cases = [
        // (sums of positive ranks, which rows are worse)
        ([of_two, alone], [true, true]),
        ([alone, of_two], [true, true]),
        ([of_two - 1, alone], [false, false]),
        ([of_two, alone - 1], [true, false]),
    ];
    for (statistics, worse) in cases {
        let mut table = Table::new(Rule::new(ALPHA, &[44], 2).unwrap());
        for statistic in statistics {
            let row = table.add(SPEC).unwrap();
            of_logs(&with_statistic(44, statistic)).into_iter().for_each(|pair| table.push(row, pair));
            assert!(!table.is_decided(&[row]), "the last look waits for all cases");
        }
        table.settle();
        assert_eq!([0, 1].map(|row| table.verdict(row) == GateVerdict::Worse), worse, "{statistics:?}");
    }
}

#[test]
fn rows_found_worse_early_give_their_part_to_the_last_look() {
    let looks = [14, 44];
    let [even, after_one] = [4, 2].map(|divisor| critical_sum(44, 100, divisor).unwrap());
    assert!(after_one < even);
    for (first, verdict) in [(1.10, GateVerdict::Worse), (0.90, GateVerdict::Inconclusive), (1.0, GateVerdict::Inconclusive)] {
        let mut table = Table::new(Rule::new(ALPHA, &looks, 2).unwrap());
        let (early, late) = (table.add(SPEC).unwrap(), table.add(SPEC).unwrap());
        (0..14).for_each(|_| table.push(early, pair(100.0, 100.0 * first)));
        assert!(table.is_decided(&[early]) && !table.is_decided(&[early, late]));
        of_logs(&with_statistic(44, after_one)).into_iter().for_each(|pair| table.push(late, pair));
        table.settle();
        assert_eq!(table.verdict(late), verdict, "the other row's ratio is {first}");
        assert_eq!(report(&table, late).looks, looks);
    }
}

#[test]
fn the_first_verdict_stands_and_later_pairs_are_kept() {
    let mut table = Table::new(rule(1));
    let row = table.add(SPEC).unwrap();
    (0..14).for_each(|_| table.push(row, pair(100.0, 101.0)));
    (0..10).for_each(|_| table.push(row, pair(100.0, 150.0)));
    table.push(row, GatePair { base: None, ..pair(1.0, 1.0) });
    table.settle();
    let row = report(&table, row);
    assert_eq!((row.verdict, row.n, row.looks.as_slice(), row.pairs.len()), (GateVerdict::Same, 14, &[14][..], 25));
    assert_eq!((row.base_value, row.candidate_value), (Some(100.0), Some(101.0)));
    assert!((row.ratio.unwrap() - 1.01).abs() < 1e-12);
}

#[test]
fn a_value_that_is_none_makes_the_row_invalid() {
    let bad = [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)];
    for value in bad {
        for (base, side) in [(true, "base"), (false, "candidate")] {
            let odd = if base { GatePair { base: value, ..pair(1.0, 1.0) } } else { GatePair { candidate: value, ..pair(1.0, 1.0) } };
            let table = judged(1, SPEC, (0..44).map(|place| if place == 4 { odd } else { pair(100.0, 150.0) }));
            let row = report(&table, 0);
            assert_eq!((row.verdict, row.n, row.ratio, row.p, row.sees), (GateVerdict::Invalid, 0, None, None, None), "{value:?}");
            let reason = row.reason.unwrap();
            assert!(reason.starts_with(&format!("pair 5: the {side}")), "{reason}");
        }
    }
}

#[test]
fn what_is_known_beside_the_pairs_comes_first() {
    let mut table = Table::new(rule(4));
    let rows: Vec<usize> = (0..4).map(|_| table.add(SPEC).unwrap()).collect();
    let identical = table.add_identical(SPEC).unwrap();
    let stored = table.add_not_gated(SPEC, "a stored baseline informs").unwrap();
    for row in rows.iter().copied().chain([stored]) {
        (0..14).for_each(|_| table.push(row, pair(100.0, 150.0)));
    }
    table.not_steady(rows[1], "the rate still drifts");
    table.not_steady(rows[2], "the rate still drifts");
    table.invalidate(rows[2], "errors: 2 % failed");
    table.invalidate(rows[3], "errors: 2 % failed");
    table.not_gated(rows[3], "foreign load");
    table.push(stored, GatePair { base: None, ..pair(1.0, 1.0) });
    table.settle();
    use GateVerdict::{Identical, Inconclusive, Invalid, NotGated, Worse};
    let found: Vec<GateVerdict> = (0..6).map(|row| table.verdict(row)).collect();
    assert_eq!(found, [Worse, Inconclusive, Invalid, NotGated, Identical, NotGated]);
    assert!(table.is_decided(&[0, 1, 2, 3, 4, 5]));
    let stored = report(&table, stored);
    assert_eq!((stored.n, stored.p, stored.reason.as_deref()), (14, None, Some("a stored baseline informs")));
    assert!((stored.ratio.unwrap() - 1.5).abs() < 1e-12);
    let identical = report(&table, identical);
    assert_eq!((identical.n, identical.ratio, identical.sees, identical.excludes_worse), (0, None, None, true));
    assert_eq!(report(&table, 2).ratio, None);
}

#[test]
fn a_row_that_did_not_come_to_its_last_look_is_undecided() {
    for pairs in [0, 1, 30, 43] {
        let table = judged(1, SPEC, of_logs(&with_statistic(44, 700)[..pairs]));
        let row = report(&table, 0);
        assert_eq!(row.verdict, GateVerdict::Inconclusive);
        assert_eq!(row.reason.unwrap(), format!("measuring ended after {pairs} pairs, before the last look after 44"));
        assert_eq!((row.ratio.is_some(), row.p.is_some()), (pairs > 0, pairs >= 14));
    }
}

#[test]
fn the_side_that_runs_second_and_a_drift_do_not_count_as_the_candidate() {
    // The second trial of each pair is 9 % slower; blocks hold one pair in each order.
    let second_is_slower = (0..44).map(|place| if place % 2 == 0 { pair(100.0, 109.0) } else { pair(109.0, 100.0) });
    assert_eq!(judged(1, SPEC, second_is_slower).verdict(0), GateVerdict::Inconclusive);
    // The host slows down by 1 % with every trial, in blocks ABBA.
    let at = |trial: i32| 100.0 * 1.01f64.powi(trial);
    let drift = (0..44).map(|place| {
        let (first, second) = (at(2 * place), at(2 * place + 1));
        if place % 2 == 0 { pair(first, second) } else { pair(second, first) }
    });
    assert_eq!(judged(1, SPEC, drift).verdict(0), GateVerdict::Same);
}

/// 44 pairs around an effect, scattered.
fn pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    let scattered = prop::collection::vec((50.0f64..60.0, -1.0f64..1.0), 44);
    (-0.12f64..0.12, 0.0f64..0.2, scattered).prop_map(|(effect, scatter, places)| {
        places.into_iter().map(|(base, noise)| (base, base * (effect + scatter * noise).exp())).collect()
    })
}

fn verdict(spec: RowSpec, pairs: &[(f64, f64)], map: impl Fn(f64, f64) -> GatePair) -> (GateVerdict, u32) {
    let table = judged(3, spec, pairs.iter().map(|&(base, candidate)| map(base, candidate)));
    (table.verdict(0), table.pairs(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn swapping_the_sides_swaps_worse_and_better(pairs in pairs()) {
        let swapped = match verdict(SPEC, &pairs, pair) {
            (GateVerdict::Worse, n) => (GateVerdict::Better, n),
            (GateVerdict::Better, n) => (GateVerdict::Worse, n),
            other => other,
        };
        prop_assert_eq!(verdict(SPEC, &pairs, |base, candidate| pair(candidate, base)), swapped);
    }

    #[test]
    fn the_unit_does_not_matter(pairs in pairs(), unit in 1e-6f64..1e6) {
        prop_assert_eq!(verdict(SPEC, &pairs, pair), verdict(SPEC, &pairs, |base, candidate| pair(base * unit, candidate * unit)));
    }

    #[test]
    fn a_rate_is_judged_as_its_time(pairs in pairs()) {
        let rate = RowSpec { better: Better::Higher, ..SPEC };
        prop_assert_eq!(verdict(SPEC, &pairs, pair), verdict(rate, &pairs, |base, candidate| pair(1.0 / base, 1.0 / candidate)));
    }

    #[test]
    fn what_is_worse_stays_worse_when_it_gets_slower(pairs in pairs(), slower in 1.0f64..1.5) {
        if verdict(SPEC, &pairs, pair).0 == GateVerdict::Worse {
            prop_assert_eq!(verdict(SPEC, &pairs, |base, candidate| pair(base, candidate * slower)).0, GateVerdict::Worse);
        }
    }
}
