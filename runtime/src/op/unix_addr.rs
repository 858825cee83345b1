//! An address of a Unix socket in the kernel's layout: a path, on Linux an abstract name, or none.
#![expect(unsafe_code, reason = "makes a sockaddr_un, plain integers, of zeros")]

use std::ffi::OsStr;
use std::io;
use std::mem::offset_of;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

use super::address::Address;

/// `sockaddr_un` and its length.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct UnixAddr {
    address: libc::sockaddr_un,
    length: libc::socklen_t,
}

/// Bytes before the name.
const NAME_OFFSET: usize = offset_of!(libc::sockaddr_un, sun_path);

impl UnixAddr {
    /// The name: a path with its final zero or without, an abstract name with the zero before it, or nothing.
    fn name(&self) -> Vec<u8> {
        // The kernel says what it wanted to write, which may be one more than there is room for.
        let length = (self.length as usize).saturating_sub(NAME_OFFSET).min(self.address.sun_path.len());
        self.address.sun_path[..length].iter().map(|&letter| letter as u8).collect()
    }

    fn set_name(&mut self, name: &[u8], terminator: usize) {
        for (place, &letter) in self.address.sun_path.iter_mut().zip(name) {
            *place = letter as libc::c_char;
        }
        self.length = (NAME_OFFSET + name.len() + terminator) as libc::socklen_t;
    }
}

impl Address for UnixAddr {
    type Std = SocketAddr;

    const FULL_IS_SILENT: bool = true;

    fn empty() -> Self {
        // SAFETY: plain integers, for which zero is valid.
        let address = unsafe { std::mem::zeroed() };
        Self { address, length: size_of::<libc::sockaddr_un>() as libc::socklen_t }
    }

    fn new(address: &SocketAddr) -> Self {
        let mut raw = Self::empty();
        raw.address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        if let Some(path) = address.as_pathname() {
            raw.set_name(path.as_os_str().as_bytes(), 1);
            return raw;
        }
        #[cfg(target_os = "linux")]
        if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
            raw.set_name(&[&[0], name].concat(), 0);
            return raw;
        }
        raw.set_name(&[], 0);
        raw
    }

    fn to_std(&self) -> io::Result<SocketAddr> {
        named(&self.name())
    }

    fn to_socket(&self) -> io::Result<SockAddr> {
        let name = self.name();
        SockAddr::unix(OsStr::from_bytes(if name.first() == Some(&0) { &name } else { before_zero(&name) }))
    }

    fn of_socket(address: &SockAddr) -> io::Result<SocketAddr> {
        match (address.as_pathname(), address.as_abstract_namespace()) {
            (Some(path), _) => SocketAddr::from_pathname(path),
            (None, Some(name)) => named(&[&[0], name].concat()),
            (None, None) => named(&[]),
        }
    }

    fn as_mut_ptr(&mut self) -> *mut libc::sockaddr {
        (&raw mut self.address).cast()
    }

    fn length_mut(&mut self) -> &mut libc::socklen_t {
        &mut self.length
    }
}

fn before_zero(name: &[u8]) -> &[u8] {
    name.split(|&letter| letter == 0).next().unwrap_or_default()
}

/// The address of that name.
fn named(name: &[u8]) -> io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some((0, name)) = name.split_first() {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(Path::new(OsStr::from_bytes(before_zero(name))))
}

impl std::fmt::Debug for UnixAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_std().fmt(f)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::linux::net::SocketAddrExt;

    use super::*;

    #[test]
    fn addresses_survive_the_round_trip() {
        let longest = "/".repeat(107);
        for path in ["/tmp/a", "relative", longest.as_str(), ""] {
            let address = SocketAddr::from_pathname(path).expect("an address");
            for back in [UnixAddr::new(&address).to_std(), UnixAddr::of_socket(&UnixAddr::new(&address).to_socket().expect("an address"))] {
                assert_eq!(format!("{:?}", back.expect("an address")), format!("{address:?}"), "{path}");
            }
        }
        for name in [&b"name"[..], b"", b"with \0 inside \0", &[b'n'; 107]] {
            let address = SocketAddr::from_abstract_name(name).expect("an address");
            for back in [UnixAddr::new(&address).to_std(), UnixAddr::of_socket(&UnixAddr::new(&address).to_socket().expect("an address"))] {
                assert_eq!(back.expect("an address").as_abstract_name(), Some(name));
            }
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        let socket = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
        let mut raw = UnixAddr::empty();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let (address, length) = (raw.as_mut_ptr(), &raw mut *raw.length_mut());
        // SAFETY: both pointers lead into `raw`, whose length is the room it has.
        assert_eq!(unsafe { libc::getsockname(fd, address, length) }, 0);
        assert!(raw.to_std().expect("an address").is_unnamed());
    }
}
