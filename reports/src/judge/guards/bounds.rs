//! The record against this machine: nothing is faster than the hardware and the kernel can do it.
//!
//! The least CPU time that the claimed work can take is worked out from costs measured on this host at start. It is compared twice:
//! with all the time there was (`physical-bound`), and with the CPU time the kernel charged (`cpu-evidence`).
//!
//! | work | the least it takes | why less than the obvious bound |
//! |---|---|---|
//! | one exchange over loopback | one 64-byte write and read | it needs two of each; a ring saves entries into the kernel, never half of the work |
//! | a byte moved over loopback | one copy | it is copied in and out |
//! | an operation of a case with a `floor` | the calibrated costs named there ([`super::floor`]) | |
//! | one sleep | its own length, per user | |

use serde_json::Value;

use super::super::calibration;
use super::super::row::{ALL_ROLES, Recorded, Row};
use super::finding::{Finding, worst_trial};
use super::floor::{self, STATE_SLACK};
use crate::schema::validity::CheckState;
use crate::units::{Nanos, grouped};

/// System calls of an exchange (write, read, write, read), where the loopback exchange itself was not measured.
const SYSCALLS_PER_EXCHANGE: f64 = 4.0;
/// What kernel accounting may be off by: a share, and one scheduler tick at each end.
const ACCOUNT_SLACK: (f64, f64) = (0.05, 5e6);
/// A sleep may seem short by what the clock steps.
const SLEEP_SLACK: f64 = 0.99;

/// `physical-bound`: the operations took at least as long as this machine needs for them.
pub(super) fn physical_bound(row: &Row<'_>) -> Option<Finding> {
    let cpus = row.cpu_count() as f64;
    Some(worst_trial(row, |trial| {
        let ok = (trial.record.work.ok.max(1)) as f64;
        if row.case.workload == "sleep" {
            return sleep_bound(row, trial);
        }
        let floor = match least_cpu_ns(row, trial) {
            Ok(floor) => floor,
            Err(why) => return Finding::skipped(why),
        };
        let (seen, least) = (trial.record.elapsed_ns as f64 * cpus / ok, floor / ok);
        let detail = format!("{} per operation and CPU, and this machine needs at least {}", Nanos(seen), Nanos(least));
        let finding = if seen < least { Finding::invalid(format!("{detail}: faster than it can be done")) } else { Finding::pass(detail) };
        finding.with(seen, least)
    }))
}

fn sleep_bound(row: &Row<'_>, trial: &Recorded<'_>) -> Finding {
    let (Some(length), Some(users)) = (number_named(&row.case.effective, "duration_ns"), row.case.users) else {
        return Finding::skipped("the length of the sleep is not in the case");
    };
    let seen = trial.record.elapsed_ns as f64 * users as f64 / trial.record.work.ok.max(1) as f64;
    let detail = format!("{} per sleep of {}", Nanos(seen), Nanos(length));
    // Sleeps under way when the window opened end inside it: one for each user.
    let cut = 1.0 - users as f64 / trial.record.work.ok.max(users) as f64;
    let least = length * SLEEP_SLACK * cut;
    if seen < least { Finding::invalid(format!("{detail}: no sleep ends early")) } else { Finding::pass(detail) }.with(seen, least)
}

/// `cpu-evidence`: the kernel charged enough CPU time for the work, and not less than the record claims for itself.
pub(super) fn cpu_evidence(row: &Row<'_>) -> Option<Finding> {
    Some(worst_trial(row, |trial| {
        let charged: u64 = trial.processes(ALL_ROLES).map(|process| process.cpu_ns).sum();
        if charged == 0 {
            return Finding::skipped("the CPU time of the processes was not read");
        }
        let own_claims = [own_total(row, trial), own_window(row, trial)];
        let worst = own_claims.into_iter().flatten().max_by_key(|finding| finding.state);
        enough_for_the_work(row, trial, charged as f64)
            .into_iter()
            .chain(worst)
            .max_by_key(|finding| finding.state)
            .unwrap_or_else(|| Finding::pass(format!("{} of CPU time over the whole trial; the record claims none", Nanos(charged as f64))))
    }))
}

