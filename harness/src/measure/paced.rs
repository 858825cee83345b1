//! What one thread counts of an open loop, beside what it counts of any load.
//!
//! ```text
//!  intended ──lag── told by the pacer ──wait── begun (sent) ──────service time────── ended
//!     └──────────────────────────── response time ────────────────────────────────────┘
//! ```
//! Response times run from the schedule, so a stall is charged to every operation it kept waiting, begun or not.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use zokio_report::schema::open::{OpenRecord, OverloadRecord, WindowRecord};
use zokio_report::schema::record::{HistogramPayload, Work};

use super::recorder::{ErrorClass, add_counts, time_histogram};
use super::tally::encode;
use crate::load::closed::Window;

/// An operation that began so long after its intended start is a late one: what nobody would call on time.
pub const LATE_NS: u64 = 1_000_000;

/// The counts of one window.
#[derive(Clone, Debug)]
pub struct WindowTally {
    /// Operations whose intended start the pacer told.
    pub intended: u64,
    /// Operations begun.
    pub sent: u64,
    /// Of those, begun [`LATE_NS`] or more after their intended start.
    pub late: u64,
    /// Operations that ended well.
    pub ok: u64,
    /// Payload bytes of them.
    pub bytes: u64,
    /// Operations that failed.
    pub errors: BTreeMap<ErrorClass, u64>,
    /// From intended start to end.
    pub response: Histogram<u64>,
    /// From intended start to the pacer's telling.
    pub lag: Histogram<u64>,
}

impl Default for WindowTally {
    fn default() -> Self {
        Self { intended: 0, sent: 0, late: 0, ok: 0, bytes: 0, errors: BTreeMap::new(), response: time_histogram(), lag: time_histogram() }
    }
}

impl WindowTally {
    fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.sent += other.sent;
        self.late += other.late;
        self.ok += other.ok;
        self.bytes += other.bytes;
        add_counts(&mut self.errors, &other.errors);
        self.response.add(&other.response).expect("same bounds");
        self.lag.add(&other.lag).expect("same bounds");
    }

    fn open_record(&self, offered_rate_per_s: f64) -> OpenRecord {
        let p99 = |histogram: &Histogram<u64>| (!histogram.is_empty()).then(|| histogram.value_at_quantile(0.99));
        let (intended, sent, late) = (self.intended, self.sent, self.late);
        OpenRecord { offered_rate_per_s, intended, sent, late, lag_ns_p99: p99(&self.lag), lag_ns_max: self.lag.max() }
    }
}

/// The windows of one thread.
#[derive(Clone, Debug, Default)]
pub struct PacedTally {
    /// The measured one.
    pub measured: WindowTally,
    /// More is offered than the subject can do.
    pub overload: WindowTally,
    /// Less is offered again.
    pub recovery: WindowTally,
}

/// What the coordinator knows of the parts of an overload trial.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts {
    /// Rate offered in the measured window of an open loop.
    pub offered_rate_per_s: f64,
    /// Rate offered and length of the overload.
    pub overload: Option<(f64, u64)>,
    /// Rate offered and length of the recovery.
    pub recovery: Option<(f64, u64)>,
}

impl PacedTally {
    /// The counts of a window.
    pub fn window(&mut self, window: Window) -> &mut WindowTally {
        match window {
            Window::Measured(_) => &mut self.measured,
            Window::Overload => &mut self.overload,
            Window::Recovery => &mut self.recovery,
        }
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: &Self) {
        self.measured.add(&other.measured);
        self.overload.add(&other.overload);
        self.recovery.add(&other.recovery);
    }

    /// The measured window of an open loop; `None` where it was a closed one.
    pub fn open(&self, parts: &Parts) -> Option<OpenRecord> {
        (parts.offered_rate_per_s > 0.0).then(|| self.measured.open_record(parts.offered_rate_per_s))
    }

    /// The parts after full load; `None` where there were none.
    pub fn after_full_load(&self, parts: &Parts) -> Option<OverloadRecord> {
        let record = |tally: &WindowTally, (rate, elapsed_ns): (f64, u64)| WindowRecord {
            elapsed_ns,
            open: tally.open_record(rate),
            work: work(tally),
        };
        let (overload, recovery) = parts.overload.zip(parts.recovery)?;
        Some(OverloadRecord { overload: record(&self.overload, overload), recovery: record(&self.recovery, recovery) })
    }

    /// The distributions that hold anything.
    pub fn histograms(&self) -> Vec<HistogramPayload> {
        [
            ("response_time", &self.measured.response),
            ("schedule_lag", &self.measured.lag),
            ("overload_response_time", &self.overload.response),
            ("recovery_response_time", &self.recovery.response),
        ]
        .into_iter()
        .filter(|(_, histogram)| !histogram.is_empty())
        .map(|(id, histogram)| encode(id, histogram))
        .collect()
    }
}

fn work(tally: &WindowTally) -> Work {
    let errors: BTreeMap<String, u64> = tally.errors.iter().map(|(class, count)| (class.name().into(), *count)).collect();
    let attempted = tally.ok + errors.values().sum::<u64>();
    Work { attempted, ok: tally.ok, errors, bytes: tally.bytes, verified: tally.ok, in_flight_at_end: 0 }
}
