//! When a user begins its next operation, in every load model: at once in a closed loop, when one is due in an open one.
//!
//! ```text
//!  closed    next ── at once ──▶ operation ──▶ succeeded | failed ─▶ next …        the end of one is the start of the next
//!  open      next ── waits for the lane ──▶ operation (intended, begun) ──▶ …      the intended start comes from the schedule
//! ```
//! The state of the trial is looked at before each operation, so an overload turns a closed loop into an open one under way.

use std::sync::Arc;

use super::site::Broken;
use crate::measure::recorder::{self, ErrorClass};
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
    is_paced: bool,
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
        (!self.control.is_draining()).then_some(Turn { intended_ns: start_ns, start_ns, is_paced: false })
    }

    async fn arrival(&mut self) -> Option<Turn> {
        let Self { control, lane, seat, .. } = &*self;
        let intended_ns = std::future::poll_fn(|context| control.offer().lanes()[*lane].take(*seat, context)).await?;
        let start_ns = now_ns();
        let operations = u64::from(control.offer().weight());
        recorder::with(control, |recorder| recorder.sent(intended_ns, start_ns, operations));
        Some(Turn { intended_ns, start_ns, is_paced: true })
    }

    /// The operation ended well, now.
    #[inline]
    pub fn succeeded(&mut self, turn: Turn, bytes: u64) {
        let end = now_ns();
        recorder::with(&self.control, |recorder| match turn.is_paced {
            false => recorder.success(end - turn.start_ns, bytes),
            true => recorder.paced_success(end.saturating_sub(turn.intended_ns), end - turn.start_ns, 1, bytes),
        });
        self.ended(turn);
        self.free_since_ns = end;
    }

    /// A round of operations ended, and its check held or did not. In a closed loop nobody times it.
    #[inline]
    pub fn ended_round(&self, turn: Turn, is_right: bool, operations: u64) {
        recorder::with(&self.control, |recorder| match (is_right, turn.is_paced) {
            (false, _) => recorder.failure(ErrorClass::Mismatch, None),
            (true, false) => recorder.round(operations, 0),
            (true, true) => {
                let end = now_ns();
                recorder.paced_success(end.saturating_sub(turn.intended_ns), end - turn.start_ns, operations, 0);
            }
        });
        self.ended(turn);
    }

    /// The operation ended badly.
    #[cold]
    pub fn failed(&self, turn: Turn, broken: &Broken) {
        broken.record(&self.control);
        self.ended(turn);
    }

    /// The user is free from now on: what it did since its last operation belongs to none.
    pub fn restart(&mut self) {
        self.free_since_ns = now_ns();
    }

    #[inline]
    fn ended(&self, turn: Turn) {
        if turn.is_paced {
            self.control.offer().lanes()[self.lane].ended();
        }
    }
}
