//! How long a run will take, told before it starts: every phase at its longest, every process with its start.

use std::time::Duration;

use crate::scenario::{CaseSpec, Placement, Suite, Warmup};
use crate::subject::protocol::Phases;
use crate::workload::Workload;
use crate::workload::stealing::StealingMode;
use crate::workload::storage::CacheState;

use super::PlanOptions;
use super::workers::on_host;

/// Starting and ending one process, its sockets and the evidence around it; the aim is 20 ms to start and as much for the rest.
const PROCESS: Duration = Duration::from_millis(45);
/// The second process of a case with its ends apart starts beside the first.
const SECOND_PROCESS: Duration = Duration::from_millis(15);
/// Writing a file, and reading it once: measured at 0.7 ms for a MiB in memory, ...
const FILE_PER_MIB: Duration = Duration::from_micros(800);
/// ... and where it must reach the disk, at 1.3 ms.
const SYNCED_FILE_PER_MIB: Duration = Duration::from_micros(1_500);
/// The rounds that show whether twice the work takes twice as long: four pairs of 0.5 to 1 ms and twice that, the search for them and the sleeps
/// between, 11 to 17 ms together; on a busy host some take longer.
const DOUBLING: Duration = Duration::from_millis(20);
/// Where one round takes longer than that: four pairs, or as many as begin within 120 ms and the last one's end.
const DOUBLING_ROUNDS: u32 = 12;
const DOUBLING_LIMIT: Duration = Duration::from_millis(120);
/// A turn of the work of `skew`: 900 take a microsecond.
const SKEW_TURN: Duration = Duration::from_nanos(1);
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
        let trial = PROCESS + second + files(case) + doubling(&case.workload) + DRAIN + Duration::from_millis(phases.working_ms());
        sum + trial * trials(case, options) * subjects(case, options).len() as u32
    })
}

/// What the first user does before it is ready.
fn doubling(workload: &Workload) -> Duration {
    match workload {
        _ if !workload.has_doubling() => Duration::ZERO,
        // The only rounds that last milliseconds.
        Workload::Stealing(stealing) if stealing.mode == StealingMode::Skew => {
            let round = SKEW_TURN.saturating_mul(stealing.items).saturating_mul(stealing.turns);
            let pairs = round.saturating_mul(DOUBLING_ROUNDS).min(round.saturating_mul(3).saturating_add(DOUBLING_LIMIT));
            pairs.max(DOUBLING)
        }
        _ => DOUBLING,
    }
}

/// Making the files of a trial.
fn files(case: &CaseSpec) -> Duration {
    let Some(files) = case.workload.files() else { return Duration::ZERO };
    let per_mib = if files.storage.cache == CacheState::Warm { FILE_PER_MIB } else { SYNCED_FILE_PER_MIB };
    per_mib.mul_f64(files.bytes as f64 / f64::from(1 << 20))
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
