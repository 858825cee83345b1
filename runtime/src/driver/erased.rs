//! Operations without their type: what a cell holds, and the table by which the driver works on it.
//!
//! Invariant C2 of [`cell`](super::cell): a payload holds an operation of the type whose table stands beside it.
#![expect(unsafe_code, reason = "type-erased operations; invariant C2")]

use std::marker::PhantomData;
use std::ptr::NonNull;

use crate::op::{self, Interest, Operation, SharedSocket};

/// Room for an operation inside the cell; larger ones are boxed. Two slices of a `Vec` fit, with what else a send and a receive are made
/// of. A cell is three cache lines by that, of which an operation with one buffer touches two, as before.
pub(super) const PAYLOAD_BYTES: usize = 136;

/// What the driver can do with an operation without knowing its type. Every function takes the payload's address.
pub(super) struct VTable {
    pub(super) interest: Interest,
    /// Of an operation in steps.
    pub(super) steps: Option<Steps>,
    #[cfg(target_os = "linux")]
    pub(super) prepare: unsafe fn(*mut u8) -> std::io::Result<io_uring::squeue::Entry>,
    pub(super) attempt: unsafe fn(*mut u8) -> Option<i32>,
    pub(super) socket: unsafe fn(*mut u8) -> Option<NonNull<SharedSocket>>,
    pub(super) discard: unsafe fn(*mut u8, i32),
}

/// What differs from step to step.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub(super) interest: unsafe fn(*mut u8) -> Interest,
    #[cfg(target_os = "linux")]
    pub(super) advance: unsafe fn(*mut u8, i32) -> Option<io_uring::squeue::Entry>,
}

/// Fills in the table for one type of operation.
pub(super) struct Erased<O>(PhantomData<O>);

impl<O: Operation> Erased<O> {
    pub(super) const INLINE: bool = size_of::<O>() <= PAYLOAD_BYTES && align_of::<O>() <= 8;

    const STEPS: Steps = Steps {
        interest: Self::interest,
        #[cfg(target_os = "linux")]
        advance: Self::advance,
    };

    pub(super) const VTABLE: VTable = VTable {
        interest: O::INTEREST,
        steps: if O::IN_STEPS { Some(Self::STEPS) } else { None },
        #[cfg(target_os = "linux")]
        prepare: Self::prepare,
        attempt: Self::attempt,
        socket: Self::socket,
        discard: Self::discard,
    };

    /// # Safety
    /// `payload` holds an `O` (C2).
    unsafe fn locate(payload: *mut u8) -> *mut O {
        if Self::INLINE {
            payload.cast()
        } else {
            // SAFETY: `write` left a pointer here.
            unsafe { *payload.cast::<*mut O>() }
        }
    }

    /// # Safety
    /// `payload` is a cell's, and vacant.
    pub(super) unsafe fn write(payload: *mut u8, operation: O) {
        if Self::INLINE {
            // SAFETY: it fits, by size and alignment.
            unsafe { payload.cast::<O>().write(operation) };
        } else {
            // SAFETY: a pointer fits.
            unsafe { payload.cast::<*mut O>().write(Box::into_raw(Box::new(operation))) };
        }
    }

    /// # Safety
    /// `payload` holds an `O` (C2), and is vacant afterwards.
    pub(super) unsafe fn take(payload: *mut u8) -> O {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        if Self::INLINE {
            // SAFETY: read once, by the caller's promise.
            unsafe { operation.read() }
        } else {
            // SAFETY: `write` made it from a box; unboxed once.
            *unsafe { Box::from_raw(operation) }
        }
    }

    /// # Safety
    /// `payload` holds an `O` (C2) and nobody else uses it.
    #[cfg(target_os = "linux")]
    unsafe fn prepare(payload: *mut u8) -> std::io::Result<io_uring::squeue::Entry> {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        // SAFETY: as above.
        let operation = unsafe { &mut *operation };
        if let Some(socket) = operation.socket() {
            socket.ensure_mode(O::RING_MODE)?;
        }
        operation.on_ring();
        Ok(operation.entry())
    }

    /// # Safety
    /// `payload` holds an `O` (C2) and nobody else uses it.
    unsafe fn interest(payload: *mut u8) -> Interest {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        // SAFETY: as above.
        unsafe { &*operation }.interest()
    }

    /// # Safety
    /// `payload` holds an `O` (C2) and nobody else uses it; the kernel has no entry of it.
    #[cfg(target_os = "linux")]
    unsafe fn advance(payload: *mut u8, result: i32) -> Option<io_uring::squeue::Entry> {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        // SAFETY: as above.
        let operation = unsafe { &mut *operation };
        operation.advance(result).then(|| operation.entry())
    }

    /// # Safety
    /// `payload` holds an `O` (C2) and nobody else uses it.
    unsafe fn attempt(payload: *mut u8) -> Option<i32> {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        // SAFETY: as above.
        attempt(unsafe { &mut *operation })
    }

    /// # Safety
    /// `payload` holds an `O` (C2). The pointer is good as long as that stays.
    unsafe fn socket(payload: *mut u8) -> Option<NonNull<SharedSocket>> {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::locate(payload) };
        // SAFETY: as above.
        let operation = unsafe { &*operation };
        operation.socket().map(NonNull::from)
    }

    /// # Safety
    /// As [`take`](Self::take).
    unsafe fn discard(payload: *mut u8, result: i32) {
        // SAFETY: the caller's promise.
        let operation = unsafe { Self::take(payload) };
        drop(operation.complete(op::from_raw(result)));
    }
}

/// One attempt on a non-blocking socket: its raw result, or `None` if it would block.
pub(super) fn attempt<O: Operation>(operation: &mut O) -> Option<i32> {
    let mode = match (operation.socket(), O::ATTEMPT_MODE) {
        (Some(socket), Some(mode)) => socket.ensure_mode(mode),
        _ => Ok(()),
    };
    match mode.and_then(|()| operation.attempt()) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
        result => Some(op::to_raw(result)),
    }
}
