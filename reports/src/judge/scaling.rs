//! What more workers bring: cases that differ in `placement.workers` alone become a curve per subject, with the law fitted to it.
//!
//! Points are the medians of believable rows. Intervals come from the bootstrap over trials, drawn at every point apart: cases run one
//! after the other, so trials with different numbers of workers are no pairs.

use super::compare::{EFFECT_FLOOR, find, is_rankable};
use crate::schema::host::HostProfile;
use crate::schema::result::{Better, CaseResult, Interval, SubjectResult};
use crate::schema::scaling::{Coefficient, Scaling, ScalingCurve, ScalingModel, ScalingPoint, WORKERS_AXIS};
use crate::stats::bootstrap;
use crate::stats::usl::{self, Point, Usl};
use crate::units::Share;

/// Below so many workers contention and coherency can hardly be told apart: at 8, 28 pairs of workers weigh on β, at 4 only 6.
const WORKERS_TELLING: u32 = 8;
/// A curve that misses a point by more does not describe it.
const RESIDUAL_TELLING: f64 = 0.10;

/// A point with the trials behind it.
struct Measured {
    point: ScalingPoint,
    trials: Vec<f64>,
}

/// The section of the result; `None` where no scenario varies its workers.
pub(crate) fn judge(cases: &[CaseResult], host: &HostProfile) -> Option<Scaling> {
    let varied: Vec<(&CaseResult, u32)> = cases.iter().filter_map(|case| Some((case, workers(case)?))).collect();
    let mut groups: Vec<Vec<(&CaseResult, u32)>> = Vec::new();
    for (case, count) in varied {
        match groups.iter_mut().find(|group| is_same_work(group[0].0, case)) {
            Some(group) => group.push((case, count)),
            None => groups.push(vec![(case, count)]),
        }
    }
    let most = groups.iter().flatten().map(|(_, count)| *count).max()?;
    groups.iter_mut().for_each(|group| group.sort_by_key(|(_, count)| *count));
    Some(Scaling { notes: notes_of_all(most, host), curves: groups.iter().flat_map(|group| curves(group)).collect() })
}

fn workers(case: &CaseResult) -> Option<u32> {
    case.params.get(WORKERS_AXIS)?.as_u64().and_then(|count| u32::try_from(count).ok())
}

/// The same scenario at the same point of all other axes.
fn is_same_work(one: &CaseResult, other: &CaseResult) -> bool {
    one.scenario == other.scenario && other_params(one) == other_params(other)
}

fn other_params(case: &CaseResult) -> serde_json::Map<String, serde_json::Value> {
    case.params.iter().filter(|(axis, _)| *axis != WORKERS_AXIS).map(|(axis, value)| (axis.clone(), value.clone())).collect()
}

fn notes_of_all(most: u32, host: &HostProfile) -> Vec<String> {
    let mut notes = Vec::new();
    if most < WORKERS_TELLING {
        notes.push(format!(
            "At most {most} workers were measured. Below {WORKERS_TELLING} this proves little, and says nothing about larger hosts."
        ));
    }
    if let (Some(true), Some(cores)) = (host.cpu.smt, host.cpu.cores)
        && most > cores
    {
        notes.push(format!("Beyond {cores} workers hardware threads share a core: what a worker loses there is not contention alone."));
    }
    notes
}

fn curves(group: &[(&CaseResult, u32)]) -> Vec<ScalingCurve> {
    let Some((first, _)) = group.first() else { return Vec::new() };
    first.subjects.iter().map(|row| curve(group, first, &row.subject)).collect()
}

fn curve(group: &[(&CaseResult, u32)], first: &CaseResult, subject: &str) -> ScalingCurve {
    let mut notes = Vec::new();
    let mut measured = Vec::new();
    for &(case, count) in group {
        let row = case.subjects.iter().find(|row| row.subject == subject);
        match row.map(|row| measure(case, row, count)) {
            Some(Ok(point)) => measured.push(point),
            Some(Err(reason)) => notes.push(format!("{count} workers are left out: {reason}")),
            None => notes.push(format!("{count} workers are left out: no such row")),
        }
    }
    let metric = first.subjects.iter().find_map(|row| find(row, &first.primary_metric));
    let model = model(&mut measured, &mut notes);
    ScalingCurve {
        scenario: first.scenario.clone(),
        params: other_params(first),
        subject: subject.into(),
        metric: first.primary_metric.clone(),
        unit: metric.map_or_else(|| "1/s".into(), |metric| metric.unit.clone()),
        points: measured.into_iter().map(|measured| measured.point).collect(),
        model,
        notes,
    }
}

