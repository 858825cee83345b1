//! The driver as its own thread sees it: cells without atomics, operations straight into the queue.
//!
//! Nothing foreign (a waker, a buffer's destructor) ever runs while the core is borrowed: it might start or drop an operation. What is
//! to be dropped goes to the graveyard first and is buried afterwards.
#![expect(unsafe_code, reason = "hands out and takes back the cells of its slab")]

use std::cell::{Cell, RefCell};
use std::io;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use super::cell::CellRef;
use super::core::{Core, Sink};
use super::erased::attempt;
use super::remote::{Letter, Remote};
use super::report::{DriverKind, DriverReport};
use super::state::Abandoned;
use super::{Wait, submission};
use crate::op::Operation;

/// Operations that a polling driver may finish at their first attempt between two turns: as many as tokio lets a task do in a row.
/// Later ones wait for the turn, so that a busy socket cannot keep its task from ever yielding.
const INLINE_PER_TURN: u32 = 128;

/// A handle to the driver of this thread.
#[derive(Debug, Clone)]
pub(crate) struct LocalDriver(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    remote: Arc<Remote>,
    core: RefCell<Core>,
    /// Vacant cells, linked through `next`.
    vacant: Cell<Option<CellRef>>,
    /// Cells handed out, less those given back to `vacant`.
    live: Cell<usize>,
    /// Completed cells that nobody waits for.
    graveyard: RefCell<Vec<CellRef>>,
    inline_left: Cell<u32>,
    closed: Cell<bool>,
    report: DriverReport,
}

/// An operation that was started.
pub(super) enum Started<O> {
    /// It is in flight.
    Pending(CellRef),
    /// It has its raw result already.
    Ready(O, i32),
    /// The driver is closed.
    Refused(O),
}

impl LocalDriver {
    pub(super) fn new(core: Core, remote: Arc<Remote>, report: DriverReport) -> Self {
        Self(Rc::new(Inner {
            remote,
            core: RefCell::new(core),
            vacant: Cell::new(None),
            live: Cell::new(0),
            graveyard: RefCell::default(),
            inline_left: Cell::new(INLINE_PER_TURN),
            closed: Cell::new(false),
            report,
        }))
    }

    pub(super) fn report(&self) -> &DriverReport {
        &self.0.report
    }

    /// Whether this is a ring: a poller registers a socket with every driver that waits for it.
    #[inline]
    pub(super) fn is_ring(&self) -> bool {
        self.0.report.kind == DriverKind::IoUring
    }

    /// The half of this driver that other threads use.
    pub(super) fn remote(&self) -> &Arc<Remote> {
        &self.0.remote
    }

    /// Starts `operation`; `waker` is woken when it has completed.
    #[inline]
    pub(super) fn start<O: Operation>(&self, mut operation: O, waker: &Waker) -> Started<O> {
        let inner = &*self.0;
        if inner.closed.get() {
            return Started::Refused(operation);
        }
        let attempted = match &*inner.core.borrow() {
            #[cfg(target_os = "linux")]
            Core::Uring(_) => O::ATTEMPT_ON_RING && inner.inline_left.get() > 0,
            Core::Poll(_) => inner.inline_left.get() > 0,
            #[cfg(zokio_shuttle)]
            Core::Mock(_) => crate::primitives::executor::one_in(4),
        };
        if self.is_ring() {
            operation.on_ring();
        }
        // Attempted without holding the core: this is the only place where an operation runs on its task's own stack.
        if attempted && let Some(result) = attempt(&mut operation) {
            inner.inline_left.set(inner.inline_left.get() - 1);
            inner.remote.tally().inline.add(1);
            return Started::Ready(operation, result);
        }
        let waker = waker.clone();
        let cell = self.allocate();
        // SAFETY: vacant, just allocated.
        unsafe { cell.occupy(operation, waker) };
        match inner.core.borrow_mut().submit(cell, attempted) {
            Ok(()) => {
                inner.remote.tally().submitted.add(1);
                Started::Pending(cell)
            }
            Err(error) => self.take_back(cell, &error),
        }
    }

    /// An operation that could not be submitted comes back with its error.
    #[cold]
    fn take_back<O: Operation>(&self, cell: CellRef, error: &io::Error) -> Started<O> {
        // SAFETY: refused by the core, so the cell is still ours.
        let waker = unsafe { cell.take_waker() };
        // SAFETY: as above; `start` put an `O` in.
        let (operation, _) = unsafe { cell.take::<O>() };
        self.give_back(cell);
        drop(waker);
        Started::Ready(operation, -error.raw_os_error().unwrap_or(i32::MAX))
    }

    /// Takes one of the operations that may be done at once before the next turn; `None`: the driver is closed.
    #[cfg(target_os = "linux")]
    pub(super) fn take_inline(&self) -> Option<bool> {
        let left = self.0.inline_left.get();
        self.0.inline_left.set(left.saturating_sub(1));
        (!self.0.closed.get()).then_some(left > 0)
    }

    #[inline]
    fn allocate(&self) -> CellRef {
        let inner = &*self.0;
        let vacant = inner.vacant.get().unwrap_or_else(|| self.refill());
        // SAFETY: the list of vacant cells is ours.
        inner.vacant.set(unsafe { vacant.next() });
        inner.live.set(inner.live.get() + 1);
        vacant
    }

    /// More vacant cells: those freed elsewhere, or new ones.
    #[cold]
    fn refill(&self) -> CellRef {
        let freed = self.0.remote.take_freed();
        let mut next = freed;
        while let Some(cell) = next {
            self.0.live.set(self.0.live.get() - 1);
            // SAFETY: a vacant cell of our slab, in a list that we took.
            next = unsafe { cell.next() };
        }
        freed.or_else(|| self.0.remote.grow()).expect("a chunk has cells")
    }

