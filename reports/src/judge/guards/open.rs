//! Open loops: was the schedule kept, and do the times run from it?

use super::super::row::{Recorded, Row};
use super::finding::{Finding, worst_trial};
use crate::schema::open::{OfferedLoad, OpenRecord, OverloadRecord, WindowRecord};
use crate::schema::validity::CheckState;
use crate::stats::quantile;
use crate::units::{Nanos, PerSecond, Share, grouped};

/// A generator may be late by this share of the distance of two starts ...
const LAG_SHARE: f64 = 0.10;
/// ... or by this, where that is more: then fewer than one start in a hundred is a late one (a millisecond).
const LAG_FLOOR_NS: f64 = 1e6;
/// Share of the operations due that must have begun for the offered rate to be the one that was measured.
const SENT_SHARE: f64 = 0.99;
/// Share of the operations due in an overload that the generator must have told.
const OFFERED_SHARE: f64 = 0.95;
/// How far the starts of a schedule may be from rate × time, as a share, beside what chance and lag explain.
const SCHEDULE_SHARE: f64 = 0.01;
/// Standard deviations of a Poisson count that chance explains.
const POISSON_DEVIATIONS: f64 = 6.0;
/// Response times contain service times; histograms round to three digits.
const ROUNDING: f64 = 0.99;

/// `generator` of an open loop: the generator kept its schedule, and the subject began what was due.
pub(super) fn generator(row: &Row<'_>, offered: &OfferedLoad) -> Finding {
    let records: Vec<&OpenRecord> = row.recorded().filter_map(|trial| trial.record.open.as_ref()).collect();
    let lags: Vec<f64> = records.iter().filter_map(|open| open.lag_ns_p99).map(|ns| ns as f64).collect();
    let Some(lag) = quantile::median(&lags) else {
        return Finding::skipped("the record does not tell how the schedule was kept");
    };
    let limit = (LAG_SHARE * 1e9 / offered.rate_per_s.max(f64::MIN_POSITIVE)).max(LAG_FLOOR_NS);
    let sum = |of: fn(&OpenRecord) -> u64| records.iter().fold(0u64, |sum, open| sum.saturating_add(of(open)));
    let (intended, sent) = (sum(|open| open.intended), sum(|open| open.sent));
    let begun = sent as f64 / intended.max(1) as f64;
    let detail = format!(
        "schedule lag p99 {} in the median trial, {} allowed; {} of {} operations due were begun; generator and subject share their CPUs",
        Nanos(lag),
        Nanos(limit),
        grouped(sent),
        grouped(intended)
    );
    if lag > limit {
        Finding::suspect(format!("generator late: {detail}"))
    } else if begun < SENT_SHARE {
        Finding::suspect(format!("the subject did not take the rate offered, {}: {detail}", PerSecond(offered.rate_per_s)))
    } else {
        Finding::pass(detail)
    }
    .with(lag, limit)
}

/// `generator` of a row with an overload: more was offered than the subject can do, and all of it.
pub(super) fn overload(row: &Row<'_>) -> Option<Finding> {
    row.recorded().any(|trial| trial.record.overload.is_some()).then(|| {
        worst_trial(row, |trial| match &trial.record.overload {
            Some(parts) => overload_of(trial, parts),
            None => Finding::suspect("no overload in the record"),
        })
    })
}

fn overload_of(trial: &Recorded<'_>, parts: &OverloadRecord) -> Finding {
    let WindowRecord { elapsed_ns, open, .. } = &parts.overload;
    let full_load = trial.record.work.ok as f64 * 1e9 / trial.record.elapsed_ns.max(1) as f64;
    let due = open.offered_rate_per_s * *elapsed_ns as f64 / 1e9;
    // What it told late came after the overload, and is in the counts there.
    let late = open.offered_rate_per_s * (open.lag_ns_max.min(elapsed_ns / 2)) as f64 / 1e9;
    let told = (open.intended as f64 + late).min(due) / due.max(1.0);
    let detail = format!(
        "{} offered, {} of full load; the generator told of {} of it, at worst {} late",
        PerSecond(open.offered_rate_per_s),
        Share(open.offered_rate_per_s / full_load.max(f64::MIN_POSITIVE)),
        Share(told),
        Nanos(open.lag_ns_max as f64)
    );
    if told < OFFERED_SHARE { Finding::suspect(format!("less was offered than planned: {detail}")) } else { Finding::pass(detail) }
        .with(told, OFFERED_SHARE)
}

/// `coordinated-omission` of an open loop: every start of the schedule is in the count, and the times run from it.
pub(super) fn coordinated_omission(row: &Row<'_>, offered: &OfferedLoad) -> Finding {
    worst_trial(row, |trial| match omission(trial, offered) {
        Some(omission) => Finding::invalid(omission),
        None => {
            let open = trial.record.open.as_ref();
            let (late, sent) = open.map_or((0, 0), |open| (open.late, open.sent));
            Finding::new(
                CheckState::Pass,
                format!(
                    "open loop, {} offered: response times run from the schedule; {} of {} starts were a millisecond late or more",
                    PerSecond(offered.rate_per_s),
                    grouped(late),
                    grouped(sent)
                ),
            )
        }
    })
}

/// What makes the times of a trial other than those of its schedule.
fn omission(trial: &Recorded<'_>, offered: &OfferedLoad) -> Option<String> {
    let Some(open) = &trial.record.open else {
        return Some("an open loop whose record tells no schedule: its times could run from anywhere".into());
    };
    let times = |id: &str| trial.histograms.and_then(|all| all.get(id)).filter(|times| !times.is_empty());
    let Some(response) = times("response_time") else { return Some("an open loop without response times".into()) };
    if (open.offered_rate_per_s / offered.rate_per_s - 1.0).abs() > 1e-6 {
        return Some(format!("{} planned, {} offered", PerSecond(offered.rate_per_s), PerSecond(open.offered_rate_per_s)));
    }
    let elapsed_ns = trial.record.elapsed_ns as f64;
    let due = offered.rate_per_s * elapsed_ns / 1e9;
    // What the generator told late came outside the window, at either end; never more than the window itself.
    let lag = offered.rate_per_s * (open.lag_ns_max as f64).min(elapsed_ns / 2.0) / 1e9;
    let chance = if offered.arrival == "poisson" { POISSON_DEVIATIONS * due.sqrt() } else { 0.0 };
    let allowed = due * SCHEDULE_SHARE + chance + lag + 4.0;
    if (open.intended as f64 - due).abs() > allowed {
        return Some(format!(
            "{} starts in the schedule, and rate and time make {due:.0}: the schedule followed the subject",
            grouped(open.intended)
        ));
    }
    let service = times("service_time")?;
    let quantiles = [0.5, 0.9, 0.99];
    let shorter = quantiles.into_iter().find(|q| (response.value_at_quantile(*q) as f64) < service.value_at_quantile(*q) as f64 * ROUNDING);
    shorter.map(|q| format!("the {:.0} % quantile of the response times is below that of the service times they contain", q * 100.0))
}
