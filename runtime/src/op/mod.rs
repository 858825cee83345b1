//! One file per operation: its submission queue entry and its portable fallback side by side.
//!
//! An operation owns everything that the kernel borrows: the buffer, the address, a share of the socket. It is created on the stack of
//! the task, moved once into a cell of the driver, and stays there until its last completion. Most have one; an operation in steps has
//! one for each, and its next entry goes to the kernel when the one before has completed: never two at a time.
//!
//! ```text
//!  ring driver      entry() ──▶ kernel ──▶ completion ──┬─▶ complete(result)
//!                     ▲                                 └─ advance(): a step of several ─┐
//!                     └──────────────────────────────────────────────────────────────────┘
//!  polling driver   attempt() ──┬─ done ──────────────▶ complete(result)
//!                               └─ WouldBlock ──▶ wait for INTEREST, attempt() again
//!  future dropped                        ……… the result is completed all the same, and its output dropped
//! ```
//!
//! The last line is why a cancelled accept does not leak: its output is a socket, and dropping a socket closes it.

mod accept;
mod address;
mod close;
mod connect;
mod datagram;
#[cfg(target_os = "linux")]
pub(crate) mod file;
#[cfg(unix)]
mod message;
#[cfg(any(target_os = "linux", test))]
mod nop;
mod recv;
mod send;
#[cfg(unix)]
mod send_datagram;
mod send_then_recv;
mod shutdown;
#[cfg(unix)]
mod sockaddr;
mod socket;
#[cfg(target_os = "linux")]
pub(crate) mod transfer;
#[cfg(unix)]
mod unix_addr;
#[cfg(unix)]
mod vectors;

use std::io;

pub(crate) use accept::Accept;
#[cfg(unix)]
pub(crate) use address::is_full;
pub(crate) use address::{Address, internet};
pub(crate) use close::Close;
pub(crate) use connect::Connect;
pub use datagram::Received;
pub(crate) use datagram::{RecvFrom, SendTo};
#[cfg(unix)]
pub(crate) use message::{RecvVectored, SendVectored};
#[cfg(any(target_os = "linux", test))]
pub(crate) use nop::Nop;
pub(crate) use recv::Recv;
pub(crate) use send::Send;
#[cfg(unix)]
pub(crate) use send_datagram::SendDatagram;
pub(crate) use send_then_recv::SendThenRecv;
pub(crate) use shutdown::Shutdown;
#[cfg(unix)]
pub(crate) use sockaddr::InternetAddr;
pub(crate) use socket::{Mode, Registrar, Registration, SharedSocket};
#[cfg(unix)]
pub(crate) use unix_addr::UnixAddr;
#[cfg(unix)]
pub(crate) use vectors::Vectors;

/// As the socket layer has it.
#[cfg(not(unix))]
pub(crate) type InternetAddr = socket2::SockAddr;

/// What a socket must be before an operation that would block is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Data, a connection or the end of the stream.
    Readable,
    /// Room to send, or the outcome of connecting.
    Writable,
}

/// One operation; see the module page.
pub(crate) trait Operation: Unpin + std::marker::Send + 'static {
    /// What the future returns.
    type Output;

    /// When an attempt that would block is repeated; of an operation in steps, during the first.
    const INTEREST: Interest;

    /// Whether a ring may need more than one entry, one after the other; see [`advance`](Self::advance).
    const IN_STEPS: bool = false;

    /// Whether a ring tries the operation at once too, because the answer is likely there and the kernel's own wait would cost a turn each.
    const ATTEMPT_ON_RING: bool = false;

    /// How the ring wants the socket.
    const RING_MODE: Mode = Mode::Blocking;

    /// How an attempt wants the socket; `None`: it does not care.
    const ATTEMPT_MODE: Option<Mode> = Some(Mode::NonBlocking);

    /// A ring takes the operation; called before its first attempt or entry.
    fn on_ring(&mut self) {}

    /// The socket it works on; `None` if there is none to wait for.
    fn socket(&self) -> Option<&SharedSocket>;

    /// The submission queue entry. Its pointers lead into `self`, which stays where it is until the completion, and into the buffer.
    #[cfg(target_os = "linux")]
    fn entry(&mut self) -> io_uring::squeue::Entry;

    /// What the current step waits for.
    fn interest(&self) -> Interest {
        Self::INTEREST
    }

    /// Operations in steps: the ring completed an entry with this raw result. Whether [`entry`](Self::entry) has another; otherwise this
    /// is the result of the operation. Not called when nobody waits any more.
    fn advance(&mut self, _result: i32) -> bool {
        false
    }

    /// Tries the operation at once on a non-blocking socket. [`io::ErrorKind::WouldBlock`] means: not now.
    fn attempt(&mut self) -> io::Result<u32>;

    /// Turns the raw result into what the caller gets. Also called, and its output dropped, when nobody waits any more.
    fn complete(self, result: io::Result<u32>) -> Self::Output;
}

/// An error without a number of the operating system; none of our calls gives one, but io::Error allows it.
const UNNUMBERED: i32 = i32::MIN + 1;

/// A result as io_uring writes it: the value, or the negated error number.
pub(crate) fn to_raw(result: io::Result<u32>) -> i32 {
    match result {
        Ok(value) => i32::try_from(value).unwrap_or(i32::MAX),
        Err(error) => error.raw_os_error().map_or(UNNUMBERED, |number| -number),
    }
}

/// The inverse of [`to_raw`].
pub(crate) fn from_raw(result: i32) -> io::Result<u32> {
    match u32::try_from(result) {
        Ok(value) => Ok(value),
        Err(_) if result == UNNUMBERED => Err(io::Error::other("operation failed without an error number")),
        Err(_) => Err(io::Error::from_raw_os_error(-result)),
    }
}

/// What a system call returned: a count, or -1 and `errno`.
#[cfg(unix)]
fn counted(result: libc::ssize_t) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Repeats a system call that a signal interrupted.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Longest transfer of one call: Linux' own limit, and in range of every platform's type for it.
const TRANSFER_BYTES_MAX: usize = 0x7fff_f000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_results_survive_the_round_trip() {
        for raw in [0, 1, i32::MAX, -1, -11, -125, UNNUMBERED] {
            assert_eq!(to_raw(from_raw(raw)), raw);
        }
        assert_eq!(from_raw(-2).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
