//! A raw io_uring, set up as far as the kernel allows.
//!
//! Invariants
//!  I1. Memory named in a queued entry stays where it is until the entry's completion was reaped (or the ring was dropped).
//!  I2. A ring is used by the thread that made it.
#![expect(unsafe_code, reason = "an io_uring entry names memory by address")]

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{IoUring, squeue};

/// A ring and what it has cost.
pub struct Ring {
    inner: IoUring,
    /// The rung of the ladder that the kernel took.
    pub flags: &'static str,
    /// Entries into the kernel so far.
    pub enters: u64,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ring").field("flags", &self.flags).field("enters", &self.enters).finish_non_exhaustive()
    }
}

/// A completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Done {
    /// What the entry was marked with.
    pub user_data: u64,
    /// What the operation returned.
    pub result: i32,
    /// Whether a multishot operation goes on.
    pub has_more: bool,
}

impl Ring {
    /// A ring of at least so many entries, with a table for so many direct descriptors.
    ///
    /// # Errors
    /// The kernel's on the last rung: EPERM or ENOSYS where io_uring is refused.
    pub fn new(entries: u32, files: u32) -> io::Result<Self> {
        let entries = entries.next_power_of_two().clamp(64, 16_384);
        let (inner, flags) = climb(entries)?;
        inner.submitter().register_files_sparse(files.max(1))?;
        // Saves a look-up of the descriptor at each entry; a kernel that cannot is no worse off.
        let _ = inner.submitter().register_ring_fd();
        Ok(Self { inner, flags, enters: 0 })
    }

