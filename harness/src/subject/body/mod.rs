//! What a trial does, once for all subjects: asynchronous bodies generic over the runtime, and the coordinator of every trial.
//!
//! ```text
//!  coordinate ── phases ──▶ users (exchange, stream, http, sleep) ── calls ──▶ Stack: the runtime's I/O, all that two subjects differ in
//!       └── drive, site: listeners, users, record                           └──▶ Fleet: the runtime's threads
//! ```

pub mod coordinate;
pub mod drive;
pub mod endpoint;
pub mod exchange;
pub mod http;
mod option;
pub mod site;
pub mod sleep;
pub mod stack;
pub mod stream;
pub mod users;
