//! Maps cells to entries and completions back to cells.
#![expect(unsafe_code, reason = "user data is the address of a cell; invariants I6 and U1")]
//!
//! Invariants
//!  U1. `user_data` is the address of an occupied cell in flight (of the first entry of a chain: with [`HEAD`] set), or one of the small
//!      marks below. Cells are aligned to 64 bytes and never at address 0, so the two cannot be confused.
//!  U2. A cancellation reaches the kernel after every entry pushed before it (what is held back goes first), and before every later one. So
//!      it finds its operation, and never hits a later one in a reused cell.
//!  U3. A chain completes once: its first entry is silent when it succeeds and has the kernel drop the second in silence when it does not.
//!      That holds as long as both go to the kernel in one call, which is what [`Ring::push_chain`] is for; a chain that a kernel
//!      without memory cut all the same is never completed, and its cell never freed.
//!
//! Within a batch, what waits for the peer (receive, accept) is submitted last: a send of the same batch may be what its peer on this
//! host waits for, or may bring the answer. A receive that finds its data costs one call into the socket; one that comes too early costs a
//! second one, and a wait queue entry in between.

use std::io;
use std::ptr::NonNull;
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd};
use io_uring::{opcode, squeue};

use super::ring::Ring;
use crate::driver::Wait;
use crate::driver::cell::{CellRef, OpCell};
use crate::driver::core::Sink;
use crate::driver::remote::Remote;
use crate::driver::waking::Waking;
use crate::op::Interest;

/// The read of the eventfd.
const WAKE: u64 = 1;
/// A cancellation; its result is of no interest, only the cancelled operation's is.
const CANCEL: u64 = 2;
/// The cancellation of everything.
const CANCEL_ALL: u64 = 3;
/// Held back at most; more are queued in between. As many as a submission queue has entries by default.
const HELD_BACK_MAX: usize = 1024;
/// Calls of a turn that only fetch; at 20 completions each, more than a turn's tasks can be fast with.
const DEFERRED_ROUNDS_MAX: u32 = 32;
/// The cancellation of a chain's second entry; it speaks up when that was not found.
const CANCEL_TAIL: u64 = 4;
/// Added to the address: the first entry of a chain.
const HEAD: u64 = 1;
/// Marks are below this.
const MARKS: u64 = 64;

/// See the module page.
#[derive(Debug)]
pub(in crate::driver) struct UringCore {
    ring: Ring,
    /// Entries of this batch that wait for the peer.
    held_back: Vec<squeue::Entry>,
    in_flight: usize,
    /// Orphaned chains. A cancellation misses a chain between its entries, so it is repeated until the chain has ended.
    ending: Vec<CellRef>,
    /// Where the kernel writes the eventfd's counter; leaked if it never lets go.
    wake_counter: Option<Box<u64>>,
    wake_armed: bool,
    /// The kernel (before 5.19) does not know how to cancel everything.
    cancel_singly: bool,
}

impl UringCore {
    pub(super) fn new(ring: Ring) -> Self {
        Self {
            ring,
            held_back: Vec::with_capacity(HELD_BACK_MAX),
            in_flight: 0,
            ending: Vec::new(),
            wake_counter: Some(Box::new(0)),
            wake_armed: false,
            cancel_singly: false,
        }
    }

    #[inline]
    pub(in crate::driver) fn submit(&mut self, cell: CellRef) -> io::Result<()> {
        // SAFETY: occupied, on the owner's thread.
        let entry = unsafe { cell.prepare() }?;
        let address = cell.as_ptr().expose_provenance() as u64;
        // SAFETY: as above, and prepared.
        if let Some(tail) = unsafe { cell.prepare_tail() } {
            let head = entry.flags(squeue::Flags::IO_LINK | squeue::Flags::SKIP_SUCCESS).user_data(address | HEAD);
            // SAFETY: as for a single entry, until the one completion of the chain (U3).
            unsafe { self.ring.push_chain([head, tail.user_data(address)]) };
        // SAFETY: as above.
        } else if unsafe { cell.interest() } == Interest::Readable {
            self.hold_back(entry.user_data(address));
        } else {
            // SAFETY: the entry points into the cell and what its operation owns, which stay until the completion (I6).
            unsafe { self.ring.push(entry.user_data(address)) };
        }
        // SAFETY: the owner's thread.
        unsafe { cell.set_in_flight(true) };
        self.in_flight += 1;
        Ok(())
    }

