//! From a file to a socket without a copy: through a pipe (splice), or by sendfile once the socket has room.
#![expect(unsafe_code, reason = "splice, sendfile, poll and pipe2 are not in std")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use io_uring::opcode;
use io_uring::types::Fd;

use super::file::{FileOperation, SharedFile};
use super::{Interest, Operation, SharedSocket, TRANSFER_BYTES_MAX, counted, uninterrupted};

/// A pipe that a transfer keeps its bytes in; whole pages, which are not copied.
#[derive(Debug, Clone)]
pub(crate) struct Pipe {
    read: Arc<OwnedFd>,
    write: Arc<OwnedFd>,
    capacity: u32,
}

/// What a pipe may hold without privileges (`/proc/sys/fs/pipe-max-size`, its default).
const PIPE_BYTES: libc::c_int = 1 << 20;
/// To splice, the offset of a pipe or a socket: it has none.
const NO_OFFSET: i64 = -1;

impl Pipe {
    /// An empty pipe, as large as the kernel lets us have.
    pub(crate) fn new() -> io::Result<Self> {
        let mut ends = [0; 2];
        // SAFETY: room for both descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: two new descriptors, ours alone.
        let [read, write] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: takes no pointer. A refusal leaves the default of 64 KiB.
        unsafe { libc::fcntl(write.as_raw_fd(), libc::F_SETPIPE_SZ, PIPE_BYTES) };
        // SAFETY: takes no pointer.
        let capacity = unsafe { libc::fcntl(write.as_raw_fd(), libc::F_GETPIPE_SZ) };
        let capacity = u32::try_from(capacity).map_err(|_| io::Error::last_os_error())?;
        Ok(Self { read: Arc::new(read), write: Arc::new(write), capacity })
    }

    /// Bytes that fit.
    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Reads what is in it; waits where there is nothing.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<u32> {
        let length = buffer.len().min(TRANSFER_BYTES_MAX);
        // SAFETY: as many writable bytes, which outlive the call.
        uninterrupted(|| counted(unsafe { libc::read(self.read.as_raw_fd(), buffer.as_mut_ptr().cast(), length) }))
    }
}

/// Moves bytes of a file into an empty pipe; waits for the disk, never for room.
#[derive(Debug)]
pub(crate) struct FillPipe {
    pub(crate) file: SharedFile,
    pub(crate) offset: u64,
    pub(crate) pipe: Pipe,
    pub(crate) length: u32,
    /// What is in memory is moved at once. A transfer that waits for its receiver anyway gains nothing by it.
    pub(crate) at_once: bool,
}

impl FillPipe {
    fn splice(&self) -> io::Result<u32> {
        let (from, to) = (self.file.fd(), self.pipe.write.as_raw_fd());
        uninterrupted(|| {
            let mut offset = self.offset as libc::off64_t;
            // SAFETY: the offset outlives the call; a pipe has none.
            counted(unsafe { libc::splice(from, &raw mut offset, to, std::ptr::null_mut(), self.length as usize, libc::SPLICE_F_NONBLOCK) })
        })
    }
}

impl Operation for FillPipe {
    type Output = io::Result<u32>;

    const INTEREST: Interest = Interest::Writable;
    /// A ring gives every splice to a thread of the kernel's: 64 KiB from memory into a pipe and out of it took 30 to 40 µs instead of 17.
    const ATTEMPT_ON_RING: bool = true;

    fn socket(&self) -> Option<&SharedSocket> {
        None
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let (from, to) = (Fd(self.file.fd()), Fd(self.pipe.write.as_raw_fd()));
        opcode::Splice::new(from, self.offset as i64, to, NO_OFFSET, self.length).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        let is_there = self.at_once && is_cached(&self.file, self.offset, self.length);
        if is_there { self.splice() } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result
    }
}

impl FileOperation for FillPipe {
    fn code(&self) -> u8 {
        opcode::Splice::CODE
    }

    fn block(self) -> Self::Output {
        self.splice()
    }
}

/// Moves bytes of a pipe into a socket.
#[derive(Debug)]
pub(crate) struct DrainPipe {
    pub(crate) pipe: Pipe,
    pub(crate) socket: SharedSocket,
    /// At most what the pipe holds.
    pub(crate) length: u32,
}

impl Operation for DrainPipe {
    type Output = io::Result<u32>;

