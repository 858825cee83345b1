//! Channels and locks between tasks, and between tasks and threads.
//!
//! Everything here works by wakers alone: inside this runtime, inside another one, and on a plain thread through the `blocking_` calls.
//! Dropping a future that waits gives its place up; what it was granted already goes to the next in line.
//!
//! | name | what it does | who waits, in which order |
//! |---|---|---|
//! | [`oneshot`] | one value from one task to another | the receiver; the sender for [`closed`](oneshot::Sender::closed) |
//! | [`mpsc`] | values from many senders to one receiver | the receiver; senders of a full channel, first come first served |
//! | [`Semaphore`] | a number of permits | first come first served, nobody overtakes |
//! | [`Mutex`] | a value for one task at a time | first come first served, nobody overtakes |

mod give_way;
pub mod mpsc;
mod mutex;
pub mod oneshot;
pub(crate) mod park;
mod semaphore;
pub(crate) mod waiters;

#[cfg(all(test, zokio_loom))]
mod models;

pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
pub use semaphore::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError};
