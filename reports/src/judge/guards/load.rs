//! Whether the load was what the row claims it to be.

use super::super::row::{Recorded, Row};
use super::finding::{Finding, worst_trial};
use super::open;
use crate::schema::histogram::Histogram;
use crate::stats::quantile;
use crate::units::{Nanos, Share};

/// How far rate × mean service time may be from the users, as a share of them.
const LITTLE_SHARE: f64 = 0.05;
/// A client that used this share of its CPUs was the bound.
const CLIENT_SATURATED: f64 = 0.95;
/// A server that used this share of its CPUs had nothing left either.
const SERVER_SATURATED: f64 = 0.90;
/// How far the second half of the measured windows may differ from the first before the row counts as not settled.
const DRIFT_SHARE: f64 = 0.10;

/// `littles-law`: in a closed loop rate × mean time is the number of users, or a statistic is broken.
pub(super) fn littles_law(row: &Row<'_>) -> Option<Finding> {
    // Operations that are counted in rounds have no times of their own.
    let is_timed = row.has_connections() || row.case.workload == "sleep";
    let users = row.case.users.filter(|_| is_timed)? as f64;
    Some(worst_trial(row, |trial| {
        let Some(times) = trial.histograms.and_then(|all| all.get("service_time")).filter(|times| !times.is_empty()) else {
            return Finding::skipped("the record has no service times");
        };
        let (ok, elapsed) = (trial.record.work.ok as f64, trial.record.elapsed_ns as f64);
        if ok == 0.0 || elapsed == 0.0 {
            return Finding::skipped("no rate to compare with");
        }
        let mean = mean(times);
        let under_way = ok / elapsed * mean;
        // Operations cut by the ends of the window count with their whole length: at most one for each user.
        let limit = LITTLE_SHARE + users / ok.max(users);
        let off = (under_way / users - 1.0).abs();
        let detail = format!("rate × mean service time ({}) is {under_way:.2}, and {users} users were at work", Nanos(mean));
        if off > limit { Finding::suspect(detail) } else { Finding::pass(detail) }.with(off, limit)
    }))
}

/// Mean of the recorded times, by the middle of each bucket.
fn mean(times: &Histogram<u64>) -> f64 {
    times.mean()
}

/// The share of a worker that tasks beside the measured ones took must be this share of what was asked for them.
const BESIDE_SHARE: f64 = 0.8;

/// `generator` of a row beside a load: the tasks that make the load got the time that they ask for.
fn beside(row: &Row<'_>) -> Option<Finding> {
    let asked = row.case.effective.pointer("/workload/latency/busy_percent")?.as_f64()? / 100.0;
    let share = |trial: &Recorded<'_>| {
        let workers = trial.record.workers.iter().filter(|worker| worker.polls.unwrap_or(1) > 0).count().max(1) as f64;
        let window = trial.record.elapsed_ns.max(1) as f64 * workers;
        Some(*trial.record.counters.get("beside_ns")? as f64 / window)
    };
    let taken = quantile::median(&row.recorded().filter_map(|trial| share(&trial)).collect::<Vec<f64>>())?;
    let detail =
        format!("the tasks beside took {} of the workers' time in the median trial, {} were asked for", Share(taken), Share(asked));
    let kept = taken / asked;
    Some(if kept < BESIDE_SHARE { Finding::suspect(detail) } else { Finding::pass(detail) }.with(kept, BESIDE_SHARE))
}

/// `generator`: with a client of its own, whether the row is bound by that client instead of by the subject; with a schedule, whether it was kept;
/// beside a load, whether that was there.
pub(super) fn generator(row: &Row<'_>) -> Option<Finding> {
    if let Some(offered) = &row.case.open {
        return Some(open::generator(row, offered));
    }
    if !row.is_apart() {
        return open::overload(row).or_else(|| beside(row));
    }
    let used = |trial: &Recorded<'_>, roles: &'static [&'static str]| {
        let cpus = row.case.cpus.get(roles[0]).map_or(1, |cpus| cpus.len().max(1)) as f64;
        let window = trial.evidence.measure_wall_ns.unwrap_or(trial.record.elapsed_ns).max(1) as f64;
        Some(trial.window_cpu_ns(roles)? as f64 / (window * cpus))
    };
    let median =
        |roles: &'static [&'static str]| quantile::median(&row.recorded().filter_map(|trial| used(&trial, roles)).collect::<Vec<f64>>());
    let (Some(client), server) = (median(&["client"]), median(&["server"])) else {
        return Some(Finding::skipped("the client's CPU time in the window was not read"));
    };
    let server_share = server.map_or_else(|| "an unknown share".into(), |share| Share(share).to_string());
    let detail = format!("the client used {} of its CPUs, the server {server_share}", Share(client));
    let finding = if client < CLIENT_SATURATED {
        Finding::pass(detail)
    } else if server.is_some_and(|server| server >= SERVER_SATURATED) {
        Finding::pass(format!("client saturated: the row is bound by the client as much as by the server ({detail})"))
    } else {
        Finding::suspect(format!("client saturated: the row is bound by the client ({detail})"))
    };
    Some(finding.with(client, CLIENT_SATURATED))
}

/// `coordinated-omission`: what the times of this load model are; in an open loop, whether they are that.
pub(super) fn coordinated_omission(row: &Row<'_>) -> Option<Finding> {
    if let Some(offered) = &row.case.open {
        return Some(open::coordinated_omission(row, offered));
    }
    row.case.users.map(|users| {
        let plural = if users == 1 { "" } else { "s" };
        Finding::pass(format!("closed loop of {users} user{plural}: times are service times, not response times under an offered rate"))
    })
}

/// `steady`: the measured windows do not drift.
///
/// A warm-up that ended by its time limit is no fault as long as the windows after it are level, so the judgement is made on what
/// was measured: the rate of the second half of each window against the first, in the median trial.
pub(super) fn steady(row: &Row<'_>) -> Option<Finding> {
    let told: Vec<bool> = row.recorded().filter_map(|trial| trial.record.warmup.as_ref()?.steady).collect();
    let unsettled = told.iter().filter(|steady| !**steady).count();
    let drifts: Vec<f64> = row.recorded().filter_map(|trial| drift(&trial.record.batches)).collect();
    let warmups = if told.is_empty() {
        "the subject did not look for a steady state".to_string()
    } else {
        format!("{} of {} warm-ups settled before their limit", told.len() - unsettled, told.len())
    };
    let Some(drift) = quantile::median(&drifts) else {
        return Some(if unsettled * 2 > told.len() {
            Finding::suspect(warmups)
        } else {
            Finding::skipped(format!("no batches; {warmups}"))
        });
    };
    let detail = format!("from the first half of a window to the second the rate changes by {:+.1} %; {warmups}", drift * 100.0);
    Some(if drift.abs() > DRIFT_SHARE { Finding::suspect(detail) } else { Finding::pass(detail) }.with(drift.abs(), DRIFT_SHARE))
}

/// Rate of the second half of the batches over that of the first, less 1; the remainder at the end is left out.
fn drift(batches: &[(u64, u64)]) -> Option<f64> {
    let full = if batches.len() > 4 { &batches[..batches.len() - 1] } else { batches };
    let (first, second) = full.split_at(full.len() / 2);
    let rate = |part: &[(u64, u64)]| {
        let (operations, ns) = part.iter().fold((0.0, 0.0), |sum, batch| (sum.0 + batch.0 as f64, sum.1 + batch.1 as f64));
        (operations > 0.0 && ns > 0.0).then_some(operations / ns)
    };
    Some(rate(second)? / rate(first)? - 1.0)
}
