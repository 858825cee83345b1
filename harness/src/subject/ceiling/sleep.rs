//! The control `sleep-floor` with the system's own sleep: a heap of deadlines per thread.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use crate::measure::recorder::Recorder;
use crate::measure::stamp::now_ns;
use crate::measure::tally::Ledger;
use crate::subject::body::sleep::record;

/// One thread: sleeps to the earliest deadline of its users, again and again until the drain.
pub fn run(control: &Arc<Ledger>, users: u32, duration_ns: u64) {
    let mut recorder = Recorder::new(control);
    (0..users).for_each(|_| control.user_ready());
    control.gate().wait_thread();
    let now = now_ns();
    // (deadline, start)
    let mut sleepers: BinaryHeap<_> = (0..users).map(|_| Reverse((now + duration_ns, now))).collect();
    while !control.is_draining() {
        let Some(Reverse((deadline, start))) = sleepers.pop() else { break };
        if let Some(left) = deadline.checked_sub(now_ns()) {
            std::thread::sleep(Duration::from_nanos(left));
        }
        let end = now_ns();
        record(&mut recorder, duration_ns, end - start);
        sleepers.push(Reverse((end + duration_ns, end)));
    }
    (0..users).for_each(|_| control.user_done());
    recorder.finish();
}
