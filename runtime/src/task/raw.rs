//! The task cell, and all unsafe code of tasks.
//!
//! ```text
//!  cell: │ Header: state · affinity · vtable · join waker │ Stage: future, then output, then nothing │
//! ```
//!
//! Invariants
//!  T1. The stage is touched by one thread at a time: by the owner of the RUNNING entry until COMPLETE, afterwards by the join handle, or
//!      by whoever frees the cell when the handle is gone.
//!  T2. A queue entry, a join handle and a waker own one reference each; the cell lives while there is one.
//!  T3. The join waker is written by the handle while JOIN_WAKER is clear, taken by the completing thread after it saw JOIN_WAKER, and
//!      otherwise dropped with the cell.
//!  T4. A cell comes from a `Slab<SlabOwner>`, and its first word is the state: zero is vacant.
#![expect(unsafe_code, reason = "the task cell is reached through raw pointers; invariants T1 to T4")]

mod waker;

use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

pub(crate) use self::waker::is_task_waker;
use self::waker::raw_waker;
use super::error::JoinError;
use super::panics::swallow_panic;
use super::state::{Left, Paused, Start, State, Woken};
use crate::mem::slab::{self, CELL_ALIGN, CELL_BYTES_MAX, Slab, VacantCell};
use crate::primitives::UnsafeCell;
use crate::scheduler::{SlabOwner, WakeReason, context};

/// The affinity of a task that any worker may run.
pub(crate) const ANY_WORKER: u32 = u32::MAX;

/// The part of a cell that does not depend on the future.
#[repr(C)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// The only worker that may run this task, or [`ANY_WORKER`].
    affinity: u32,
    vtable: &'static VTable,
    pub(super) join_waker: UnsafeCell<Option<Waker>>,
}

struct VTable {
    /// Polls the future once; true when the output is stored.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future and stores the error.
    cancel: unsafe fn(NonNull<Header>),
    /// Drops whatever the stage holds.
    drop_stage: unsafe fn(NonNull<Header>),
    /// Moves the output to `*mut Option<Result<T, JoinError>>`.
    take_output: unsafe fn(NonNull<Header>, *mut ()),
}

enum Stage<F: Future> {
    Running(F),
    Finished(Result<F::Output, JoinError>),
    Consumed,
}

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

impl<F: Future> Cell<F> {
    const VTABLE: VTable = VTable { poll: poll::<F>, cancel: cancel::<F>, drop_stage: drop_stage::<F>, take_output: take_output::<F> };
    const FITS: bool = size_of::<Self>() <= CELL_BYTES_MAX && align_of::<Self>() <= CELL_ALIGN;
}

/// One reference to a task: what a queue holds.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: a task's future and output are `Send` (see `spawn_into`), its state is atomic, and T1 to T3 order the rest.
unsafe impl Send for TaskRef {}
// SAFETY: a shared `TaskRef` only reads atomics.
unsafe impl Sync for TaskRef {}

/// What came of running a task.
#[derive(Debug)]
pub(crate) enum Ran {
    /// Complete, or waiting for a wake.
    Done,
    /// Woken meanwhile, or it yielded: goes back to a queue.
    Again(TaskRef),
}

/// Writes a new task into a cell of `slab`: the queue entry and the reference of its join handle.
pub(crate) fn spawn_into<F>(slab: &mut Slab<SlabOwner>, future: F, affinity: u32) -> (TaskRef, TaskRef)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if const { Cell::<F>::FITS } { place(slab, future, affinity) } else { place(slab, Box::pin(future), affinity) }
}

fn place<F: Future>(slab: &mut Slab<SlabOwner>, future: F, affinity: u32) -> (TaskRef, TaskRef) {
    let cell: NonNull<Cell<F>> = slab.allocate(size_of::<Cell<F>>()).cast();
    let header = Header { state: State::new(), affinity, vtable: const { &Cell::<F>::VTABLE }, join_waker: UnsafeCell::new(None) };
    // SAFETY: the cell is vacant, large enough and aligned; `State::new` makes the first word non-zero (T4).
    unsafe { cell.write(Cell { header, stage: UnsafeCell::new(Stage::Running(future)) }) };
    (TaskRef(cell.cast()), TaskRef(cell.cast()))
}

/// Every task of `slab` that still lives.
pub(crate) fn live_tasks(slab: &Slab<SlabOwner>) -> Vec<TaskRef> {
    let mut tasks = Vec::new();
    slab.for_each_cell(|cell| {
        let header: NonNull<Header> = cell.cast();
        // SAFETY: the slab's chunks are there, and the first word of a cell that was handed out is a state (T4), vacant or not.
        let state = unsafe { &(*header.as_ptr()).state };
        if state.retain_if_live() {
            tasks.push(TaskRef(header));
        }
    });
    tasks
}

