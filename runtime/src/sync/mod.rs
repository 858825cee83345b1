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
//! | [`RwLock`] | a value for many readers, or one writer | first come first served; a writer that waits stops new readers |
//! | [`Notify`] | that something happened, without a value | first come first served, or all at once |
//! | [`Barrier`] | a meeting point of a number of tasks | all until the last one comes |
//! | [`watch`] | the latest value, from senders to many receivers | receivers for a newer one; a sender for [`closed`](watch::Sender::closed) |

mod barrier;
mod give_way;
pub mod mpsc;
mod mutex;
mod notify;
pub mod oneshot;
pub(crate) mod park;
mod rwlock;
mod semaphore;
pub(crate) mod waiters;
pub mod watch;

#[cfg(all(test, zokio_loom))]
mod models;

pub use barrier::{Barrier, BarrierWaitResult};
pub use mutex::{Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
pub use notify::{Notified, Notify};
pub use rwlock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError};
