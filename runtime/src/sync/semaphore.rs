//! Permits, first come first served.
//!
//! ```text
//!  state: │ permits │ WAITING │ CLOSED │      waiters (behind a lock): ticket, waker, permits still missing
//! ```
//!
//! Nobody overtakes: while anybody waits (WAITING), a permit that is released is handed to the first in line and never becomes free, so
//! `permits` is zero. WAITING is set and cleared under the lock only; a release that sees it clear adds its permits by one exchange, which
//! fails if WAITING was set meanwhile. So no permit is ever added beside a waiter that does not see it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Waker};

use super::waiters::{Waiters, WakeList};
use crate::primitives::{AtomicUsize, Mutex, Ordering, const_fn, lock};

const CLOSED: usize = 1;
const WAITING: usize = 1 << 1;
const PERMIT: usize = 1 << 2;

/// A number of permits; who finds none waits in line.
///
/// ```
/// use std::sync::Arc;
/// use zokio::sync::Semaphore;
///
/// let runtime = zokio::Builder::new().worker_threads(2).build()?;
/// let semaphore = Arc::new(Semaphore::new(2));
/// runtime.block_on(async {
///     let first = semaphore.acquire().await.unwrap();
///     let _second = semaphore.clone().acquire_owned().await.unwrap();
///     assert!(semaphore.try_acquire().is_err());
///     drop(first);
///     assert_eq!(semaphore.available_permits(), 1);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Semaphore {
    state: AtomicUsize,
    waiters: Mutex<Waiters<usize>>,
}

/// The semaphore is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError;

/// Why there was no permit at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few are free, or others wait already.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl fmt::Display for AcquireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("semaphore closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoPermits => "no permits available",
            Self::Closed => "semaphore closed",
        })
    }
}

impl std::error::Error for AcquireError {}
impl std::error::Error for TryAcquireError {}

impl Semaphore {
    /// The most permits there can be.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// So many permits, all free.
    ///
    /// # Panics
    /// Above [`Self::MAX_PERMITS`].
    pub fn new(permits: usize) -> Self {
        assert!(permits <= Self::MAX_PERMITS, "a semaphore holds at most {} permits, not {permits}", Self::MAX_PERMITS);
        Self::with(permits)
    }

    const_fn! {
        /// As [`Self::new`], for a number that is known to be possible.
        pub(super) fn with(permits: usize) -> Self {
            Self { state: AtomicUsize::new(permits * PERMIT), waiters: Mutex::new(Waiters::new()) }
        }
    }

    /// Permits that are free now.
    pub fn available_permits(&self) -> usize {
        self.state.load(Ordering::Relaxed) / PERMIT
    }

    /// Makes `count` more permits.
    ///
    /// # Panics
    /// When there would be more than [`Self::MAX_PERMITS`].
    pub fn add_permits(&self, count: usize) {
        self.release(count);
    }

