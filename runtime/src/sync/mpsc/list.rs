//! The queue of a channel: blocks of slots, any number of senders, one receiver.
//!
//! ```text
//!  head (the receiver's own)                     tail: position and block
//!    ▼                                             ▼
//!  ┌───┬───┬───┬ … ┐ next  ┌───┬───┬ … ┐ next  ┌───┬───┬ … ┐
//!  │ R │ R │ W │   │ ────▶ │ W │ W │   │ ────▶ │ W │ . │   │     R read, W written, . empty
//!  └───┴───┴───┴ … ┘       └───┴───┴ … ┘       └───┴───┴ … ┘
//! ```
//!
//! A sender claims the position at the tail by one exchange and marks its slot written by another; the receiver reads without a
//! read-modify-write. The receiver waits *in the slot* that it will read next, so a sender finds out whether to wake it by the exchange
//! that it makes anyway. A closed queue has a bit in its tail: no position is claimed afterwards.
//!
//! Invariants
//!  M1. A position is claimed by one sender, who writes its slot and then marks it; the receiver reads a slot once, after its mark.
//!  M2. Whoever claims the last slot of a block links the next block before marking that slot; nobody touches a block after the mark of the
//!      slot it claimed there. So the receiver may free a block when it has read all its slots.
//!  M3. The receiver's waker belongs to the receiver, except while the slot it waits in is TAKING.
//!  M4. `head` is touched by the receiver alone, or by whoever drops the queue.
#![expect(unsafe_code, reason = "slots are written by the sender that claimed them and read by the one receiver; invariants M1 to M4")]

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::task::{Context, Poll, Waker};

use crossbeam_utils::CachePadded;

use crate::primitives::{AtomicPtr, AtomicU32, AtomicUsize, Ordering, Pause, UnsafeCell};
use crate::sync::waiters::WakerIdentity;

/// Positions of a block; the last one stands for "the next block is being linked". Small under loom, so that a model gets to its end.
const LAP: usize = if cfg!(zokio_loom) { 2 } else { 32 };
/// Slots of a block.
const SLOTS: usize = LAP - 1;

/// Lowest bit of the tail: closed. The position is above it.
const CLOSED: usize = 1;
const POSITION: usize = 2;

/// Nothing here yet.
const EMPTY: u32 = 0;
/// The value is there.
const WRITTEN: u32 = 1;
/// The receiver waits for this slot.
const WAITING: u32 = 2;
/// A sender takes the receiver's waker; the slot will be written within a few instructions.
const TAKING: u32 = 3;
/// The last sender is gone.
const ENDED: u32 = 4;

struct Slot<T> {
    state: AtomicU32,
    value: UnsafeCell<MaybeUninit<T>>,
}

struct Block<T> {
    next: AtomicPtr<Block<T>>,
    slots: [Slot<T>; SLOTS],
}

struct Tail<T> {
    position: AtomicUsize,
    block: AtomicPtr<Block<T>>,
    /// A block that was read to its end, for the next one who needs one.
    spare: AtomicPtr<Block<T>>,
}

struct Head<T> {
    position: usize,
    block: *mut Block<T>,
    /// The first position that is never claimed, when the receiver has closed the queue.
    end: Option<usize>,
    registered: WakerIdentity,
}

pub(super) struct Queue<T> {
    tail: CachePadded<Tail<T>>,
    head: CachePadded<UnsafeCell<Head<T>>>,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: values move from one thread to another, and M1 to M4 order every access.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: as above; the receiver's calls are `unsafe` and name M4.
unsafe impl<T: Send> Sync for Queue<T> {}

/// What the receiver finds without waiting.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    Value(T),
    Empty,
    /// Nothing will come any more.
    Ended,
}

impl<T> Block<T> {
    fn allocate() -> *mut Self {
        let slot = |_| Slot { state: AtomicU32::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) };
        Box::into_raw(Box::new(Self { next: AtomicPtr::new(null_mut()), slots: std::array::from_fn(slot) }))
    }

    /// # Safety
    /// Allocated by [`Self::allocate`], and nobody uses it any more.
    unsafe fn free(block: *mut Self) {
        // SAFETY: passed on.
        drop(unsafe { Box::from_raw(block) });
    }
}

