//! The driver for kernels without io_uring: tries each operation at once and waits for readiness only if it would block.
//!
//! - A socket is registered once, edge-triggered for both directions, when it first would block; after that waiting costs no system
//!   call. (Where edges are not offered, each wait re-arms.)
//! - Between an attempt that would block and the wait no edge can be lost: edges queue up in the selector until the owner asks.
//! - Each event retries the waiting operations of its direction, oldest first, until one would block again.

mod queue;
mod selector;
mod source;

pub(super) use selector::{KIND, Selector};
pub(super) use source::PollCore;
