//! A synthetic gate for tests: two bases, rows of every verdict, and text that wants to break a page.
//!
//! Pairs follow from a few speeds and a repeatable deviation; ratio and interval follow from the pairs as in a real gate.

use std::collections::BTreeMap;

use super::{header, jitter};
use crate::schema::gate::*;
use crate::schema::result::{Better, BuildInfo, Interval, Severity, SuiteInfo, TargetResult, ThresholdResult, ToolInfo};
use crate::stats::{interval, quantile};

/// Text that is markup, a table cell's end, a terminal's command or a workflow command wherever it is not escaped.
pub(crate) const HOSTILE: &str = "<script>alert(1)</script> | `x` & \"y\" 100% ]]> \u{1b}[31mred\r\n::error::own, --> \u{0}\u{ffff}";

/// What a row is made of.
struct Shape {
    base: &'static str,
    case: &'static str,
    metric: &'static str,
    unit: &'static str,
    better: Better,
    verdict: GateVerdict,
    /// The base's value.
    value: f64,
    /// How much worse the candidate is.
    ratio: f64,
    /// Scatter of a value, as a share.
    scatter: f64,
    pairs: u32,
}

const RATE: Shape = Shape {
    base: "origin/main",
    case: "spawn-join",
    metric: "tasks_per_s",
    unit: "1/s",
    better: Better::Higher,
    verdict: GateVerdict::Same,
    value: 8.1e6,
    ratio: 1.0,
    scatter: 0.02,
    pairs: 14,
};

const SHAPES: [Shape; 8] = [
    RATE,
    Shape { case: "yield", metric: "yields_per_s", verdict: GateVerdict::Better, value: 21e6, ratio: 0.93, ..RATE },
    Shape {
        case: "tcp-rr/load.closed.users=64",
        metric: "round_trips_per_s",
        verdict: GateVerdict::Worse,
        value: 252e3,
        ratio: 1.08,
        pairs: 24,
        ..RATE
    },
    Shape {
        case: "tcp-rr/load.closed.users=64",
        metric: "service_time_ns_p99",
        unit: "ns",
        better: Better::Lower,
        verdict: GateVerdict::Inconclusive,
        value: 410e3,
        ratio: 1.03,
        scatter: 0.25,
        pairs: 44,
        ..RATE
    },
    Shape { case: "chain", metric: "tasks_per_s", verdict: GateVerdict::Invalid, pairs: 6, ..RATE },
    Shape {
        base: "last release",
        case: "tcp-rr/load.closed.users=64",
        metric: "round_trips_per_s",
        verdict: GateVerdict::NotGated,
        value: 240e3,
        pairs: 0,
        ..RATE
    },
    Shape { base: "last release", case: "spawn-join", verdict: GateVerdict::NotGated, value: 7.9e6, pairs: 0, ..RATE },
    Shape { base: "rebuilt", case: "spawn-join", verdict: GateVerdict::Identical, pairs: 0, ..RATE },
];

/// The gate: one row of each verdict and more, one threshold that fails, exit code 1.
pub(crate) fn gate() -> GateResult {
    let rows: Vec<GateRow> = SHAPES.iter().enumerate().map(|(index, shape)| row(shape, index as u64)).collect();
    GateResult {
        schema: GATE_SCHEMA.into(),
        schema_version: "1.0".into(),
        gate_id: "20261123-101500-9c2e".into(),
        started_at: "2026-11-23T10:15:00Z".into(),
        duration_s: Some(97.4),
        complete: true,
        seed: 42,
        command: ["zokio-bench", "gate", "scenarios/scheduling.toml", "scenarios/tcp.toml", "--base-rev", "origin/main"]
            .map(String::from)
            .to_vec(),
        tool: ToolInfo {
            name: "zokio-bench".into(),
            version: "0.1.0".into(),
            profile: "release".into(),
            rustc: rustc(),
            ..ToolInfo::default()
        },
        suites: ["scheduling", "tcp"].map(suite).to_vec(),
        host: header::host(),
        calibration: BTreeMap::from([("timer_resolution_ns".into(), Some(20.0)), ("syscall_ns".into(), None)]),
        candidate: side("working tree", Some("b71f0e2a9d5c4b3e8f60718293a4b5c6d7e8f901"), true),
        bases: bases(),
        rule: GateRule {
            threshold: 0.05,
            alpha: 0.01,
            looks: vec![14, 24, 34, 44],
            rows: 5,
            max_time_s: Some(120.0),
            max_inconclusive: Some(0.2),
            strict: false,
        },
        rows,
        thresholds: thresholds(),
        notes: vec!["load from outside: 7 % of the CPUs".into(), HOSTILE.into()],
        outcome: GateOutcome {
            word: GateWord::Regressed,
            exit_code: crate::exit::FAILED,
            rows: 1,
            of: 5,
            sees: Some(0.093),
            line: "ZOKIO-GATE: REGRESSED 1/5, sees >= 9.3 % (exit 1)".into(),
        },
    }
}

