//! A lock that is waited for without holding up the thread.

mod lock;
mod raw;

pub use lock::{Mutex, MutexGuard, OwnedMutexGuard, TryLockError};
