//! Magazines, gate and depot.
//!
//! Invariants
//!  P1. A magazine is touched by the thread whose number it has, between `busy = 1`, a light fence and the sight of an open gate, and `busy = 0`;
//!      or by the holder of the depot's lock after it shut the gate, passed a heavy fence and saw `busy == 0`.
//!  P2. While the gate is shut, all magazines are empty. It is shut and opened under the depot's lock only, and shut while anybody waits.
//!  P3. A node is in one magazine, in the depot, granted to one waiter, or out with one owner.
//!  P4. The core is freed when `refs` falls to zero: one for all handles together, one for each slow return under way, and, once the pool is
//!      closed, one for each node that is out.
#![expect(unsafe_code, reason = "magazines without a lock, nodes that outlive their handles; invariants P1 to P4")]

use std::ptr::NonNull;
use std::task::Waker;

use crossbeam_utils::CachePadded;

use super::fence;
use crate::primitives::{AtomicUsize, Mutex, Ordering, Pause, UnsafeCell, lock};
use crate::sync::waiters::Waiters;

/// Objects a thread keeps for itself: enough that a lock is taken for one operation in sixteen at most when they only come or only go.
const MAGAZINE: usize = if cfg!(zokio_loom) { 1 } else { 32 };
/// So many operations go through the depot before the gate opens again. A membarrier costs about a microsecond, as much as some fifty of
/// them, so that a pool which runs dry all the time spends a fifth of it at the gate.
const SHARED_OPERATIONS: u32 = if cfg!(zokio_loom) { 1 } else { 256 };

/// The number of no thread.
const NO_MAGAZINE: usize = usize::MAX;

/// An object and its way home.
pub(super) struct Node<T> {
    pub(super) core: NonNull<Core<T>>,
    pub(super) value: T,
}

/// Makes an object.
pub(super) type Create<T> = Box<dyn Fn() -> T + Send + Sync>;
/// Prepares an object to be given out again.
pub(super) type Reset<T> = Box<dyn Fn(&mut T) + Send + Sync>;
pub(super) type NodePtr<T> = NonNull<Node<T>>;

struct Magazine<T> {
    busy: AtomicUsize,
    /// Length of `nodes`, written by the owner, for those who ask whether a search is worth it.
    len: AtomicUsize,
    nodes: UnsafeCell<Vec<NodePtr<T>>>,
}

struct Depot<T> {
    free: Vec<NodePtr<T>>,
    /// Nodes that were made, or may be made by whoever was told so.
    made: usize,
    waiters: Waiters<()>,
    /// What waiters were granted and have not collected.
    granted: Vec<(u64, Grant<T>)>,
    /// Operations until the gate opens.
    shared_left: u32,
    is_closed: bool,
}

pub(super) struct Core<T> {
    /// 0 open, 1 shut.
    gate: AtomicUsize,
    magazines: Box<[CachePadded<Magazine<T>>]>,
    depot: Mutex<Depot<T>>,
    max: usize,
    refs: AtomicUsize,
    pub(super) handles: AtomicUsize,
    pub(super) create: Create<T>,
    pub(super) reset: Option<Reset<T>>,
}

/// What somebody got who wants an object.
pub(super) enum Grant<T> {
    Object(NodePtr<T>),
    /// There may be one more: make it, or say that it failed.
    Create,
}

/// What came of asking for an object, waiting if there is none.
pub(super) enum Asked<T> {
    Got(Grant<T>),
    /// The ticket of the place in line.
    Waits(u64),
}

impl<T> Depot<T> {
    /// One object less is made or will be; the first in line may make one instead, and is to be woken.
    fn may_make_another(&mut self) -> Option<Waker> {
        let Some((ticket, first)) = self.waiters.pop_with_ticket() else {
            self.made -= 1;
            return None;
        };
        self.granted.push((ticket, Grant::Create));
        Some(first.waker)
    }
}