    const INTEREST: Interest = Interest::Writable;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        let (from, to) = (Fd(self.pipe.read.as_raw_fd()), Fd(self.socket.get().as_raw_fd()));
        opcode::Splice::new(from, NO_OFFSET, to, NO_OFFSET, self.length).build()
    }

    fn attempt(&mut self) -> io::Result<u32> {
        let (from, to) = (self.pipe.read.as_raw_fd(), self.socket.get().as_raw_fd());
        uninterrupted(|| {
            let none = std::ptr::null_mut();
            // SAFETY: neither end has an offset.
            counted(unsafe { libc::splice(from, none, to, none, self.length as usize, libc::SPLICE_F_NONBLOCK) })
        })
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result
    }
}

/// Waits until a socket has room to send, or an error to tell.
#[derive(Debug)]
pub(crate) struct Writable {
    socket: SharedSocket,
}

impl Writable {
    pub(crate) fn new(socket: SharedSocket) -> Self {
        Self { socket }
    }
}

impl Operation for Writable {
    type Output = io::Result<()>;

    const INTEREST: Interest = Interest::Writable;
    const ATTEMPT_ON_RING: bool = true;
    /// Asking waits in neither mode; the socket stays as other operations want it.
    const ATTEMPT_MODE: Option<super::Mode> = None;

    fn socket(&self) -> Option<&SharedSocket> {
        Some(&self.socket)
    }

    fn entry(&mut self) -> io_uring::squeue::Entry {
        opcode::PollAdd::new(Fd(self.socket.get().as_raw_fd()), libc::POLLOUT as u32).build()
    }

    /// Asks each time: under polling an edge may have come and gone before there was anybody to wait for it.
    fn attempt(&mut self) -> io::Result<u32> {
        let mut asked = libc::pollfd { fd: self.socket.get().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        uninterrupted(|| {
            // SAFETY: one structure, which outlives the call.
            match unsafe { libc::poll(&raw mut asked, 1, 0) } {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                1 => Ok(0),
                _ => Err(io::Error::last_os_error()),
            }
        })
    }

    fn complete(self, result: io::Result<u32>) -> Self::Output {
        result.map(drop)
    }
}

/// Bytes that a blocking socket takes without waiting: half of its free room, for the kernel's own structures count as well.
pub(crate) fn room_to_send(socket: &SharedSocket) -> io::Result<u32> {
    let mut figures = [0_u32; libc::SK_MEMINFO_DROPS as usize + 1];
    let mut size = size_of_val(&figures) as libc::socklen_t;
    // SAFETY: as many bytes as `size` says, which outlive the call.
    let result = unsafe {
        libc::getsockopt(socket.get().as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, figures.as_mut_ptr().cast(), &raw mut size)
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let (limit, queued) = (figures[libc::SK_MEMINFO_SNDBUF as usize], figures[libc::SK_MEMINFO_WMEM_QUEUED as usize]);
    Ok((limit.saturating_sub(queued) / 2).max(1))
}

/// sendfile: at most `length` bytes from `offset` on. Waits for the disk; on a blocking socket for room too.
pub(crate) fn send_file(socket: &SharedSocket, file: &SharedFile, offset: u64, length: u32) -> io::Result<u32> {
    uninterrupted(|| {
        let mut offset = offset as libc::off64_t;
        // SAFETY: the offset outlives the call.
        counted(unsafe { libc::sendfile64(socket.get().as_raw_fd(), file.fd(), &raw mut offset, length as usize) })
    })
}

/// Whether all of these bytes of `file` are in the page cache, so that sending them does not wait for the disk. A kernel that does not say
/// (before 6.5) counts as no.
pub(crate) fn is_cached(file: &SharedFile, offset: u64, length: u32) -> bool {
    /// cachestat(2); the same number on every architecture.
    const SYS_CACHESTAT: libc::c_long = 451;
    let range = [offset, u64::from(length)];
    // cached, dirty, written back, evicted, evicted lately: in pages.
    let mut pages = [0_u64; 5];
    // SAFETY: both structures are as the call wants them, and outlive it.
    let result = unsafe { libc::syscall(SYS_CACHESTAT, file.fd(), range.as_ptr(), pages.as_mut_ptr(), 0) };
    // SAFETY: takes no pointer, cannot fail.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    result == 0 && pages[0] >= (offset + u64::from(length)).div_ceil(page) - offset / page
}
