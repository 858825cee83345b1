//! What a trial does, once for all subjects: asynchronous bodies generic over the runtime, and the coordinator of every trial.
//!
//! ```text
//!  coordinate ── phases ──▶ users (exchange, stream, http, sleep) ─ calls ──▶ Stack: the runtime's I/O, all that differs between two subjects
//!       │                         (scheduling, fan_in, mutex, skew, polling) ─ calls ──▶ Tasks: its spawn, join, yield, channels, mutex
//!       └── drive, site: listeners, users, record                   └──▶ Fleet: the runtime's threads
//!  pacer ── what is due ──▶ turns ── when a user begins its next operation ──▶ users
//! ```

pub mod atomics;
mod cancel;
pub mod cell;
pub mod coordinate;
pub mod drive;
pub mod endpoint;
pub mod exchange;
pub mod fan_in;
#[cfg(target_os = "linux")]
pub mod file;
pub mod http;
mod idle_tasks;
#[cfg(target_os = "linux")]
pub mod io;
pub mod latency;
pub mod lifecycle;
pub mod mutex;
mod option;
pub mod outside;
pub mod pacer;
mod ping_pong;
#[cfg(target_os = "linux")]
pub mod pipe;
pub mod polling;
pub mod rounds;
pub mod scheduling;
pub mod shares;
pub mod site;
pub mod skew;
pub mod sleep;
pub mod stack;
pub mod stream;
pub mod tasks;
mod timers;
pub mod turns;
pub mod users;
pub mod wakes_outside;

/// Why a runtime does not run `stealing` in the mode `queue`.
pub const NO_QUEUE: &str = "a queue is measured without a runtime: use the subject `crossbeam-deque`, or the mode `skew`";

/// Why no runtime reads files elsewhere than on Linux.
#[cfg(not(target_os = "linux"))]
pub const NO_FILES: &str = "whole files are measured on Linux: zokio's files are there alone";