impl TaskRef {
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: a `TaskRef` owns a reference (T2).
        unsafe { self.0.as_ref() }
    }

    /// The only worker that may run this task, or [`ANY_WORKER`].
    pub(crate) fn affinity(&self) -> u32 {
        self.header().affinity
    }

    /// The slab's owner, through the chunk.
    pub(crate) fn owner(&self) -> &SlabOwner {
        // SAFETY: the cell is live (T2) and came from a `Slab<SlabOwner>` (T4); the borrow ends with `self`.
        unsafe { slab::remote_of::<SlabOwner>(self.0.cast()) }.owner()
    }

    /// Identity of the task: the data pointer of its wakers.
    pub(crate) fn identity(&self) -> *const () {
        self.0.as_ptr().cast_const().cast()
    }

    /// Another reference.
    pub(crate) fn duplicate(&self) -> Self {
        self.header().state.retain();
        Self(self.0)
    }

    /// Runs a queue entry.
    pub(crate) fn run(self) -> Ran {
        let state = &self.header().state;
        if state.start() == Start::Cancel {
            self.cancel_running();
            return Ran::Done;
        }
        // SAFETY: the vtable and the data belong together; `ManuallyDrop` borrows the entry's reference instead of taking one.
        let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker(self.0)) });
        let mut cx = Context::from_waker(&waker);
        // SAFETY: we own the RUNNING entry (T1).
        if unsafe { (self.header().vtable.poll)(self.0, &mut cx) } {
            self.finish();
            return Ran::Done;
        }
        if context::take_yielded() {
            return Ran::Again(self);
        }
        match state.pause() {
            Paused::Idle => {
                std::mem::forget(self); // `pause` gave the reference up
                Ran::Done
            }
            Paused::Forgotten => {
                free(ManuallyDrop::new(self).0);
                Ran::Done
            }
            Paused::Requeue => Ran::Again(self),
            Paused::Cancel => {
                self.cancel_running();
                Ran::Done
            }
        }
    }

    /// Drops the future and completes as cancelled. The caller owns the RUNNING entry.
    fn cancel_running(self) {
        // SAFETY: we own the RUNNING entry (T1).
        unsafe { (self.header().vtable.cancel)(self.0) };
        self.finish();
    }

    /// The output is stored: completes, wakes the join handle, gives the entry's reference up.
    fn finish(self) {
        let state = &self.header().state;
        if state.is_forgotten() && self.is_own() {
            free(ManuallyDrop::new(self).0);
            return;
        }
        let completed = state.complete(false).unwrap_or_else(|| {
            // SAFETY: we own the RUNNING entry and the handle is gone for good (T1).
            unsafe { (self.header().vtable.drop_stage)(self.0) };
            state.complete(true).expect("the output is dropped")
        });
        if completed.wake_join {
            // SAFETY: JOIN_WAKER was set when we completed, so the slot is ours (T3).
            let waker = self.header().join_waker.with_mut(|slot| unsafe { (*slot).take() });
            if let Some(waker) = waker {
                context::with_reason(WakeReason::Join, || swallow_panic(|| waker.wake())); // it may be anybody's
            }
            return; // dropping `self` gives the reference up
        }
        let this = ManuallyDrop::new(self);
        if completed.free {
            free(this.0);
        }
    }

    /// Asks the task to end at its next chance.
    pub(crate) fn abort(&self) {
        if self.header().state.cancel() == Woken::Schedule {
            context::schedule(Self(self.0));
        }
    }

    /// Cancels at shutdown: the caller knows that no worker polls any more. Takes the entry that a queue would hold.
    pub(crate) fn shut_down(self) {
        if self.header().state.cancel() == Woken::Schedule {
            // The reference that `cancel` took is the entry's; no queue is run any more, so run it here.
            match Self(self.0).run() {
                Ran::Done => {}
                Ran::Again(_) => unreachable!("a cancelled task is not polled"),
            }
        }
    }

    /// Moves the output out and gives the reference up. The caller is the join handle and saw COMPLETE.
    pub(super) fn into_output<T>(self) -> Option<Result<T, JoinError>> {
        let mut slot: Option<Result<T, JoinError>> = None;
        // SAFETY: after COMPLETE the stage is the join handle's (T1), and `T` is the output type the handle was made with.
        unsafe { (self.header().vtable.take_output)(self.0, (&raw mut slot).cast()) };
        if self.header().state.is_last() && self.is_own() {
            // SAFETY: the stage is consumed; the slot of the join waker is empty, as a thread that completed the task has taken what was in it
            // before it gave its reference up (T3); and nobody can reach the cell any more (T2).
            unsafe { give_back(ManuallyDrop::new(self).0) };
        }
        slot
    }

    /// The join handle goes.
    pub(super) fn leave_join(self) {
        match self.header().state.leave_join() {
            Left::Released { free: is_last } => {
                let header = ManuallyDrop::new(self).0;
                if is_last {
                    free(header);
                }
            }
            Left::Waker => self.set_join_waker(None),
            // SAFETY: after COMPLETE the stage is the join handle's (T1).
            Left::Output => unsafe { (self.header().vtable.drop_stage)(self.0) },
        }
    }

    /// Whether this thread is the worker that owns the task's slab.
    fn is_own(&self) -> bool {
        // SAFETY: the cell is live (T2) and came from a `Slab<SlabOwner>` (T4).
        context::is_own_slab(unsafe { slab::remote_of::<SlabOwner>(self.0.cast()) })
    }

    /// Writes the handle's waker slot.
    ///
    /// The caller is the join handle and [`State::claim_join_waker`] or a failed [`State::publish_join_waker`] gave it the slot (T3).
    pub(super) fn set_join_waker(&self, waker: Option<Waker>) {
        // SAFETY: the slot is the handle's (T3).
        let old = self.header().join_waker.with_mut(|slot| unsafe { std::mem::replace(&mut *slot, waker) });
        drop(old);
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("TaskRef").field(&self.header().state).finish()
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if self.header().state.release() {
            free(self.0);
        }
    }
}

