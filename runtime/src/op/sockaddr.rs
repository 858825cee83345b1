//! An internet address in the kernel's layout, small enough for an operation's cell.
#![expect(unsafe_code, reason = "views sockaddr_in and sockaddr_in6 through one block of bytes")]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::SockAddr;

use super::address::Address;

/// `sockaddr_in` or `sockaddr_in6` and its length. 32 bytes; a `sockaddr_storage` is 128.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct InternetAddr {
    address: Either,
    length: libc::socklen_t,
}

#[derive(Clone, Copy)]
#[repr(C)]
union Either {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl Address for InternetAddr {
    type Std = SocketAddr;

    fn empty() -> Self {
        // SAFETY: both layouts are plain integers, for which zero is valid.
        let v6 = unsafe { std::mem::zeroed() };
        Self { address: Either { v6 }, length: size_of::<Either>() as libc::socklen_t }
    }

    fn new(address: &SocketAddr) -> Self {
        let mut raw = Self::empty();
        // The systems that begin an address with its length take it from the call.
        match address {
            SocketAddr::V4(address) => {
                // SAFETY: as in `empty`.
                let mut v4: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                v4.sin_family = libc::AF_INET as libc::sa_family_t;
                v4.sin_port = address.port().to_be();
                v4.sin_addr = libc::in_addr { s_addr: u32::from(*address.ip()).to_be() };
                raw.address.v4 = v4;
                raw.length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            SocketAddr::V6(address) => {
                // SAFETY: as in `empty`.
                let mut v6: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                v6.sin6_port = address.port().to_be();
                v6.sin6_flowinfo = address.flowinfo();
                v6.sin6_addr = libc::in6_addr { s6_addr: address.ip().octets() };
                v6.sin6_scope_id = address.scope_id();
                raw.address.v6 = v6;
                raw.length = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        raw
    }

    fn to_std(&self) -> io::Result<SocketAddr> {
        // SAFETY: every bit pattern is valid for these integers, and the family stands first in both layouts.
        let v6 = unsafe { self.address.v6 };
        match i32::from(v6.sin6_family) {
            libc::AF_INET => {
                // SAFETY: as above.
                let v4 = unsafe { self.address.v4 };
                let address = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Ok(SocketAddrV4::new(address, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 => {
                let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Ok(SocketAddrV6::new(address, u16::from_be(v6.sin6_port), v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            family => Err(io::Error::new(io::ErrorKind::InvalidData, format!("address family {family} is neither IPv4 nor IPv6"))),
        }
    }

    fn to_socket(&self) -> io::Result<SockAddr> {
        self.to_std().map(SockAddr::from)
    }

    fn of_socket(address: &SockAddr) -> io::Result<SocketAddr> {
        super::address::internet(address)
    }

    fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.address).cast()
    }

    fn length_mut(&mut self) -> &mut libc::socklen_t {
        &mut self.length
    }
}

impl std::fmt::Debug for InternetAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_std().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_round_trip() {
        assert_eq!(size_of::<InternetAddr>(), 32);
        for text in ["127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[fe80::1%3]:7", "255.1.2.3:258"] {
            let address: SocketAddr = text.parse().expect("an address");
            assert_eq!(InternetAddr::new(&address).to_std().expect("an internet address"), address, "{text}");
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let expected = listener.local_addr().expect("an address");
        let mut raw = InternetAddr::empty();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
        let (address, length) = (raw.as_mut_ptr(), &raw mut *raw.length_mut());
        // SAFETY: both pointers lead into `raw`, which is large enough for an internet address.
        assert_eq!(unsafe { libc::getsockname(fd, address, length) }, 0);
        assert_eq!(raw.to_std().expect("an internet address"), expected);
    }

    #[test]
    fn an_unset_address_is_an_error() {
        assert_eq!(InternetAddr::empty().to_std().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