    /// Takes a vacant cell of our slab.
    #[inline]
    fn give_back(&self, cell: CellRef) {
        let inner = &*self.0;
        // SAFETY: vacant, so the link is ours.
        unsafe { cell.set_next(inner.vacant.replace(Some(cell))) };
        inner.live.set(inner.live.get() - 1);
    }

    /// Releases a vacant cell if it is of our slab; `false` if it is not (or the driver is closed).
    #[inline]
    pub(super) fn release(&self, cell: CellRef) -> bool {
        if !ptr::eq(cell.home(), &*self.0.remote) || cell.is_foreign() || self.0.closed.get() {
            return false;
        }
        self.give_back(cell);
        true
    }

    /// The future of `cell`, which may be any driver's, was dropped. `None`: not ours, or closed.
    pub(super) fn abandon(&self, cell: CellRef) -> Option<Abandoned> {
        if !ptr::eq(cell.home(), &*self.0.remote) || self.0.closed.get() {
            return None;
        }
        let outcome = cell.state.abandon();
        if outcome == Abandoned::InFlight {
            self.cancel(cell);
            self.bury();
        }
        Some(outcome)
    }

    /// Asks for the end of an orphan.
    fn cancel(&self, cell: CellRef) {
        self.0.remote.tally().cancelled.add(1);
        let buried = self.0.core.borrow_mut().cancel(cell);
        if buried {
            self.0.remote.tally().orphans.add(1);
            self.0.graveyard.borrow_mut().push(cell);
        }
    }

    /// Drops what nobody waits for; may run foreign code, which may add to it.
    fn bury(&self) {
        loop {
            let Some(cell) = self.0.graveyard.borrow_mut().pop() else { return };
            // SAFETY: completed and orphaned, so the cell is ours alone; it is discarded once.
            unsafe { submission::discard(cell) };
        }
    }

    pub(super) fn turn(&self, wait: Wait, wakers: &mut Vec<Waker>) -> io::Result<usize> {
        let inner = &*self.0;
        inner.inline_left.set(INLINE_PER_TURN);
        if inner.remote.has_mail() {
            self.read_mail(inner.remote.take_mail(), wakers);
        }
        let (result, completed) = self.with_sink(wakers, |core, sink| core.turn(wait, &inner.remote, sink));
        self.bury();
        result.map(|()| completed)
    }

    fn with_sink<R>(&self, wakers: &mut Vec<Waker>, run: impl FnOnce(&mut Core, &mut Sink<'_>) -> R) -> (R, usize) {
        let inner = &*self.0;
        let mut graveyard = inner.graveyard.borrow_mut();
        let orphans = graveyard.len();
        let mut sink = Sink::new(wakers, &mut graveyard);
        let result = run(&mut inner.core.borrow_mut(), &mut sink);
        let completed = sink.completed();
        if completed > 0 {
            inner.remote.tally().completed.add(completed as u64);
            inner.remote.tally().orphans.add((graveyard.len() - orphans) as u64);
        }
        (result, completed)
    }

    fn read_mail(&self, letters: Vec<Letter>, wakers: &mut Vec<Waker>) {
        for letter in letters {
            match letter {
                Letter::Submit(cell) => self.submit_foreign(cell, wakers),
                // State MAILED kept the cell until its letter is read, which is now.
                Letter::Cancel(cell) if cell.state.open_mail() => self.0.graveyard.borrow_mut().push(cell),
                Letter::Cancel(cell) => self.cancel(cell),
                Letter::Forget(token) => self.0.core.borrow_mut().forget(token),
            }
        }
        self.bury();
    }

    fn submit_foreign(&self, cell: CellRef, wakers: &mut Vec<Waker>) {
        let refused = if self.0.closed.get() {
            Some(CANCELLED)
        } else {
            let submitted = self.0.core.borrow_mut().submit(cell, false);
            submitted.err().map(|error| -error.raw_os_error().unwrap_or(i32::MAX))
        };
        match refused {
            None => self.0.remote.tally().submitted.add(1),
            // SAFETY: not submitted, so it is in no list and completes here, once.
            Some(result) => self.with_sink(wakers, |_, sink| unsafe { sink.complete(cell, result) }).0,
        }
    }

    pub(super) fn needs_turn(&self) -> bool {
        self.0.remote.has_mail() || self.0.core.borrow_mut().needs_turn()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.0.core.borrow().in_flight()
    }

    /// Ends every operation; returns how many the kernel did not give back in time, which stay allocated for ever.
    pub(super) fn shut_down(&self, wakers: &mut Vec<Waker>) -> usize {
        let inner = &*self.0;
        if inner.closed.replace(true) {
            return 0;
        }
        self.read_mail(inner.remote.take_mail(), wakers);
        let mut left = usize::MAX;
        for _ in 0..SHUTDOWN_ROUNDS {
            left = self.with_sink(wakers, |core, sink| core.shut_down_step(&inner.remote, sink)).0;
            self.bury();
            self.read_mail(inner.remote.take_mail(), wakers);
            if left == 0 {
                break;
            }
        }
        self.read_mail(inner.remote.close_mail(), wakers);
        // Vacant cells of ours go where nobody looks; those still out settle with the Remote.
        inner.vacant.set(None);
        inner.remote.close(inner.live.get());
        left
    }
}

/// What a cancelled operation results in.
#[cfg(unix)]
pub(super) const CANCELLED: i32 = -libc::ECANCELED;
/// What a cancelled operation results in (`ERROR_OPERATION_ABORTED`).
#[cfg(not(unix))]
pub(super) const CANCELLED: i32 = -995;

/// Rounds of 10 ms that the kernel gets to give cancelled operations back: five seconds. Sockets need one.
const SHUTDOWN_ROUNDS: u32 = 500;
