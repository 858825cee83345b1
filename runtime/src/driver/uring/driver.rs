//! Maps cells to entries and completions back to cells.
#![expect(unsafe_code, reason = "user data is the address of a cell; invariants I6 and U1")]
//!
//! Invariants
//!  U1. `user_data` is the address of an occupied cell in flight, or one of the small marks below. Cells are aligned to 64 bytes and
//!      never at address 0, so the two cannot be confused.
//!  U2. A cancellation reaches the kernel after every entry pushed before it (what is held back goes first), and before every later one. So
//!      it finds its operation, and never hits a later one in a reused cell.
//!
//! Within a batch, what waits for the peer (receive, accept) is submitted last: a send of the same batch may be what its peer on this
//! host waits for, or may bring the answer. A receive that finds its data costs one call into the socket; one that comes too early costs a
//! second one, and a wait queue entry in between. The later steps of an operation ([`Operation::IN_STEPS`](crate::op::Operation)) go with
//! them, in the batch after the step before.

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
/// Marks are below this.
const MARKS: u64 = 64;

/// What a look at the completions found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Steps {
    /// Operations that went a step on, and none that ended.
    Only,
    /// Anything else.
    Others,
}

/// See the module page.
#[derive(Debug)]
pub(in crate::driver) struct UringCore {
    ring: Ring,
    /// Entries of this batch that wait for the peer.
    held_back: Vec<squeue::Entry>,
    in_flight: usize,
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
            wake_counter: Some(Box::new(0)),
            wake_armed: false,
            cancel_singly: false,
        }
    }

    #[inline]
    pub(in crate::driver) fn submit(&mut self, cell: CellRef) -> io::Result<()> {
        // SAFETY: occupied, on the owner's thread.
        let entry = unsafe { cell.prepare() }?.user_data(cell.as_ptr().expose_provenance() as u64);
        // SAFETY: as above.
        if unsafe { cell.interest() } == Interest::Readable {
            self.hold_back(entry);
        } else {
            // SAFETY: the entry points into the cell and what its operation owns, which stay until the completion (I6).
            unsafe { self.ring.push(entry) };
        }
        // SAFETY: the owner's thread.
        unsafe { cell.set_in_flight(true) };
        self.in_flight += 1;
        Ok(())
    }

    #[inline]
    fn hold_back(&mut self, entry: squeue::Entry) {
        if self.held_back.len() >= HELD_BACK_MAX {
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
        let entry = opcode::AsyncCancel::new(cell.as_ptr().expose_provenance() as u64).build().user_data(CANCEL);
        // SAFETY: points nowhere; the address is only compared (U2).
        unsafe { self.ring.push(entry.flags(squeue::Flags::SKIP_SUCCESS)) };
        false
    }

    pub(in crate::driver) fn needs_turn(&mut self) -> bool {
        !self.held_back.is_empty() || self.ring.has_completions() || self.ring.must_enter()
    }

    pub(in crate::driver) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(in crate::driver) fn turn(&mut self, wait: Wait, remote: &Remote, sink: &mut Sink<'_>) -> io::Result<()> {
        let mut result = self.enter(wait, remote);
        let mut steps = self.reap(sink);
        // Nothing but steps: whoever waits goes on waiting. A timed wait may have taken its time.
        while result.is_ok() && wait == Wait::Forever && steps == Steps::Only {
            result = self.enter(wait, remote);
            steps = self.reap(sink);
        }
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
    fn reap(&mut self, sink: &mut Sink<'_>) -> Steps {
        let (mut ended, mut woken, mut cancel_singly) = (0, false, false);
        let held_back = &mut self.held_back;
        let before = held_back.len();
        self.ring.reap(|user_data, result| match user_data {
            WAKE => woken = true,
            CANCEL_ALL => cancel_singly |= result == -libc::EINVAL,
            mark if mark < MARKS => {}
            address => {
                let cell = NonNull::new(std::ptr::with_exposed_provenance_mut::<OpCell>(address as usize)).expect("not a mark");
                // SAFETY: U1, I6.
                let cell = unsafe { CellRef::new(cell) };
                // SAFETY: U1; the entry before has completed.
                if let Some(entry) = unsafe { cell.advance(result) } {
                    return held_back.push(entry.user_data(address));
                }
                ended += 1;
                // SAFETY: U1; an operation has one completion, so the cell is completed once.
                unsafe { sink.complete(cell, result) };
            }
        });
        self.in_flight -= ended;
        self.wake_armed &= !woken;
        self.cancel_singly |= cancel_singly;
        if self.held_back.len() > before && ended == 0 && !woken { Steps::Only } else { Steps::Others }
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
                addresses.push(std::ptr::from_ref(cell).expose_provenance() as u64);
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
