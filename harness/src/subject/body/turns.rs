//! When a user begins its next operation, in every load model: at once in a closed loop, when one is due in an open one.
//!
//! ```text
//!  closed    next ── at once ──▶ operation ──▶ succeeded | failed ─▶ next …        the end of one is the start of the next
//!  open      next ── waits for the lane ──▶ operation (intended, begun) ──▶ …      the intended start comes from the schedule
//! ```
//! The state of the trial is looked at before each operation, so an overload turns a closed loop into an open one under way.

use std::sync::Arc;

use super::site::Broken;
use crate::measure::recorder;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;

/// The turns of one user.
#[derive(Debug)]
pub struct Turns {
    control: Arc<Ledger>,
    /// The user's lane and its seat there.
    lane: usize,
    seat: usize,
    /// When the last operation ended.
    free_since_ns: u64,
}

/// One operation that may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When it was meant to start; in a closed loop, when it started.
    pub intended_ns: u64,
    /// When it started.
    pub start_ns: u64,
    lane: Option<usize>,
}

impl Turns {
    /// The turns of the user with this number, from now on.
    pub fn new(control: &Arc<Ledger>, number: u32) -> Self {
        let lanes = control.offer().lanes().len().max(1);
        let number = number as usize;
        Self { control: Arc::clone(control), lane: number % lanes, seat: number / lanes, free_since_ns: now_ns() }
    }

    /// The next operation; `None` when the trial drains.
    #[inline]
    pub async fn next(&mut self) -> Option<Turn> {
        if self.control.is_paced() {
            return self.arrival().await;
        }
        let start_ns = self.free_since_ns;
        (!self.control.is_draining()).then_some(Turn { intended_ns: start_ns, start_ns, lane: None })
    }

    async fn arrival(&mut self) -> Option<Turn> {
        let Self { control, lane, seat, .. } = &*self;
        let intended_ns = std::future::poll_fn(|context| control.offer().lanes()[*lane].take(*seat, context)).await?;
        let start_ns = now_ns();
        recorder::with(control, |recorder| recorder.sent(intended_ns, start_ns));
        Some(Turn { intended_ns, start_ns, lane: Some(*lane) })
    }

    /// The operation ended well, now.
    #[inline]
    pub fn succeeded(&mut self, turn: Turn, bytes: u64) {
        self.free_since_ns = turn.succeeded(&self.control, bytes);
    }

    /// The operation ended badly.
    #[cold]
    pub fn failed(&self, turn: Turn, broken: &Broken) {
        broken.record(&self.control);
        turn.ended(&self.control);
    }

    /// The user is free from now on: what it did since its last operation belongs to none.
    pub fn restart(&mut self) {
        self.free_since_ns = now_ns();
    }
}

impl Turn {
    /// The operation ended well, now; when that is.
    #[inline]
    pub fn succeeded(self, control: &Arc<Ledger>, bytes: u64) -> u64 {
        let end = now_ns();
        recorder::with(control, |recorder| match self.lane {
            None => recorder.success(end - self.start_ns, bytes),
            Some(_) => recorder.paced_success(end.saturating_sub(self.intended_ns), end - self.start_ns, bytes),
        });
        self.ended(control);
        end
    }

    /// The operation is no longer under way.
    #[inline]
    pub fn ended(self, control: &Ledger) {
        if let Some(lane) = self.lane {
            control.offer().lanes()[lane].ended();
        }
    }
}
