//! Waiting in line allocates nothing, once the line has been that long.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use zokio::sync::{Mutex, Notify};

thread_local! {
    /// What this thread has allocated so far.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_waiter_is_no_allocation() {
    let (mutex, notify) = (Mutex::new(0), Notify::new());
    let mut before = 0;
    for round in 0..100 {
        let held = mutex.try_lock().unwrap();
        let (mut first, mut second, mut third) = (pin!(mutex.lock()), pin!(mutex.lock()), pin!(notify.notified()));
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending() && poll(&mut third).is_pending());
        drop(held);
        for lock in [&mut first, &mut second] {
            let Poll::Ready(mut guard) = poll(lock) else { panic!("next in line") };
            *guard += 1;
        }
        notify.notify_one();
        assert!(poll(&mut third).is_ready());
        if round == 0 {
            before = ALLOCATIONS.get();
        }
    }
    assert_eq!(ALLOCATIONS.get(), before);
    assert_eq!(*mutex.try_lock().unwrap(), 200);
    assert!(before > 0, "the allocator counts");
}