    /// Waits for a permit, which comes back when it is dropped.
    ///
    /// # Errors
    /// [`AcquireError`] when the semaphore is or gets closed.
    pub async fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1).await
    }

    /// Waits for `count` permits at once; nobody who comes later is served before.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub async fn acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.take(count as usize).await?;
        Ok(SemaphorePermit { semaphore: self, count })
    }

    /// As [`Self::acquire`], with a permit that owns its semaphore.
    ///
    /// # Errors
    /// As [`Self::acquire`].
    pub async fn acquire_owned(self: StdArc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.take(1).await?;
        Ok(OwnedSemaphorePermit { semaphore: self, count: 1 })
    }

    /// A permit if one is free and nobody waits.
    ///
    /// # Errors
    /// [`TryAcquireError`] says why there is none.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// `count` permits if they are free and nobody waits.
    ///
    /// # Errors
    /// As [`Self::try_acquire`].
    pub fn try_acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_take(count as usize)?;
        Ok(SemaphorePermit { semaphore: self, count })
    }

    /// Refuses everybody who waits, and everybody who comes.
    pub fn close(&self) {
        let mut wake = WakeList::default();
        {
            let waiters = lock(&self.waiters);
            self.state.fetch_or(CLOSED, Ordering::Relaxed); // orders nothing: waiters look again under the lock
            waiters.iter().for_each(|waiter| wake.push(waiter.waker.clone()));
        }
        wake.wake();
    }

    /// Whether [`Self::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Permits without a guard.
    pub(super) fn try_take(&self, count: usize) -> Result<(), TryAcquireError> {
        let mut seen = self.state.load(Ordering::Relaxed);
        loop {
            if seen & CLOSED != 0 {
                return Err(TryAcquireError::Closed);
            }
            if count != 0 && (seen & WAITING != 0 || seen / PERMIT < count) {
                return Err(TryAcquireError::NoPermits);
            }
            // Acquire pairs with the Release of whoever gave the permits back.
            match self.state.compare_exchange_weak(seen, seen - count * PERMIT, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(current) => seen = current,
            }
        }
    }

    /// Waits for permits without a guard.
    pub(super) fn take(&self, count: usize) -> Take<'_> {
        Take { semaphore: self, count, ticket: None }
    }

    /// Gives permits back: to those who wait, else to all.
    pub(super) fn release(&self, count: usize) {
        if count > 0 && !self.try_add(count, false) {
            self.hand_over(count);
        }
    }

    /// Adds free permits; false while somebody waits for them, unless the caller has seen under the lock that nobody does.
    fn try_add(&self, count: usize, nobody_waits: bool) -> bool {
        let mut seen = self.state.load(Ordering::Relaxed);
        loop {
            // Those who wait for a closed semaphore are refused.
            if seen & WAITING != 0 && seen & CLOSED == 0 && !nobody_waits {
                return false;
            }
            assert!(seen / PERMIT + count <= Self::MAX_PERMITS, "a semaphore holds at most {} permits", Self::MAX_PERMITS);
            let kept = if nobody_waits { seen & !WAITING } else { seen };
            // Release pairs with the Acquire of whoever takes them.
            match self.state.compare_exchange_weak(seen, kept + count * PERMIT, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(current) => seen = current,
            }
        }
    }

    #[cold]
    fn hand_over(&self, mut count: usize) {
        let mut wake = WakeList::default();
        {
            let mut waiters = lock(&self.waiters);
            let is_closed = self.is_closed();
            while let Some(first) = waiters.front_mut().filter(|_| count > 0 && !is_closed) {
                let part = count.min(first.payload);
                first.payload -= part;
                count -= part;
                if first.payload == 0 {
                    wake.push(waiters.pop().expect("the first in line").waker);
                }
            }
            if waiters.is_empty() || is_closed {
                let added = self.try_add(count, waiters.is_empty());
                debug_assert!(added, "nobody waits, or nobody is served");
            }
        }
        wake.wake();
    }

    /// Takes what is free and queues for the rest; `None` when that was all of it.
    fn queue(&self, count: usize, waker: &Waker) -> Result<Option<u64>, AcquireError> {
        let mut waiters = lock(&self.waiters);
        let mut seen = self.state.load(Ordering::Relaxed);
        loop {
            if seen & CLOSED != 0 {
                return Err(AcquireError);
            }
            let free = seen / PERMIT;
            let at_once = waiters.is_empty() && free >= count;
            let next = if at_once { seen - count * PERMIT } else { WAITING };
            // Acquire as in `try_take`, also for the part that is taken now.
            match self.state.compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if at_once => return Ok(None),
                Ok(_) => return Ok(Some(waiters.push(waker.clone(), count - free))),
                Err(current) => seen = current,
            }
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Semaphore").field("permits", &self.available_permits()).field("is_closed", &self.is_closed()).finish()
    }
}

/// Waits for permits; dropped early, it passes on what it was granted.
#[derive(Debug)]
pub(super) struct Take<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    /// The place in line, while there is one.
    ticket: Option<u64>,
}

impl Future for Take<'_> {
    type Output = Result<(), AcquireError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(ticket) = self.ticket else {
            match self.semaphore.try_take(self.count) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(TryAcquireError::Closed) => return Poll::Ready(Err(AcquireError)),
                Err(TryAcquireError::NoPermits) => {}
            }
            self.ticket = self.semaphore.queue(self.count, cx.waker())?;
            return if self.ticket.is_some() { Poll::Pending } else { Poll::Ready(Ok(())) };
        };
        let mut waiters = lock(&self.semaphore.waiters);
        if waiters.get_mut(ticket).is_none() {
            drop(waiters);
            self.ticket = None;
            return Poll::Ready(Ok(())); // served
        }
        if self.semaphore.is_closed() {
            drop(waiters);
            self.leave(ticket);
            return Poll::Ready(Err(AcquireError));
        }
        let old = waiters.update(ticket, cx.waker());
        drop(waiters);
        drop(old);
        Poll::Pending
    }
}

impl Take<'_> {
    /// Leaves the line; what was granted goes back.
    fn leave(&mut self, ticket: u64) {
        self.ticket = None;
        let left = lock(&self.semaphore.waiters).remove(ticket);
        let missing = left.as_ref().map_or(0, |waiter| waiter.payload);
        self.semaphore.release(self.count - missing);
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.leave(ticket);
        }
    }
}

/// Permits of a [`Semaphore`]; dropping gives them back.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once protects nothing"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: u32,
}

impl SemaphorePermit<'_> {
    /// Never gives the permits back.
    pub fn forget(mut self) {
        self.count = 0;
    }
}

impl Drop for SemaphorePermit<'_> {
    fn drop(&mut self) {
        self.semaphore.release(self.count as usize);
    }
}

/// A permit that owns its [`Semaphore`]; dropping gives it back.
#[derive(Debug)]
#[must_use = "a permit that is dropped at once protects nothing"]
pub struct OwnedSemaphorePermit {
    semaphore: StdArc<Semaphore>,
    count: u32,
}

impl OwnedSemaphorePermit {
    /// Never gives the permit back.
    pub fn forget(mut self) {
        self.count = 0;
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        self.semaphore.release(self.count as usize);
    }
}