fn measure(case: &CaseResult, row: &SubjectResult, workers: u32) -> Result<Measured, String> {
    if !is_rankable(row) {
        return Err(row.validity.reason.clone().unwrap_or_else(|| "the row is not to be believed".into()));
    }
    let metric = find(row, &case.primary_metric).ok_or("no such metric")?;
    if metric.better != Better::Higher {
        return Err(format!("`{}` is no throughput", metric.id));
    }
    let value = metric.value.filter(|value| *value > 0.0).ok_or("no throughput")?;
    let mut cpus: Vec<u32> = case.cpus.values().flatten().copied().collect();
    cpus.sort_unstable();
    let point = ScalingPoint { workers, case: case.id.clone(), cpus, value, ci: metric.ci, n: metric.n, speedup: None, speedup_ci: None };
    Ok(Measured { point, trials: metric.trials.iter().flatten().copied().filter(|value| *value > 0.0).collect() })
}

/// Fits the law, fills in the speed-ups, and says what the points do not tell.
fn model(measured: &mut [Measured], notes: &mut Vec<String>) -> Option<ScalingModel> {
    let counts: Vec<u32> = measured.iter().map(|measured| measured.point.workers).collect();
    let medians: Vec<f64> = measured.iter().map(|measured| measured.point.value).collect();
    let groups: Vec<&[f64]> = measured.iter().map(|measured| measured.trials.as_slice()).collect();
    let resampled = bootstrap::intervals(&groups, |medians| numbers(&counts, medians)).unwrap_or_default();
    let found = numbers(&counts, &medians);
    let interval = |index: usize| resampled.get(index).copied().flatten();
    for (index, measured) in measured.iter_mut().enumerate() {
        let speedup = found.get(COEFFICIENTS + index).copied().filter(|ratio| ratio.is_finite());
        (measured.point.speedup, measured.point.speedup_ci) = (speedup, speedup.and(interval(COEFFICIENTS + index)));
    }
    let points = points(&counts, &medians);
    let law = match usl::fit(&points) {
        Ok(law) => law,
        Err(error) => {
            notes.push(format!("{error}: nothing was fitted"));
            return None;
        }
    };
    let goodness = law.goodness(&points);
    notes.extend(identifiable(&law, &points));
    notes.extend(doubts(&law, &points, goodness.residual_max));
    notes.extend(super_linear(measured));
    let coefficient = |value: f64, ci: Option<Interval>| Coefficient { value, ci, fixed: false };
    Some(ScalingModel {
        gamma: coefficient(law.gamma, interval(0)),
        alpha: coefficient(law.alpha, interval(1)),
        beta: Coefficient { fixed: law.is_beta_fixed, ..coefficient(law.beta, interval(2).filter(|_| !law.is_beta_fixed)) },
        peak_workers: law.peak(),
        peak_workers_ci: law.peak().and(interval(3)),
        r_squared: goodness.r_squared,
        residual_max: goodness.residual_max,
    })
}

/// γ, α, β and the peak stand before the speed-ups in [`numbers`].
const COEFFICIENTS: usize = 4;

/// All that follows from the medians: the coefficients and the peak, then the speed-up of each point; what does not exist is infinite.
fn numbers(counts: &[u32], medians: &[f64]) -> Vec<f64> {
    let mut numbers = match usl::fit(&points(counts, medians)) {
        Ok(law) => vec![law.gamma, law.alpha, law.beta, law.peak().unwrap_or(f64::INFINITY)],
        Err(_) => vec![f64::INFINITY; COEFFICIENTS],
    };
    let alone = counts.iter().position(|count| *count == 1).and_then(|index| medians.get(index));
    numbers.extend(medians.iter().map(|median| alone.map_or(f64::INFINITY, |alone| median / alone)));
    numbers
}

fn points(counts: &[u32], medians: &[f64]) -> Vec<Point> {
    counts.iter().zip(medians).map(|(&workers, &throughput)| Point { workers, throughput }).collect()
}

/// What so many points tell, and what they do not.
fn identifiable(law: &Usl, points: &[Point]) -> Option<String> {
    match (law.is_beta_fixed, points.len()) {
        (true, _) => Some(
            "two numbers of workers: contention and coherency cannot be told apart; coherency was fixed at 0, so all loss counts as contention"
                .into(),
        ),
        (false, 3) => Some("as many points as coefficients: how well the curve fits says nothing".into()),
        _ => None,
    }
}

fn doubts(law: &Usl, points: &[Point], residual_max: f64) -> Vec<String> {
    let mut doubts = Vec::new();
    let most = points.iter().map(|point| point.workers).max().unwrap_or(0);
    if residual_max > RESIDUAL_TELLING {
        doubts.push(format!("the curve misses a point by {}: the law does not describe this subject here", Share(residual_max)));
    }
    if law.peak().is_some_and(|peak| peak > f64::from(most)) {
        doubts.push(format!("the peak lies beyond the {most} workers that were measured: it is extrapolated"));
    }
    doubts
}

