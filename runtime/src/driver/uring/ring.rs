//! The two queues and the one system call.
#![expect(unsafe_code, reason = "enters the kernel, and queues entries whose pointers the caller answers for")]

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, opcode, squeue};

/// See the module page. Belongs to the thread that made it.
pub(super) struct Ring {
    ring: IoUring,
    /// What to pass to the kernel: the index of the registered ring, which saves a lookup a call, or its descriptor.
    enter_fd: RawFd,
    enter_flags: EnterFlags,
    /// Entries that found the queue full while the kernel was busy; they go first.
    backlog: VecDeque<squeue::Entry>,
    enters: u64,
}

impl Ring {
    pub(super) fn new(ring: IoUring) -> Self {
        let mut enter_flags = EnterFlags::empty();
        if ring.params().is_feature_no_iowait() {
            // Waiting for a socket is idling, not waiting for a disk.
            enter_flags |= EnterFlags::NO_IOWAIT;
        }
        let enter_fd = match register(ring.as_raw_fd()) {
            Some(index) => {
                enter_flags |= EnterFlags::REGISTERED_RING;
                index
            }
            None => ring.as_raw_fd(),
        };
        Self { ring, enter_fd, enter_flags, backlog: VecDeque::new(), enters: 0 }
    }

    /// Queues an entry; enters the kernel only if the queue is full.
    ///
    /// # Safety
    /// What the entry points to stays valid until its completion was reaped.
    #[inline]
    pub(super) unsafe fn push(&mut self, entry: squeue::Entry) {
        // SAFETY: the caller's promise.
        if !self.backlog.is_empty() || unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.push_full(entry);
        }
    }

    #[cold]
    fn push_full(&mut self, entry: squeue::Entry) {
        self.backlog.push_back(entry);
        // Submits without reaping: a completion must not run in the middle of a task. Whatever fails is tried again by the turn.
        let queued = self.queued();
        if self.call(queued, 0, EnterFlags::empty(), None).is_ok() {
            self.refill();
        }
    }

    /// Moves the backlog into the queue as far as there is room; whether anything is left.
    fn refill(&mut self) -> bool {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: promised when the entry was pushed.
            if unsafe { self.ring.submission().push(entry) }.is_err() {
                return true;
            }
            self.backlog.pop_front();
        }
        false
    }

    fn queued(&mut self) -> u32 {
        self.ring.submission().len() as u32
    }

    /// Whether an enter would submit or fetch something.
    #[inline]
    pub(super) fn must_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !self.backlog.is_empty() || !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Whether the kernel keeps completions that did not fit the queue.
    pub(super) fn has_overflow(&mut self) -> bool {
        self.ring.submission().cq_overflow() || !self.backlog.is_empty()
    }

    /// Whether the kernel has completions that it posts at the next call.
    #[inline]
    pub(super) fn has_deferred(&mut self) -> bool {
        self.ring.submission().taskrun()
    }

    /// Lets the kernel post completions; submits nothing and waits for nothing.
    pub(super) fn enter_to_reap(&mut self) -> io::Result<()> {
        Self::forgive(self.call(0, 0, EnterFlags::GETEVENTS, None))
    }

    /// Whether completions are visible.
    #[inline]
    pub(super) fn has_completions(&mut self) -> bool {
        !self.ring.completion().is_empty()
    }

    /// Submits all there is, lets the kernel post completions, and waits for `want` of them (0 or 1) up to `limit`.
    pub(super) fn enter(&mut self, want: u32, limit: Option<Duration>) -> io::Result<()> {
        self.refill();
        let queued = self.queued();
        Self::forgive(self.call(queued, want, EnterFlags::GETEVENTS, limit))
    }

    /// What a later call mends is no error.
    fn forgive(entered: io::Result<()>) -> io::Result<()> {
        match entered {
            Ok(()) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Busy: the kernel wants completions taken first, or lacks memory for a moment. The caller reaps, the next turn submits.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                Some(libc::EBADR) => Err(io::Error::other("io_uring: EBADR: the kernel ran out of memory and lost completions")),
                _ => Err(error),
            },
        }
    }

    fn call(&mut self, submit: u32, want: u32, flags: EnterFlags, limit: Option<Duration>) -> io::Result<()> {
        self.enters += 1;
        let limit = limit.map(|limit| Timespec::new().sec(limit.as_secs()).nsec(limit.subsec_nanos()));
        let arguments = limit.as_ref().map(|limit| SubmitArgs::new().timespec(limit));
        let mut flags = flags | self.enter_flags;
        let (pointer, size) = match &arguments {
            Some(arguments) => {
                flags |= EnterFlags::EXT_ARG;
                (ptr::from_ref(arguments).cast(), size_of::<SubmitArgs<'_, '_>>())
            }
            None => (ptr::null::<libc::c_void>(), 0),
        };
        if want == 0 {
            flags -= EnterFlags::NO_IOWAIT;
        }
        // SAFETY: the arguments outlive the call; the entries were promised valid when they were pushed.
        let result = unsafe { libc::syscall(libc::SYS_io_uring_enter, self.enter_fd, submit, want, flags.bits(), pointer, size) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Takes every visible completion: user data and result.
    #[inline]
    pub(super) fn reap(&mut self, mut take: impl FnMut(u64, i32)) {
        for completion in self.ring.completion() {
            take(completion.user_data(), completion.result());
        }
    }

    /// Enters since the last call.
    pub(super) fn take_enters(&mut self) -> u64 {
        std::mem::take(&mut self.enters)
    }

    /// One NOP through the ring; `false` if it does not come back.
    pub(super) fn self_test(&mut self) -> io::Result<bool> {
        const MARK: u64 = 0x5e1f;
        // SAFETY: a NOP points nowhere.
        unsafe { self.push(opcode::Nop::new().build().user_data(MARK)) };
        self.enter(1, Some(Duration::from_secs(1)))?;
        let mut seen = false;
        self.reap(|user_data, result| seen |= user_data == MARK && result == 0);
        Ok(seen)
    }
}

/// Registers the ring with its own thread; `None` before Linux 5.18.
fn register(fd: RawFd) -> Option<RawFd> {
    /// `struct io_uring_rsrc_update`.
    #[repr(C)]
    struct Update {
        offset: u32,
        reserved: u32,
        data: u64,
    }
    const IORING_REGISTER_RING_FDS: libc::c_uint = 20;
    let mut update = Update { offset: u32::MAX, reserved: 0, data: fd as u64 };
    // SAFETY: the structure outlives the call.
    let registered = unsafe { libc::syscall(libc::SYS_io_uring_register, fd, IORING_REGISTER_RING_FDS, &raw mut update, 1) };
    (registered == 1).then_some(update.offset as RawFd)
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("fd", &self.ring.as_raw_fd()).field("backlog", &self.backlog.len()).finish_non_exhaustive()
    }
}
