//! How blocks freed by other threads come back to where they were cut from, and who ends that when its owner is gone. A [`Home`] serves a heap;
//! a slab has one stack ([`Returns`]) and counts what is out ([`Outstanding`]) for each of its chunks.
//!
//! ```text
//!  other threads ── push: chains of blocks, one exchange each ──▶ head ── take_all: everything at once ──▶ owner
//!                        after close: outstanding -= count, the last one releases
//! ```
//!
//! Invariants
//!  R1. The stack is only pushed to, and only emptied whole, so there is no ABA.
//!  R2. A block is in one chain of one thread, on the stack, or with the owner.
//!  R3. After closing, the outstanding count holds the blocks that are still out: the owner adds their number once, whoever frees one too late for the stack
//!      subtracts it, possibly before. Exactly one party sees the sum reach zero, and nobody touches the home after that.
#![expect(unsafe_code, reason = "a stack of raw blocks; invariants R1 to R3")]

use std::ptr::NonNull;

use crate::primitives::{AtomicPtr, AtomicUsize, Ordering};

/// The link of a free block.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node {
    pub(super) next: *mut Node,
}

/// The mark of a closed stack; never dereferenced.
fn closed() -> *mut Node {
    std::ptr::without_provenance_mut(1)
}

/// Blocks freed elsewhere, until their owner takes them.
#[derive(Debug)]
pub(super) struct Returns {
    head: AtomicPtr<Node>,
}