/// A gate with nothing but rows that are the same.
pub(crate) fn passed() -> GateResult {
    let mut gate = gate();
    gate.rows.retain(|row| row.verdict == GateVerdict::Same);
    gate.bases.truncate(1);
    (gate.thresholds, gate.notes) = (Vec::new(), Vec::new());
    gate.outcome = GateOutcome {
        word: GateWord::Passed,
        exit_code: crate::exit::PASSED,
        rows: 1,
        of: 1,
        sees: Some(0.031),
        line: "ZOKIO-GATE: PASSED 1/1, sees >= 3.1 % (exit 0)".into(),
    };
    gate
}

/// A gate of `count` rows of one verdict, as on a host where everything broke.
pub(crate) fn many(count: usize, verdict: GateVerdict) -> GateResult {
    let mut gate = gate();
    let model = gate.rows[2].clone();
    let of = |index: usize| GateRow {
        case: format!("tcp-rr/load.closed.users={index}"),
        verdict,
        ratio: Some(1.05 + index as f64 / 1e4),
        reason: (verdict != GateVerdict::Worse).then(|| format!("reason {index}")),
        ..model.clone()
    };
    gate.rows = (0..count).map(of).collect();
    gate
}

fn rustc() -> Option<String> {
    Some("rustc 1.95.0 (59807616e 2026-04-14)".into())
}

fn suite(name: &str) -> SuiteInfo {
    SuiteInfo { name: name.into(), question: "How fast?".into(), file: format!("{name}.toml"), sha256: "ab".repeat(32) }
}

fn side(source: &str, revision: Option<&str>, dirty: bool) -> GateSide {
    GateSide {
        source: source.into(),
        revision: revision.map(String::from),
        committed_at: revision.map(|_| "2026-11-22T18:03:11Z".into()),
        dirty: revision.map(|_| dirty),
        subject: "zokio".into(),
        version: "0.1.0".into(),
        binary_sha256: Some("5e".repeat(32)),
        build: BuildInfo { rustc: rustc(), profile: "release".into(), ..BuildInfo::default() },
    }
}

fn bases() -> Vec<GateBase> {
    let base = |name: &str, kind, side| GateBase { name: name.into(), kind, side, identical: false, layouts: None, unlike: Vec::new() };
    vec![
        GateBase {
            layouts: Some(2),
            ..base("origin/main", GateBaseKind::Revision, side("origin/main", Some("5f0c9a1be07d2c4a6b8091a2b3c4d5e6f7081920"), false))
        },
        GateBase {
            unlike: vec![UnlikeField { field: "kernel".into(), base: Some("6.12".into()), here: Some(HOSTILE.into()), refused: false }],
            ..base("last release", GateBaseKind::Stored, side(HOSTILE, None, false))
        },
        GateBase { identical: true, ..base("rebuilt", GateBaseKind::Binary, side("zokio-bench.old", None, false)) },
    ]
}

