//! A queue of cells linked through themselves: waiting costs no memory.
#![expect(unsafe_code, reason = "follows the links of occupied cells, which belong to the owner while they wait")]

use std::ptr::{self, NonNull};

use crate::driver::cell::OpCell;

/// First in, first out; every cell in it is occupied and in no other list.
#[derive(Debug)]
pub(super) struct Queue {
    head: *mut OpCell,
    tail: *mut OpCell,
}

impl Default for Queue {
    fn default() -> Self {
        Self { head: ptr::null_mut(), tail: ptr::null_mut() }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    pub(super) fn push(&mut self, cell: NonNull<OpCell>) {
        // SAFETY: occupied and in no list, so the link is ours.
        unsafe { *cell.as_ref().next.get() = ptr::null_mut() };
        match NonNull::new(self.tail) {
            None => self.head = cell.as_ptr(),
            // SAFETY: in this queue, so occupied, and the link is ours.
            Some(tail) => unsafe { *tail.as_ref().next.get() = cell.as_ptr() },
        }
        self.tail = cell.as_ptr();
    }

    pub(super) fn front(&self) -> Option<NonNull<OpCell>> {
        NonNull::new(self.head)
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<OpCell>> {
        let first = self.front()?;
        // SAFETY: in this queue.
        self.head = unsafe { *first.as_ref().next.get() };
        if self.head.is_null() {
            self.tail = ptr::null_mut();
        }
        Some(first)
    }

    /// Takes `cell` out of the middle; `false` if it is not here.
    pub(super) fn remove(&mut self, cell: NonNull<OpCell>) -> bool {
        let mut previous: *mut OpCell = ptr::null_mut();
        let mut current = self.head;
        while let Some(here) = NonNull::new(current) {
            // SAFETY: in this queue.
            let next = unsafe { *here.as_ref().next.get() };
            if here == cell {
                match NonNull::new(previous) {
                    None => self.head = next,
                    // SAFETY: in this queue.
                    Some(previous) => unsafe { *previous.as_ref().next.get() = next },
                }
                if next.is_null() {
                    self.tail = previous;
                }
                return true;
            }
            previous = current;
            current = next;
        }
        false
    }
}

#[cfg(all(test, not(zokio_loom)))]
mod tests {
    use super::*;

    #[test]
    fn cells_leave_in_order_and_from_the_middle() {
        let cells: Vec<OpCell> = (0..4).map(|_| OpCell::vacant(ptr::null(), false)).collect();
        let cell = |index: usize| NonNull::from(&cells[index]);
        let mut queue = Queue::default();
        (0..4).for_each(|index| queue.push(cell(index)));
        assert!(queue.remove(cell(2)));
        assert!(!queue.remove(cell(2)));
        assert!(queue.remove(cell(3)));
        queue.push(cell(2));
        assert!(queue.remove(cell(0)));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(cell(1)), Some(cell(2)), None]);
        assert!(queue.is_empty());
    }
}
