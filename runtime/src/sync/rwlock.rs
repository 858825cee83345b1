//! A value for many readers or one writer, on top of [`Semaphore`].
//!
//! A reader holds one permit, a writer all of them, and permits are granted first come first served, a writer's in parts: so a writer that
//! waits keeps new readers behind it, and gets what the old ones give back.
//!
//! Invariant
//!  W1. A guard holds the permits that its `Held` counts, and gives them back once; so beside a guard that counts all of them there is no other.
#![expect(unsafe_code, reason = "a value behind permits; invariant W1")]

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::give_way::give_way;
use super::mutex::TryLockError;
use super::park;
use super::semaphore::Semaphore;
use crate::primitives::{StdUnsafeCell, const_fn};

/// Readers at the same time, at most; a writer's share.
const ALL: usize = (u32::MAX >> 3) as usize;

/// A value for many readers, or one writer, at a time; the others wait in line, first come first served.
///
/// A writer that waits stops readers that come later, so it does not starve; a task that holds a read guard and asks for another one may
/// therefore wait for ever. Guards may be held across an `.await`. There is no poisoning: a panic releases the lock, and the value is as the
/// panic left it.
///
/// ```
/// use zokio::sync::{RwLock, RwLockWriteGuard};
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// let lock = RwLock::new(1);
/// runtime.block_on(async {
///     {
///         let (first, second) = (lock.read().await, lock.read().await);
///         assert_eq!(*first + *second, 2);
///         assert!(lock.try_write().is_err());
///     }
///     let mut writing = lock.write().await;
///     *writing += 1;
///     let reading = RwLockWriteGuard::downgrade(writing); // nobody writes in between
///     assert_eq!((*reading, *lock.read().await), (2, 2));
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Semaphore,
    value: StdUnsafeCell<T>,
}

// SAFETY: the value moves with the lock.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: readers on several threads share the value (`Sync`), a writer takes it as if it were sent to it (`Send`) (W1).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

/// Permits of a lock that is borrowed.
struct Held<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    permits: usize,
}

/// Permits of a lock that is owned.
struct OwnedHeld<T: ?Sized> {
    lock: Arc<RwLock<T>>,
    permits: usize,
}

impl<T: ?Sized> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.lock.permits.release(self.permits);
    }
}

impl<T: ?Sized> Drop for OwnedHeld<T> {
    fn drop(&mut self) {
        self.lock.permits.release(self.permits);
    }
}

/// A writer's permits but a reader's one; who waits to read goes on.
macro_rules! keep_one {
    ($held:expr) => {{
        let mut held = $held;
        held.permits = 1;
        held.lock.permits.release(ALL - 1);
        held
    }};
}

/// Shared access to the value of an [`RwLock`]; dropping it ends the reading.
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized>(Held<'a, T>);

/// Exclusive access to the value of an [`RwLock`]; dropping it ends the writing.
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized>(Held<'a, T>);

/// As [`RwLockReadGuard`], owning its [`RwLock`].
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockReadGuard<T: ?Sized>(OwnedHeld<T>);

/// As [`RwLockWriteGuard`], owning its [`RwLock`].
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockWriteGuard<T: ?Sized>(OwnedHeld<T>);

impl<T> RwLock<T> {
    const_fn! {
        /// A lock that is free.
        pub fn new(value: T) -> Self {
            Self { permits: Semaphore::with(ALL), value: StdUnsafeCell::new(value) }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until it may read. Dropping this future early loses its place in line, nothing else.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        self.take(1).await;
        RwLockReadGuard(Held { lock: self, permits: 1 })
    }

    /// Waits until it may write; readers that come later wait for it. Dropping this future early loses its place in line, nothing else.
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.take(ALL).await;
        RwLockWriteGuard(Held { lock: self, permits: ALL })
    }

    /// As [`Self::read`], with a guard that owns its lock.
    pub async fn read_owned(self: Arc<Self>) -> OwnedRwLockReadGuard<T> {
        self.take(1).await;
        OwnedRwLockReadGuard(OwnedHeld { lock: self, permits: 1 })
    }

    /// As [`Self::write`], with a guard that owns its lock.
    pub async fn write_owned(self: Arc<Self>) -> OwnedRwLockWriteGuard<T> {
        self.take(ALL).await;
        OwnedRwLockWriteGuard(OwnedHeld { lock: self, permits: ALL })
    }

    /// Reads, if nobody writes or waits.
    ///
    /// # Errors
    /// When somebody does.
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.try_take(1)?;
        Ok(RwLockReadGuard(Held { lock: self, permits: 1 }))
    }

    /// Writes, if nobody reads, writes or waits.
    ///
    /// # Errors
    /// When somebody does.
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.try_take(ALL)?;
        Ok(RwLockWriteGuard(Held { lock: self, permits: ALL }))
    }

    /// As [`Self::try_read`], with a guard that owns its lock.
    ///
    /// # Errors
    /// As [`Self::try_read`].
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.try_take(1)?;
        Ok(OwnedRwLockReadGuard(OwnedHeld { lock: self, permits: 1 }))
    }

    /// As [`Self::try_write`], with a guard that owns its lock.
    ///
    /// # Errors
    /// As [`Self::try_write`].
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.try_take(ALL)?;
        Ok(OwnedRwLockWriteGuard(OwnedHeld { lock: self, permits: ALL }))
    }

    /// As [`Self::read`], waiting on this thread, which must not be one that runs tasks.
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        park::block_on(self.read())
    }

    /// As [`Self::write`], waiting on this thread, which must not be one that runs tasks.
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        park::block_on(self.write())
    }

    /// The value, without locking: nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    async fn take(&self, permits: usize) {
        give_way().await;
        self.permits.take(permits).await.expect("these permits are never closed");
    }

    fn try_take(&self, permits: usize) -> Result<(), TryLockError> {
        self.permits.try_take(permits).map_err(|_| TryLockError(()))
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Goes on reading; readers that are next in line join, and nobody writes in between.
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard(keep_one!(self.0))
    }
}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// Goes on reading; readers that are next in line join, and nobody writes in between.
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard(keep_one!(self.0))
    }
}

macro_rules! guard_reads {
    ($($guard:ty),*) => {$(
        impl<T: ?Sized> Deref for $guard {
            type Target = T;

            fn deref(&self) -> &T {
                // SAFETY: the permits of this guard keep writers out while it is borrowed (W1).
                unsafe { &*self.0.lock.value.get() }
            }
        }

        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(formatter)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(formatter)
            }
        }
    )*};
}

macro_rules! guard_writes {
    ($($guard:ty),*) => {$(
        impl<T: ?Sized> DerefMut for $guard {
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: this guard has all permits, and is borrowed exclusively (W1).
                unsafe { &mut *self.0.lock.value.get() }
            }
        }
    )*};
}

guard_reads!(RwLockReadGuard<'_, T>, RwLockWriteGuard<'_, T>, OwnedRwLockReadGuard<T>, OwnedRwLockWriteGuard<T>);
guard_writes!(RwLockWriteGuard<'_, T>, OwnedRwLockWriteGuard<T>);

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shape = formatter.debug_struct("RwLock");
        match self.try_read() {
            Ok(value) => shape.field("value", &&*value).finish(),
            Err(_) => shape.field("value", &format_args!("<locked>")).finish(),
        }
    }
}
