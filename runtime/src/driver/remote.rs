//! The half of a driver that any thread may touch: waking it, writing to it, giving cells back.
//!
//! ```text
//!  other threads ──▶ mailbox (lock, rare) ──▶ owner, at its next turn
//!                ──▶ freed (stack of cells) ──▶ owner's slab, when that is empty
//!                ──▶ unpark ──▶ system call only if the owner sleeps
//! ```
//!
//! Invariants
//!  R1. `freed` is pushed to one by one and only emptied whole, so there is no ABA.
//!  R2. Cells that are out when the driver closes keep this structure, and with it their memory, alive: closing turns `freed` into
//!      [`CLOSED`] and leaks one reference; `outstanding` then counts down, and whoever brings it to zero drops that reference.
#![expect(unsafe_code, reason = "frees cells across threads; invariants R1 and R2")]

use std::ptr::{self, NonNull};
use std::sync::{Arc, PoisonError};

use crossbeam_utils::CachePadded;

use super::cell::{CellRef, OpCell};
use super::counters::Counters;
use super::park::ParkWord;
use super::supported::Supported;
use super::waking::Waking;
use crate::primitives::Ordering;
use crate::primitives::executor::{AtomicBool, AtomicPtr, AtomicUsize, Mutex, MutexGuard};

/// What `freed` points to once the driver is closed. No cell has this address: cells are aligned to 64 bytes.
const CLOSED: *mut OpCell = ptr::without_provenance_mut(1);
/// `outstanding` before closing: more than there will ever be cells.
const OPEN: usize = usize::MAX / 2;
/// Cells added at a time: 8 KiB.
const CHUNK_CELLS: usize = 64;

/// A letter to the owner.
#[derive(Debug)]
pub(super) enum Letter {
    /// Submit this cell (by a thread without a driver).
    Submit(CellRef),
    /// The future of this cell was dropped on another thread: cancel it.
    Cancel(CellRef),
    /// The socket of this token was closed elsewhere.
    Forget(usize),
}

#[derive(Debug, Default)]
struct Mailbox {
    letters: Vec<Letter>,
    closed: bool,
}

/// A chunk of cells, freed with the [`Remote`].
struct Chunk(*mut [OpCell]);

// SAFETY: whoever drops the Remote owns all its cells (R2); before that, a chunk is only looked at by the driver's owner.
unsafe impl Send for Chunk {}

/// The half of a driver that any thread may touch; see the module page.
pub(crate) struct Remote {
    park: CachePadded<ParkWord>,
    waking: Waking,
    /// What the ring of this driver can do; nothing under polling.
    supported: Supported,
    has_mail: AtomicBool,
    mailbox: Mutex<Mailbox>,
    freed: AtomicPtr<OpCell>,
    outstanding: AtomicUsize,
    chunks: Mutex<Vec<Chunk>>,
    counters: CachePadded<Counters>,
}

impl Remote {
    pub(super) fn new(waking: Waking, supported: Supported) -> Arc<Self> {
        Arc::new(Self {
            park: CachePadded::new(ParkWord::new()),
            waking,
            supported,
            has_mail: AtomicBool::new(false),
            mailbox: Mutex::default(),
            freed: AtomicPtr::new(ptr::null_mut()),
            outstanding: AtomicUsize::new(OPEN),
            chunks: Mutex::default(),
            counters: CachePadded::default(),
        })
    }

    /// Makes the owner look around: it returns from a blocking turn, or the next one does not block. A system call only if it sleeps.
    pub(crate) fn unpark(&self) {
        if self.park.notify() {
            self.waking.wake();
        }
    }

    /// Figures of the driver, readable at any time.
    pub(crate) fn counters(&self) -> super::DriverCounters {
        self.counters.read()
    }

    /// What the ring of this driver can do; nothing under polling.
    pub(crate) fn supported(&self) -> &Supported {
        &self.supported
    }

    pub(super) fn tally(&self) -> &Counters {
        &self.counters
    }

    pub(super) fn park(&self) -> &ParkWord {
        &self.park
    }

    pub(super) fn waking(&self) -> &Waking {
        &self.waking
    }

    fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to the owner and wakes it. The letter comes back if the driver is closed.
    pub(super) fn post(&self, letter: Letter) -> Result<(), Letter> {
        self.post_quietly(letter)?;
        self.unpark();
        Ok(())
    }

