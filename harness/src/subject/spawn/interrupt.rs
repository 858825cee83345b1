//! One flag that stops a run from anywhere: set by Ctrl-C, seen at once by whoever waits for a subject.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use super::events::Event;
use super::process::kill_group;

/// Shared by the signal handler's thread and the orchestrator.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    raised: AtomicBool,
    waker: Mutex<Option<SyncSender<Event>>>,
    groups: Mutex<Vec<u32>>,
}

impl Interrupt {
    /// Asks the run to stop; wakes the orchestrator.
    pub fn raise(&self) {
        // SeqCst on both sides: whoever registers a waker after this store sees the flag before it waits.
        self.shared.raised.store(true, Ordering::SeqCst);
        if let Some(waker) = self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A full channel wakes its reader as well.
            let _ = waker.try_send(Event::Interrupted);
        }
    }

    /// Whether the run shall stop.
    pub fn is_raised(&self) -> bool {
        self.shared.raised.load(Ordering::SeqCst)
    }

    /// Kills every process group that runs now; for a second Ctrl-C, before the process exits.
    pub fn kill_running(&self) {
        for &group in self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            kill_group(group);
        }
    }

    pub(super) fn wake_through(&self, waker: Option<SyncSender<Event>>) {
        *self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }

    /// A process group runs: a second Ctrl-C kills it.
    pub(crate) fn group_started(&self, group: u32) {
        self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).push(group);
    }

    /// It ended.
    pub(crate) fn group_ended(&self, group: u32) {
        self.shared.groups.lock().unwrap_or_else(PoisonError::into_inner).retain(|&known| known != group);
    }
}
