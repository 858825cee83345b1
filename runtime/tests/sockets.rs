//! Datagrams, Unix sockets and many listeners on a whole runtime, on both drivers.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zokio::net::{TcpListener, TcpStream, UdpSocket};
use zokio::time::{sleep, timeout};
use zokio::{Builder, IoDriver, Runtime};

/// Tells one story for io_uring and for readiness polling.
macro_rules! on_both_drivers {
    ($($story:ident)*) => {$(
        mod $story {
            #[test]
            fn uring() {
                super::$story(&super::runtime(zokio::IoDriver::IoUring));
            }
            #[test]
            fn polling() {
                super::$story(&super::runtime(zokio::IoDriver::Polling));
            }
        }
    )*};
}

on_both_drivers! {
    one_udp_socket_serves_tasks_on_every_worker
    many_listeners_share_an_address
    a_dropped_receive_leaves_the_next_datagram_whole
}

fn runtime(driver: IoDriver) -> Runtime {
    Builder::new().worker_threads(2).io_driver(driver).build().expect("a runtime")
}

async fn udp() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

fn one_udp_socket_serves_tasks_on_every_worker(runtime: &Runtime) {
    const CLIENTS: usize = 16;
    const ROUNDS: usize = 100;
    let (server, address) = runtime.block_on(udp());
    let server = Arc::new(server);
    let answered = Arc::new(AtomicUsize::new(0));
    let servers: Vec<_> = (0..2)
        .map(|worker| {
            let (server, answered) = (server.clone(), answered.clone());
            runtime.spawn_on(worker, async move {
                loop {
                    let (received, message) = server.recv_from(Vec::with_capacity(64)).await;
                    let (_, source) = received.expect("a datagram");
                    server.send_to(message, source).await.0.expect("a send");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|index| {
            runtime.spawn(async move {
                let (client, _) = udp().await;
                client.connect(address).await.expect("an address");
                for round in 0..ROUNDS {
                    let message = format!("{round} of {index}");
                    client.send(message.clone()).await.0.expect("a send");
                    let (count, answer) = client.recv(Vec::with_capacity(64)).await;
                    count.expect("an answer");
                    assert_eq!(answer, message.as_bytes());
                }
            })
        })
        .collect();
    for client in clients {
        runtime.block_on(client).expect("every answer is the right one");
    }
    for server in servers {
        server.abort();
        runtime.block_on(server).expect_err("it was aborted");
    }
    // The last answers were counted or cut off between the send and the count.
    assert!(answered.load(Ordering::Relaxed) + 2 >= CLIENTS * ROUNDS);
}

fn many_listeners_share_an_address(runtime: &Runtime) {
    assert!(TcpListener::bind_many("127.0.0.1:0", 0).expect("none").is_empty());
    let listeners = TcpListener::bind_many("127.0.0.1:0", 4).expect("listeners");
    let addresses: HashSet<_> = listeners.iter().map(|listener| listener.local_addr().expect("an address")).collect();
    assert_eq!((listeners.len(), addresses.len()), (4, 1));
    let address = listeners[0].local_addr().expect("an address");
    let accepted = Arc::new([const { AtomicUsize::new(0) }; 4]);
    for (index, listener) in listeners.into_iter().enumerate() {
        let accepted = accepted.clone();
        drop(runtime.spawn_on(index, async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted[index].fetch_add(1, Ordering::Relaxed);
                stream.write_all("welcome").await.0.expect("a write");
            }
        }));
    }
    runtime.block_on(async {
        for _ in 0..200 {
            let stream = TcpStream::connect(address).await.expect("a connection");
            assert_eq!(stream.read_exact(vec![0; 7]).await.1, b"welcome");
        }
    });
    let accepted: Vec<_> = accepted.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    assert_eq!(accepted.iter().sum::<usize>(), 200);
    assert!(accepted.iter().filter(|&&count| count > 0).count() > 1, "{accepted:?}: the kernel spreads them");
}

fn a_dropped_receive_leaves_the_next_datagram_whole(runtime: &Runtime) {
    runtime.block_on(async {
        let (receiver, address) = udp().await;
        for round in 0..50 {
            // A timeout drops the receive; nothing was sent, so nothing is lost.
            timeout(Duration::from_millis(1), receiver.recv_from(vec![0; 64])).await.expect_err("nobody sends");
            // Its end is the kernel's; what comes before may be its own.
            sleep(Duration::from_millis(2)).await;
            let message = format!("round {round}");
            receiver.send_to(message.clone(), address).await.0.expect("a send");
            let (received, bytes) = receiver.recv_from(Vec::with_capacity(64)).await;
            assert_eq!((received.expect("a datagram"), bytes), ((message.len(), address), message.into_bytes()));
        }
    });
}

#[cfg(target_os = "linux")]
mod unix {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use zokio::net::{UnixDatagram, UnixListener, UnixStream};

    use super::*;

    on_both_drivers! {
        connecting_waits_for_a_full_queue
        sending_waits_for_a_receiver_that_others_filled
        streams_between_workers_carry_what_was_written
        aborted_tasks_give_up_their_sockets
    }

    fn runtime(driver: IoDriver) -> Runtime {
        super::runtime(driver)
    }

    fn name() -> SocketAddr {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("zokio-sockets-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        SocketAddr::from_abstract_name(name).expect("a name")
    }

    fn connecting_waits_for_a_full_queue(runtime: &Runtime) {
        let name = name();
        let listener = std::os::unix::net::UnixListener::bind_addr(&name).expect("a listener");
        shorten(&listener);
        let listener = UnixListener::from_std(listener);
        runtime.block_on(async {
            let mut clients = Vec::new();
            // The queue holds one more than its length.
            for _ in 0..2 {
                clients.push(UnixStream::connect_addr(&name).await.expect("a connection"));
            }
            let waits = zokio::spawn(async move { UnixStream::connect_addr(&name).await });
            sleep(Duration::from_millis(30)).await;
            assert!(!waits.is_finished(), "there is no room");
            listener.accept().await.expect("a connection");
            let client = waits.await.expect("no panic").expect("a connection");
            listener.accept().await.expect("a connection");
            let (server, _) = listener.accept().await.expect("a connection");
            client.write_all("at last").await.0.expect("a write");
            assert_eq!(server.read(vec![0; 64]).await.1, b"at last");
        });
    }

    /// Makes the queue of `listener` as short as it can be.
    fn shorten(listener: &std::os::unix::net::UnixListener) {
        socket2::SockRef::from(listener).listen(1).expect("a shorter queue");
    }

    fn sending_waits_for_a_receiver_that_others_filled(runtime: &Runtime) {
        let name = name();
        let receiver = UnixDatagram::bind_addr(&name).expect("a socket");
        let other = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
        other.set_nonblocking(true).expect("a mode");
        let mut queued = 0;
        loop {
            match other.send_to_addr(b"filler", &name) {
                Ok(_) => queued += 1,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert!(queued > 0);
        runtime.block_on(async {
            let waits = zokio::spawn(async move {
                let sender = UnixDatagram::unbound().expect("a socket");
                sender.send_to_addr("at last", name).await.0
            });
            sleep(Duration::from_millis(30)).await;
            assert!(!waits.is_finished(), "there is no room");
            for _ in 0..queued {
                assert_eq!(receiver.recv(vec![0; 64]).await.1, b"filler");
            }
            assert_eq!(waits.await.expect("no panic").expect("a send"), 7);
            assert_eq!(receiver.recv(vec![0; 64]).await.1, b"at last");
        });
    }

    fn streams_between_workers_carry_what_was_written(runtime: &Runtime) {
        const BYTES: usize = 1 << 20;
        let pairs: Vec<_> = (0..8)
            .map(|seed: u8| {
                let (one, other) = UnixStream::pair().expect("a pair");
                let expected: Vec<u8> = (0..BYTES).map(|index| (index / 3) as u8 ^ seed).collect();
                let bytes = expected.clone();
                let writes = runtime.spawn(async move { one.write_all(bytes).await.0.expect("a write") });
                let reads = runtime.spawn(async move {
                    let (count, bytes) = other.read_exact(vec![0; BYTES]).await;
                    assert_eq!(count.expect("all"), BYTES);
                    bytes == expected
                });
                (writes, reads)
            })
            .collect();
        for (writes, reads) in pairs {
            assert_eq!(runtime.block_on(writes).expect("no panic"), BYTES);
            assert!(runtime.block_on(reads).expect("no panic"), "the bytes arrive in their order");
        }
    }

    fn aborted_tasks_give_up_their_sockets(runtime: &Runtime) {
        runtime.block_on(async {
            for _ in 0..50 {
                let (one, other) = UnixStream::pair().expect("a pair");
                let reads = zokio::spawn(async move { one.read(vec![0; 64]).await.0 });
                sleep(Duration::from_micros(200)).await;
                reads.abort();
                drop(reads);
                // The other end reads the end once the kernel has given the read back and the socket is closed.
                assert_eq!(timeout(Duration::from_secs(10), other.read(vec![0; 1])).await.expect("in time").0.expect("the end"), 0);
            }
        });
    }
}