fn enough_for_the_work(row: &Row<'_>, trial: &Recorded<'_>, charged: f64) -> Option<Finding> {
    let floor = least_cpu_ns(row, trial).ok()?;
    let ok = grouped(trial.record.work.ok);
    let detail = format!("{} of CPU time for {ok} operations that need at least {}", Nanos(charged), Nanos(floor));
    Some(if charged < floor { Finding::invalid(detail) } else { Finding::pass(detail) }.with(charged, floor))
}

/// The whole life of the processes cannot have cost less than the window the record claims.
fn own_total(row: &Row<'_>, trial: &Recorded<'_>) -> Option<Finding> {
    let (claimed, roles) = claimed_cpu(row, trial)?;
    let charged: u64 = trial.processes(roles).map(|process| process.cpu_ns).sum();
    let (share, slack) = ACCOUNT_SLACK;
    let limit = claimed as f64 * (1.0 - share) - slack;
    ((charged as f64) < limit).then(|| {
        let detail = format!("the record claims {} of CPU time, the kernel charged {}", Nanos(claimed as f64), Nanos(charged as f64));
        Finding::invalid(detail).with(charged as f64, limit)
    })
}

/// The window as the orchestrator read it agrees with the record's own reading.
fn own_window(row: &Row<'_>, trial: &Recorded<'_>) -> Option<Finding> {
    let (claimed, roles) = claimed_cpu(row, trial)?;
    let seen = trial.window_cpu_ns(roles)? as f64;
    let (share, slack) = ACCOUNT_SLACK;
    let limit = seen * share + slack;
    let apart = (seen - claimed as f64).abs();
    (apart > limit).then(|| {
        let detail = format!("CPU time of the window: {} by the record, {} by the kernel", Nanos(claimed as f64), Nanos(seen));
        Finding::new(CheckState::Suspect, detail).with(apart, limit)
    })
}

/// What the record says its own processes used, and the roles it speaks for.
fn claimed_cpu(row: &Row<'_>, trial: &Recorded<'_>) -> Option<(u64, &'static [&'static str])> {
    let cpu = trial.record.cpu_ns;
    if let Some(total) = cpu.total {
        return Some((total, ALL_ROLES));
    }
    let client: &'static [&'static str] = &["client"];
    cpu.client.filter(|_| row.is_apart()).map(|claimed| (claimed, client))
}

/// The least CPU time the successes of a trial can take here, or why nothing bounds them.
fn least_cpu_ns(row: &Row<'_>, trial: &Recorded<'_>) -> Result<f64, String> {
    let work = &trial.record.work;
    if let Some(per_operation) = floor::per_operation_ns(row, trial) {
        return per_operation.map(|ns| work.ok as f64 * ns * STATE_SLACK);
    }
    if !row.has_connections() {
        return Err(format!("no least cost is known of an operation of `{}`", row.case.workload));
    }
    let copy = calibration::value(row.header, calibration::MEMCPY_NS_PER_KIB).map(|ns| work.bytes as f64 * ns / 1024.0);
    let exchange = calibration::value(row.header, calibration::LOOPBACK_WRITE_READ_NS)
        .or_else(|| calibration::value(row.header, calibration::SYSCALL_NS).map(|ns| ns * SYSCALLS_PER_EXCHANGE))
        .map(|ns| (work.ok as f64 * ns).max(copy.unwrap_or(0.0)));
    let least = if row.is_stream() { copy } else { exchange };
    least.map(|ns| ns * STATE_SLACK).ok_or_else(|| "the costs of loopback and of copying were not measured on this host".into())
}

/// The first number under `key`, anywhere in the effective case.
pub(super) fn number_named(value: &Value, key: &str) -> Option<f64> {
    match value {
        Value::Object(fields) => {
            let own = fields.get(key).and_then(Value::as_f64);
            own.or_else(|| fields.values().find_map(|inner| number_named(inner, key)))
        }
        Value::Array(items) => items.iter().find_map(|inner| number_named(inner, key)),
        _ => None,
    }
}
