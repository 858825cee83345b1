//! The cell of one operation: owns whatever the kernel borrows until the last completion.
//!
//! ```text
//!  0        4        8           24       32      40      48          56                    192
//!  ├ state ─┼ result ┼ waker ────┼ vtable ┼ next ─┼ home ─┼ flags ────┼ payload: the operation ┤
//! ```
//!
//! Invariants (numbers of the runtime's list)
//!  I6. A cell lives, at one address, until its final completion was reaped, and no submission entry names a freed cell.
//!  I8. The descriptor outlives its operations: the payload holds a share of the socket.
//!  C1. Who may touch which field follows from [`OpState`]; `next`, `flags` and `vtable` belong to the owner's thread while in flight.
//!  C2. `payload` holds an operation of the type whose `vtable` stands beside it, from allocation until it is taken or discarded.
#![expect(unsafe_code, reason = "type-erased operations at a stable address; invariants I6, I8, C1, C2")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::Waker;

use super::erased::{Erased, PAYLOAD_BYTES, VTable};
use super::remote::Remote;
use super::state::OpState;
use crate::op::{self, Interest, Operation, SharedSocket};

/// See the module page. Aligned to a cache line, and to leave the low bits of its address for tags.
#[repr(C, align(64))]
pub(crate) struct OpCell {
    pub(super) state: OpState,
    result: UnsafeCell<i32>,
    waker: UnsafeCell<Option<Waker>>,
    vtable: UnsafeCell<&'static VTable>,
    /// Link of whichever list the cell is in: vacant, freed elsewhere, or waiting for readiness.
    next: UnsafeCell<Option<CellRef>>,
    /// The driver whose slab or mailbox the cell belongs to; valid as long as the cell is not vacant.
    home: *const Remote,
    /// Allocated by a thread without a driver: a box of its own, holding a share of `home`.
    foreign: bool,
    /// In the kernel or in a wait list.
    in_flight: UnsafeCell<bool>,
    payload: UnsafeCell<MaybeUninit<[u64; PAYLOAD_BYTES / 8]>>,
}

/// Names a cell. Copies of it are like copies of an address: [`OpState`] says which of them may still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellRef(NonNull<OpCell>);

// SAFETY: an address; what is done with it is the business of the unsafe methods of the cell.
unsafe impl Send for CellRef {}

impl CellRef {
    /// # Safety
    /// A cell is at this address, and stays as long as any copy of the reference is used (I6).
    #[inline]
    pub(super) unsafe fn new(cell: NonNull<OpCell>) -> Self {
        Self(cell)
    }

    /// The address; its exposed form is the user data of a ring's entry.
    #[inline]
    pub(super) fn as_ptr(self) -> *mut OpCell {
        self.0.as_ptr()
    }
}

impl Deref for CellRef {
    type Target = OpCell;

    #[inline]
    fn deref(&self) -> &OpCell {
        // SAFETY: promised to `new`. All fields that change are interior mutable.
        unsafe { self.0.as_ref() }
    }
}

impl std::fmt::Debug for OpCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpCell").field("state", &self.state).field("foreign", &self.foreign).finish_non_exhaustive()
    }
}

