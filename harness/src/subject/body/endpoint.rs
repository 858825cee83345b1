//! Where a trial listens and connects from, sockets for hand-written loops, and errors of set-up in words that help.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use zokio_report::schema::journal::Failure;

use crate::subject::protocol::Trial;

/// Listeners never have a shorter queue than this.
const BACKLOG_MIN: u32 = 128;

/// The queue of a listener: every user may connect at once.
pub fn backlog(users: u32) -> u32 {
    users.saturating_mul(2).max(BACKLOG_MIN)
}

/// One address per worker: those of the trial in turn. A fixed port that comes round again is counted up, so that workers never share one.
///
/// # Errors
/// Class `bad-request`: not a socket address.
pub fn listen_addresses(trial: &Trial, workers: usize) -> Result<Vec<SocketAddr>, Failure> {
    let given = trial.network.listen.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    if given.is_empty() {
        return Err(bad_request("`network.listen` is empty"));
    }
    let address = |worker: usize| {
        let mut address = given[worker % given.len()];
        if address.port() != 0 {
            let round = u16::try_from(worker / given.len()).unwrap_or(u16::MAX);
            address.set_port(address.port().saturating_add(round));
        }
        address
    };
    Ok((0..workers).map(address).collect())
}

/// Where a client connects to.
///
/// # Errors
/// Class `bad-request`: none, or not a socket address.
pub fn connect_addresses(trial: &Trial) -> Result<Vec<SocketAddr>, Failure> {
    if trial.connect.is_empty() {
        return Err(bad_request("a client needs addresses in `connect`"));
    }
    trial.connect.iter().map(|text| parse(text)).collect()
}

/// Where a client's connections come from, in turn; the port is the kernel's choice.
///
/// # Errors
/// Class `bad-request`: not an IP address.
pub fn sources(trial: &Trial) -> Result<Vec<SocketAddr>, Failure> {
    let source = |text: &String| {
        let ip: Result<IpAddr, _> = text.parse().or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
        ip.map(|ip| SocketAddr::new(ip, 0)).map_err(|_| bad_request(&format!("`{text}` in `network.sources` is not an IP address")))
    };
    trial.network.sources.iter().map(source).collect()
}

fn parse(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| bad_request(&format!("`{text}` is not a socket address such as 127.0.0.1:0")))
}

fn bad_request(message: &str) -> Failure {
    Failure { class: "bad-request".into(), message: message.into() }
}

/// Why a listener could not be made, with the way out.
pub fn listen_failure(address: SocketAddr, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AddrInUse => Failure {
            class: "port-in-use".into(),
            message: format!("cannot listen on {address}: another process has this port; end it, or give another address or port 0"),
        },
        _ => setup_failure("listen", &format!("cannot listen on {address}"), error),
    }
}

/// Why a step of the set-up failed; `class` unless the error has one of its own.
pub fn setup_failure(class: &str, what: &str, error: &io::Error) -> Failure {
    if error.raw_os_error().is_some_and(is_out_of_files) {
        let message = format!("{what}: {error}; raise the limit with `ulimit -n`, or ask for fewer users");
        return Failure { class: "nofile".into(), message };
    }
    Failure { class: class.into(), message: format!("{what}: {error}") }
}

/// EMFILE or ENFILE.
fn is_out_of_files(errno: i32) -> bool {
    #[cfg(unix)]
    {
        errno == libc::EMFILE || errno == libc::ENFILE
    }
    #[cfg(not(unix))]
    {
        let _ = errno;
        false
    }
}

/// Socket options of every listener. An accepted connection inherits TCP_NODELAY from its listener, which saves a call per connection.
///
/// # Errors
/// The system's.
pub fn prepare_listener(listener: &impl AsFd, nodelay: bool) -> io::Result<()> {
    let socket = SockRef::from(listener);
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(nodelay)
}

/// Socket options of every client socket with a source address: the port is chosen at connect, when the far end is known, so that
/// the number of ports bounds connections per pair of addresses and not in all.
///
/// # Errors
/// The system's.
pub fn prepare_source(socket: &impl AsFd) -> io::Result<()> {
    super::option::set_bind_address_no_port(socket)
}

/// A blocking listener for a hand-written loop.
///
/// # Errors
/// The system's.
pub fn listen(address: SocketAddr, backlog: u32, nodelay: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    prepare_listener(&socket, nodelay)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// A blocking connection for a hand-written loop.
///
/// # Errors
/// The system's.
pub fn connect(address: SocketAddr, source: Option<SocketAddr>, nodelay: bool) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(source) = source {
        prepare_source(&socket)?;
        socket.bind(&source.into())?;
    }
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// A non-blocking socket that is connected, or (true) about to be.
///
/// # Errors
/// The system's.
pub fn connect_nonblocking(address: SocketAddr, source: Option<SocketAddr>, nodelay: bool) -> io::Result<(TcpStream, bool)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(source) = source {
        prepare_source(&socket)?;
        socket.bind(&source.into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => Ok((socket.into(), false)),
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok((socket.into(), true)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_names_the_address_and_the_way_out() {
        let taken = listen("127.0.0.1:0".parse().expect("address"), 1, true).expect("a free port");
        let address = taken.local_addr().expect("bound");
        let failure = listen_failure(address, &listen(address, 1, true).expect_err("taken"));
        assert_eq!(failure.class, "port-in-use");
        assert!(failure.message.contains(&address.to_string()) && failure.message.contains("port 0"), "{failure:?}");
    }

    #[cfg(unix)]
    #[test]
    fn too_few_files_is_a_class_of_its_own() {
        let failure = setup_failure("connect", "cannot connect", &io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(failure.class, "nofile");
        assert!(failure.message.contains("ulimit -n"));
    }

    #[test]
    fn a_source_address_is_used_and_its_port_is_free_again_for_another_destination() {
        let any = "127.0.0.1:0".parse().expect("address");
        let listener = listen(any, 1, true).expect("listener");
        let source = "127.0.0.2:0".parse().expect("address");
        let stream = connect(listener.local_addr().expect("bound"), Some(source), true).expect("connect");
        assert_eq!(stream.local_addr().expect("bound").ip().to_string(), "127.0.0.2");
        assert!(listener.accept().expect("accept").0.nodelay().expect("option"), "inherited");
    }
}