impl<T> Core<T> {
    pub(super) fn allocate(max: usize, magazines: usize, create: Create<T>, reset: Option<Reset<T>>) -> NonNull<Self> {
        fence::prepare();
        let magazine = || Magazine { busy: AtomicUsize::new(0), len: AtomicUsize::new(0), nodes: UnsafeCell::new(Vec::new()) };
        let depot = Depot { free: Vec::new(), made: 0, waiters: Waiters::new(), granted: Vec::new(), shared_left: 0, is_closed: false };
        NonNull::from(Box::leak(Box::new(Self {
            gate: AtomicUsize::new(0),
            magazines: (0..magazines).map(|_| CachePadded::new(magazine())).collect(),
            depot: Mutex::new(depot),
            max,
            refs: AtomicUsize::new(1),
            handles: AtomicUsize::new(1),
            create,
            reset,
        })))
    }

    /// Runs `body` on the magazine of thread number `slot`, which is the caller's; `None` when the gate is shut or there is no such magazine.
    /// `body` must not call anything that comes back here.
    #[inline]
    fn with_magazine<R>(&self, slot: usize, body: impl FnOnce(&mut Vec<NodePtr<T>>) -> R) -> Option<R> {
        let magazine = self.magazines.get(slot)?;
        magazine.busy.store(1, Ordering::Relaxed); // ordered by the fence
        fence::light();
        // Acquire pairs with the Release of `open`: what was moved while the gate was shut is seen.
        let result = if self.gate.load(Ordering::Acquire) == 0 {
            magazine.nodes.with_mut(|nodes| {
                // SAFETY: we are busy and saw an open gate (P1).
                let nodes = unsafe { &mut *nodes };
                let result = body(nodes);
                magazine.len.store(nodes.len(), Ordering::Relaxed); // a hint
                Some(result)
            })
        } else {
            None
        };
        // Release pairs with the Acquire of `shut`.
        magazine.busy.store(0, Ordering::Release);
        result
    }

    /// An object from the thread's own magazine.
    #[inline]
    pub(super) fn take_fast(&self, slot: usize) -> Option<NodePtr<T>> {
        self.with_magazine(slot, Vec::pop).flatten()
    }

    /// An object, or leave to make one, if there is one and nobody waits.
    #[cold]
    pub(super) fn try_take(&self, slot: usize) -> Option<Grant<T>> {
        self.take_locked(&mut lock(&self.depot), slot, false)
    }

    /// An object, or leave to make one, or a place in line.
    #[cold]
    pub(super) fn take_or_wait(&self, slot: usize, waker: &Waker) -> Asked<T> {
        let mut depot = lock(&self.depot);
        match self.take_locked(&mut depot, slot, true) {
            Some(grant) => Asked::Got(grant),
            None => Asked::Waits(depot.waiters.push(waker.clone(), ())),
        }
    }

    /// With `thorough`, what every thread has put into its magazine so far is found, and the gate is shut when nothing is.
    fn take_locked(&self, depot: &mut Depot<T>, slot: usize, thorough: bool) -> Option<Grant<T>> {
        if !depot.waiters.is_empty() {
            return None;
        }
        if depot.free.is_empty() {
            if depot.made < self.max {
                depot.made += 1;
                return Some(Grant::Create);
            }
            // Relaxed: a return that happened before this call is seen; one that runs beside it may be missed, unless `thorough`.
            if thorough || self.magazines.iter().any(|magazine| magazine.len.load(Ordering::Relaxed) != 0) {
                self.shut(depot);
            }
        } else {
            // Some more for the next calls of this thread; nothing happens while the gate is shut.
            let more = depot.free.len().saturating_sub(1).min(MAGAZINE / 2);
            let from = depot.free.len() - more;
            self.with_magazine(slot, |nodes| nodes.extend(depot.free.drain(from..)));
        }
        let node = depot.free.pop()?;
        self.count_shared(depot);
        Some(Grant::Object(node))
    }

