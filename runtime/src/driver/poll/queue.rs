//! A queue of cells linked through themselves: waiting costs no memory.
#![expect(unsafe_code, reason = "follows the links of occupied cells, which belong to the owner while they wait")]

use crate::driver::cell::CellRef;

/// First in, first out; every cell in it is occupied and in no other list.
#[derive(Debug, Default)]
pub(super) struct Queue {
    head: Option<CellRef>,
    tail: Option<CellRef>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    pub(super) fn push(&mut self, cell: CellRef) {
        // SAFETY: occupied and in no list, so the link is ours.
        unsafe { cell.set_next(None) };
        match self.tail {
            None => self.head = Some(cell),
            // SAFETY: in this queue.
            Some(tail) => unsafe { tail.set_next(Some(cell)) },
        }
        self.tail = Some(cell);
    }

    pub(super) fn front(&self) -> Option<CellRef> {
        self.head
    }

    pub(super) fn pop(&mut self) -> Option<CellRef> {
        let first = self.head?;
        // SAFETY: in this queue.
        self.head = unsafe { first.next() };
        if self.head.is_none() {
            self.tail = None;
        }
        Some(first)
    }

    /// Takes `cell` out of the middle; `false` if it is not here.
    pub(super) fn remove(&mut self, cell: CellRef) -> bool {
        let (mut previous, mut current): (Option<CellRef>, _) = (None, self.head);
        while let Some(here) = current {
            // SAFETY: in this queue.
            let next = unsafe { here.next() };
            if here == cell {
                match previous {
                    None => self.head = next,
                    // SAFETY: in this queue.
                    Some(previous) => unsafe { previous.set_next(next) },
                }
                if next.is_none() {
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
    use crate::driver::cell::OpCell;
    use std::ptr::{self, NonNull};

    #[test]
    fn cells_leave_in_order_and_from_the_middle() {
        let cells: Vec<OpCell> = (0..4).map(|_| OpCell::vacant(ptr::null(), false)).collect();
        // SAFETY: `cells` outlives the queue.
        let cell = |index: usize| unsafe { CellRef::new(NonNull::from(&cells[index])) };
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
