//! [`Mutex`] and its guards: the value behind the protocol of [`raw`](super::raw).
//!
//! Invariant
//!  G1. A guard is made after the lock was taken, and gives it away once, when it is dropped; while it lives, its holder alone reaches the value.
#![expect(unsafe_code, reason = "a value behind a lock; invariant G1")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::raw::RawMutex;
use crate::primitives::{StdUnsafeCell, const_fn};
use crate::sync::park;

/// A value for one task at a time; the others wait in line, first come first served.
///
/// The guard may be held across an `.await`. Where it never is, [`std::sync::Mutex`] does with less, as long as few threads want it at once.
///
/// - A free lock is taken, and given back, by one atomic exchange. The line is a ring that grows to the most who ever waited, so waiting
///   allocates nothing then.
/// - A lock that is released while others wait belongs to the first of them at once: nobody overtakes, nobody starves.
/// - A task that finds its locks free again and again gives way to other tasks after 128 of them.
/// - There is no poisoning: a panic releases the lock, and the next holder finds the value as the panic left it.
///
/// ```
/// use std::sync::Arc;
/// use zokio::sync::Mutex;
///
/// static VISITS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// runtime.block_on(async {
///     let count = Arc::new(Mutex::new(0));
///     let tasks = zokio::spawn_batch((0..10).map(|_| {
///         let count = count.clone();
///         async move { *count.lock().await += 1 }
///     }));
///     for task in tasks {
///         task.await.unwrap();
///     }
///     assert_eq!(*count.lock().await, 10);
///     VISITS.lock().await.push("here");
/// });
/// assert_eq!(*VISITS.blocking_lock(), ["here"]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: StdUnsafeCell<T>,
}

// SAFETY: the value moves with the lock.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: one holder at a time reaches the value (G1), from any thread: as if it were sent to it.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

/// Access to the value of a [`Mutex`]; dropping it releases the lock.
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    /// Shared and sent as the reference that it stands for.
    value: PhantomData<&'a mut T>,
}

/// As [`MutexGuard`], owning its [`Mutex`].
#[must_use = "a lock that is released at once protects nothing"]
#[clippy::has_significant_drop]
pub struct OwnedMutexGuard<T: ?Sized> {
    mutex: Arc<Mutex<T>>,
    /// Shared and sent as the value that it gives access to.
    value: PhantomData<T>,
}

/// The lock is held by somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryLockError(pub(in crate::sync) ());

impl fmt::Display for TryLockError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("lock held by another")
    }
}

impl std::error::Error for TryLockError {}

impl<T> Mutex<T> {
    const_fn! {
        /// A lock that is free.
        pub fn new(value: T) -> Self {
            Self { raw: RawMutex::new(), value: StdUnsafeCell::new(value) }
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock. Dropping this future early loses its place in line, nothing else.
    #[inline]
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        self.raw.acquire().await;
        MutexGuard { mutex: self, value: PhantomData }
    }

    /// As [`Self::lock`], with a guard that owns its lock.
    #[inline]
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        self.raw.acquire().await;
        OwnedMutexGuard { mutex: self, value: PhantomData }
    }

    /// The lock, if it is free.
    ///
    /// # Errors
    /// When it is held.
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        if self.raw.try_acquire() { Ok(MutexGuard { mutex: self, value: PhantomData }) } else { Err(TryLockError(())) }
    }

    /// As [`Self::try_lock`], with a guard that owns its lock.
    ///
    /// # Errors
    /// As [`Self::try_lock`].
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        if self.raw.try_acquire() { Ok(OwnedMutexGuard { mutex: self, value: PhantomData }) } else { Err(TryLockError(())) }
    }

    /// As [`Self::lock`], waiting on this thread, which must not be one that runs tasks.
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        park::block_on(self.lock())
    }

    /// As [`Self::blocking_lock`], with a guard that owns its lock.
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        park::block_on(self.lock_owned())
    }

    /// The value, without locking: nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The lock that this guard holds.
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The lock that this guard holds.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock, and lends the value for as long as it is borrowed itself (G1).
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, borrowed exclusively (G1).
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.release();
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: as for `MutexGuard` (G1).
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as for `MutexGuard` (G1).
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for OwnedMutexGuard<T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.raw.release();
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shape = formatter.debug_struct("Mutex");
        match self.try_lock() {
            Ok(value) => shape.field("value", &&*value).finish(),
            Err(_) => shape.field("value", &format_args!("<locked>")).finish(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for OwnedMutexGuard<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for OwnedMutexGuard<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}