    /// Empties all magazines into the depot and sends everybody there (P1, P2).
    fn shut(&self, depot: &mut Depot<T>) {
        depot.shared_left = SHARED_OPERATIONS;
        if self.gate.load(Ordering::Relaxed) != 0 {
            return; // written under the lock that we hold
        }
        self.gate.store(1, Ordering::Relaxed); // ordered by the fence
        fence::heavy();
        for magazine in &self.magazines {
            let pause = Pause::default();
            // Acquire pairs with the Release of `with_magazine`.
            while magazine.busy.load(Ordering::Acquire) != 0 {
                pause.wait();
            }
            magazine.nodes.with_mut(|nodes| {
                // SAFETY: the gate is shut and its owner outside; later it sees the gate (P1).
                depot.free.append(unsafe { &mut *nodes });
            });
            magazine.len.store(0, Ordering::Relaxed);
        }
    }

    /// Counts an operation on the depot; after enough of them without a waiter, magazines are used again.
    fn count_shared(&self, depot: &mut Depot<T>) {
        depot.shared_left = depot.shared_left.saturating_sub(1);
        if depot.shared_left == 0 && depot.waiters.is_empty() && self.gate.load(Ordering::Relaxed) != 0 {
            // Release pairs with the Acquire of `with_magazine`.
            self.gate.store(0, Ordering::Release);
        }
    }

    /// What the waiter with this ticket was granted; otherwise its waker is kept up to date.
    pub(super) fn collect(&self, ticket: u64, waker: &Waker) -> Option<Grant<T>> {
        let mut depot = lock(&self.depot);
        if let Some(place) = depot.granted.iter().position(|(granted, _)| *granted == ticket) {
            return Some(depot.granted.swap_remove(place).1);
        }
        let old = depot.waiters.update(ticket, waker);
        drop(depot);
        drop(old);
        None
    }

    /// The waiter with this ticket leaves; what it was granted goes on.
    pub(super) fn leave(&self, ticket: u64) {
        let mut depot = lock(&self.depot);
        let left = depot.waiters.remove(ticket);
        let grant = depot.granted.iter().position(|(granted, _)| *granted == ticket).map(|place| depot.granted.swap_remove(place).1);
        drop(depot);
        drop(left);
        match grant {
            None => {}
            // SAFETY: a handle is borrowed by whoever waited, so the core stays; the node was the waiter's (P3).
            Some(Grant::Object(node)) => unsafe { Self::put_slow(NonNull::from(self), node, NO_MAGAZINE) },
            Some(Grant::Create) => self.give_up_making(),
        }
    }

    /// Somebody who had leave to make an object did not, or an object is gone for good: another one may be made.
    pub(super) fn give_up_making(&self) {
        let mut depot = lock(&self.depot);
        if let Some(waker) = depot.may_make_another() {
            drop(depot);
            waker.wake();
        }
    }

