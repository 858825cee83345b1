//! Who is at the other end of a Unix stream.
#![expect(unsafe_code, reason = "asks the socket for its peer")]

use std::io;
use std::os::fd::AsRawFd;

use socket2::Socket;

/// The process at the other end of a connection when that was made, as the kernel vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixCredentials {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process, where the system tells it: on Linux.
    pub pid: Option<i32>,
}

#[cfg(target_os = "linux")]
pub(super) fn of_peer(socket: &Socket) -> io::Result<UnixCredentials> {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    let (fd, place) = (socket.as_raw_fd(), (&raw mut found).cast());
    // SAFETY: `found` has `length` bytes of room, and both outlive the call.
    if unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, place, &raw mut length) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(UnixCredentials { uid: found.uid, gid: found.gid, pid: Some(found.pid) })
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd", target_os = "openbsd", target_os = "netbsd", target_os = "dragonfly"))]
pub(super) fn of_peer(socket: &Socket) -> io::Result<UnixCredentials> {
    let (mut uid, mut gid) = (0, 0);
    // SAFETY: both places outlive the call.
    if unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(UnixCredentials { uid, gid, pid: None })
}

#[cfg(not(any(
    target_os = "linux",
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "openbsd",
    target_os = "netbsd",
    target_os = "dragonfly"
)))]
pub(super) fn of_peer(_socket: &Socket) -> io::Result<UnixCredentials> {
    Err(io::ErrorKind::Unsupported.into())
}
