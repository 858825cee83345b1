//! A pair of fences of which one costs next to nothing.
//!
//! Of a store before `light` and a store before `heavy`, at least one is seen by the load that follows the other's fence.
#![cfg_attr(all(target_os = "linux", not(zokio_loom)), expect(unsafe_code, reason = "membarrier has no wrapper"))]

pub(super) use imp::{heavy, light, prepare};

#[cfg(all(target_os = "linux", not(zokio_loom)))]
mod imp {
    use std::sync::Once;
    use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

    // linux/membarrier.h
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    /// The kernel makes all threads pass a barrier on demand. Set before the first pair is used; who still reads `false` fences, which is safe.
    static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Before the first use.
    pub(in crate::pool) fn prepare() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| ASYMMETRIC.store(membarrier(REGISTER_PRIVATE_EXPEDITED), Ordering::Relaxed));
    }

    #[inline(always)]
    pub(in crate::pool) fn light() {
        if ASYMMETRIC.load(Ordering::Relaxed) {
            compiler_fence(Ordering::SeqCst);
        } else {
            fence(Ordering::SeqCst);
        }
    }

    pub(in crate::pool) fn heavy() {
        fence(Ordering::SeqCst);
        if !ASYMMETRIC.load(Ordering::Relaxed) || membarrier(PRIVATE_EXPEDITED) {
            return;
        }
        // The child of a fork has to register anew.
        assert!(membarrier(REGISTER_PRIVATE_EXPEDITED) && membarrier(PRIVATE_EXPEDITED), "the kernel took membarrier back");
    }
}

#[cfg(not(all(target_os = "linux", not(zokio_loom))))]
mod imp {
    use crate::primitives::{Ordering, fence};

    pub(in crate::pool) fn prepare() {}

    #[inline(always)]
    pub(in crate::pool) fn light() {
        fence(Ordering::SeqCst);
    }

    pub(in crate::pool) fn heavy() {
        fence(Ordering::SeqCst);
    }
}
