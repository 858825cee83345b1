//! What the current thread is to a runtime: a worker, a thread inside `block_on`, or nothing.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::sync::Arc;
use std::task::Waker;

use super::ready::Ready;
use super::{Shared, SlabOwner, WakeReason};
use crate::blocking;
use crate::driver;
use crate::mem::Heap;
use crate::mem::slab::{self, Slab, VacantCell};
use crate::primitives::Scoped;
use crate::primitives::executor::thread_local;
use crate::task::JoinHandle;
use crate::task::raw::{self, ANY_WORKER, TaskRef};

/// Waking a sleeper on another core costs 20 to 45 µs on the virtual machines measured.
const WAKE_COST_NS: u64 = 30_000;
/// What a task costs more when another core runs it: its cell, its output and what it touches come from the other core's caches, and its memory goes
/// back there.
const MOVE_COST_NS: u64 = 100;

/// After a look at the queue, so many pushes at most go by without another; fewer while little waits.
const LOOK_PUSHES_MAX: u64 = 15;

/// Whether `waiting` tasks whose polls take so long are run sooner by two workers: each would run half, the other after a wake-up and with the
/// cost of moving them.
#[inline]
pub(super) fn is_worth_moving(waiting: u64, poll_ns: u64) -> bool {
    waiting * poll_ns.saturating_sub(MOVE_COST_NS) >= WAKE_COST_NS
}

/// The current thread.
#[expect(clippy::large_enum_variant, reason = "lives once on a thread's stack")]
pub(crate) enum Current {
    Worker(WorkerContext),
    Outside(OutsideContext),
}

/// A thread that is inside `block_on` or `enter`, or does blocking work.
#[derive(Debug)]
pub(crate) struct OutsideContext {
    pub(crate) shared: Arc<Shared>,
    /// The worker whose driver and timers serve this thread.
    pub(crate) home: usize,
    /// It does blocking work, and is not inside `block_on` or `enter`.
    may_block: bool,
}

/// A worker's own half: nobody else touches it.
pub(crate) struct WorkerContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(super) ready: Ready<TaskRef>,
    /// The task that runs next; not stolen from.
    pub(super) next: Cell<Option<TaskRef>>,
    pub(super) slab: RefCell<Slab<SlabOwner>>,
    /// Made when a task first asks for it.
    pub(super) heap: RefCell<Option<Heap>>,
    pub(super) reason: Cell<WakeReason>,
    /// Identity of the task that is polled: the data pointer of its waker.
    pub(super) polled: Cell<*const ()>,
    pub(super) yielded: Cell<bool>,
    /// Pushes without a look whether the queue is worth waking a sleeper.
    pub(super) pushes_to_look: Cell<u32>,
}

thread_local! {
    static CURRENT: Scoped<Current> = const { Scoped::new() };
}

/// Runs `body` with `current` as this thread's context.
pub(crate) fn enter<R>(current: &Current, body: impl FnOnce() -> R) -> R {
    CURRENT.with(|slot| slot.set(current, body))
}

/// Runs `body` on a thread that is no worker, with `shared` as its runtime. `may_block`: inside, `block_on` may be called.
pub(crate) fn enter_shared<R>(shared: &Arc<Shared>, may_block: bool, body: impl FnOnce() -> R) -> R {
    let home = shared.assign_home();
    let current = Current::Outside(OutsideContext { shared: shared.clone(), home, may_block });
    let remote = shared.workers[home].remote.get().expect("a started runtime has its drivers").clone();
    driver::context::enter_remote(&remote, || enter(&current, body))
}

/// Runs `body` with this thread's context; `None` outside every runtime, and while the thread's locals are torn down.
pub(crate) fn with<R>(body: impl FnOnce(Option<&Current>) -> R) -> R {
    let mut body = Some(body);
    let inside = CURRENT.try_with(|slot| slot.with(|current| body.take().map(|body| body(current))));
    match (inside, body) {
        (Ok(Some(result)), _) => result,
        (_, Some(body)) => body(None),
        (_, None) => unreachable!("the body runs once"),
    }
}

/// Whether this thread may wait for a future: not where it runs tasks, or waits for one already.
pub(crate) fn may_block() -> bool {
    with(|current| match current {
        None => true,
        Some(Current::Outside(outside)) => outside.may_block,
        Some(Current::Worker(_)) => false,
    })
}

