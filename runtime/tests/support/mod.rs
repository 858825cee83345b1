//! What the tests of the runtime share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zokio::{Builder, Runtime};

/// A runtime with so many workers.
pub(crate) fn runtime(workers: usize) -> Runtime {
    Builder::new().worker_threads(workers).build().expect("a runtime")
}

/// Counts how many of it live.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    /// One more.
    pub(crate) fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(1, Ordering::SeqCst);
        Self(live.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
