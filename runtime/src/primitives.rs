//! The only place that names std, loom or shuttle atomics, cells, locks and threads.
//!
//! Built with `--cfg zokio_loom`, the protocols of this crate run inside loom's model checker; with `--cfg zokio_shuttle` the whole executor
//! runs inside shuttle's; in every other build these names are std's. The [`UnsafeCell`] has loom's closure interface, so that an access
//! under loom is checked for exclusiveness. What only shuttle looks at is in [`executor`].

#![expect(unsafe_code, reason = "the scoped thread-local pointer")]

use std::cell::Cell;

pub(crate) mod executor;
#[cfg(zokio_shuttle)]
mod stepped;

#[cfg(zokio_loom)]
pub(crate) use self::modelled::*;
#[cfg(not(zokio_loom))]
pub(crate) use self::plain::*;

#[cfg(not(zokio_loom))]
mod plain {
    pub(crate) use std::sync::atomic::{Ordering, fence};
    pub(crate) use std::sync::{Arc, RwLock, RwLockReadGuard};

    pub(crate) use super::executor::{AtomicPtr, AtomicU32, AtomicUsize, Mutex};

    /// std's cell with loom's interface.
    #[derive(Debug, Default)]
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        /// Exclusive access; the caller upholds the aliasing rules.
        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }

    /// How often a wait for another thread's next few instructions has looked.
    #[derive(Debug, Default)]
    pub(crate) struct Pause(crossbeam_utils::Backoff);

    impl Pause {
        /// Lets the other thread go on: spins for a moment at first, gives the processor away later.
        pub(crate) fn wait(&self) {
            #[cfg(not(zokio_shuttle))]
            self.0.snooze();
            #[cfg(zokio_shuttle)]
            super::executor::thread::yield_now();
        }
    }
}

#[cfg(zokio_loom)]
mod modelled {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Mutex, RwLock, RwLockReadGuard};

    /// As in plain builds; the model runs the other threads.
    #[derive(Debug, Default)]
    pub(crate) struct Pause;

    impl Pause {
        pub(crate) fn wait(&self) {
            loom::thread::yield_now();
        }
    }
}

/// A function that is `const` in plain builds; loom makes its atomics at run time.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arguments:tt)*) -> $output:ty $body:block) => {
        #[cfg(not(zokio_loom))]
        $(#[$meta])*
        $vis const fn $name($($arguments)*) -> $output $body

        #[cfg(zokio_loom)]
        $(#[$meta])*
        $vis fn $name($($arguments)*) -> $output $body
    };
}
pub(crate) use const_fn;

/// A cell whose value is handed out by reference, so it is std's in every build; models put a cell of loom's inside.
pub(crate) use std::cell::UnsafeCell as StdUnsafeCell;

/// Locks, whatever a panicking holder left behind: every critical section of this crate leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    match mutex.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// Locks for reading, as [`lock`].
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Locks for writing, as [`lock`].
pub(crate) fn write<T>(lock: &RwLock<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    match lock.write() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// As [`lock`], for a lock that no model looks at.
pub(crate) fn lock_std<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A pointer to a value that lives on this thread's stack, for a thread-local that must cost one load.
///
/// The value is set for the length of one call and taken back when it ends, also by a panic; it can only be borrowed inside a closure.
#[derive(Debug)]
pub(crate) struct Scoped<T>(Cell<*const T>);

impl<T> Scoped<T> {
    /// No value.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(std::ptr::null()))
    }

    /// Runs `body` with `value` in place; what was there before comes back afterwards.
    pub(crate) fn set<R>(&self, value: &T, body: impl FnOnce() -> R) -> R {
        struct Restore<'a, T>(&'a Scoped<T>, *const T);
        impl<T> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.0.0.set(self.1);
            }
        }
        let _restore = Restore(self, self.0.replace(value));
        body()
    }

    /// Runs `body` with the value, or with `None` outside of every [`Self::set`].
    #[inline]
    pub(crate) fn with<R>(&self, body: impl FnOnce(Option<&T>) -> R) -> R {
        // SAFETY: the pointer is null or was set by `set`, whose borrow of the value lasts until the pointer is taken back; the borrow
        // given to `body` cannot leave it, and this cell never leaves its thread.
        body(unsafe { self.0.get().as_ref() })
    }
}

/// The kernel's id of this thread; 0 where the platform tells none.
pub(crate) fn thread_id() -> u64 {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: takes nothing, cannot fail.
        u64::try_from(unsafe { libc::gettid() }).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        0
    }
}