/// Runs `body` with this thread's worker, if it is one.
pub(crate) fn with_worker<R>(body: impl FnOnce(Option<&WorkerContext>) -> R) -> R {
    with(|current| match current {
        Some(Current::Worker(worker)) => body(Some(worker)),
        _ => body(None),
    })
}

/// The runtime of this thread, and the worker whose timers serve it.
pub(crate) fn timer_home() -> Option<(Arc<Shared>, usize)> {
    with(|current| match current {
        Some(Current::Worker(worker)) => Some((worker.shared.clone(), worker.index)),
        Some(Current::Outside(outside)) => Some((outside.shared.clone(), outside.home)),
        None => None,
    })
}

/// Spawns on this thread's runtime.
///
/// # Panics
/// Outside every runtime.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    with(|current| match current {
        Some(Current::Worker(worker)) => worker.spawn(future, ANY_WORKER),
        Some(Current::Outside(outside)) => outside.shared.spawn(future, ANY_WORKER),
        None => panic!("`zokio::spawn` needs a runtime: call it inside `block_on` or a task, or use `Runtime::spawn`"),
    })
}

/// Spawns many on this thread's runtime, with one wake-up.
///
/// # Panics
/// Outside every runtime.
pub(crate) fn spawn_batch<F>(futures: Vec<F>) -> Vec<JoinHandle<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    with(|current| match current {
        Some(Current::Worker(worker)) => worker.spawn_batch(futures),
        Some(Current::Outside(outside)) => outside.shared.spawn_batch(futures),
        None => panic!("`zokio::spawn_batch` needs a runtime: call it inside `block_on` or a task, or use `Runtime::spawn_batch`"),
    })
}

/// Runs a closure on a blocking thread of this thread's runtime.
///
/// # Panics
/// Outside every runtime.
pub(crate) fn spawn_blocking<F, R>(closure: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    with(|current| match current {
        Some(Current::Worker(worker)) => blocking::spawn(&worker.shared, closure),
        Some(Current::Outside(outside)) => blocking::spawn(&outside.shared, closure),
        None => panic!("`zokio::spawn_blocking` needs a runtime: call it inside `block_on` or a task, or use `Runtime::spawn_blocking`"),
    })
}

/// Runs `body` with the heap of this thread's worker.
///
/// # Panics
/// Outside a worker, and inside itself.
pub(crate) fn with_heap<R>(body: impl FnOnce(&mut Heap) -> R) -> R {
    with_worker(|worker| {
        let worker = worker.expect("`zokio::with_heap` needs a worker: call it inside a task");
        let mut heap = worker.heap.try_borrow_mut().expect("`zokio::with_heap` is not called inside itself");
        body(heap.get_or_insert_with(|| Heap::with_strategy(worker.shared.config.memory_strategy)))
    })
}

/// Spawns a task that stays on this thread's worker.
///
/// # Panics
/// Outside a worker.
pub(crate) fn spawn_pinned<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    with_worker(|worker| match worker {
        Some(worker) => worker.spawn(future, worker.index as u32),
        None => panic!("`zokio::spawn_local_pinned` needs a worker: call it inside a task, or use `Runtime::spawn_on`"),
    })
}

/// Queues an entry: on this worker if it is one of the task's runtime, else from outside.
pub(crate) fn schedule(entry: TaskRef) {
    let mut entry = Some(entry);
    with_worker(|worker| {
        let Some(worker) = worker else { return };
        let taken = entry.take().expect("scheduled once");
        if std::ptr::eq(&*worker.shared, &*taken.owner().shared) {
            worker.schedule(taken);
        } else {
            entry = Some(taken);
        }
    });
    if let Some(entry) = entry {
        // The runtime outlives this call although the entry may be run and freed by another thread meanwhile.
        let shared = entry.owner().shared.clone();
        shared.schedule(entry);
    }
}

/// Runs `body` with another reason for the wakes inside.
pub(crate) fn with_reason<R>(reason: WakeReason, body: impl FnOnce() -> R) -> R {
    let swap = |reason| with_worker(|worker| worker.map(|worker| worker.reason.replace(reason)));
    let before = swap(reason);
    let result = body();
    if let Some(before) = before {
        swap(before);
    }
    result
}

