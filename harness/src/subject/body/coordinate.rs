//! The coordinator: leads all users through warm-up, measurement, overload where there is one, and drain, and reads clock and CPU time at the
//! edges.
//!
//! It sleeps between the edges. The window's length is what the clock says when the word was flipped, never what was asked for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use zokio_report::schema::journal::Failure;
use zokio_report::schema::open::SeriesRecord;
use zokio_report::schema::record::WarmupRecord;

use crate::load::closed::Control;
use crate::load::{Load, OverloadLoad};
use crate::measure::paced::Parts;
use crate::measure::watch::{LOOK, Part, Watch};
use crate::measure::{cpu, stamp, steady};
use crate::subject::protocol::{PhaseName, Phases, Trial};
use crate::subject::serve::Session;

/// Slices of a measured window.
const SLICES: u32 = 10;
/// A slice is not shorter, so that it can be judged as a batch.
const SLICE_NS_MIN: u64 = 5_000_000;
/// An idle runtime has so long to give memory back before what it kept is read.
const RELEASE: Duration = Duration::from_millis(50);

/// What the coordinator saw.
#[derive(Clone, Debug, Default)]
pub struct PhaseReport {
    /// Length of the measured window.
    pub elapsed_ns: u64,
    /// Lengths of its slices.
    pub slices_ns: Vec<u64>,
    /// CPU time of this process in each of them; empty where the system does not tell it.
    pub slices_cpu_ns: Vec<u64>,
    /// CPU time of this process in the window.
    pub cpu_ns: Option<u64>,
    /// The warm-up.
    pub warmup: WarmupRecord,
    /// Users whose operation had not ended when the drain's time was over.
    pub in_flight_at_end: u64,
    /// Operations of an open loop that were offered and not begun when the schedule ended.
    pub never_begun: u64,
    /// What was offered, and what followed the measured window.
    pub parts: Parts,
    /// The course of the trial, where it was asked for.
    pub series: Option<SeriesRecord>,
}

/// Connecting all users must not take longer.
pub const SETUP_LIMIT: Duration = Duration::from_secs(20);

/// Waits until `users` are ready, says so and where a server listens, and leads them through all phases.
///
/// # Errors
/// A [`Failure`] of the set-up, or what a thread told with [`Control::fail`].
pub fn lead(control: &Control, users: u64, listening: &[SocketAddr], trial: &Trial, session: &Session) -> Result<PhaseReport, Failure> {
    if trial.load.pacing().is_some() && control.offer().lanes().is_empty() {
        let (load, workload) = (trial.load.name(), trial.workload.name());
        let message = format!("this subject runs `{workload}` as a closed loop alone, not with `load.{load}`");
        return Err(Failure { class: "unsupported".into(), message });
    }
    control.wait_ready(users, SETUP_LIMIT)?;
    session.ready(listening);
    run_phases(control, &trial.load, &trial.phases, session)
}

/// Opens the gate and leads all users through warm-up, measurement and drain.
///
/// # Errors
/// What a thread told with [`Control::fail`].
pub fn run_phases(control: &Control, load: &Load, phases: &Phases, session: &Session) -> Result<PhaseReport, Failure> {
    let length_ms = phases.measure_ms + phases.overload_ms + phases.recovery_ms;
    let mut leader = Leader { control, session, watch: phases.interval_ms.map(|interval| Watch::new(interval, length_ms)) };
    let mut report = PhaseReport::default();
    control.warm_up();
    session.phase(PhaseName::Warmup);
    if let Load::Open(open) = load {
        report.parts.offered_rate_per_s = open.rate_per_s as f64;
        control.pace(report.parts.offered_rate_per_s, stamp::now_ns());
    }
    control.gate().open();
    report.warmup = leader.warm_up(phases);
    control.check()?;

    let ok_before = control.ok_so_far();
    leader.measure(phases, &mut report);
    if let Load::Overload(overload) = load {
        let capacity_per_s = (control.ok_so_far() - ok_before) as f64 * 1e9 / report.elapsed_ns.max(1) as f64;
        leader.overload(overload, capacity_per_s, phases, &mut report);
    }
    report.never_begun = control.offer().waiting();
    control.stop();
    cpu::bring_up_to_date();
    session.phase(PhaseName::Drain);
    report.in_flight_at_end = drain(control, Duration::from_millis(phases.drain_ms));
    control.check()?;
    if let Some(watch) = leader.watch {
        std::thread::sleep(RELEASE);
        report.series = Some(watch.finish());
    }
    Ok(report)
}

struct Leader<'a> {
    control: &'a Control,
    session: &'a Session,
    watch: Option<Watch>,
}

