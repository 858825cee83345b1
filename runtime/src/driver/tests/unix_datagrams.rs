//! Datagrams over Unix sockets.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;

use super::executor::{Executor, poll_once};
use super::files::pattern;
use super::for_each_driver;
use super::unix::abstract_name;
use crate::driver::DriverConfig;
use crate::net::UnixDatagram;

for_each_driver! {
    datagrams_of_a_pair_arrive_in_order
    datagrams_know_the_path_they_came_from
    datagrams_of_the_nameless_have_no_source
    datagrams_are_cut_to_the_buffer
    a_connected_datagram_socket_waits_for_its_receiver
}

fn datagrams_of_a_pair_arrive_in_order(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let (one, other) = UnixDatagram::pair().expect("a pair");
        executor.spawn(async move {
            for index in 0..1_000 {
                assert_eq!(one.send(pattern(index)).await.0.expect("a send"), index);
            }
        });
        let mut buffer = Vec::with_capacity(2048);
        for index in 0..1_000 {
            let (count, filled) = other.recv(buffer).await;
            assert_eq!(count.expect("a datagram"), index);
            assert!(filled == pattern(index), "datagram {index}");
            buffer = filled;
        }
    });
    executor.run_all();
}

fn datagrams_know_the_path_they_came_from(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let (here, there) = (dir.path().join("here"), dir.path().join("there"));
    Executor::new(config).run(async {
        let (one, other) = (UnixDatagram::bind(&here).expect("a socket"), UnixDatagram::bind(&there).expect("a socket"));
        for _ in 0..50 {
            assert_eq!(one.send_to("question", &there).await.0.expect("a send"), 8);
            let (received, message) = other.recv_from(Vec::with_capacity(64)).await;
            let (count, source) = received.expect("a datagram");
            assert_eq!((count, &message[..], source.as_pathname()), (8, &b"question"[..], Some(&*here)));
            other.send_to_addr("answer", source).await.0.expect("a send");
            let peeked = one.peek_from(vec![0; 64]).await.0.expect("a datagram");
            assert_eq!((peeked.bytes, peeked.source.as_pathname()), (6, Some(&*there)));
            assert_eq!(one.peek(vec![0; 64]).await.1, b"answer");
            assert_eq!(one.recv(vec![0; 64]).await.1, b"answer");
        }
        one.connect(&there).await.expect("a socket");
        assert_eq!(one.peer_addr().expect("an address").as_pathname(), Some(&*there));
        one.send("connected").await.0.expect("a send");
        assert_eq!(other.recv(vec![0; 64]).await.1, b"connected");
    });
}

fn datagrams_of_the_nameless_have_no_source(config: &DriverConfig) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("socket");
    Executor::new(config).run(async {
        let receiver = UnixDatagram::bind(&path).expect("a socket");
        let nameless = UnixDatagram::unbound().expect("a socket");
        assert!(nameless.local_addr().expect("an address").is_unnamed());
        assert_eq!(nameless.peer_addr().expect_err("not connected").kind(), ErrorKind::NotConnected);
        nameless.send_to("guess who", &path).await.0.expect("a send");
        let (received, message) = receiver.recv_from(vec![0; 64]).await;
        assert!(received.expect("a datagram").1.is_unnamed());
        assert_eq!(message, b"guess who");
        receiver.shutdown(Shutdown::Read).await.expect("a shutdown");
        assert_eq!(nameless.send_to("", &path).await.0.expect_err("nobody reads").kind(), ErrorKind::BrokenPipe);
    });
}

fn datagrams_are_cut_to_the_buffer(config: &DriverConfig) {
    Executor::new(config).run(async {
        let (one, other) = UnixDatagram::pair().expect("a pair");
        for message in ["0123456789", "", "next"] {
            one.send(message).await.0.expect("a send");
        }
        let (received, bytes) = other.receive_from(vec![0; 4].into_boxed_slice()).await;
        let received = received.expect("a datagram");
        assert_eq!((received.bytes, received.is_truncated, &bytes[..]), (4, true, &b"0123"[..]));
        let received = other.receive_from(vec![0; 4]).await.0.expect("a datagram");
        assert_eq!((received.bytes, received.is_truncated), (0, false));
        assert_eq!(other.recv(vec![0; 4]).await.1, b"next");
    });
}

fn a_connected_datagram_socket_waits_for_its_receiver(config: &DriverConfig) {
    let executor = Executor::new(config);
    executor.run(async {
        let name = abstract_name();
        let receiver = UnixDatagram::bind_addr(&name).expect("a socket");
        let sender = UnixDatagram::unbound().expect("a socket");
        sender.connect_addr(&name).await.expect("a socket");
        for round in 0..5 {
            let queued = fill(&name);
            let mut sends: Vec<_> = (0..3).map(|index| Box::pin(sender.send(format!("send {index} of {round}")))).collect();
            for send in &mut sends {
                assert!(poll_once(send).is_pending(), "there is no room");
            }
            executor.turn(crate::driver::Wait::For(std::time::Duration::from_millis(1)));
            for send in &mut sends {
                assert!(poll_once(send).is_pending(), "there is no room");
            }
            // One is given up: what it would have sent is sent whole or not at all.
            drop(sends.remove(1));
            for _ in 0..queued {
                assert_eq!(receiver.recv(vec![0; 64]).await.1, b"filler");
            }
            for send in sends {
                assert_eq!(send.await.0.expect("a send"), 11);
            }
            sender.send("the end").await.0.expect("a send");
            let mut arrived = Vec::new();
            while let message = receiver.recv(vec![0; 64]).await.1
                && message != b"the end"
            {
                arrived.push(String::from_utf8(message).expect("text"));
            }
            arrived.retain(|message| *message != format!("send 1 of {round}"));
            arrived.sort();
            assert_eq!(arrived, [format!("send 0 of {round}"), format!("send 2 of {round}")]);
        }
    });
    executor.run_all();
}

/// Fills the queue of the socket at `name` from outside; returns with how many.
fn fill(name: &SocketAddr) -> usize {
    let socket = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    socket.set_nonblocking(true).expect("a mode");
    for count in 0.. {
        if let Err(error) = socket.send_to_addr(b"filler", name) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            return count;
        }
    }
    unreachable!("a queue has an end")
}