    /// As [`post`](Self::post), but the owner may read it when it likes.
    pub(super) fn post_quietly(&self, letter: Letter) -> Result<(), Letter> {
        let mut mailbox = self.mailbox();
        if mailbox.closed {
            return Err(letter);
        }
        mailbox.letters.push(letter);
        // Relaxed: only a hint; `unpark` makes the owner look, and the lock orders the letters.
        self.has_mail.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether letters wait.
    #[inline]
    pub(super) fn has_mail(&self) -> bool {
        // Relaxed: see `post`.
        self.has_mail.load(Ordering::Relaxed)
    }

    /// Owner: all letters so far.
    pub(super) fn take_mail(&self) -> Vec<Letter> {
        let mut mailbox = self.mailbox();
        self.has_mail.store(false, Ordering::Relaxed);
        std::mem::take(&mut mailbox.letters)
    }

    /// Owner: the last letters; none is accepted any more.
    pub(super) fn close_mail(&self) -> Vec<Letter> {
        let mut mailbox = self.mailbox();
        mailbox.closed = true;
        std::mem::take(&mut mailbox.letters)
    }

    /// Gives a vacant cell of the slab back, from any thread.
    ///
    /// # Safety
    /// The cell belongs to this driver's slab, is vacant, and is given back once. `self` may be gone afterwards.
    pub(super) unsafe fn push_freed(this: *const Self, cell: CellRef) {
        // SAFETY: an outstanding cell keeps its home alive (R2).
        let remote = unsafe { &*this };
        // Acquire pairs with `close`; Relaxed would do for the push itself.
        let mut head = remote.freed.load(Ordering::Acquire);
        while head != CLOSED {
            // SAFETY: the cell is the caller's until it is pushed.
            unsafe { cell.set_next(link(head)) };
            // Release: the owner that takes the cell sees it vacated.
            match remote.freed.compare_exchange_weak(head, cell.as_ptr(), Ordering::Release, Ordering::Acquire) {
                Ok(_) => return,
                Err(current) => head = current,
            }
        }
        // SAFETY: the driver is closed and this cell was counted.
        unsafe { Self::settle(this, 1) };
    }

    /// Owner: all cells freed elsewhere, linked through `next`.
    #[inline]
    pub(super) fn take_freed(&self) -> Option<CellRef> {
        // Acquire pairs with the Release of `push_freed`.
        link(self.freed.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Owner: new cells for its slab, linked through `next`.
    pub(super) fn grow(self: &Arc<Self>) -> Option<CellRef> {
        let cells: Vec<OpCell> = (0..CHUNK_CELLS).map(|_| OpCell::vacant(Arc::as_ptr(self), false)).collect();
        let chunk = Box::into_raw(cells.into_boxed_slice());
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).push(Chunk(chunk));
        let mut next = None;
        for index in (0..CHUNK_CELLS).rev() {
            let cell = link(chunk.cast::<OpCell>().wrapping_add(index)).expect("within a chunk");
            // SAFETY: the chunk is nobody else's yet.
            unsafe { cell.set_next(next) };
            next = Some(cell);
        }
        next
    }

    /// Owner: every cell of the slab.
    pub(super) fn for_each_cell(&self, mut visit: impl FnMut(&OpCell)) {
        for chunk in self.chunks.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // SAFETY: chunks live as long as `self`, and their fields are interior mutable.
            unsafe { &*chunk.0 }.iter().for_each(&mut visit);
        }
    }

    /// Owner, at the end: `live` cells were handed out and not given back to the slab.
    pub(super) fn close(self: &Arc<Self>, live: usize) {
        // AcqRel: pairs with both sides of `push_freed`.
        let mut freed = link(self.freed.swap(CLOSED, Ordering::AcqRel));
        let mut outstanding = live;
        while let Some(cell) = freed {
            outstanding -= 1;
            // SAFETY: a vacant cell of our own chunks, taken out of the stack.
            freed = unsafe { cell.next() };
        }
        let leaked = Arc::into_raw(self.clone());
        // SAFETY: `leaked` is the reference that `settle` drops at zero; closing happens once.
        unsafe { Self::settle(leaked, OPEN - outstanding) };
    }

    /// # Safety
    /// The driver is closed or closing, and `count` is what the caller answers for (R2).
    unsafe fn settle(this: *const Self, count: usize) {
        // SAFETY: alive until `outstanding` reaches zero, which needs this very call.
        let outstanding = unsafe { &(*this).outstanding };
        // AcqRel: whoever drops the chunks has seen all others done with them.
        if outstanding.fetch_sub(count, Ordering::AcqRel) == count {
            // SAFETY: the leaked reference; exactly one call brings the count to zero.
            drop(unsafe { Arc::from_raw(this) });
        }
    }
}

/// The cell at an address of the stack of freed ones, or of a chunk.
fn link(cell: *mut OpCell) -> Option<CellRef> {
    debug_assert_ne!(cell, CLOSED);
    // SAFETY: cells stay where they are as long as their Remote, which their users keep alive (R2).
    NonNull::new(cell).map(|cell| unsafe { CellRef::new(cell) })
}

impl Drop for Remote {
    fn drop(&mut self) {
        for Chunk(chunk) in self.chunks.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // SAFETY: made from a box in `grow`; no cell of it is out any more (R2).
            drop(unsafe { Box::from_raw(chunk) });
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("park", &self.park).field("waking", &self.waking).finish_non_exhaustive()
    }
}
