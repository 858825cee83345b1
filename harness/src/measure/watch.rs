//! The course of a trial, seen by its coordinator: how many operations ended, how long they took and how much memory was in use, at equal
//! distances; and between these points, the longest time in which nothing ended.
//!
//! It reads counters that the threads keep anyway, so a watched trial costs its workers nothing but their share of one thread that wakes every
//! [`LOOK`].

use std::time::Duration;

use zokio_report::schema::open::{SeriesPoint, SeriesRecord};

use crate::load::closed::Control;

/// How often the coordinator looks; a gap is known to twice this. Each look takes some microseconds.
pub const LOOK: Duration = Duration::from_millis(2);
/// A series has no more points than this, however long the trial is.
const POINTS_MAX: u64 = 2_000;

/// A part of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The measured window.
    Measure,
    /// More is offered than the subject can do.
    Overload,
    /// Less is offered again.
    Recovery,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Measure => "measure",
            Self::Overload => "overload",
            Self::Recovery => "recovery",
        }
    }
}

/// The watcher of one trial.
#[derive(Debug)]
pub struct Watch {
    record: SeriesRecord,
    interval_ns: u64,
    origin_ns: Option<u64>,
    part: Part,
    point: Reading,
    /// When an operation was last seen to have ended, and how many had.
    progress: (u64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at_ns: u64,
    ok: u64,
    errors: u64,
    response_ns: u64,
}

impl Reading {
    fn of(control: &Control, at_ns: u64) -> Self {
        Self { at_ns, ok: control.ok_so_far(), errors: control.errors_so_far(), response_ns: control.response_ns_so_far() }
    }
}

impl Watch {
    /// A point every `interval_ms` of a trial whose parts take `length_ms` together.
    pub fn new(interval_ms: u64, length_ms: u64) -> Self {
        let interval_ns = interval_ms.max(length_ms / POINTS_MAX).max(1) * 1_000_000;
        let points = Vec::with_capacity(usize::try_from(length_ms * 1_000_000 / interval_ns).unwrap_or(0) + 8);
        let look_ns = LOOK.as_nanos() as u64;
        let record = SeriesRecord { interval_ns, look_ns, points, ..SeriesRecord::default() };
        Self { record, interval_ns, origin_ns: None, part: Part::Measure, point: Reading::default(), progress: (0, 0) }
    }

    /// A part begins.
    pub fn begin(&mut self, part: Part, control: &Control, now_ns: u64) {
        self.origin_ns.get_or_insert(now_ns);
        self.part = part;
        self.point = Reading::of(control, now_ns);
        self.progress = (now_ns, self.point.ok);
    }

    /// Looks: keeps a point when its time has come.
    pub fn look(&mut self, control: &Control, now_ns: u64) {
        self.see(control.ok_so_far(), now_ns);
        if now_ns >= self.point.at_ns + self.interval_ns {
            self.keep(control, now_ns);
        }
    }

    /// The part ends: what is left of it is a point if it is long enough to have a rate.
    pub fn end(&mut self, control: &Control, now_ns: u64) {
        self.see(control.ok_so_far(), now_ns);
        if self.part != Part::Recovery {
            let gap_ns = now_ns - self.progress.0;
            self.record.longest_gap_ns = self.record.longest_gap_ns.max(gap_ns);
        }
        if now_ns >= self.point.at_ns + self.interval_ns / 2 {
            self.keep(control, now_ns);
        }
    }

    fn see(&mut self, ok: u64, now_ns: u64) {
        let (since_ns, before) = self.progress;
        if ok == before {
            return;
        }
        self.progress = (now_ns, ok);
        // After the overload less is offered on purpose.
        if self.part != Part::Recovery {
            self.record.longest_gap_ns = self.record.longest_gap_ns.max(now_ns - since_ns);
        }
    }

    fn keep(&mut self, control: &Control, now_ns: u64) {
        let (now, before) = (Reading::of(control, now_ns), self.point);
        let ok = now.ok - before.ok;
        let response_ns = now.response_ns - before.response_ns;
        self.record.points.push(SeriesPoint {
            at_ns: now_ns - self.origin_ns.unwrap_or(now_ns),
            length_ns: now_ns - before.at_ns,
            phase: self.part.name().into(),
            ok,
            errors: now.errors - before.errors,
            response_ns: (ok > 0 && response_ns > 0).then(|| response_ns as f64 / ok as f64),
            rss_bytes: rss_bytes(),
        });
        self.point = now;
    }

    /// The series, with the memory in use now that all has ended.
    pub fn finish(mut self) -> SeriesRecord {
        self.record.rss_after_bytes = rss_bytes();
        self.record
    }
}

/// Resident memory of this process; `None` where the system does not tell.
pub fn rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn points_stand_at_equal_distances_and_hold_every_operation_once() {
        let control = Control::default();
        let slot = control.slot(control.claim_slot());
        let mut watch = Watch::new(10, 100);
        watch.begin(Part::Measure, &control, 0);
        for look in 1..=50 {
            slot.set_ok(look * 3);
            watch.look(&control, look * 2 * MS);
        }
        watch.end(&control, 100 * MS);
        let series = watch.finish();
        assert_eq!(series.points.len(), 10);
        assert!(series.points.iter().all(|point| (point.ok, point.length_ns) == (15, 10 * MS) && point.phase == "measure"));
        assert_eq!(series.points.iter().map(|point| point.ok).sum::<u64>(), 150);
        assert_eq!(series.longest_gap_ns, 2 * MS, "nothing shorter than a look is seen");
        assert!(!cfg!(target_os = "linux") || series.rss_after_bytes.is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn the_longest_gap_is_found_wherever_it_is() {
        // Operations end at every look but for 20 ms from `stall` on; the last stall reaches the end of the window.
        for stall in [0, 40, 80] {
            let control = Control::default();
            let slot = control.slot(control.claim_slot());
            let mut watch = Watch::new(10, 100);
            watch.begin(Part::Overload, &control, 0);
            for at in (2..=100).step_by(2) {
                if at <= stall || at > stall + 20 {
                    slot.set_ok(at);
                }
                watch.look(&control, at * MS);
            }
            watch.end(&control, 100 * MS);
            let gap_ms = watch.finish().longest_gap_ns / MS;
            assert!((20..=22).contains(&gap_ms), "{gap_ms} ms from {stall}");
        }
    }

    #[test]
    fn a_long_trial_has_no_more_points_than_a_page_can_show() {
        assert_eq!(Watch::new(10, 600_000).interval_ns, 300 * MS);
    }
}