/// The polled task, known by its waker, wants to go to the tail; false when it is not a task of this worker.
pub(crate) fn mark_yielded(waker: &Waker) -> bool {
    with_worker(|worker| {
        let Some(worker) = worker else { return false };
        let is_polled = raw::is_task_waker(waker) && waker.data() == worker.polled.get();
        if is_polled {
            worker.yielded.set(true);
        }
        is_polled
    })
}

/// Whether the task that was just polled has asked to go to the tail.
pub(crate) fn take_yielded() -> bool {
    with_worker(|worker| worker.is_some_and(|worker| worker.yielded.replace(false)))
}

/// Whether this thread is the worker whose slab `remote` belongs to.
pub(crate) fn is_own_slab(remote: &slab::Remote<SlabOwner>) -> bool {
    with_worker(|worker| worker.is_some_and(|worker| worker.slab.try_borrow().is_ok_and(|slab| slab.is_owner_of(remote))))
}

/// Gives a vacant cell back: without an atomic if this worker owns its slab.
pub(crate) fn free_cell(cell: VacantCell) {
    let foreign = with_worker(|worker| match worker.map(|worker| worker.slab.try_borrow_mut()) {
        Some(Ok(mut slab)) => slab::free_local(&mut slab, cell).err(),
        _ => Some(cell),
    });
    if let Some(cell) = foreign {
        slab::free_remote::<SlabOwner>(cell);
    }
}

impl WorkerContext {
    pub(crate) fn spawn<F>(&self, future: F, affinity: u32) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.shared.is_closing() {
            return self.shared.spawn_cancelled(future);
        }
        let (entry, handle) = raw::spawn_into(&mut self.slab.borrow_mut(), future, affinity);
        self.push(entry);
        JoinHandle::new(handle)
    }

    fn spawn_batch<F>(&self, futures: Vec<F>) -> Vec<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        if self.shared.is_closing() {
            return futures.into_iter().map(|future| self.shared.spawn_cancelled(future)).collect();
        }
        let mut slab = self.slab.borrow_mut();
        let spawn = |future| {
            let (entry, handle) = raw::spawn_into(&mut slab, future, ANY_WORKER);
            self.ready.push(entry, false);
            JoinHandle::new(handle)
        };
        let handles = futures.into_iter().map(spawn).collect();
        drop(slab);
        if self.shared.idle.is_worth_a_hint() {
            self.hint();
        }
        handles
    }

    /// Queues a woken task.
    fn schedule(&self, entry: TaskRef) {
        let affinity = entry.affinity();
        if affinity != ANY_WORKER && affinity as usize != self.index {
            return self.shared.send(affinity as usize, entry);
        }
        match self.reason.get() {
            WakeReason::Event => {
                self.ready.push_warm(entry, affinity != ANY_WORKER);
                self.hint_if_worth(affinity);
            }
            WakeReason::Message if affinity == ANY_WORKER && self.shared.config.lifo_slot => {
                if let Some(displaced) = self.next.replace(Some(entry)) {
                    self.push(displaced);
                }
            }
            WakeReason::Message | WakeReason::Join => self.push(entry),
        }
    }

    /// To the tail of the queue, with a hint to a sleeper when that pays.
    pub(super) fn push(&self, entry: TaskRef) {
        let affinity = entry.affinity();
        self.ready.push(entry, affinity != ANY_WORKER);
        self.hint_if_worth(affinity);
    }

    /// A task of this affinity was pushed.
    #[inline]
    fn hint_if_worth(&self, affinity: u32) {
        if affinity != ANY_WORKER || !self.shared.idle.is_worth_a_hint() {
            return;
        }
        // Few tasks more change little, and a sleeper may stay one for long: not every push looks.
        let wait = self.pushes_to_look.get();
        if wait == 0 || !self.shared.idle.has_sentinel() {
            self.hint();
        } else {
            self.pushes_to_look.set(wait - 1);
        }
    }

    /// Wakes a sleeper if the queue is worth a wake-up, or if nobody would look after it during a long poll.
    #[cold]
    fn hint(&self) {
        let waiting = self.ready.stealable_len() as u64;
        let poll_ns = self.shared.workers[self.index].counters.poll_ns.get();
        self.pushes_to_look.set(waiting.min(LOOK_PUSHES_MAX) as u32);
        if is_worth_moving(waiting, poll_ns) || (waiting >= 2 && !self.shared.idle.has_sentinel()) {
            self.shared.wake_somebody();
        }
    }
}
