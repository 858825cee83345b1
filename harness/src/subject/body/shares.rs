//! Whether everybody who shares a channel or a mutex got a share of the measured window: a rate that leaves one out is not the same work.
//!
//! ```text
//!  count ──────●───────────────────────────●──────▶      operations of one task, over the whole trial
//!            begins                       ends           first look in the window, first look after it: what lies between is its share
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::load::closed::Control;

/// Counters of a record: how many share, their operations in the window, and those of the slowest of them. Of the group with the least
/// share, where there are several.
const SHARERS: &str = "sharers";
const ALL: &str = "sharers_operations";
const SLOWEST: &str = "slowest_sharer_operations";

/// How far somebody, or each of many, was when the measured window began and when it ended.
#[derive(Clone, Debug)]
pub struct WindowEdges<C> {
    begin: Option<C>,
    end: Option<C>,
}

impl<C> Default for WindowEdges<C> {
    fn default() -> Self {
        Self { begin: None, end: None }
    }
}

impl<C> WindowEdges<C> {
    /// Looks at the state of the trial, at the end of a round; `so_far` is read at the edges alone.
    #[inline]
    pub fn look(&mut self, control: &Control, so_far: impl FnOnce() -> C) {
        match (control.slice().is_some(), &self.begin, &self.end) {
            (true, None, _) => self.begin = Some(so_far()),
            (false, Some(_), None) => self.end = Some(so_far()),
            _ => {}
        }
    }

    /// Both edges, after a last look; `None`: no round ended in the window.
    pub fn edges(self) -> Option<(C, C)> {
        self.begin.zip(self.end)
    }
}

/// The least share that a trial has seen.
#[derive(Debug, Default)]
pub struct Shares(Mutex<Option<Shared>>);

#[derive(Clone, Copy, Debug)]
struct Shared {
    sharers: u64,
    all: u64,
    slowest: u64,
}

impl Shared {
    fn of_mean(self) -> f64 {
        self.slowest as f64 * self.sharers as f64 / self.all as f64
    }
}

impl Shares {
    /// Takes the operations of each of a group in the window. A group that did nothing at all has no shares; its rate tells.
    pub fn add(&self, of_each: &[u64]) {
        let Some(&slowest) = of_each.iter().min() else { return };
        let new = Shared { sharers: of_each.len() as u64, all: of_each.iter().sum(), slowest };
        let mut least = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if new.all > 0 && least.is_none_or(|least| new.of_mean() < least.of_mean()) {
            *least = Some(new);
        }
    }

    /// Adds the counters to those of a record.
    pub fn write(&self, counters: &mut BTreeMap<String, u64>) {
        if let Some(Shared { sharers, all, slowest }) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            counters.extend([(SHARERS.into(), sharers), (ALL.into(), all), (SLOWEST.into(), slowest)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_beside_the_window_is_no_share() {
        let control = Control::default();
        let mut edges = WindowEdges::default();
        control.warm_up();
        edges.look(&control, || 10);
        control.measure(0);
        edges.look(&control, || 20);
        control.measure(1);
        edges.look(&control, || 500);
        control.stop();
        edges.look(&control, || 510);
        edges.look(&control, || 900);
        assert_eq!(edges.edges(), Some((20, 510)));
    }

    #[test]
    fn the_group_with_the_least_share_is_told() {
        let shares = Shares::default();
        shares.add(&[]);
        shares.add(&[0, 0]);
        let mut counters = BTreeMap::new();
        shares.write(&mut counters);
        assert!(counters.is_empty());
        for group in [[90, 110], [10, 190], [100, 100]] {
            shares.add(&group);
        }
        shares.write(&mut counters);
        assert_eq!(counters, [(SHARERS.into(), 2), (ALL.into(), 200), (SLOWEST.into(), 10)].into());
    }
}