impl Leader<'_> {
    fn warm_up(&mut self, phases: &Phases) -> WarmupRecord {
        let (control, start) = (self.control, stamp::now_ns());
        let end = start + phases.warmup_ms * 1_000_000;
        let window_ns = phases.warmup_window_ms.map_or(u64::MAX, |window| (window * 1_000_000).max(1));
        let mut record = WarmupRecord { steady: phases.warmup_window_ms.map(|_| false), ..WarmupRecord::default() };
        let (mut window_start, mut ok_before) = (start, control.ok_so_far());
        while window_start < end && !self.session.is_ending() {
            sleep_until(window_start.saturating_add(window_ns).min(end), control, self.session, None);
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

    fn measure(&mut self, phases: &Phases, report: &mut PhaseReport) {
        let control = self.control;
        // The orchestrator reads this process's clock at the line that follows.
        cpu::bring_up_to_date();
        self.session.phase(PhaseName::Measure);
        let cpu_before = cpu::process_cpu_ns();
        let start = stamp::now_ns();
        self.begin(Part::Measure, start);
        let window_ns = phases.measure_ms * 1_000_000;
        let (mut slice_start, mut slice) = (start, 0);
        let mut slice_cpu = cpu_before;
        for edge in 1..=SLICES {
            let deadline = start + window_ns * u64::from(edge) / u64::from(SLICES);
            // After a late wake-up the next edge is near or past: its slice is joined with the one after it.
            if edge < SLICES && deadline < slice_start + SLICE_NS_MIN.max(window_ns / u64::from(4 * SLICES)) {
                continue;
            }
            control.measure(slice);
            slice += 1;
            sleep_until(deadline, control, self.session, self.watch.as_mut());
            let now = stamp::now_ns();
            report.slices_ns.push(now - slice_start);
            slice_start = now;
            let cpu = cpu::process_cpu_ns();
            report.slices_cpu_ns.extend(cpu.zip(slice_cpu).map(|(after, before)| after.saturating_sub(before)));
            slice_cpu = cpu;
            if self.session.is_ending() {
                break;
            }
        }
        // What comes after the window still runs, and counts elsewhere or nowhere.
        control.warm_up();
        let end = stamp::now_ns();
        report.cpu_ns = cpu::process_cpu_ns().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
        self.end(end);
        // The last slice ends when the word is flipped, so that the slices add up to the window.
        if let Some(last) = report.slices_ns.last_mut() {
            *last += end - slice_start;
        }
        report.elapsed_ns = end - start;
    }

    fn overload(&mut self, load: &OverloadLoad, capacity_per_s: f64, phases: &Phases, report: &mut PhaseReport) {
        let control = self.control;
        self.session.phase(PhaseName::Overload);
        let mut part = |part: Part, rate_per_s: f64, time_ms: u64| {
            let start = stamp::now_ns();
            match part {
                Part::Recovery => control.recover(),
                Part::Measure | Part::Overload => control.overload(),
            }
            control.pace(rate_per_s, start);
            self.begin(part, start);
            sleep_until(start + time_ms * 1_000_000, control, self.session, self.watch.as_mut());
            let end = stamp::now_ns();
            self.end(end);
            Some((rate_per_s, end - start))
        };
        report.parts.overload = part(Part::Overload, capacity_per_s * load.offered, phases.overload_ms);
        report.parts.recovery = part(Part::Recovery, capacity_per_s * load.after, phases.recovery_ms);
    }

    fn begin(&mut self, part: Part, now_ns: u64) {
        if let Some(watch) = &mut self.watch {
            watch.begin(part, self.control, now_ns);
        }
    }

    fn end(&mut self, now_ns: u64) {
        if let Some(watch) = &mut self.watch {
            watch.end(self.control, now_ns);
        }
    }
}

/// Sleeps to a reading of the trial's clock, with a sign of life now and then, and looks at the watch's pace; returns early when the trial must
/// end.
fn sleep_until(deadline_ns: u64, control: &Control, session: &Session, mut watch: Option<&mut Watch>) {
    const STEP_NS: u64 = 200_000_000;
    let step_ns = if watch.is_some() { LOOK.as_nanos() as u64 } else { STEP_NS };
    let mut told_ns = stamp::now_ns();
    loop {
        let now = stamp::now_ns();
        if let Some(watch) = &mut watch {
            watch.look(control, now);
        }
        if now >= deadline_ns || session.is_ending() {
            return;
        }
        if now - told_ns >= STEP_NS {
            told_ns = now;
            session.progress(control.ok_so_far());
        }
        std::thread::sleep(Duration::from_nanos((deadline_ns - now).min(step_ns)));
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