impl Returns {
    pub(super) fn new() -> Self {
        Self { head: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Puts the chain from `first` to `last` on the stack. False: the owner is gone, and the chain is still the caller's.
    ///
    /// # Safety
    /// The chain is linked, its blocks belong to the owner of this stack and are the caller's alone (R2).
    #[must_use]
    pub(super) unsafe fn push(&self, first: NonNull<Node>, last: NonNull<Node>) -> bool {
        let mut head = self.head.load(Ordering::Relaxed);
        while head != closed() {
            // SAFETY: the chain is ours until the exchange succeeds (R2).
            unsafe { (*last.as_ptr()).next = head };
            // Release pairs with the Acquire of `take_all` and `close`: who empties the stack sees the links and what they were written over.
            match self.head.compare_exchange_weak(head, first.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(found) => head = found,
            }
        }
        false
    }

    /// Takes everything that came back, as a chain that ends in null. The owner alone calls it, and not after [`Self::close`].
    pub(super) fn take_all(&self) -> *mut Node {
        // Mostly there is nothing, and a look is cheaper than an exchange. Relaxed: a block that is missed is found next time.
        if self.head.load(Ordering::Relaxed).is_null() {
            return std::ptr::null_mut();
        }
        // Acquire pairs with the Release of `push`.
        self.head.swap(std::ptr::null_mut(), Ordering::Acquire)
    }

    /// Takes everything that came back, for the last time.
    pub(super) fn close(&self) -> *mut Node {
        self.head.swap(closed(), Ordering::Acquire)
    }
}

/// How many blocks are still out after the owner has gone (R3).
#[derive(Debug)]
pub(super) struct Outstanding(AtomicUsize);

impl Outstanding {
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// `count` blocks were freed too late for the stack. True: they were the last that were out, so the caller releases what they lie in; after
    /// false the caller must not touch it any more.
    #[must_use]
    pub(super) fn freed(&self, count: usize) -> bool {
        // AcqRel: whoever releases has seen everything that the others did with their blocks.
        self.0.fetch_sub(count, Ordering::AcqRel) == count
    }

    /// The owner is gone, and `live` blocks had not come back. True: they have meanwhile, and the caller releases; after false as in
    /// [`Self::freed`].
    #[must_use]
    pub(super) fn left(&self, live: usize) -> bool {
        // AcqRel: as in `freed`.
        self.0.fetch_add(live, Ordering::AcqRel).wrapping_add(live) == 0
    }
}

/// The place where blocks freed elsewhere wait for their owner, and the count of those that are out when it has gone.
#[derive(Debug)]
pub(super) struct Home {
    returns: Returns,
    outstanding: Outstanding,
}

impl Home {
    pub(super) fn new() -> Self {
        Self { returns: Returns::new(), outstanding: Outstanding::new() }
    }

    /// Gives back the `count` blocks of the chain from `first` to `last`. True: the home is closed and these were the last that were out, so the
    /// caller releases it; after false the caller must not touch the home any more.
    ///
    /// # Safety
    /// As [`Returns::push`].
    #[must_use]
    pub(super) unsafe fn give(&self, first: NonNull<Node>, last: NonNull<Node>, count: usize) -> bool {
        // SAFETY: the caller's promise.
        !unsafe { self.returns.push(first, last) } && self.outstanding.freed(count)
    }

    /// See [`Returns::take_all`].
    pub(super) fn take_all(&self) -> *mut Node {
        self.returns.take_all()
    }

    /// See [`Returns::close`].
    pub(super) fn close(&self) -> *mut Node {
        self.returns.close()
    }

    /// After [`Self::close`]: `live` blocks had not come back; see [`Outstanding::left`].
    #[must_use]
    pub(super) fn leave(&self, live: usize) -> bool {
        self.outstanding.left(live)
    }
}

/// `RUSTFLAGS="--cfg zokio_loom" cargo test -p zokio --release --lib loom_home`.
#[cfg(all(test, zokio_loom))]
mod models {
    use loom::cell::UnsafeCell;
    use loom::sync::atomic::AtomicUsize as Count;
    use loom::sync::{Arc, atomic::Ordering as Order};

    use super::*;

    /// A block with content, so that loom sees who touches it when.
    #[repr(C)]
    struct Block {
        node: Node,
        content: UnsafeCell<usize>,
    }

    fn block() -> NonNull<Node> {
        let block = Block { node: Node { next: std::ptr::null_mut() }, content: UnsafeCell::new(0) };
        NonNull::from(Box::leak(Box::new(block))).cast()
    }

    /// Writes to a block as its user.
    fn use_block(node: NonNull<Node>, value: usize) {
        // SAFETY: made by `block`; that nobody else touches it is what the model checks.
        unsafe { node.cast::<Block>().as_ref().content.with_mut(|content| *content = value) };
    }

    /// Reads and frees a chain; how many blocks it had.
    fn end(mut list: *mut Node) -> usize {
        let mut count = 0;
        while let Some(node) = NonNull::new(list) {
            // SAFETY: as above, and the chain is the caller's.
            let block = unsafe { Box::from_raw(node.cast::<Block>().as_ptr()) };
            list = block.node.next;
            block.content.with_mut(|content| {
                // SAFETY: loom checks that nobody else is at it.
                assert_ne!(unsafe { *content }, 0, "what its user wrote is seen");
            });
            count += 1;
        }
        count
    }

    /// Touches a block that everybody else is done with, as its release does.
    fn touch(node: NonNull<Node>) {
        // SAFETY: made by `block`; that nobody else touches it is what the model checks.
        unsafe { node.cast::<Block>().as_ref() }.content.with_mut(|content| {
            // SAFETY: as above.
            assert_ne!(unsafe { *content }, 0, "what its user wrote is seen");
        });
    }

    // loom looks for another order only where an access meets the *last* one of the same word by another thread. A thread that begins with a
    // load hides what was loaded before it; so the taker is a thread of its own, and meets the exchange of a giver that ran first.

    #[test]
    fn loom_home_every_block_comes_back_once() {
        loom::model(|| {
            let home = Arc::new(Home::new());
            let give_two = |home: &Home, value| {
                let (first, second) = (block(), block());
                use_block(first, value);
                use_block(second, value);
                // SAFETY: two blocks of our own, linked here.
                let is_last = unsafe {
                    (*first.as_ptr()).next = second.as_ptr();
                    home.give(first, second, 2)
                };
                assert!(!is_last, "nobody closed it");
            };
            let spawn = |body: Box<dyn FnOnce(&Home) -> usize>| {
                let home = Arc::clone(&home);
                loom::thread::spawn(move || body(&home))
            };
            let taker = spawn(Box::new(|home| end(home.take_all())));
            let giver = spawn(Box::new(move |home| {
                give_two(home, 1);
                0
            }));
            give_two(&home, 2);
            let taken: usize = [taker, giver].into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(taken + end(home.take_all()), 4);
        });
    }

    /// What the strategy `adaptive` leans on: those who free blocks look at the header of their chunk before, and not after.
    #[test]
    fn loom_home_a_chunk_whose_blocks_all_came_back_is_its_owners_alone() {
        loom::model(|| {
            let shared = Arc::new((Home::new(), UnsafeCell::new(7_usize)));
            let givers = [1, 2].map(|value| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    let (home, header) = &*shared;
                    // SAFETY: read while a block of the chunk is out; that nobody writes is what the model checks.
                    header.with(|header| assert_eq!(unsafe { *header }, 7, "the chunk is still there"));
                    let node = block();
                    use_block(node, value);
                    // SAFETY: a block of our own.
                    assert!(!unsafe { home.give(node, node, 1) }, "nobody closed it");
                })
            });
            let (home, header) = &*shared;
            let mut back = end(home.take_all());
            // SAFETY: written when both blocks came back; that nobody reads is what the model checks.
            let give_back = || header.with_mut(|header| unsafe { *header = 0 });
            if back == 2 {
                give_back();
            }
            givers.into_iter().for_each(|giver| giver.join().unwrap());
            back += end(home.take_all());
            assert_eq!(back, 2);
        });
    }

    #[test]
    fn loom_home_exactly_one_releases_it_and_sees_what_all_did() {
        loom::model(|| {
            let shared = Arc::new((Home::new(), Count::new(0)));
            let blocks = [block(), block()];
            // Addresses, since a pointer does not cross threads by itself.
            let addresses = blocks.map(|node| node.as_ptr().expose_provenance());
            let at = |address| NonNull::new(std::ptr::with_exposed_provenance_mut::<Node>(address)).unwrap();
            let release = move |releases: &Count| {
                releases.fetch_add(1, Order::Relaxed);
                addresses.into_iter().for_each(|address| touch(at(address)));
            };
            let givers = addresses.map(|address| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    let node = at(address);
                    use_block(node, 7);
                    // SAFETY: a block of our own.
                    if unsafe { shared.0.give(node, node, 1) } {
                        release(&shared.1);
                    }
                })
            });
            let (home, releases) = &*shared;
            let mut back = home.close();
            let mut count = 0;
            while let Some(node) = NonNull::new(back) {
                touch(node);
                // SAFETY: a chain of ours, of blocks that are freed below.
                back = unsafe { node.as_ref() }.next;
                count += 1;
            }
            if home.leave(2 - count) {
                release(releases);
            }
            givers.into_iter().for_each(|giver| giver.join().unwrap());
            assert_eq!(releases.load(Order::Relaxed), 1);
            for node in blocks {
                // SAFETY: made by `block`, and everybody is done with it.
                drop(unsafe { Box::from_raw(node.cast::<Block>().as_ptr()) });
            }
        });
    }
}
