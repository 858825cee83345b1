//! How long a run will take, told before it starts: every phase at its longest, every process with its start.

use std::time::Duration;

use crate::scenario::{CaseSpec, Placement, Suite, Warmup};
use crate::subject::protocol::Phases;

use super::PlanOptions;
use super::workers::on_host;

/// Starting and ending one process, its sockets and the evidence around it; the aim is 20 ms to start and as much for the rest.
const PROCESS: Duration = Duration::from_millis(45);
/// The second process of a case with its ends apart starts beside the first.
const SECOND_PROCESS: Duration = Duration::from_millis(15);
/// Ends under way when the window closes; the drain's limit is a hundred times longer and not reached by a healthy subject.
const DRAIN: Duration = Duration::from_millis(5);
/// Host profile, calibration, the subjects' own words, and the report at the end.
const ONCE: Duration = Duration::from_secs(3);

/// `--quick`: trials per subject; the fewest that give an interval.
const QUICK_TRIALS: u32 = 6;
/// `--quick`: longest phases, in milliseconds.
const QUICK_WARMUP_MS: u64 = 100;
const QUICK_WINDOW_MS: u64 = 33;
const QUICK_MEASURE_MS: u64 = 120;
const QUICK_INTERVAL_MS: u64 = 10;

/// What the whole run will take on a host with so many CPUs, every warm-up at its longest.
pub fn estimate(suite: &Suite, cpus_allowed: usize, options: &PlanOptions) -> Duration {
    on_host(&suite.cases, cpus_allowed).iter().fold(ONCE, |sum, case| {
        let phases = phases(case, options.quick);
        let second = if matches!(case.placement, Placement::Apart { .. }) { SECOND_PROCESS } else { Duration::ZERO };
        let trial = PROCESS + second + DRAIN + Duration::from_millis(phases.working_ms());
        sum + trial * trials(case, options) * subjects(case, options).len() as u32
    })
}

/// Trials per subject.
pub(crate) fn trials(case: &CaseSpec, options: &PlanOptions) -> u32 {
    match options.trials {
        Some(trials) => trials,
        None if options.quick => case.trials.min(QUICK_TRIALS),
        None => case.trials,
    }
}

/// Subjects of a case: an option replaces those of measured cases; a control shows a floor of the host and keeps its own.
pub(crate) fn subjects(case: &CaseSpec, options: &PlanOptions) -> Vec<String> {
    match &options.subjects {
        Some(subjects) if case.role == zokio_report::schema::journal::CaseRole::Measured => subjects.clone(),
        _ => case.subjects.clone(),
    }
}

/// Lengths of the phases.
pub(crate) fn phases(case: &CaseSpec, quick: bool) -> Phases {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (warmup_ms, warmup_window_ms) = match case.warmup {
        Warmup::None => (0, None),
        Warmup::Time(time) => (ms(time), None),
        Warmup::Steady { window, max } => (ms(max), Some(ms(window))),
    };
    let full = Phases {
        warmup_ms,
        warmup_window_ms,
        measure_ms: ms(case.measure),
        overload_ms: ms(case.overload),
        recovery_ms: ms(case.recovery),
        interval_ms: case.interval.map(ms),
        drain_ms: ms(case.drain_max),
    };
    if !quick {
        return full;
    }
    Phases {
        warmup_ms: full.warmup_ms.min(QUICK_WARMUP_MS),
        warmup_window_ms: full.warmup_window_ms.map(|window| window.min(QUICK_WINDOW_MS)),
        measure_ms: full.measure_ms.min(QUICK_MEASURE_MS),
        overload_ms: full.overload_ms.min(QUICK_MEASURE_MS),
        recovery_ms: full.recovery_ms.min(QUICK_MEASURE_MS),
        interval_ms: full.interval_ms.map(|interval| interval.min(QUICK_INTERVAL_MS)),
        ..full
    }
}