/// The position where a reader of `position` reads: past the place that stands for the link.
fn readable(position: usize) -> usize {
    if position % LAP == SLOTS { position + 1 } else { position }
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let block = Block::allocate();
        Self {
            tail: CachePadded::new(Tail { position: AtomicUsize::new(0), block: AtomicPtr::new(block), spare: AtomicPtr::new(null_mut()) }),
            head: CachePadded::new(UnsafeCell::new(Head { position: 0, block, end: None, registered: WakerIdentity::nobody() })),
            waker: UnsafeCell::new(None),
        }
    }

    /// Whether no value is taken any more.
    pub(super) fn is_closed(&self) -> bool {
        self.tail.position.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Appends `value`, or gives it back when the queue is closed.
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        let tail = &*self.tail;
        let pause = Pause::default();
        let mut next = Unlinked { queue: self, block: null_mut() };
        // Acquire, here and below: a position in a block is seen after the block (Release of `link`).
        let mut seen = tail.position.load(Ordering::Acquire);
        loop {
            let offset = (seen / POSITION) % LAP;
            if seen & CLOSED != 0 {
                return Err(value);
            }
            if offset == SLOTS {
                pause.wait();
                seen = tail.position.load(Ordering::Acquire);
                continue;
            }
            if offset + 1 == SLOTS && next.block.is_null() {
                next.block = self.new_block();
            }
            let block = tail.block.load(Ordering::Acquire);
            match tail.position.compare_exchange_weak(seen, seen + POSITION, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => {
                    if offset + 1 == SLOTS {
                        // SAFETY: this position is the block's last, and its slot is not marked yet (M2).
                        unsafe { self.link(block, std::mem::replace(&mut next.block, null_mut())) };
                    }
                    // SAFETY: the position did not move between the loads of position and block, so it lies in `block`, which stays until
                    // the slot that we claimed is marked (M2).
                    let slot = unsafe { &(&(*block).slots)[offset] };
                    // SAFETY: claimed by us, not marked yet (M1).
                    slot.value.with_mut(|place| unsafe { (*place).write(value) });
                    self.mark(slot, WRITTEN);
                    return Ok(());
                }
                Err(current) => seen = current,
            }
        }
    }

    fn new_block(&self) -> *mut Block<T> {
        // Acquire pairs with the Release of `recycle`.
        let spare = self.tail.spare.swap(null_mut(), Ordering::Acquire);
        if spare.is_null() { Block::allocate() } else { spare }
    }

    /// # Safety
    /// The caller has claimed the last slot of `block` and not marked it.
    unsafe fn link(&self, block: *mut Block<T>, next: *mut Block<T>) {
        // Release, three times: who sees the link, the block or the position sees the new block's content.
        self.tail.block.store(next, Ordering::Release);
        // SAFETY: the caller's slot is not marked, so the block is there (M2).
        unsafe { &(*block).next }.store(next, Ordering::Release);
        self.tail.position.fetch_add(POSITION, Ordering::Release); // keeps a CLOSED that was set meanwhile
    }

    /// Marks a claimed slot and wakes the receiver if it waits there.
    fn mark(&self, slot: &Slot<T>, mark: u32) {
        // Release: the receiver reads the value after its Acquire saw the mark. Acquire: see below.
        if slot.state.compare_exchange(EMPTY, mark, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return;
        }
        // Not EMPTY, so the receiver waits; or it is just giving that up, to wait with another waker.
        while slot.state.compare_exchange(WAITING, TAKING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            if slot.state.compare_exchange(EMPTY, mark, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        // SAFETY: TAKING gives us the waker, which the Release that set WAITING published (M3).
        let waker = self.waker.with_mut(|waker| unsafe { (*waker).take() });
        slot.state.store(mark, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The last sender goes: the receiver is told when it has read everything.
    pub(super) fn end(&self) {
        let seen = self.tail.position.fetch_or(CLOSED, Ordering::AcqRel);
        if seen & CLOSED != 0 {
            return; // the receiver closed it, and knows where the end is
        }
        let block = self.tail.block.load(Ordering::Acquire);
        // SAFETY: no other sender is there, so nobody links; the slot at the tail is not marked, so its block stays (M2).
        let slot = unsafe { &(&(*block).slots)[(seen / POSITION) % LAP] };
        self.mark(slot, ENDED);
    }

    /// The receiver closes: what was claimed so far still comes.
    ///
    /// # Safety
    /// The caller is the receiver (M4).
    pub(super) unsafe fn close(&self) {
        let seen = self.tail.position.fetch_or(CLOSED, Ordering::AcqRel);
        if seen & CLOSED == 0 {
            // SAFETY: the caller is the receiver (M4).
            self.head.with_mut(|head| unsafe { (*head).end = Some(readable(seen / POSITION)) });
        }
    }

    /// The oldest value. A sender that has claimed its position is waited for, so a value whose sending is over is always found.
    ///
    /// # Safety
    /// The caller is the receiver (M4).
    pub(super) unsafe fn take(&self) -> Taken<T> {
        let pause = Pause::default();
        loop {
            // SAFETY: passed on.
            match unsafe { self.look() } {
                (Taken::Empty, position) if readable(self.tail.position.load(Ordering::Acquire) / POSITION) != position => pause.wait(),
                (taken, _) => return taken,
            }
        }
    }

    /// The oldest value, or registers the waker to be woken for it.
    ///
    /// # Safety
    /// The caller is the receiver (M4).
    pub(super) unsafe fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            // SAFETY: passed on.
            match unsafe { self.look() }.0 {
                Taken::Value(value) => return Poll::Ready(Some(value)),
                Taken::Ended => return Poll::Ready(None),
                Taken::Empty => {}
            }
            // SAFETY: passed on.
            if unsafe { self.register(cx.waker()) } {
                return Poll::Pending;
            }
        }
    }

    /// # Safety
    /// The caller is the receiver (M4).
    unsafe fn look(&self) -> (Taken<T>, usize) {
        self.head.with_mut(|head| {
            // SAFETY: the caller is the receiver (M4).
            let head = unsafe { &mut *head };
            if head.end == Some(head.position) {
                return (Taken::Ended, head.position);
            }
            // SAFETY: the block at the head is freed by the receiver alone (M2).
            let slot = unsafe { &(&(*head.block).slots)[head.position % LAP] };
            match slot.state.load(Ordering::Acquire) {
                WRITTEN => {
                    // SAFETY: marked, and read once as the head moves on (M1).
                    let value = slot.value.with_mut(|place| unsafe { place.cast::<T>().read() });
                    // SAFETY: the slot at the head was read.
                    unsafe { self.advance(head) };
                    (Taken::Value(value), head.position)
                }
                ENDED => (Taken::Ended, head.position),
                _ => (Taken::Empty, head.position),
            }
        })
    }

    /// # Safety
    /// The slot at the head was read.
    unsafe fn advance(&self, head: &mut Head<T>) {
        head.position += 1;
        if head.position % LAP != SLOTS {
            return;
        }
        head.position += 1;
        let read = head.block;
        // SAFETY: the block is there until the next line but one. Acquire pairs with the Release of `link`, which came before the mark (M2).
        head.block = unsafe { &(*read).next }.load(Ordering::Acquire);
        // SAFETY: all its slots were read, so nobody else touches it (M2).
        unsafe { self.recycle(read) };
    }

    /// # Safety
    /// Nobody uses `block` any more.
    unsafe fn recycle(&self, block: *mut Block<T>) {
        // SAFETY: the caller's alone.
        let whole = unsafe { &*block };
        whole.next.store(null_mut(), Ordering::Relaxed);
        whole.slots.iter().for_each(|slot| slot.state.store(EMPTY, Ordering::Relaxed));
        // Release pairs with the Acquire of `new_block`.
        if self.tail.spare.compare_exchange(null_mut(), block, Ordering::Release, Ordering::Relaxed).is_err() {
            // SAFETY: the caller's alone.
            unsafe { Block::free(block) };
        }
    }

    /// The receiver waits in the slot at its head; false when that must be looked at again.
    ///
    /// # Safety
    /// The caller is the receiver (M4).
    unsafe fn register(&self, waker: &Waker) -> bool {
        self.head.with_mut(|head| {
            // SAFETY: the caller is the receiver (M4).
            let head = unsafe { &mut *head };
            // SAFETY: as in `look`.
            let slot = unsafe { &(&(*head.block).slots)[head.position % LAP] };
            match slot.state.load(Ordering::Acquire) {
                EMPTY => {}
                // The waker that is known lives on in its place, so its address was not given to another task.
                WAITING if head.registered == WakerIdentity::of(waker) => return true,
                WAITING => {
                    // Acquire: pairs with nothing but keeps the write below behind it.
                    if slot.state.compare_exchange(WAITING, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_err() {
                        return false;
                    }
                }
                TAKING => {
                    waker.wake_by_ref(); // the value is about to be there
                    return true;
                }
                _ => return false,
            }
            let new = waker.clone();
            // SAFETY: the slot was seen EMPTY by the receiver, so nobody takes the waker (M3).
            drop(self.waker.with_mut(|waker| unsafe { (*waker).replace(new) }));
            head.registered = WakerIdentity::of(waker);
            // Release: the sender that takes the waker sees it.
            slot.state.compare_exchange(EMPTY, WAITING, Ordering::Release, Ordering::Relaxed).is_ok()
        })
    }
}

/// A block that its sender may not need after all.
struct Unlinked<'a, T> {
    queue: &'a Queue<T>,
    block: *mut Block<T>,
}

impl<T> Drop for Unlinked<'_, T> {
    fn drop(&mut self) {
        if !self.block.is_null() {
            // SAFETY: it was never linked.
            unsafe { self.queue.recycle(self.block) };
        }
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        // SAFETY: the queue is being dropped: nobody sends or receives (M4).
        while let (Taken::Value(value), _) = unsafe { self.look() } {
            drop(value);
        }
        let block = self.head.with_mut(|head| {
            // SAFETY: as above.
            unsafe { (*head).block }
        });
        // SAFETY: everything was read, so the block at the head is the last one.
        unsafe { Block::free(block) };
        let spare = self.tail.spare.load(Ordering::Acquire);
        if !spare.is_null() {
            // SAFETY: a spare block is nobody's.
            unsafe { Block::free(spare) };
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