/// Frees a cell whose last reference was given up.
fn free(header: NonNull<Header>) {
    // SAFETY: nobody else can reach the cell any more (T2).
    let vtable = unsafe { header.as_ref() }.vtable;
    // SAFETY: as above (T1); a stage that is consumed already drops nothing.
    unsafe { (vtable.drop_stage)(header) };
    // SAFETY: as above (T3).
    let join_waker = unsafe { header.as_ref() }.join_waker.with_mut(|slot| unsafe { (*slot).take() });
    swallow_panic(|| drop(join_waker));
    // SAFETY: the content was dropped above and nobody else has the cell (T2).
    unsafe { give_back(header) };
}

/// # Safety
/// The content of the cell is dropped, and nobody can reach it any more.
unsafe fn give_back(header: NonNull<Header>) {
    // SAFETY: the caller's promise; the first word becomes zero (T4).
    unsafe { header.as_ref() }.state.vacate();
    // SAFETY: as above; it came from a `Slab<SlabOwner>` (T4).
    context::free_cell(unsafe { VacantCell::new(header.cast()) });
}

fn stage_of<F: Future>(header: NonNull<Header>) -> *mut Stage<F> {
    let cell: NonNull<Cell<F>> = header.cast();
    // SAFETY: the header is the first field of a live `Cell<F>`.
    unsafe { (*cell.as_ptr()).stage.with_mut(|stage| stage) }
}

/// # Safety
/// The caller may touch the stage (T1).
unsafe fn poll<F: Future>(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
    let stage = stage_of::<F>(header);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: T1 gives exclusive access.
        let Stage::Running(future) = (unsafe { &mut *stage }) else { unreachable!("a complete task is not polled") };
        // SAFETY: the future lives in its cell until it is dropped there.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }));
    let output = match polled {
        Ok(Poll::Pending) => return false,
        Ok(Poll::Ready(output)) => Ok(output),
        Err(payload) => Err(JoinError::panicked(payload)),
    };
    // SAFETY: as above.
    unsafe { replace_future::<F>(stage, output) };
    true
}

/// # Safety
/// The caller may touch the stage (T1).
unsafe fn cancel<F: Future>(header: NonNull<Header>) {
    // SAFETY: passed on.
    unsafe { replace_future::<F>(stage_of::<F>(header), Err(JoinError::cancelled())) };
}

/// Drops the future, whose destructor may panic, and stores the output.
///
/// # Safety
/// The caller may touch the stage (T1).
unsafe fn replace_future<F: Future>(stage: *mut Stage<F>, output: Result<F::Output, JoinError>) {
    if !const { std::mem::needs_drop::<F>() } {
        // SAFETY: T1; the old content needs no drop.
        return unsafe { stage.write(Stage::Finished(output)) };
    }
    // SAFETY: T1; the future is dropped in place, and the stage is overwritten even if its destructor panics.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { std::ptr::drop_in_place(stage) }));
    let stored = match dropped {
        Ok(()) => output,
        Err(payload) => {
            swallow_panic(|| drop(output));
            Err(JoinError::panicked(payload))
        }
    };
    // SAFETY: T1; the old content was dropped above.
    unsafe { stage.write(Stage::Finished(stored)) };
}

/// # Safety
/// The caller may touch the stage (T1).
unsafe fn drop_stage<F: Future>(header: NonNull<Header>) {
    let stage = stage_of::<F>(header);
    // SAFETY: T1; a panicking destructor of an output that nobody wants is swallowed, as there is nobody to tell.
    swallow_panic(|| unsafe { std::ptr::drop_in_place(stage) });
    // SAFETY: T1; the old content was dropped above.
    unsafe { stage.write(Stage::Consumed) };
}

/// # Safety
/// The caller is the join handle, the task is complete, and `target` points to an `Option<Result<F::Output, JoinError>>`.
unsafe fn take_output<F: Future>(header: NonNull<Header>, target: *mut ()) {
    let stage = stage_of::<F>(header);
    // SAFETY: T1.
    if let Stage::Finished(output) = unsafe { &*stage } {
        // SAFETY: read once, as the stage is overwritten below; not the whole stage, which may be as large as the future.
        let output = unsafe { std::ptr::read(output) };
        // SAFETY: T1; the old content was moved out above.
        unsafe { stage.write(Stage::Consumed) };
        // SAFETY: the caller says what `target` is.
        unsafe { *target.cast::<Option<Result<F::Output, JoinError>>>() = Some(output) };
    }
}