impl OpCell {
    /// A vacant cell that belongs to `home`.
    pub(super) fn vacant(home: *const Remote, foreign: bool) -> Self {
        Self {
            state: OpState::new(),
            result: UnsafeCell::new(0),
            waker: UnsafeCell::new(None),
            vtable: UnsafeCell::new(&Erased::<op::Shutdown>::VTABLE),
            next: UnsafeCell::new(None),
            home,
            foreign,
            in_flight: UnsafeCell::new(false),
            payload: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    fn payload(&self) -> *mut u8 {
        self.payload.get().cast()
    }

    /// Moves `operation` in; the cell is WAITING afterwards.
    ///
    /// # Safety
    /// The cell was vacant and belongs to the caller alone.
    #[inline]
    pub(super) unsafe fn occupy<O: Operation>(&self, operation: O, waker: Waker) {
        self.state.reset();
        // SAFETY: the cell belongs to the caller alone.
        unsafe { *self.vtable.get() = &Erased::<O>::VTABLE };
        // SAFETY: as above; a vacant cell holds no waker, so none is overwritten.
        unsafe { self.waker.get().write(Some(waker)) };
        // SAFETY: as above.
        unsafe { Erased::<O>::write(self.payload(), operation) };
    }

    /// Moves the operation and the result out.
    ///
    /// # Safety
    /// The cell holds an `O`, and belongs to the caller (DONE, or never submitted). It must be released next.
    #[inline]
    pub(super) unsafe fn take<O: Operation>(&self) -> (O, i32) {
        // SAFETY: by the state nobody writes the result any more.
        let result = unsafe { *self.result.get() };
        // SAFETY: the caller's promise.
        (unsafe { Erased::<O>::take(self.payload()) }, result)
    }

    /// Completes the operation for nobody: its output is dropped, which closes an accepted socket. Runs foreign code.
    ///
    /// # Safety
    /// The cell is occupied and belongs to the caller. It must be released next.
    pub(super) unsafe fn discard(&self) {
        // SAFETY: the cell belongs to the caller.
        let result = unsafe { *self.result.get() };
        // SAFETY: as above.
        let vtable = unsafe { *self.vtable.get() };
        // SAFETY: C2, and the caller's promise.
        unsafe { (vtable.discard)(self.payload(), result) };
    }

    /// The waker, by which the cell has none any more.
    ///
    /// # Safety
    /// The waker belongs to the caller by the cell's state (C1).
    #[inline]
    pub(super) unsafe fn take_waker(&self) -> Option<Waker> {
        // SAFETY: the caller's promise.
        unsafe { (*self.waker.get()).take() }
    }

    /// Replaces the waker unless it wakes the same task.
    ///
    /// # Safety
    /// The waker belongs to the caller by the cell's state (C1).
    pub(super) unsafe fn update_waker(&self, waker: &Waker) {
        // SAFETY: the caller's promise.
        let stored = unsafe { &mut *self.waker.get() };
        match stored {
            Some(stored) => stored.clone_from(waker),
            None => *stored = Some(waker.clone()),
        }
    }

    /// Writes the result, before [`OpState::complete`] publishes it.
    ///
    /// # Safety
    /// Owner's thread, in flight.
    #[inline]
    pub(super) unsafe fn set_result(&self, result: i32) {
        // SAFETY: nobody reads it before it is published.
        unsafe { *self.result.get() = result };
    }

    /// # Safety
    /// Owner's thread, occupied.
    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) unsafe fn prepare(&self) -> std::io::Result<io_uring::squeue::Entry> {
        // SAFETY: the vtable belongs to the owner (C1).
        let vtable = unsafe { *self.vtable.get() };
        // SAFETY: C2; not submitted yet, so nobody else uses the payload.
        unsafe { (vtable.prepare)(self.payload()) }
    }

    /// # Safety
    /// Owner's thread, occupied, not in a ring.
    pub(super) unsafe fn attempt(&self) -> Option<i32> {
        // SAFETY: the vtable belongs to the owner (C1).
        let vtable = unsafe { *self.vtable.get() };
        // SAFETY: C2; the kernel holds no pointer to the payload between attempts.
        unsafe { (vtable.attempt)(self.payload()) }
    }

    /// # Safety
    /// Owner's thread, occupied.
    pub(super) unsafe fn interest(&self) -> Interest {
        // SAFETY: the vtable belongs to the owner (C1).
        let vtable = unsafe { *self.vtable.get() };
        match vtable.steps {
            None => vtable.interest,
            // SAFETY: C2; the payload is the driver's.
            Some(steps) => unsafe { (steps.interest)(self.payload()) },
        }
    }

    /// The entry of the next step, if `result` does not end the operation. One that nobody waits for goes no step further.
    ///
    /// # Safety
    /// Owner's thread, occupied; the kernel has just completed the entry before.
    #[cfg(target_os = "linux")]
    #[inline]
    pub(super) unsafe fn advance(&self, result: i32) -> Option<io_uring::squeue::Entry> {
        // SAFETY: the vtable belongs to the owner (C1).
        let steps = unsafe { *self.vtable.get() }.steps?;
        if self.state.is_abandoned() {
            return None;
        }
        // SAFETY: C2; not published, so nobody else uses the payload.
        unsafe { (steps.advance)(self.payload(), result) }
    }

    /// # Safety
    /// Owner's thread, occupied; the socket must not be used after the cell was completed.
    pub(super) unsafe fn socket<'a>(&self) -> Option<&'a SharedSocket> {
        // SAFETY: the vtable belongs to the owner (C1).
        let vtable = unsafe { *self.vtable.get() };
        // SAFETY: C2.
        let socket = unsafe { (vtable.socket)(self.payload()) };
        // SAFETY: it lies in the payload, which stays until the completion.
        socket.map(|socket| unsafe { socket.as_ref() })
    }

    /// Whether the kernel or a wait list has it.
    ///
    /// # Safety
    /// Owner's thread.
    pub(super) unsafe fn is_in_flight(&self) -> bool {
        // SAFETY: only the owner touches it.
        unsafe { *self.in_flight.get() }
    }

    /// # Safety
    /// Owner's thread.
    #[inline]
    pub(super) unsafe fn set_in_flight(&self, in_flight: bool) {
        // SAFETY: only the owner touches it.
        unsafe { *self.in_flight.get() = in_flight };
    }

    /// The next cell of the list.
    ///
    /// # Safety
    /// The list that the cell is in belongs to the caller.
    #[inline]
    pub(super) unsafe fn next(&self) -> Option<CellRef> {
        // SAFETY: the caller's promise.
        unsafe { *self.next.get() }
    }

    /// Links the cell to the next of a list.
    ///
    /// # Safety
    /// As [`next`](Self::next).
    #[inline]
    pub(super) unsafe fn set_next(&self, next: Option<CellRef>) {
        // SAFETY: the caller's promise.
        unsafe { *self.next.get() = next };
    }

    /// The driver it belongs to.
    #[inline]
    pub(super) fn home(&self) -> *const Remote {
        self.home
    }

    /// Whether it is a box of its own.
    #[inline]
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_three_cache_lines_and_holds_the_usual_operations() {
        type Part = crate::buf::Slice<Vec<u8>>;
        assert_eq!(size_of::<OpCell>(), 192);
        const { assert!(Erased::<op::SendThenRecv<Part, Part>>::INLINE) };
        // In the first two lines.
        assert!(size_of::<op::Recv<Part>>() <= 128 - std::mem::offset_of!(OpCell, payload));
        const { assert!(Erased::<op::Recv<Vec<u8>>>::INLINE) };
        const { assert!(Erased::<op::Recv<crate::buf::Slice<Vec<u8>>>>::INLINE) };
        const { assert!(Erased::<op::Send<&'static [u8]>>::INLINE) };
        const { assert!(Erased::<op::Connect>::INLINE) };
        const { assert!(Erased::<op::SendTo<Vec<u8>, op::InternetAddr>>::INLINE) };
        const { assert!(Erased::<op::RecvFrom<Vec<u8>, op::InternetAddr>>::INLINE) };
        const { assert!(Erased::<op::Accept>::INLINE) };
    }
}