    #[inline]
    fn hold_back(&mut self, entry: squeue::Entry) {
        if self.held_back.len() == HELD_BACK_MAX {
            self.push_held_back();
        }
        self.held_back.push(entry);
    }

    /// Queues what was held back, in its order.
    fn push_held_back(&mut self) {
        for entry in self.held_back.drain(..) {
            // SAFETY: promised by `submit` (I6).
            unsafe { self.ring.push(entry) };
        }
    }

    /// Never ends it at once: only the kernel can.
    pub(in crate::driver) fn cancel(&mut self, cell: CellRef) -> bool {
        self.push_held_back();
        let address = cell.as_ptr().expose_provenance() as u64;
        // SAFETY: in flight, on the owner's thread.
        if unsafe { cell.is_chain() } {
            self.ending.push(cell);
            self.cancel_chain(address);
        } else {
            self.push_cancel(address, CANCEL);
        }
        false
    }

    /// The first entry goes first: when it is found, the second was not begun; when it is not, it has ended.
    fn cancel_chain(&mut self, address: u64) {
        self.push_cancel(address | HEAD, CANCEL);
        self.push_cancel(address, CANCEL_TAIL);
    }

    fn push_cancel(&mut self, user_data: u64, mark: u64) {
        let entry = opcode::AsyncCancel::new(user_data).build().user_data(mark);
        // SAFETY: points nowhere; the address is only compared (U2).
        unsafe { self.ring.push(entry.flags(squeue::Flags::SKIP_SUCCESS)) };
    }

    pub(in crate::driver) fn needs_turn(&mut self) -> bool {
        !self.held_back.is_empty() || self.ring.has_completions() || self.ring.must_enter()
    }

    pub(in crate::driver) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(in crate::driver) fn turn(&mut self, wait: Wait, remote: &Remote, sink: &mut Sink<'_>) -> io::Result<()> {
        let mut result = self.enter(wait, remote);
        self.reap(sink);
        // Linux runs 20 deferred completions a call (`IO_LOCAL_TW_DEFAULT_MAX`, since 6.13) and says with a flag that there are more. They are
        // fetched before anything new is submitted: operations that complete at submission would overtake them for ever.
        let mut rounds = 0;
        while result.is_ok() && self.ring.has_deferred() && rounds < DEFERRED_ROUNDS_MAX {
            rounds += 1;
            result = self.ring.enter_to_reap();
            self.reap(sink);
        }
        // What did not fit the completion queue is fetched now that it has room; each round reaps at least one.
        let mut before = usize::MAX;
        while result.is_ok() && self.ring.has_overflow() && sink.completed() != before {
            before = sink.completed();
            result = self.ring.enter(0, None);
            self.reap(sink);
        }
        remote.tally().enters.add(self.ring.take_enters());
        result
    }

    fn enter(&mut self, wait: Wait, remote: &Remote) -> io::Result<()> {
        self.push_held_back();
        let limit = match wait {
            Wait::No => return self.enter_if_needed(),
            Wait::For(Duration::ZERO) => return self.enter_if_needed(),
            // Completions are there: no reason to sleep.
            Wait::For(_) | Wait::Forever if self.ring.has_completions() => return self.enter_if_needed(),
            Wait::For(limit) => Some(limit),
            Wait::Forever => None,
        };
        self.arm_wake(remote);
        if !remote.park().begin() {
            return self.enter_if_needed();
        }
        let entered = self.ring.enter(1, limit);
        remote.park().end();
        entered
    }

    fn enter_if_needed(&mut self) -> io::Result<()> {
        if self.ring.must_enter() {
            return self.ring.enter(0, None);
        }
        Ok(())
    }