/// Workers that give more than their number has no term in the law: memory they bring along, or a point of one worker that was disturbed.
fn super_linear(measured: &[Measured]) -> Option<String> {
    let is_more = |point: &ScalingPoint| point.speedup_ci.is_some_and(|ci| ci.lo > f64::from(point.workers) * (1.0 + EFFECT_FLOOR));
    let point = measured.iter().map(|measured| &measured.point).find(|point| is_more(point))?;
    Some(format!(
        "{} workers give more than {} times the work of one: the law has no term for that, and contention stops at 0",
        point.workers, point.workers
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::scaling::{result, results_of};
    use crate::schema::validity::ValidityState;

    #[test]
    fn eight_points_give_back_the_coefficients_they_were_made_from() {
        let result = result();
        let scaling = result.scaling.as_ref().expect("a section");
        assert_eq!(
            scaling.curves.iter().map(|curve| curve.subject.as_str()).collect::<Vec<_>>(),
            ["zokio", "tokio", "tokio-ct", "ceiling"]
        );
        assert!(scaling.notes.is_empty(), "{:?}", scaling.notes);
        let model = scaling.curves[1].model.as_ref().expect("a model");
        let inside = |coefficient: &Coefficient, truth: f64| coefficient.ci.is_some_and(|ci| ci.lo <= truth && truth <= ci.hi);
        assert!(inside(&model.alpha, 0.08) && inside(&model.beta, 0.0009), "{model:?}");
        assert!((model.peak_workers.unwrap() / ((1.0 - 0.08) / 0.0009f64).sqrt() - 1.0).abs() < 0.1);
        assert!(model.r_squared.unwrap() > 0.99 && model.peak_workers_ci.is_some());
        let last = scaling.curves[0].points.last().unwrap();
        assert_eq!((last.workers, last.cpus.len()), (64, 64));
        assert!(last.speedup_ci.unwrap().lo < last.speedup.unwrap());
    }

    #[test]
    fn two_workers_tell_contention_alone_and_prove_little() {
        let result = results_of(&[1, 2]);
        let scaling = result.scaling.as_ref().expect("a section");
        assert!(scaling.notes[0].contains("At most 2 workers") && scaling.notes[0].contains("proves little"));
        let curve = &scaling.curves[1];
        let model = curve.model.as_ref().expect("a model");
        assert!(model.beta.fixed && model.beta.value == 0.0 && model.beta.ci.is_none() && model.alpha.ci.is_some());
        assert!(model.r_squared.is_none() && curve.notes[0].contains("cannot be told apart"), "{:?}", curve.notes);
        assert!((curve.points[1].speedup.unwrap() - 1.84).abs() < 0.05);
        let three = results_of(&[1, 2, 4]);
        let curve = &three.scaling.as_ref().unwrap().curves[1];
        assert!(!curve.model.as_ref().unwrap().beta.fixed && curve.notes[0].contains("says nothing"));
    }

    #[test]
    fn one_worker_is_no_curve_and_no_workers_no_section() {
        let one = results_of(&[1]).scaling.expect("a section");
        assert!(one.curves.iter().all(|curve| curve.model.is_none() && curve.notes[0].contains("nothing was fitted")));
        assert!(crate::sample::full_result().scaling.is_none());
    }

    #[test]
    fn a_row_that_is_not_believed_is_left_out_and_said_to_be() {
        let mut result = results_of(&[1, 2, 4, 8]);
        let row = &mut result.cases[3].subjects[0];
        (row.validity.state, row.validity.reason) = (ValidityState::Invalid, Some("work-done: nothing was".into()));
        let scaling = judge(&result.cases, &result.host).expect("a section");
        assert_eq!(scaling.curves[0].points.len(), 3);
        assert!(scaling.curves[0].notes.iter().any(|note| note == "8 workers are left out: work-done: nothing was"));
        assert_eq!(scaling.curves[1].points.len(), 4);
    }

    #[test]
    fn more_than_proportional_is_named() {
        let mut result = results_of(&[1, 2]);
        let metric = result.cases[1].subjects[3].metrics.iter_mut().find(|metric| metric.id == "round_trips_per_s").unwrap();
        metric.value = metric.value.map(|value| value * 1.2);
        metric.trials.iter_mut().flatten().for_each(|value| *value *= 1.2);
        let scaling = judge(&result.cases, &result.host).expect("a section");
        assert!(scaling.curves[3].notes.iter().any(|note| note.starts_with("2 workers give more than 2 times")), "{:?}", scaling.curves[3]);
        assert!(scaling.curves[1].notes.iter().all(|note| !note.contains("more than 2 times")));
    }

    #[test]
    fn hardware_threads_of_one_core_are_named() {
        let result = result();
        let mut host = result.host.clone();
        (host.cpu.smt, host.cpu.cores) = (Some(true), Some(32));
        assert!(judge(&result.cases, &host).unwrap().notes[0].contains("Beyond 32 workers"));
    }
}
