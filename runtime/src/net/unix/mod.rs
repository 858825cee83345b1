//! Unix sockets: streams, listeners and datagrams between processes of one host.

mod credentials;
mod datagram;
mod listener;
mod stream;

pub use credentials::UnixCredentials;
pub use datagram::UnixDatagram;
pub use listener::UnixListener;
pub use stream::UnixStream;

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::share;
use crate::driver::Submission;
use crate::op::{Address, Connect, SharedSocket, UnixAddr, is_full};

/// Longest pause before asking again for room at the other end, where no poller says when there is some.
const PAUSE_MAX: Duration = Duration::from_millis(1);
/// The first pause that is one; before it, others are let go first so many times.
const PAUSE_MIN: Duration = Duration::from_micros(16);
const YIELDS: u32 = 4;

/// A new socket.
fn new_socket(kind: Type) -> io::Result<Socket> {
    Socket::new(Domain::UNIX, kind, None)
}

/// A socket bound to `address`.
fn bound(kind: Type, address: &SocketAddr) -> io::Result<Socket> {
    let socket = new_socket(kind)?;
    socket.bind(&UnixAddr::new(address).to_socket()?)?;
    Ok(socket)
}

/// Two sockets connected to each other.
fn pair(kind: Type) -> io::Result<(SharedSocket, SharedSocket)> {
    let (one, other) = Socket::pair(Domain::UNIX, kind, None)?;
    Ok((share(one), share(other)))
}

fn at(path: &Path) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(path)
}

/// As std names what the socket layer says.
fn named(address: &socket2::SockAddr) -> io::Result<SocketAddr> {
    UnixAddr::of_socket(address)
}

/// Connects `socket`; waits for a listener whose queue is full.
async fn connect(socket: &SharedSocket, address: &SocketAddr) -> io::Result<()> {
    for round in 0.. {
        match Submission::new(Connect::<UnixAddr>::new(socket.clone(), address)).await {
            Err(error) if is_full(&error) => pause(round).await,
            result => return result,
        }
    }
    unreachable!("a range without an end")
}

/// Until there may be room again, longer from round to round.
async fn pause(round: u32) {
    match round.checked_sub(YIELDS) {
        None => crate::task::yield_now().await,
        Some(doubled) => crate::time::sleep(PAUSE_MAX.min(PAUSE_MIN * (1 << doubled.min(6)))).await,
    }
}
