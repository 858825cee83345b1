//! loom models of the pool: returns from other threads beside takes, waits and the end of the pool.
#![expect(unsafe_code, reason = "the core takes nodes back through raw pointers; each is given back once, by its owner")]

use std::ptr::NonNull;
use std::task::Waker;

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::core::{Asked, Core, Grant, Node, NodePtr};

/// What loom's threads share: a core with one object, and marks that show who has it and what was dropped.
struct Pool {
    core: NonNull<Core<Mark>>,
}

struct Mark {
    owners: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: the claim under test.
unsafe impl Send for Pool {}
// SAFETY: the claim under test.
unsafe impl Sync for Pool {}

/// A node on its way to another thread.
struct Out(NodePtr<Mark>);

// SAFETY: the claim under test.
unsafe impl Send for Out {}

impl Pool {
    /// A pool with one object, taken by thread 0.
    fn with_one_out(drops: &Arc<AtomicUsize>) -> (Arc<Self>, Out) {
        let core = Core::allocate(1, 2, Box::new(|| unreachable!("made by the model")), None);
        let pool = Arc::new(Self { core });
        let Some(Grant::Create) = pool.core().try_take(0) else { panic!("the first object may be made") };
        let value = Mark { owners: Arc::new(AtomicUsize::new(1)), drops: drops.clone() };
        let node = NonNull::from(Box::leak(Box::new(Node { core, value })));
        (pool, Out(node))
    }

    fn core(&self) -> &Core<Mark> {
        // SAFETY: the models keep the core while they use it.
        unsafe { self.core.as_ref() }
    }

    fn put(&self, out: Out, slot: usize) {
        Self::put_into(self.core, out, slot);
    }

    fn put_into(core: NonNull<Core<Mark>>, out: Out, slot: usize) {
        // SAFETY: `Out` owns its node.
        assert_eq!(unsafe { out.0.as_ref() }.value.owners.fetch_sub(1, Ordering::Relaxed), 1);
        // SAFETY: as above, once.
        unsafe { Core::put(core, out.0, slot) };
    }

    /// Takes as `try_acquire` does.
    fn take(&self, slot: usize) -> Option<Out> {
        let node = self.core().take_fast(slot).or_else(|| match self.core().try_take(slot)? {
            Grant::Object(node) => Some(node),
            Grant::Create => panic!("the only object was made"),
        })?;
        Some(Self::owned(node))
    }

    fn owned(node: NodePtr<Mark>) -> Out {
        // SAFETY: taken just now.
        assert_eq!(unsafe { node.as_ref() }.value.owners.fetch_add(1, Ordering::Relaxed), 0, "one owner at a time");
        Out(node)
    }

    fn close(&self) {
        // SAFETY: the model's only handle.
        unsafe { Core::close(self.core) };
    }
}

#[test]
fn an_object_that_comes_back_elsewhere_is_given_out_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (pool, out) = Pool::with_one_out(&drops);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || {
                pool.put(out, 1);
                if let Some(out) = pool.take(1) {
                    pool.put(out, 1);
                }
            })
        };
        if let Some(out) = pool.take(0) {
            pool.put(out, 0);
        }
        other.join().unwrap();
        let last = pool.take(0).expect("it came back");
        assert!(pool.take(0).is_none());
        pool.put(last, 0);
        pool.close();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn who_waits_beside_a_return_is_served() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (pool, out) = Pool::with_one_out(&drops);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.put(out, 1))
        };
        let asked = pool.core().take_or_wait(0, Waker::noop());
        other.join().unwrap();
        let grant = match asked {
            Asked::Got(grant) => grant,
            Asked::Waits(ticket) => pool.core().collect(ticket, Waker::noop()).expect("granted when it came back"),
        };
        let Grant::Object(node) = grant else { panic!("the only object was made") };
        pool.put(Pool::owned(node), 0);
        pool.close();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn who_leaves_beside_a_return_passes_the_object_on() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (pool, out) = Pool::with_one_out(&drops);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.put(out, 1))
        };
        let kept = Mutex::new(None);
        match pool.core().take_or_wait(0, Waker::noop()) {
            Asked::Waits(ticket) => pool.core().leave(ticket),
            Asked::Got(Grant::Object(node)) => *kept.lock().unwrap() = Some(Pool::owned(node)),
            Asked::Got(Grant::Create) => panic!("the only object was made"),
        }
        other.join().unwrap();
        let last = kept.lock().unwrap().take().or_else(|| pool.take(0)).expect("it came back");
        pool.put(last, 0);
        pool.close();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_pool_that_ends_beside_a_return_drops_the_object_once() {
    loom::model(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (pool, out) = Pool::with_one_out(&drops);
        let core = Address(pool.core);
        let other = thread::spawn(move || {
            let core = core;
            Pool::put_into(core.0, out, 1);
        });
        pool.close();
        other.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// The core's address on its way to another thread, which has an object that keeps it.
struct Address(NonNull<Core<Mark>>);

// SAFETY: the claim under test.
unsafe impl Send for Address {}
