//! Sleeping until the next deadline, and being up in time.
//!
//! A wait that the kernel's timer ends comes back late: by 25 to 35 µs on the virtual machines measured. So it is armed for earlier than the
//! deadline, by what such waits have lately been late at least, and what is then left of it is spun away.

use std::time::{Duration, Instant};

use super::worker::{SENTINEL_FIRST, SENTINEL_LONGEST, Worker};
use crate::driver::Wait;
use crate::primitives::executor;

/// At most so long is spun before a deadline.
const EARLY_MAX: Duration = Duration::from_micros(40);

impl Worker<'_> {
    /// Sleeps in the driver until a completion, a wake-up, a deadline, or the sentinel's next look.
    pub(super) fn block(&mut self) {
        let own = &self.shared().workers[self.cx.index];
        own.counters.parks.add(1);
        let is_sentinel = self.shared().idle.become_sentinel();
        let deadline = own.timers.before_sleep();
        let pause = is_sentinel.then_some(self.sentinel_pause);
        let timer = deadline.map(|deadline| deadline.saturating_duration_since(executor::now()).saturating_sub(self.early));
        let wait = match (timer, pause) {
            (Some(timer), Some(pause)) => Wait::For(timer.min(pause)),
            (Some(only), None) | (None, Some(only)) => Wait::For(only),
            (None, None) => Wait::Forever,
        };
        self.turn_driver(wait);
        if let Some(deadline) = deadline {
            let is_timed = timer.is_some_and(|timer| !timer.is_zero() && pause.is_none_or(|pause| timer < pause));
            self.rise(deadline, is_timed);
        }
        self.shared().workers[self.cx.index].timers.after_sleep();
        if is_sentinel {
            self.shared().idle.retire_sentinel();
            let found = self.wakers.is_empty() && self.steal_from_peers(true);
            self.sentinel_pause = if found { SENTINEL_FIRST } else { (2 * self.sentinel_pause).min(SENTINEL_LONGEST) };
        } else {
            self.sentinel_pause = SENTINEL_FIRST;
        }
    }

    /// Awake: learns from a wait that was to be ended by its time, and spins away what is left of it while there is nothing else to do.
    fn rise(&mut self, deadline: Instant, is_timed: bool) {
        let mut now = executor::now();
        // Nothing is learned from a wait that something else ended before its time.
        if is_timed && let Some(late) = (now + self.early).checked_duration_since(deadline) {
            // Follows the least at once and the rest slowly: to be up too early costs CPU time.
            self.early = late.min(self.early + late.saturating_sub(self.early) / 16).min(EARLY_MAX);
        }
        let shared = &self.cx.shared;
        let inbox = &shared.workers[self.cx.index].inbox;
        while now < deadline
            && deadline - now <= EARLY_MAX
            && self.wakers.is_empty()
            && inbox.is_empty()
            && shared.injector.is_empty()
            && !shared.is_closing()
        {
            executor::spin_loop();
            now = executor::now();
        }
    }
}
