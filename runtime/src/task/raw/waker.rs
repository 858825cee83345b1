//! The waker of a task: a pointer to its cell, and one reference.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::super::state::Woken;
use super::{Header, TaskRef};
use crate::scheduler::context;

pub(super) fn raw_waker(header: NonNull<Header>) -> RawWaker {
    RawWaker::new(header.as_ptr().cast_const().cast(), &WAKER_VTABLE)
}

/// Whether `waker` belongs to a task of this runtime, by address of its table.
pub(crate) fn is_task_waker(waker: &Waker) -> bool {
    std::ptr::eq(waker.vtable(), &WAKER_VTABLE)
}

static WAKER_VTABLE: RawWakerVTable = RawWakerVTable::new(waker_clone, waker_wake, waker_wake_by_ref, waker_drop);

/// # Safety
/// `data` came from [`raw_waker`] and a reference is held; the result borrows that reference.
unsafe fn borrow(data: *const ()) -> ManuallyDrop<TaskRef> {
    // SAFETY: a waker's data is never null.
    ManuallyDrop::new(TaskRef(unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }))
}

unsafe fn waker_clone(data: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned holds a reference.
    let task = unsafe { borrow(data) };
    std::mem::forget(task.duplicate());
    raw_waker(task.0)
}

unsafe fn waker_wake(data: *const ()) {
    // SAFETY: the waker is used up: its reference is ours.
    let task = ManuallyDrop::into_inner(unsafe { borrow(data) });
    match task.header().state.wake_by_value() {
        Woken::Schedule => context::schedule(task),
        Woken::Nothing => drop(task),
    }
}

unsafe fn waker_wake_by_ref(data: *const ()) {
    // SAFETY: the waker holds a reference.
    let task = unsafe { borrow(data) };
    if task.header().state.wake_by_ref() == Woken::Schedule {
        context::schedule(TaskRef(task.0));
    }
}

unsafe fn waker_drop(data: *const ()) {
    // SAFETY: the waker's reference is ours to give up.
    drop(ManuallyDrop::into_inner(unsafe { borrow(data) }));
}