    /// Drops `node` for good.
    ///
    /// # Safety
    /// As [`Self::put`].
    #[cold]
    pub(super) unsafe fn discard(core: NonNull<Self>, node: NodePtr<T>) {
        // SAFETY: as in `put_slow`.
        let this = unsafe { core.as_ref() };
        // SAFETY: the node is the caller's (P3).
        drop(unsafe { Box::from_raw(node.as_ptr()) });
        this.refs.fetch_add(1, Ordering::Relaxed);
        let mut depot = lock(&this.depot);
        let is_closed = depot.is_closed;
        let waker = if is_closed { None } else { depot.may_make_another() };
        drop(depot);
        // SAFETY: ours, and the node's own if the pool is closed (P4).
        unsafe { Self::release(core, if is_closed { 2 } else { 1 }) };
        // Last, as a waker may panic.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Objects that could be taken now, as a snapshot.
    pub(super) fn available(&self) -> usize {
        let depot = lock(&self.depot);
        let cached: usize = self.magazines.iter().map(|magazine| magazine.len.load(Ordering::Relaxed)).sum();
        (depot.free.len() + cached + (self.max - depot.made)).min(self.max)
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Takes `node` back into the thread's own magazine.
    ///
    /// # Safety
    /// The node is one of this core's and the caller's alone (P3). If it was taken, the core may be gone when this returns.
    #[inline]
    pub(super) unsafe fn put(core: NonNull<Self>, node: NodePtr<T>, slot: usize) {
        // SAFETY: the node is out, so the core is there until it is back (P4).
        let kept = unsafe { core.as_ref() }.with_magazine(slot, |nodes| {
            if nodes.len() == MAGAZINE {
                return false;
            }
            if nodes.capacity() == 0 {
                nodes.reserve_exact(MAGAZINE);
            }
            nodes.push(node);
            true
        });
        if kept != Some(true) {
            // SAFETY: passed on.
            unsafe { Self::put_slow(core, node, slot) };
        }
    }

    /// Takes `node` back under the lock: to who waits, else to the free ones.
    ///
    /// # Safety
    /// As [`Self::put`].
    #[cold]
    unsafe fn put_slow(core: NonNull<Self>, node: NodePtr<T>, slot: usize) {
        // SAFETY: the node is out, so the core is there (P4), and from the next line on our reference keeps it.
        let this = unsafe { core.as_ref() };
        this.refs.fetch_add(1, Ordering::Relaxed);
        let mut depot = lock(&this.depot);
        let mut released = 1;
        let mut waker = None;
        if depot.is_closed {
            drop(depot);
            // SAFETY: the node is the caller's, and nobody will take it any more.
            drop(unsafe { Box::from_raw(node.as_ptr()) });
            released = 2; // the node's own as well
        } else {
            if let Some((ticket, first)) = depot.waiters.pop_with_ticket() {
                depot.granted.push((ticket, Grant::Object(node)));
                waker = Some(first.waker);
            } else {
                depot.free.push(node);
                let (free, half) = (&mut depot.free, MAGAZINE / 2);
                // Room for the next ones; nothing happens while the gate is shut.
                this.with_magazine(slot, |nodes| {
                    if nodes.len() == MAGAZINE {
                        free.extend(nodes.drain(half..));
                    }
                });
            }
            this.count_shared(&mut depot);
            drop(depot);
        }
        // SAFETY: these references are ours.
        unsafe { Self::release(core, released) };
        // Last, as a waker may panic.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The last handle is gone: free objects go now, the others when they come back.
    ///
    /// # Safety
    /// Called once, by the last handle; `core` must not be used by it afterwards.
    pub(super) unsafe fn close(core: NonNull<Self>) {
        // SAFETY: the handles' reference is given up below.
        let this = unsafe { core.as_ref() };
        let mut depot = lock(&this.depot);
        this.shut(&mut depot);
        depot.is_closed = true;
        let free = std::mem::take(&mut depot.free);
        // P4: every node that is out keeps the core. Relaxed: under the lock, before anybody can release one of them.
        this.refs.fetch_add(depot.made - free.len(), Ordering::Relaxed);
        drop(depot);
        for node in free {
            // SAFETY: it was in the depot, and nobody takes from there any more (P3).
            drop(unsafe { Box::from_raw(node.as_ptr()) });
        }
        // SAFETY: the handles' reference.
        unsafe { Self::release(core, 1) };
    }

    /// # Safety
    /// The caller has `count` references and gives them up.
    unsafe fn release(core: NonNull<Self>, count: usize) {
        // SAFETY: the caller's references.
        // AcqRel: whoever frees has seen everything that the others did.
        if unsafe { core.as_ref() }.refs.fetch_sub(count, Ordering::AcqRel) == count {
            // SAFETY: nobody else has a reference (P4); made by `Box::leak` in `allocate`.
            drop(unsafe { Box::from_raw(core.as_ptr()) });
        }
    }
}
