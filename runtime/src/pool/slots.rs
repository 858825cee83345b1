//! A small number for each thread, used again when the thread has ended.

use std::cell::Cell;
use std::sync::Mutex;

use crate::primitives::lock_std;

/// The thread has no number yet.
const UNKNOWN: usize = usize::MAX;
/// The thread ends, and its number may be another's already.
const GONE: usize = usize::MAX - 1;

thread_local! {
    /// Without a destructor, so that reading it is one load.
    static SLOT: Cell<usize> = const { Cell::new(UNKNOWN) };
    static GIVES_BACK: GivesBack = const { GivesBack };
}

#[derive(Debug)]
struct Free {
    returned: Vec<usize>,
    next: usize,
}

/// The lock orders what the last owner of a number did before what the next one does.
static FREE: Mutex<Free> = Mutex::new(Free { returned: Vec::new(), next: 0 });

struct GivesBack;

impl Drop for GivesBack {
    fn drop(&mut self) {
        let slot = SLOT.replace(GONE);
        if slot < GONE {
            lock_std(&FREE).returned.push(slot);
        }
    }
}

/// This thread's number; too large for any table while the thread ends.
#[inline]
pub(super) fn current() -> usize {
    match SLOT.get() {
        UNKNOWN => assign(),
        slot => slot,
    }
}

#[cold]
fn assign() -> usize {
    if GIVES_BACK.try_with(|_| ()).is_err() {
        return GONE;
    }
    let slot = {
        let mut free = lock_std(&FREE);
        // The smallest, so that tables stay dense.
        match free.returned.iter().enumerate().min_by_key(|&(_, &slot)| slot).map(|(place, _)| place) {
            Some(place) => free.returned.swap_remove(place),
            None => {
                free.next += 1;
                free.next - 1
            }
        }
    };
    SLOT.set(slot);
    slot
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn threads_that_live_together_have_different_numbers() {
        let barrier = std::sync::Barrier::new(8);
        let mut slots: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let slot = current();
                        assert_eq!(slot, current());
                        barrier.wait();
                        slot
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), 8);
    }
}
