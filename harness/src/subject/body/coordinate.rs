//! The coordinator: leads all users of a closed loop through warm-up, measurement and drain, and reads clock and CPU time at the edges.
//!
//! It sleeps between the edges. The window's length is what the clock says when the word was flipped, never what was asked for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::record::WarmupRecord;

use crate::load::closed::Control;
use crate::measure::{cpu, stamp, steady};
use crate::subject::protocol::{PhaseName, Phases, Trial};
use crate::subject::serve::Session;

/// Slices of a measured window.
const SLICES: u32 = 10;
/// A slice is not shorter, so that it can be judged as a batch.
const SLICE_NS_MIN: u64 = 5_000_000;

/// What the coordinator saw.
#[derive(Clone, Debug, Default)]
pub struct PhaseReport {
    /// Length of the measured window.
    pub elapsed_ns: u64,
    /// Lengths of its slices.
    pub slices_ns: Vec<u64>,
    /// CPU time of this process in the window.
    pub cpu_ns: Option<u64>,
    /// The warm-up.
    pub warmup: WarmupRecord,
    /// Users whose operation had not ended when the drain's time was over.
    pub in_flight_at_end: u64,
}

/// Connecting all users must not take longer.
pub const SETUP_LIMIT: Duration = Duration::from_secs(20);

/// Waits until `users` are ready, says so and where a server listens, and leads them through all phases.
///
/// # Errors
/// A [`Failure`] of the set-up, or what a thread told with [`Control::fail`].
pub fn lead(control: &Control, users: u64, listening: &[SocketAddr], trial: &Trial, session: &Session) -> Result<PhaseReport, Failure> {
    control.wait_ready(users, SETUP_LIMIT)?;
    session.ready(listening);
    run_phases(control, &trial.phases, session)
}

/// Opens the gate and leads all users through warm-up, measurement and drain.
///
/// # Errors
/// What a thread told with [`Control::fail`].
pub fn run_phases(control: &Control, phases: &Phases, session: &Session) -> Result<PhaseReport, Failure> {
    control.warm_up();
    session.phase(PhaseName::Warmup);
    control.gate().open();
    let warmup = warm_up(control, phases, session);
    control.check()?;

    session.phase(PhaseName::Measure);
    let mut report = PhaseReport { warmup, ..PhaseReport::default() };
    let cpu_before = cpu::process_cpu_ns();
    let start = stamp::now_ns();
    let window_ns = phases.measure_ms * 1_000_000;
    let (mut slice_start, mut slice) = (start, 0);
    for edge in 1..=SLICES {
        let deadline = start + window_ns * u64::from(edge) / u64::from(SLICES);
        // After a late wake-up the next edge is near or past: its slice is joined with the one after it.
        if edge < SLICES && deadline < slice_start + SLICE_NS_MIN.max(window_ns / u64::from(4 * SLICES)) {
            continue;
        }
        control.measure(slice);
        slice += 1;
        sleep_until(deadline, control, session);
        let now = stamp::now_ns();
        report.slices_ns.push(now - slice_start);
        slice_start = now;
        if session.is_ending() {
            break;
        }
    }
    control.stop();
    let end = stamp::now_ns();
    report.cpu_ns = cpu::process_cpu_ns().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    // The last slice ends when the word is flipped, so that the slices add up to the window.
    if let Some(last) = report.slices_ns.last_mut() {
        *last += end - slice_start;
    }
    report.elapsed_ns = end - start;
    session.phase(PhaseName::Drain);
    report.in_flight_at_end = drain(control, Duration::from_millis(phases.drain_ms));
    control.check()?;
    Ok(report)
}

fn warm_up(control: &Control, phases: &Phases, session: &Session) -> WarmupRecord {
    let start = stamp::now_ns();
    let end = start + phases.warmup_ms * 1_000_000;
    let window_ns = phases.warmup_window_ms.map_or(u64::MAX, |window| (window * 1_000_000).max(1));
    let mut record = WarmupRecord { steady: phases.warmup_window_ms.map(|_| false), ..WarmupRecord::default() };
    let (mut window_start, mut ok_before) = (start, control.ok_so_far());
    while window_start < end && !session.is_ending() {
        sleep_until(window_start.saturating_add(window_ns).min(end), control, session);
        let (now, ok) = (stamp::now_ns(), control.ok_so_far());
        record.windows.push((ok - ok_before, now - window_start));
        (window_start, ok_before) = (now, ok);
        if record.steady.is_some() && steady::is_steady(&record.windows) {
            record.steady = Some(true);
            break;
        }
    }
    record.elapsed_ns = stamp::now_ns() - start;
    record
}

/// Sleeps to a reading of the trial's clock, with a sign of life now and then; returns early when the trial must end.
fn sleep_until(deadline_ns: u64, control: &Control, session: &Session) {
    const STEP_NS: u64 = 200_000_000;
    loop {
        let now = stamp::now_ns();
        if now >= deadline_ns || session.is_ending() {
            return;
        }
        std::thread::sleep(Duration::from_nanos((deadline_ns - now).min(STEP_NS)));
        if deadline_ns - now > STEP_NS {
            session.progress(control.ok_so_far());
        }
    }
}

/// Waits until every user has ended and every accepted connection is closed; the users that had not when time was over.
fn drain(control: &Control, limit: Duration) -> u64 {
    let deadline = Instant::now() + limit;
    loop {
        let active = control.users_active();
        if (active == 0 && control.accepted_open() == 0) || Instant::now() >= deadline {
            return active;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
