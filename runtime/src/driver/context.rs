//! Which driver an operation started on this thread goes to.
//!
//! | thread | [`Current`] | an operation goes |
//! | --- | --- | --- |
//! | a worker | `Local` | straight into its own ring |
//! | in `block_on`, outside the workers | `Remote` | by mail to the worker named |
//! | any other | `None` | nowhere: its result is an error |
#![expect(unsafe_code, reason = "one thread-local pointer into the frame that set it")]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;

use super::Driver;
use super::local::LocalDriver;
use super::remote::Remote;
use crate::primitives::executor::thread_local;

/// The driver of the current thread.
#[derive(Debug)]
pub(crate) enum Current {
    /// The thread owns one.
    Local(LocalDriver),
    /// The thread borrows a worker's.
    Remote(Arc<Remote>),
    /// Outside any runtime.
    None,
}

thread_local! {
    /// Null, or into the innermost frame of [`enter`] on this thread.
    static CURRENT: Cell<*const Current> = const { Cell::new(ptr::null()) };
}

/// Runs `body` on the thread that made `driver`: its operations go there.
pub(crate) fn enter_local<R>(driver: &RefCell<Driver>, body: impl FnOnce() -> R) -> R {
    let local = driver.borrow().local();
    enter(&Current::Local(local), body)
}

/// Runs `body` on a thread without a driver: its operations go to `remote`'s owner.
pub(crate) fn enter_remote<R>(remote: &Arc<Remote>, body: impl FnOnce() -> R) -> R {
    enter(&Current::Remote(remote.clone()), body)
}

/// Makes `current` the driver of this thread while `body` runs; what was there before comes back afterwards.
pub(crate) fn enter<R>(current: &Current, body: impl FnOnce() -> R) -> R {
    /// Restores on the way out, also of a panic.
    struct Restore(*const Current);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.with(|current| current.set(self.0));
        }
    }
    let _restore = Restore(CURRENT.with(|slot| slot.replace(current)));
    body()
}

/// Looks at the driver of this thread.
#[inline]
pub(crate) fn with<R>(look: impl FnOnce(&Current) -> R) -> R {
    // SAFETY: null, or set by `enter`, whose borrow lasts until it takes the pointer back; it never leaves its thread, and the
    // reference cannot leave `look`.
    look(unsafe { CURRENT.with(Cell::get).as_ref() }.unwrap_or(&Current::None))
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    fn is_none() -> bool {
        with(|current| matches!(current, Current::None))
    }

    #[test]
    fn contexts_nest_and_end_with_a_panic() {
        let (_driver, remote) = Driver::new(&super::super::DriverConfig::default()).expect("a driver");
        assert!(is_none());
        enter_remote(&remote, || {
            assert!(!is_none());
            enter(&Current::None, || assert!(is_none()));
            let panicked = std::panic::catch_unwind(|| enter(&Current::None, || panic!("on purpose")));
            assert!(panicked.is_err() && !is_none());
        });
        assert!(is_none());
    }
}
