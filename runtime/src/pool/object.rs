//! The pool as its users see it.
#![expect(unsafe_code, reason = "guards are one pointer to a node; invariants P3 and P4 of `core`")]

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};
use std::thread;

use super::core::{Asked, Core, Create, Grant, Node, NodePtr, Reset};
use super::slots;
use crate::primitives::Ordering;

/// At most so many objects of type `T`, made when they are first needed and used again.
///
/// Cloning gives another handle of the same pool. Objects that are out when the last handle is dropped are dropped when they come back.
///
/// ```
/// use zokio::pool::ObjectPool;
///
/// let pool = ObjectPool::builder(2, || Vec::<u8>::with_capacity(4096)).reset(Vec::clear).build();
/// let mut first = pool.try_acquire().unwrap();
/// first.extend_from_slice(b"hello");
/// let second = pool.try_acquire().unwrap();
/// assert!(pool.try_acquire().is_none());
/// drop(first); // on whichever thread
/// let again = pool.try_acquire().unwrap();
/// assert!(again.is_empty() && again.capacity() >= 4096);
/// # drop(second);
/// ```
pub struct ObjectPool<T> {
    core: NonNull<Core<T>>,
}

/// Builds an [`ObjectPool`].
#[must_use = "a builder does nothing until `build`"]
pub struct ObjectPoolBuilder<T> {
    max: usize,
    create: Create<T>,
    reset: Option<Reset<T>>,
}

/// An object, until it is dropped and goes back to its pool: from any thread, also after the pool's last handle is gone.
pub struct Pooled<T> {
    node: NodePtr<T>,
}

// SAFETY: a handle shares the pool behind gates and locks (P1 to P4); objects move between threads.
unsafe impl<T: Send> Send for ObjectPool<T> {}
// SAFETY: as above; no handle gives out a shared object.
unsafe impl<T: Send> Sync for ObjectPool<T> {}
// SAFETY: the guard owns its object (P3), and may give it back from any thread.
unsafe impl<T: Send> Send for Pooled<T> {}
// SAFETY: a shared guard gives shared objects.
unsafe impl<T: Sync> Sync for Pooled<T> {}

impl<T> ObjectPoolBuilder<T> {
    /// Is called with every object that comes back, before it is given out again. When it panics, the object is dropped.
    pub fn reset(mut self, reset: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        self.reset = Some(Box::new(reset));
        self
    }

    /// An empty pool.
    pub fn build(self) -> ObjectPool<T> {
        // One magazine for each thread that runs at a time, and as many for others.
        let magazines = (2 * thread::available_parallelism().map_or(1, usize::from)).max(16);
        ObjectPool { core: Core::allocate(self.max, magazines, self.create, self.reset) }
    }
}

impl<T> ObjectPool<T> {
    /// At most `max` objects made by `create`.
    ///
    /// # Panics
    /// When `max` is 0.
    pub fn new(max: usize, create: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self::builder(max, create).build()
    }

    /// As [`Self::new`], with more to be said.
    ///
    /// # Panics
    /// When `max` is 0.
    pub fn builder(max: usize, create: impl Fn() -> T + Send + Sync + 'static) -> ObjectPoolBuilder<T> {
        assert!(max > 0, "a pool holds at least one object");
        ObjectPoolBuilder { max, create: Box::new(create), reset: None }
    }

    fn core(&self) -> &Core<T> {
        // SAFETY: handles keep the core (P4).
        unsafe { self.core.as_ref() }
    }

    /// An object, if one is free or may be made, and nobody waits for it.
    ///
    /// # Panics
    /// When `create` does.
    #[inline]
    pub fn try_acquire(&self) -> Option<Pooled<T>> {
        let slot = slots::current();
        match self.core().take_fast(slot) {
            Some(node) => Some(Pooled { node }),
            None => self.core().try_take(slot).map(|grant| self.redeem(grant)),
        }
    }

