//! Taking work from other workers: when it is worth it, and from whom.
//!
//! Moving a task costs the thief cold caches, and a sleeping thief a wake-up; a queue is taken from only when what waits in it costs more,
//! or when its owner is stuck in a long poll. `README.md` beside this file has the rule and its figures.

use super::context::is_worth_moving;
use super::worker::{BATCH_MAX, Worker};

/// In place of a number of polls: the queue was empty. Never equal to a real number, and an empty queue is not stolen from.
pub(super) const NOTHING_WAITED: u64 = u64::MAX;

impl Worker<'_> {
    pub(super) fn is_more_work(&self) -> bool {
        !self.shared().injector.is_empty() || (0..self.shared().workers.len()).any(|worker| self.is_worth_stealing_from(worker, false))
    }

    /// Whether the work that waits at `victim` costs more than moving it; `stuck` says that its owner made no progress since the last look.
    fn is_worth_stealing_from(&self, victim: usize, stuck: bool) -> bool {
        let peer = &self.shared().workers[victim];
        let waiting = peer.stealers.len() as u64;
        waiting > 0 && (stuck || is_worth_moving(waiting, peer.counters.poll_ns.get()))
    }

    /// Takes work from a peer whose queue is worth it; true when that made something ready.
    pub(super) fn steal(&mut self) -> bool {
        if !self.searching && !self.shared().idle.begin_search() {
            return false;
        }
        self.searching = true;
        self.take_injected() || self.steal_from_peers(false)
    }

    /// `by_sentinel`: queues behind a poll that has lasted since the last look are worth it, however short.
    pub(super) fn steal_from_peers(&mut self, by_sentinel: bool) -> bool {
        let count = self.shared().workers.len();
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let start = self.random as usize % count;
        let mut found = false;
        for victim in (start..count).chain(0..start).filter(|&victim| victim != self.cx.index) {
            let peer = &self.shared().workers[victim];
            // A look at an empty queue is no look: what waits now has only just come.
            let polls = if peer.stealers.is_empty() { NOTHING_WAITED } else { peer.counters.polls.get() };
            let stuck = by_sentinel && polls == self.seen_polls[victim];
            self.seen_polls[victim] = polls;
            found = found || (self.is_worth_stealing_from(victim, stuck) && self.steal_from(victim));
        }
        found
    }

    fn steal_from(&self, victim: usize) -> bool {
        let found = self.shared().workers[victim].stealers.steal_into(&self.cx.ready, BATCH_MAX);
        if found {
            self.shared().workers[self.cx.index].counters.stolen.add(self.cx.ready.stealable_len() as u64);
        }
        found
    }
}