    /// Keeps a read of the eventfd in flight, by which other threads end a wait.
    fn arm_wake(&mut self, remote: &Remote) {
        if self.wake_armed {
            return;
        }
        let Waking::Event(event) = remote.waking() else { unreachable!("a ring is woken by an eventfd") };
        let counter = self.wake_counter.as_mut().expect("taken only when the driver ends");
        let entry = opcode::Read::new(Fd(event.fd()), (&raw mut **counter).cast(), size_of::<u64>() as u32);
        // SAFETY: the counter is a box that is leaked if the read never ends.
        unsafe { self.ring.push(entry.build().user_data(WAKE)) };
        self.wake_armed = true;
    }

    #[inline]
    fn reap(&mut self, sink: &mut Sink<'_>) {
        let (mut ended, mut woken, mut cancel_singly, mut missed) = (0, false, false, false);
        let ending = &mut self.ending;
        self.ring.reap(|user_data, result, torn| match user_data {
            WAKE => woken = true,
            CANCEL_ALL => cancel_singly |= result == -libc::EINVAL,
            CANCEL_TAIL => missed = true,
            mark if mark < MARKS => {}
            address => {
                if !torn.is_empty() && torn.contains(&(address | HEAD)) {
                    return;
                }
                let cell = NonNull::new(std::ptr::with_exposed_provenance_mut::<OpCell>((address & !HEAD) as usize)).expect("not a mark");
                // SAFETY: U1, I6.
                let cell = unsafe { CellRef::new(cell) };
                ended += 1;
                if address & HEAD != 0 {
                    // SAFETY: the owner, before the completion.
                    unsafe { cell.head_ended() };
                }
                if !ending.is_empty() {
                    ending.retain(|&chain| chain != cell);
                }
                // SAFETY: U1; an operation has one completion, so the cell is completed once.
                unsafe { sink.complete(cell, result) };
            }
        });
        self.in_flight -= ended;
        self.wake_armed &= !woken;
        self.cancel_singly |= cancel_singly;
        if missed {
            self.cancel_again();
        }
    }

    /// What was not found may be found now: each call into the kernel takes a chain a step on.
    #[cold]
    fn cancel_again(&mut self) {
        for index in 0..self.ending.len() {
            self.cancel_chain(self.ending[index].as_ptr().expose_provenance() as u64);
        }
    }

    pub(in crate::driver) fn shut_down_step(&mut self, remote: &Remote, sink: &mut Sink<'_>) -> usize {
        self.push_held_back();
        if self.in_flight > 0 || self.wake_armed {
            self.cancel_everything(remote);
            // An error leaves the operations in flight, which is what is counted.
            let _ = self.ring.enter(1, Some(Duration::from_millis(10)));
            self.reap(sink);
        }
        self.in_flight + usize::from(self.wake_armed)
    }

    fn cancel_everything(&mut self, remote: &Remote) {
        if !self.cancel_singly {
            let entry = opcode::AsyncCancel2::new(CancelBuilder::any().all()).build().user_data(CANCEL_ALL);
            // SAFETY: points nowhere.
            unsafe { self.ring.push(entry) };
            return;
        }
        let mut addresses = vec![WAKE];
        remote.for_each_cell(|cell| {
            // SAFETY: the owner's thread.
            if unsafe { cell.is_in_flight() } {
                let address = std::ptr::from_ref(cell).expose_provenance() as u64;
                // SAFETY: as above, so it is occupied.
                if unsafe { cell.is_chain() } {
                    addresses.push(address | HEAD);
                }
                addresses.push(address);
            }
        });
        for address in addresses {
            // SAFETY: points nowhere; the address is only compared.
            unsafe { self.ring.push(opcode::AsyncCancel::new(address).build().user_data(CANCEL)) };
        }
    }
}

impl Drop for UringCore {
    fn drop(&mut self) {
        if self.wake_armed {
            // The kernel may still write to it.
            std::mem::forget(self.wake_counter.take());
        }
    }
}