    /// Waits for an object; who waits longer is served first. Dropped early, the future gives its place up and passes on what it was granted.
    ///
    /// # Panics
    /// When `create` does.
    pub fn acquire(&self) -> Acquire<'_, T> {
        Acquire { pool: self, ticket: None }
    }

    /// Objects that could be taken now, made or not: a snapshot that other threads may outdate at once.
    pub fn available(&self) -> usize {
        self.core().available()
    }

    /// The most objects there can be.
    pub fn max(&self) -> usize {
        self.core().max()
    }

    #[inline]
    fn redeem(&self, grant: Grant<T>) -> Pooled<T> {
        match grant {
            Grant::Object(node) => Pooled { node },
            Grant::Create => self.make(),
        }
    }

    #[cold]
    fn make(&self) -> Pooled<T> {
        struct GivesUp<'a, T>(&'a Core<T>);
        impl<T> Drop for GivesUp<'_, T> {
            fn drop(&mut self) {
                self.0.give_up_making();
            }
        }
        let unless_made = GivesUp(self.core());
        let value = (self.core().create)();
        std::mem::forget(unless_made);
        Pooled { node: NonNull::from(Box::leak(Box::new(Node { core: self.core, value }))) }
    }
}

impl<T> Clone for ObjectPool<T> {
    fn clone(&self) -> Self {
        self.core().handles.fetch_add(1, Ordering::Relaxed); // a handle is there already
        Self { core: self.core }
    }
}

impl<T> Drop for ObjectPool<T> {
    fn drop(&mut self) {
        // AcqRel: the last handle has seen what the others did.
        if self.core().handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: the last handle, once.
            unsafe { Core::close(self.core) };
        }
    }
}

/// Future of [`ObjectPool::acquire`].
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire<'a, T> {
    pool: &'a ObjectPool<T>,
    /// The place in line, while there is one.
    ticket: Option<u64>,
}

impl<T> Future for Acquire<'_, T> {
    type Output = Pooled<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Pooled<T>> {
        let core = self.pool.core();
        let grant = if let Some(ticket) = self.ticket {
            core.collect(ticket, cx.waker())
        } else {
            let slot = slots::current();
            if let Some(node) = core.take_fast(slot) {
                return Poll::Ready(Pooled { node });
            }
            match core.take_or_wait(slot, cx.waker()) {
                Asked::Got(grant) => Some(grant),
                Asked::Waits(ticket) => {
                    self.ticket = Some(ticket);
                    None
                }
            }
        };
        let Some(grant) = grant else { return Poll::Pending };
        self.ticket = None;
        Poll::Ready(self.pool.redeem(grant))
    }
}

impl<T> Drop for Acquire<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.pool.core().leave(ticket);
        }
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the node is this guard's (P3).
        unsafe { &self.node.as_ref().value }
    }
}

impl<T> DerefMut for Pooled<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the node is this guard's (P3).
        unsafe { &mut self.node.as_mut().value }
    }
}

/// Drops an object that could not be reset.
struct Discards<T>(NonNull<Core<T>>, NodePtr<T>);

impl<T> Drop for Discards<T> {
    fn drop(&mut self) {
        // SAFETY: the guard that is being dropped owned the node (P3).
        unsafe { Core::discard(self.0, self.1) };
    }
}

impl<T> Drop for Pooled<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the node is this guard's (P3).
        let core = unsafe { self.node.as_ref() }.core;
        // SAFETY: a node that is out keeps its core (P4).
        if let Some(reset) = unsafe { &core.as_ref().reset } {
            let unless_reset = Discards(core, self.node);
            reset(&mut *self);
            std::mem::forget(unless_reset);
        }
        // SAFETY: given up here, once (P3).
        unsafe { Core::put(core, self.node, slots::current()) };
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Pooled").field(&**self).finish()
    }
}

impl<T> fmt::Debug for ObjectPool<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ObjectPool").field("max", &self.max()).field("available", &self.available()).finish()
    }
}

impl<T> fmt::Debug for ObjectPoolBuilder<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ObjectPoolBuilder").field("max", &self.max).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Acquire<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Acquire").field("waits", &self.ticket.is_some()).finish()
    }
}
