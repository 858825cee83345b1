//! The one socket option that no safe crate of ours offers.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "setsockopt(IP_BIND_ADDRESS_NO_PORT)"))]

use std::io;
use std::os::fd::AsFd;

/// Lets a bound socket choose its port at connect (`IP_BIND_ADDRESS_NO_PORT`, ip(7)); nothing to do elsewhere.
///
/// # Errors
/// The system's.
pub(super) fn set_bind_address_no_port(socket: &impl AsFd) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd as _;
        let on: libc::c_int = 1;
        let size = size_of_val(&on) as libc::socklen_t;
        let descriptor = socket.as_fd().as_raw_fd();
        // SAFETY: the descriptor is open for the length of the borrow; the kernel reads `size` bytes of `on`, which outlives the call.
        let result =
            unsafe { libc::setsockopt(descriptor, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, std::ptr::from_ref(&on).cast(), size) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
    Ok(())
}