fn thresholds() -> Vec<GateThreshold> {
    let threshold = |metric: &str, value, observed, passed| ThresholdResult {
        subject: "zokio".into(),
        metric: metric.into(),
        op: "<=".into(),
        value,
        observed,
        passed,
        severity: Severity::Fail,
        grace: None,
        misses: None,
    };
    let limit = |threshold, fails| GateThreshold {
        case: "tcp-rr/load.closed.users=64".into(),
        threshold: Some(threshold),
        target: None,
        grace: None,
        fails,
    };
    let target = TargetResult {
        subject: "zokio".into(),
        metric: "tasks_per_s".into(),
        kind: "relative".into(),
        value: 0.98,
        source: "at least 0.98 of ceiling, same run".into(),
        host: None,
        comparable: true,
        ratio: Some(0.951),
        ratio_unfavourable: Some(0.944),
        reached: Some(false),
        severity: Some(Severity::Fail),
    };
    vec![
        limit(threshold("syscalls_per_op", 2.0, Some(2.4), Some(false)), true),
        limit(threshold("error_rate", 0.0, Some(0.0), Some(true)), false),
        limit(threshold("rss_peak_bytes", 1e8, None, None), false),
        GateThreshold { case: "spawn-join".into(), threshold: None, target: Some(target), grace: Some((3, 1)), fails: false },
    ]
}

fn row(shape: &Shape, index: u64) -> GateRow {
    let pairs: Vec<GatePair> = (0..u64::from(shape.pairs)).map(|place| pair(shape, index, place)).collect();
    let sides = |pick: fn(&GatePair) -> Option<f64>| pairs.iter().filter_map(pick).collect::<Vec<f64>>();
    let (bases, candidates) = (sides(|pair| pair.base), sides(|pair| pair.candidate));
    let worse_by = |(base, candidate): (&f64, &f64)| if shape.better == Better::Lower { candidate / base } else { base / candidate };
    let ratios: Vec<f64> = bases.iter().zip(&candidates).map(worse_by).collect();
    let is_measured = shape.verdict != GateVerdict::Invalid;
    let ci = interval::median_interval_at(&ratios, 0.99).filter(|_| is_measured);
    GateRow {
        base: shape.base.into(),
        suite: if shape.case.starts_with("tcp") { "tcp" } else { "scheduling" }.into(),
        scenario: shape.case.split('/').next().unwrap_or_default().into(),
        case: shape.case.into(),
        metric: shape.metric.into(),
        unit: shape.unit.into(),
        better: shape.better,
        threshold: 0.05,
        floor_absolute: 0.0,
        floor_layout: (shape.base == "origin/main").then_some(0.004),
        verdict: shape.verdict,
        excludes_worse: false,
        n: shape.pairs,
        looks: [14, 24, 34, 44].into_iter().filter(|look| *look <= shape.pairs).collect(),
        ratio: quantile::median(&ratios).filter(|_| is_measured),
        ci,
        p: ci.map(|ci| if ci.lo > 1.0 || ci.hi < 1.0 { 0.000_061 } else { 0.21 }),
        p_adjusted: ci.map(|ci| if ci.lo > 1.0 || ci.hi < 1.0 { 0.001_22 } else { 1.0 }),
        sees: ci.map(|ci: Interval| (ci.hi / ci.lo).sqrt() - 1.0),
        base_value: quantile::median(&bases).or(Some(shape.value)).filter(|_| shape.verdict != GateVerdict::Identical),
        candidate_value: quantile::median(&candidates).or(Some(shape.value * 1.02)).filter(|_| shape.verdict != GateVerdict::Identical),
        pairs,
        reason: reason(shape.verdict).map(String::from),
    }
}

fn pair(shape: &Shape, index: u64, place: u64) -> GatePair {
    let noise = |salt: u64| 1.0 + shape.scatter * (jitter(index * 1_000 + place * 2 + salt) - 0.5);
    let worse = if shape.better == Better::Lower { shape.ratio } else { 1.0 / shape.ratio };
    let fails = shape.verdict == GateVerdict::Invalid && place == 5;
    GatePair {
        base: Some(shape.value * noise(0)),
        candidate: (!fails).then(|| shape.value * worse * noise(1)),
        base_first: place.is_multiple_of(2),
        at_ns: place * 1_400_000_000 + index * 90_000_000,
    }
}

fn reason(verdict: GateVerdict) -> Option<&'static str> {
    match verdict {
        GateVerdict::Invalid => Some(HOSTILE),
        GateVerdict::Inconclusive => Some("the pairs scatter too much for the 44 allowed"),
        GateVerdict::NotGated => Some("a stored baseline informs and never fails"),
        _ => None,
    }
}
