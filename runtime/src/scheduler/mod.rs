//! The scheduler: queues, workers, and who is woken for what.
//!
//! ```text
//!                    spawn/wake from outside                    pinned to worker 1
//!                              ▼                                        ▼
//!                      ┌── injector ──┐                            inbox of 1
//!                      ▼              ▼                                 ▼
//!   worker 0: LIFO slot · warm lane · queue · timers · driver     worker 1: …
//!                            └────────── steal ──────────────▶
//! ```
//!
//! A task that waits for I/O is woken on the worker whose driver did the operation, so it stays with its connection; it moves only when
//! another worker is idle and the work that waits costs more than the move. `README.md` beside this file has the protocol.

mod alarm;
pub(crate) mod context;
mod idle;
#[cfg(all(test, zokio_shuttle))]
mod models;
mod ready;
#[cfg(all(test, not(zokio_loom)))]
mod ready_tests;
mod rendezvous;
mod shared;
mod steal;
pub(crate) mod worker;

pub(crate) use ready::Ready;
#[cfg(feature = "internals")]
pub(crate) use ready::Stealers;
pub(crate) use rendezvous::Rendezvous;
pub(crate) use shared::{Shared, SlabOwner, WorkerShared};

/// Why a task is woken; decides which place in the queue it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WakeReason {
    /// By another task, with a message: it runs next, as its data is warm.
    Message,
    /// A task it joins has completed: to the tail, so that a loop over handles is woken once and not for each.
    Join,
    /// By the driver or a timer: in the order of completion, before the queue while there is credit ([`ready`]).
    Event,
}
