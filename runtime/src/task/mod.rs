//! Tasks: one cell each, one atomic word, a handle to wait for the output.
//!
//! `state` holds the protocol, `raw` all unsafe code of tasks, `join` the handle. A task's cell comes from the slab of the worker that
//! spawns it (`crate::mem::slab`); the future may be dropped on whichever thread runs or aborts it.

mod error;
mod join;
mod join_set;
#[cfg(all(test, zokio_loom))]
#[expect(unsafe_code, reason = "cells of loom are accessed through raw pointers")]
mod models;
mod panics;
pub(crate) mod raw;
pub(crate) mod state;
mod yield_now;

pub use error::JoinError;
pub use join::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use yield_now::{YieldNow, yield_now};