    /// Queues an entry; enters the kernel when the queue is full.
    ///
    /// # Safety
    /// All memory that `entry` names stays valid and unmoved until its completion was reaped (I1).
    #[inline]
    pub unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: the caller's promise is the one that `push` asks for.
            if unsafe { self.inner.submission().push(entry) }.is_ok() {
                return Ok(());
            }
            self.submit()?;
        }
    }

    /// Room for this many entries without a submit between them: a linked chain must go to the kernel whole.
    #[inline]
    pub fn reserve(&mut self, entries: usize) -> io::Result<()> {
        let queue = self.inner.submission();
        let free = queue.capacity() - queue.len();
        drop(queue);
        if free < entries { self.submit() } else { Ok(()) }
    }

    fn submit(&mut self) -> io::Result<()> {
        self.enters += 1;
        match self.inner.submit() {
            Ok(_) => Ok(()),
            // The completion queue must be reaped first; entries stay queued.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) || error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Submits all and waits for a completion, at most `limit`.
    #[inline]
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.enters += 1;
        let outcome = match limit {
            None => self.inner.submit_and_wait(1),
            Some(limit) => {
                let time = Timespec::from(limit);
                self.inner.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&time))
            }
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Moves all completions into `into`.
    #[inline]
    pub fn reap(&mut self, into: &mut Vec<Done>) {
        into.clear();
        into.extend(self.inner.completion().map(|entry| Done {
            user_data: entry.user_data(),
            result: entry.result(),
            has_more: io_uring::cqueue::more(entry.flags()),
        }));
    }

    /// Leaves the slots below `first` to explicit use: the kernel chooses among the next `count`.
    ///
    /// # Errors
    /// The kernel's: EINVAL before 6.0.
    pub fn allocate_from(&mut self, first: u32, count: u32) -> io::Result<()> {
        use std::os::fd::AsRawFd as _;
        // io_uring.h: IORING_REGISTER_FILE_ALLOC_RANGE, struct io_uring_file_index_range { off, len, resv }.
        const REGISTER_FILE_ALLOC_RANGE: libc::c_uint = 25;
        let range = [first, count, 0, 0];
        let descriptor = self.inner.as_raw_fd();
        // SAFETY: the kernel reads the 16 bytes of `range`, which outlives the call.
        let result =
            unsafe { libc::syscall(libc::SYS_io_uring_register, descriptor, REGISTER_FILE_ALLOC_RANGE, range.as_ptr(), 0 as libc::c_uint) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Makes `memory` the buffer number 0 of fixed reads; the kernel keeps its pages in place.
    ///
    /// # Safety
    /// `memory` stays valid and unmoved until the ring is dropped (I1).
    ///
    /// # Errors
    /// The kernel's: ENOMEM above RLIMIT_MEMLOCK.
    pub unsafe fn register_memory(&mut self, memory: &mut [u8]) -> io::Result<()> {
        let range = libc::iovec { iov_base: memory.as_mut_ptr().cast(), iov_len: memory.len() };
        // SAFETY: the caller's promise.
        unsafe { self.inner.submitter().register_buffers(&[range]) }
    }

    /// Puts a descriptor into the table of direct descriptors.
    ///
    /// # Errors
    /// The kernel's.
    pub fn register(&mut self, slot: u32, descriptor: i32) -> io::Result<()> {
        self.inner.submitter().register_files_update(slot, &[descriptor]).map(|_| ())
    }
}

fn climb(entries: u32) -> io::Result<(IoUring, &'static str)> {
    type Rung = (&'static str, fn(&mut io_uring::Builder));
    let rungs: [Rung; 4] = [
        ("single_issuer|defer_taskrun|no_sqarray", |builder| {
            builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray().setup_submit_all();
        }),
        ("single_issuer|defer_taskrun", |builder| {
            builder.setup_single_issuer().setup_defer_taskrun().setup_submit_all();
        }),
        ("coop_taskrun", |builder| {
            builder.setup_coop_taskrun().setup_submit_all();
        }),
        ("none", |_| ()),
    ];
    let mut last = io::Error::from_raw_os_error(libc::ENOSYS);
    for (name, set) in rungs {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(entries * 4).setup_clamp().dontfork();
        set(&mut builder);
        match builder.build(entries) {
            Ok(ring) => return Ok((ring, name)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Whether this kernel knows an operation.
pub fn supports(code: u8) -> bool {
    let mut probe = io_uring::Probe::new();
    let probed = IoUring::new(8).and_then(|ring| ring.submitter().register_probe(&mut probe));
    probed.is_ok() && probe.is_supported(code)
}

/// Why io_uring cannot be used here, in the words of the record; `None` when it can.
///
/// Runs what the loops rely on, on a pair of sockets: a linked send that stays silent, then a receive. Some kernels lose the tail of such a
/// chain under deferred task work; there the ceiling must not hang.
pub fn refusal() -> Option<String> {
    self_test().err().map(|error| match error.raw_os_error() {
        Some(libc::EPERM) => "io_uring: EPERM (kernel.io_uring_disabled or seccomp)".into(),
        Some(libc::ENOSYS) => "io_uring: ENOSYS".into(),
        _ => format!("io_uring: {error}"),
    })
}

fn self_test() -> io::Result<()> {
    use io_uring::squeue::Flags;
    use io_uring::{opcode, types::Fixed};
    use std::os::fd::AsRawFd as _;

    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut ring = Ring::new(64, 2)?;
    ring.register(0, ours.as_raw_fd())?;
    ring.register(1, theirs.as_raw_fd())?;
    // Given up, not freed, when the chain is lost: the kernel may still write to it (I1).
    let mut memory = Box::new((*b"link", [[0_u8; 4]; 2]));
    let (sent, [first, second]) = &mut *memory;
    let silent = Flags::IO_LINK | Flags::SKIP_SUCCESS;
    let entries = [
        opcode::Recv::new(Fixed(1), first.as_mut_ptr(), 4).build().user_data(1),
        opcode::Send::new(Fixed(0), sent.as_ptr(), 4).build().flags(silent).user_data(2),
        opcode::Recv::new(Fixed(0), second.as_mut_ptr(), 4).build().user_data(3),
        opcode::Send::new(Fixed(1), sent.as_ptr(), 4).build().user_data(4),
    ];
    for entry in &entries {
        // SAFETY: `memory` is on the heap and is freed below only when all operations have completed (I1).
        unsafe { ring.push(entry) }?;
    }
    let (mut seen, mut done) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        ring.turn(Some(Duration::from_millis(250)))?;
        ring.reap(&mut done);
        seen.extend(done.iter().map(|done| (done.user_data, done.result)));
        if seen.len() >= 3 {
            break;
        }
    }
    seen.sort_unstable();
    drop(ring);
    if seen == [(1, 4), (3, 4), (4, 4)] && memory.1 == [memory.0; 2] {
        return Ok(());
    }
    std::mem::forget(memory);
    Err(io::Error::other(format!("a linked send and receive completed as {seen:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_self_test_passes_where_a_ring_can_be_made() {
        if IoUring::new(8).is_ok() {
            assert_eq!(refusal(), None);
        }
    }
}
